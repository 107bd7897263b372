"""The grid of a sweep: axes, their values, and the trials that they combine to."""

import dataclasses
import functools
import itertools
import re
from dataclasses import dataclass
from typing import Literal

from keras_vae.config.codec import StrangerError, option
from keras_vae.config.flags import parse
from keras_vae.errors import UsageError
from keras_vae.evaluation.settings import Evaluation
from keras_vae.runtime.json_file import quote
from keras_vae.training.config import Config

NOT_SWEPT = {
    "name": "runs are named after what varies",
    "output": "runs are saved in the sweep's folder",
    **dict.fromkeys(
        ("over", "jobs", "scheduler", "resume", "compare", "yes"), "it applies to the sweep as a whole"
    ),
}
LONGEST_NAME = 120  # characters of a folder's name, without a number that is appended
REPLICATES = "seed"  # the axis whose values repeat a setting


@dataclass(frozen=True)
class Trial(Config, Evaluation):
    """A training and its evaluation. The seed is that of the training; all evaluations use the same seed."""

    name: str | None = option(None, "name of the sweep's folder (default: sweep-dataset-fields)")
    output: str = option("saved_models", "folder in which the sweep's folder is created")

    # These settings describe models from elsewhere; a sweep trains its own.
    encoder: None = dataclasses.field(default=None, init=False)
    decoder: None = dataclasses.field(default=None, init=False)
    encoder_outputs: tuple = dataclasses.field(default=(), init=False)
    spread: Literal["auto"] = dataclasses.field(default="auto", init=False)
    encoder_range: str = dataclasses.field(default="auto", init=False)
    decoder_range: str = dataclasses.field(default="auto", init=False)

    def training(self, name, output):
        """Returns the `Config` of a run named `name` in the folder `output`."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(Config)}
        return Config(**{**fields, "name": name, "output": str(output)})

    def evaluation(self):
        """Returns the `Evaluation`."""
        shared = {field.name for field in dataclasses.fields(Config)}
        own = {field.name for field in dataclasses.fields(Evaluation)} - shared
        return Evaluation(**{name: getattr(self, name) for name in own})


@dataclass(frozen=True)
class Axis:
    """A dotted field of `Trial` and its values, as texts."""

    field: str
    values: tuple[str, ...]

    @classmethod
    def read(cls, text):
        """Parses an axis such as `latent=2,8,32`.

        Values are separated by commas, or by semicolons if values contain commas: `network.widths=16,32;32,64`.
        """
        name, equals, listed = text.partition("=")
        field = name.strip().removeprefix("--")
        values = tuple(
            value.strip() for value in listed.split(";" if ";" in listed else ",") if value.strip()
        )
        if not equals or not field or not values:
            raise UsageError(f"--over {quote(text)}: expected FIELD=VALUE,VALUE (try --over latent=2,8,32)")
        if field in NOT_SWEPT:
            raise UsageError(f"--over {field}: {NOT_SWEPT[field]}; sweep another field")
        if repeated := [value for value in values if values.count(value) > 1]:
            raise UsageError(f"--over {field}: {repeated[0]} is given twice")
        return cls(field, values)


@dataclass(frozen=True)
class Grid:
    """Every combination of the values of `axes`, with `flags`, the command-line words that all runs share.

    If a component is swept together with a field that only some of its kinds have, runs of the others omit the field.
    """

    flags: tuple[str, ...]
    axes: tuple[Axis, ...]

    def __post_init__(self):
        fields = [axis.field for axis in self.axes]
        if repeated := [field for field in fields if fields.count(field) > 1]:
            raise UsageError(f"--over {repeated[0]} is given twice: give all its values in one")
        for field in fields:
            said = {f"--{field}", f"--no-{field}"}
            if said & {word.partition("=")[0] for word in self.flags}:
                raise UsageError(f"--{field} and --over {field} are both given: give one of them")

    @classmethod
    def from_json(cls, data):
        """Returns the grid that `to_json` wrote; raises a TypeError or KeyError for other data."""
        flags, over = data["flags"], data["over"]
        if not over or not all(map(is_texts, (flags, *over.values()))) or not all(over.values()):
            raise TypeError("flags and values must be lists of texts")
        return cls(tuple(flags), tuple(Axis(field, tuple(values)) for field, values in over.items()))

    def to_json(self):
        """Returns the grid as plain JSON values."""
        return {"flags": list(self.flags), "over": {axis.field: list(axis.values) for axis in self.axes}}

    def __len__(self):
        size = 1
        for axis in self.axes:
            size *= len(axis.values)
        return size

    def points(self):
        """Returns the settings of each run, dicts of texts by field, by the run's name.

        Seeds vary slowest, so an unfinished sweep has one run of every setting early.
        """
        axes = sorted(self.axes, key=lambda axis: axis.field != REPLICATES)
        combinations = itertools.product(*(axis.values for axis in axes))
        chosen = [dict(zip([axis.field for axis in axes], values)) for values in combinations]
        fitting = {repr(point): point for point in map(self.fitting, chosen)}
        return names_of(list(fitting.values()))

    def first(self):
        """Returns the settings of the run with the first value of every axis."""
        return self.fitting({axis.field: axis.values[0] for axis in self.axes})

    def fitting(self, chosen):
        """Returns the settings in `chosen` that apply to the run, in the order of the axes."""
        lacking = {field for component in chosen.items() for field in self.strangers.get(component, ())}
        return {axis.field: chosen[axis.field] for axis in self.axes if axis.field not in lacking}

    @functools.cached_property
    def strangers(self):
        """The swept fields that a component lacks but another swept component has, by the component's (field, text)."""
        lacked = {}
        for component, inner in itertools.product(self.axes, self.axes):
            if inner.field.rpartition(".")[0] == component.field:
                without = [text for text in component.values if lacks(component.field, text, inner)]
                if len(without) < len(component.values):
                    for text in without:
                        lacked.setdefault((component.field, text), set()).add(inner.field)
        return lacked

    def words(self, point):
        """Returns the command line of the run with the settings `point`."""
        return [*self.flags, *(switch_or_value(field, text) for field, text in point.items())]

    def trial(self, point):
        """Returns the `Trial` of the run with the settings `point`."""
        return parse(Trial, self.words(point)).config

    def trials(self):
        """Returns all trials by the run's name; raises a `UsageError` if one is invalid or two are the same."""
        points, trials, refused, seen = self.points(), {}, {}, {}
        for name, point in points.items():
            try:
                trials[name] = self.trial(point)
            except UsageError as error:
                refused[name] = error
                continue
            twin = seen.setdefault(repr(trials[name]), point)
            if twin is not point:
                raise UsageError(f"{in_words(twin)} and {in_words(point)} are the same run")
        refuse(refused, points)
        return trials


