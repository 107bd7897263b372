"""What a sweep varies: axes, their values, and the trials that they make together."""

import dataclasses
import functools
import itertools
import re
from dataclasses import dataclass

from keras_vae.config.codec import StrangerError, option
from keras_vae.config.flags import parse
from keras_vae.errors import UsageError
from keras_vae.evaluation.settings import Evaluation
from keras_vae.runtime.json_file import quote
from keras_vae.training.config import Config

NOT_SWEPT = {
    "name": "runs are named by what varies",
    "output": "runs stand in the sweep's folder",
    **dict.fromkeys(("over", "jobs", "resume", "compare", "yes"), "it concerns the sweep as a whole"),
}
LONGEST_NAME = 120  # characters of a folder's name that is made of fields and values, leaving room for what is put behind it
REPLICATES = "seed"  # the axis whose values repeat a setting rather than make another


@dataclass(frozen=True)
class Trial(Config, Evaluation):
    """A training and its evaluation. The seed is the training's: all evaluations draw alike."""

    name: str | None = option(None, "of the sweep's folder; sweep-dataset-fields by default")
    output: str = option("saved_models", "folder that the sweep's folder is made in")

    # What describes models that were made elsewhere: a sweep makes its own.
    encoder: None = dataclasses.field(default=None, init=False)
    decoder: None = dataclasses.field(default=None, init=False)
    encoder_outputs: tuple = dataclasses.field(default=(), init=False)
    spread: str = dataclasses.field(default="auto", init=False)
    encoder_range: str = dataclasses.field(default="auto", init=False)
    decoder_range: str = dataclasses.field(default="auto", init=False)

    def training(self, name, output):
        """Returns the `Config` of a run that is called `name`, in the folder `output`."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(Config)}
        return Config(**{**fields, "name": name, "output": str(output)})

    def evaluation(self):
        """Returns the `Evaluation`."""
        shared = {field.name for field in dataclasses.fields(Config)}
        own = {field.name for field in dataclasses.fields(Evaluation)} - shared
        return Evaluation(**{name: getattr(self, name) for name in own})


@dataclass(frozen=True)
class Axis:
    """A field of `Trial`, dotted, and the texts that it takes in turn."""

    field: str
    values: tuple[str, ...]

    @classmethod
    def read(cls, text):
        """Returns the axis that `latent=2,8,32` writes.

        Commas part the values, or semicolons where there is one, since a value may hold commas itself:
        `network.widths=16,32;32,64`.
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
            raise UsageError(f"--over {field}: {repeated[0]} stands there twice")
        return cls(field, values)