def lacks(field, text, inner):
    """Returns whether the component `text` of `field` lacks the field of the axis `inner`."""
    try:
        parse(Trial, [switch_or_value(field, text), switch_or_value(inner.field, inner.values[0])])
    except StrangerError:
        return True
    except UsageError:
        pass  # other errors are reported when the run is checked
    return False


def is_texts(value):
    """Returns whether `value` is a list of texts."""
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def refuse(refused, points):
    """Raises the first error in `refused`, errors by run; names the combination unless all runs fail alike."""
    if not refused:
        return
    name, error = next(iter(refused.items()))
    if len(refused) == len(points) and len(set(map(str, refused.values()))) == 1:
        raise UsageError(error)
    more = len(refused) - 1
    others = f" (and {more} more {'is' if more == 1 else 'are'} rejected)" if more else ""
    raise UsageError(f"{in_words(points[name])}: {error}{others}")


def switch_or_value(field, text):
    """Returns the flag that sets `field` to `text`; booleans become flags without a value."""
    return {"true": f"--{field}", "false": f"--no-{field}"}.get(text, f"--{field}={text}")


def in_words(point):
    """Returns a run's settings as text: `latent 8, objective vae`."""
    return ", ".join(f"{field} {text}" for field, text in point.items())


def names_of(points):
    """Returns the points by folder names made from their settings, such as `latent-8_objective-vae`."""
    labels = short_fields(dict.fromkeys(field for point in points for field in point))
    named = {}
    for point in points:
        name = "_".join(f"{plain(labels[field])}-{plain(text)}" for field, text in point.items())[
            :LONGEST_NAME
        ]
        number = 2
        unique = name
        while unique in named:  # the values differ only in characters that the name cannot contain
            unique, number = f"{name}-{number}", number + 1
        named[unique] = point
    return named


def short_fields(fields):
    """Returns the last part of each dotted field, or the whole field with dashes if two fields share that part."""
    last = [field.rpartition(".")[2] for field in fields]
    return {
        field: end if last.count(end) == 1 else field.replace(".", "-") for field, end in zip(fields, last)
    }


def plain(text):
    """Returns `text` with dashes in place of characters that are unsuitable for a folder's name."""
    return re.sub(r"[^\w.+-]+", "-", text, flags=re.ASCII).strip("-") or "-"