@dataclass(frozen=True)
class Grid:
    """Every combination of the values of `axes`, beside `flags`, the words of the command line that all share.

    Where a component is swept beside a field that only some of its kinds have, the others' runs go without the field.
    """

    flags: tuple[str, ...]
    axes: tuple[Axis, ...]

    def __post_init__(self):
        fields = [axis.field for axis in self.axes]
        if repeated := [field for field in fields if fields.count(field) > 1]:
            raise UsageError(f"--over {repeated[0]} is given twice: write all its values in one")
        for field in fields:
            said = {f"--{field}", f"--no-{field}"}
            if said & {word.partition("=")[0] for word in self.flags}:
                raise UsageError(f"--{field} is given beside --over {field}: give one of them")

    @classmethod
    def from_json(cls, data):
        """Returns the grid that `to_json` wrote; raises a TypeError or KeyError where it is none."""
        flags, over = data["flags"], data["over"]
        if not over or not all(map(is_texts, (flags, *over.values()))) or not all(over.values()):
            raise TypeError("flags and values are lists of texts")
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
        """Returns what each run sets, a dict of texts by field; by the run's name.

        Seeds vary slowest: a sweep that is looked at early has one run of everything.
        """
        axes = sorted(self.axes, key=lambda axis: axis.field != REPLICATES)
        combinations = itertools.product(*(axis.values for axis in axes))
        chosen = [dict(zip([axis.field for axis in axes], values)) for values in combinations]
        fitting = {repr(point): point for point in map(self.fitting, chosen)}
        return names_of(list(fitting.values()))

    def first(self):
        """Returns what the run of every axis' first value sets."""
        return self.fitting({axis.field: axis.values[0] for axis in self.axes})

    def fitting(self, chosen):
        """Returns what a run sets of what is `chosen`, in the order of the axes."""
        lacking = {field for component in chosen.items() for field in self.strangers.get(component, ())}
        return {axis.field: chosen[axis.field] for axis in self.axes if axis.field not in lacking}

    @functools.cached_property
    def strangers(self):
        """The swept fields that a swept component lacks, where another one has them: by (field, text) of the component."""
        lacked = {}
        for component, inner in itertools.product(self.axes, self.axes):
            if inner.field.rpartition(".")[0] == component.field:
                without = [text for text in component.values if lacks(component.field, text, inner)]
                if len(without) < len(component.values):
                    for text in without:
                        lacked.setdefault((component.field, text), set()).add(inner.field)
        return lacked

    def words(self, point):
        """Returns the command line of the run that sets `point`."""
        return [*self.flags, *(switch_or_value(field, text) for field, text in point.items())]

    def trial(self, point):
        """Returns the `Trial` of the run that sets `point`."""
        return parse(Trial, self.words(point)).config

    def trials(self):
        """Returns all trials by the run's name.

        Raises:
            UsageError: A combination is refused, or two are the same.
        """
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
    """Returns whether the component `text` of `field` has nothing that the axis `inner` could set."""
    try:
        parse(Trial, [switch_or_value(field, text), switch_or_value(inner.field, inner.values[0])])
    except StrangerError:
        return True
    except UsageError:
        pass  # what else is wrong is said when the run is checked
    return False


def is_texts(value):
    """Returns whether `value` is a list of texts."""
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def refuse(refused, points):
    """Raises a UsageError where there is one in `refused`, by run; names the combination unless it fails them all."""
    if not refused:
        return
    name, error = next(iter(refused.items()))
    if len(refused) == len(points) and len(set(map(str, refused.values()))) == 1:
        raise UsageError(error)
    more = len(refused) - 1
    others = f" (and {more} more {'is' if more == 1 else 'are'} refused)" if more else ""
    raise UsageError(f"{in_words(points[name])}: {error}{others}")


def switch_or_value(field, text):
    """Returns the flag that sets `field` to `text`; what is on or off is a flag without a value."""
    return {"true": f"--{field}", "false": f"--no-{field}"}.get(text, f"--{field}={text}")


def in_words(point):
    """Returns what a run sets, as one says it: `latent 8, objective vae`."""
    return ", ".join(f"{field} {text}" for field, text in point.items())


def names_of(points):
    """Returns the points by names of folders that are made of what they set, such as `latent-8_objective-vae`."""
    labels = short_fields(dict.fromkeys(field for point in points for field in point))
    named = {}
    for point in points:
        name = "_".join(f"{plain(labels[field])}-{plain(text)}" for field, text in point.items())[
            :LONGEST_NAME
        ]
        number = 2
        unique = name
        while unique in named:  # values that differ only in what a folder's name cannot hold
            unique, number = f"{name}-{number}", number + 1
        named[unique] = point
    return named


def short_fields(fields):
    """Returns for each dotted field its last part, where no other field has the same."""
    last = [field.rpartition(".")[2] for field in fields]
    return {
        field: end if last.count(end) == 1 else field.replace(".", "-") for field, end in zip(fields, last)
    }


def plain(text):
    """Returns `text` with a dash for what does not belong into the name of a folder."""
    return re.sub(r"[^\w.+-]+", "-", text, flags=re.ASCII).strip("-") or "-"
