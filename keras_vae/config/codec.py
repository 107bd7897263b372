"""Converts a tree of frozen dataclasses to JSON and back.

A field is a JSON key and, in `keras_vae.config.flags`, a flag and a line of `--help`. A field with `choices` holds a
component, which is a dataclass too: the key `kind` names its class, and the other keys are its fields.

JSON and flags become nested dicts, which `build` turns into dataclasses. `build` also converts texts, instead of
argparse: the meaning of `--objective.beta` depends on the objective, and flags come in any order.
"""

import contextlib
import dataclasses
import difflib
import functools
import math
import os
import types
import typing

from keras_vae.errors import UsageError
from keras_vae.runtime.json_file import quote, read_json

MISSING = dataclasses.MISSING
EMPTY = "empty"  # how a user types an empty list, because an empty text would be overlooked


def option(default, help, *, choices=None, fallback=None, parse=None, show=None, metavar=None):
    """Returns a `dataclasses.field` with the metadata of its flag.

    Args:
        default: The default, an instance for a component. `dataclasses.MISSING` makes the flag required.
        help: One sentence for `--help`.
        choices: A dict from names to dataclasses: every class that the field may hold.
        fallback: A function from texts that are not in `choices`, on the command line, to components.
        parse, show: Functions from text to value and back. Flag and JSON then hold the text `show(value)`.
        metavar: The placeholder of the value in `--help`.
    """
    metadata = {"choices": choices, "fallback": fallback, "parse": parse, "show": show, "metavar": metavar}
    metadata = {key: value for key, value in metadata.items() if value is not None}
    return dataclasses.field(default=default, metadata={"help": help, **metadata})


def to_json(config):
    """Returns `config` as a dict of JSON values, including defaults."""
    plain = {}
    for field, _ in settings(type(config)):
        value = getattr(config, field.name)
        if "choices" in field.metadata:
            plain[field.name] = {"kind": kind_name(field, value), **to_json(value)}
        elif "parse" in field.metadata and value is not None:
            plain[field.name] = show_setting(field, value)
        else:
            plain[field.name] = list(value) if isinstance(value, tuple) else value
    return plain


def from_json(config_type, data):
    """Returns the `config_type` that `data` describes. Missing keys get the defaults.

    Raises:
        UsageError: A key is unknown, or a value has the wrong type or is rejected by its dataclass.
    """
    if not isinstance(data, dict):
        raise UsageError(f"expected a JSON object, got {quote(data)}")
    return build(config_type, None, data, "", typed=False)


def read_config(config_type, path):
    """Returns the `config_type` in the JSON file `path`; raises a UsageError that names the file."""
    data = read_json(path)
    try:
        return from_json(config_type, data)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


class StrangerError(UsageError):
    """The chosen component does not have one of the given fields."""


@functools.cache
def settings(kind):
    """Returns pairs (field, annotation) of the constructor arguments of the dataclass `kind`."""
    hints = typing.get_type_hints(kind)
    return [(field, hints[field.name]) for field in dataclasses.fields(kind) if field.init]


def default_of(field, start):
    """Returns the value of `field` in the instance `start`, or if that is None its default, which may be `MISSING`."""
    if start is not None:
        return getattr(start, field.name)
    return field.default if field.default_factory is MISSING else field.default_factory()


def kind_name(field, component):
    """Returns the name of the class of `component` among the choices of `field`; raises a TypeError if it has none."""
    for name, kind in field.metadata["choices"].items():
        if type(component) is kind:
            return name
    raise TypeError(f"{field.name}: {type(component).__name__} is not among the choices")


def build(kind, start, values, path, typed):
    """Builds a dataclass from a dict.

    Args:
        kind: The dataclass.
        start: An instance of it with the values of missing keys, or None for the defaults.
        values: A dict from field names to texts or JSON values, nested for components.
        path: The dotted name of the component, empty for the whole configuration.
        typed: Whether the values are texts from a command line. Otherwise they are from JSON.

    Raises:
        UsageError: A value is invalid, a required one is missing, or the dataclass rejects them.
    """
    arguments = {field.name: default_of(field, start) for field, _ in settings(kind)}
    for field, annotation in settings(kind):
        name = f"{path}.{field.name}" if path else field.name
        label = f"--{name}" if typed else name
        if field.name in values and "choices" in field.metadata:
            arguments[field.name] = choose(field, arguments[field.name], values[field.name], name, typed)
        elif field.name in values:
            arguments[field.name] = read_setting(field, annotation, values[field.name], label, typed)
        if arguments[field.name] is MISSING:
            raise UsageError(f"{label} is required: it has no default")
    if unknown := [name for name in values if name not in arguments]:
        raise UsageError(f"unknown key {quote(unknown[0])}{did_you_mean(unknown[0], arguments)}")
    try:
        return kind(**arguments)
    except ValueError as error:
        named = not path or str(error).startswith(f"{path}.")  # whether the message has the path already
        raise UsageError(error if named else f"{path}: {error}") from error


def choose(field, current, values, path, typed):
    """Returns the component that `values` describes, based on `current` unless `values` names another kind."""
    choices, fallback = field.metadata["choices"], field.metadata.get("fallback")
    label = f"--{path}" if typed else path
    if not isinstance(values, dict):
        raise UsageError(f"{label}: expected an object with the key kind, got {quote(values)}")
    if "kind" not in values and current is MISSING:
        raise UsageError(f"{label} is required: one of {', '.join(choices)}")
    name = values["kind"] if "kind" in values else kind_name(field, current)
    if isinstance(name, str) and name not in choices and typed and fallback:
        try:
            current = fallback(name)
        except ValueError as error:
            raise UsageError(f"{label} {quote(name)}: {error}") from error
        name = kind_name(field, current)
    if not isinstance(name, str) or name not in choices:
        close = did_you_mean(str(name), choices)
        raise UsageError(f"{label}: {quote(name)} is not one of {', '.join(choices)}{close}")
    rest = {key: value for key, value in values.items() if key != "kind"}
    refuse_strangers(choices, name, rest, path, label)
    start = current if type(current) is choices[name] else None
    return build(choices[name], start, rest, path, typed)


def refuse_strangers(choices, chosen, values, path, label):
    """Raises a StrangerError for the first name in `values` that is not a field of the choice `chosen`."""
    fields = {name: [field.name for field, _ in settings(kind)] for name, kind in choices.items()}
    for key in values:
        if key not in fields[chosen]:
            owners = [name for name in choices if key in fields[name]]
            fault = f"belongs to {' and '.join(owners)}" if owners else "is unknown"
            has = f"whose fields are {', '.join(fields[chosen])}" if fields[chosen] else "which has no fields"
            close = "" if owners else did_you_mean(key, fields[chosen])
            raise StrangerError(f"{label}.{key} {fault}; the {path} is {chosen}, {has}{close}")


class Scalar(typing.NamedTuple):
    """A scalar type: its name in words, singular and plural, its placeholder in the help, and its types in JSON."""

    one: str
    many: str
    metavar: str
    json_types: tuple


SCALARS = {
    int: Scalar("a whole number", "whole numbers", "N", (int,)),
    float: Scalar("a number", "numbers", "NUMBER", (int, float)),
    str: Scalar("text", "texts", "TEXT", (str,)),
}


def alternatives(annotation):
    """Returns the types that `annotation` allows. None comes first, because its text is also a valid `str`."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return sorted(typing.get_args(annotation), key=lambda member: member is not types.NoneType)
    return [annotation]


def form(annotation):
    """Returns the pair (origin, members) of a single type. None and bool become literals.

    Raises:
        TypeError: Values of this type cannot be written as text.
    """
    if annotation in (types.NoneType, bool):
        return typing.Literal, (None,) if annotation is types.NoneType else (True, False)
    origin, members = typing.get_origin(annotation) or annotation, typing.get_args(annotation)
    if origin is typing.Literal or origin in SCALARS or (origin is tuple and members[1:] == (...,)):
        return origin, members
    raise TypeError(f"{annotation} cannot be a flag or JSON: the field needs `choices` or `parse`")


def read(annotation, value, typed):
    """Returns `value`, a text if `typed` and otherwise from JSON, as the first type of `annotation` that it fits.

    Raises:
        ValueError: It fits none of them.
    """
    for member in alternatives(annotation):
        # OverflowError: an integer in JSON that is too large for a float
        with contextlib.suppress(ValueError, OverflowError):
            return read_one(member, value, typed)
    raise ValueError(value)


def read_one(annotation, value, typed):
    """Like `read`, for an `annotation` that is a single type. Empty parts of a comma-separated text are ignored."""
    origin, members = form(annotation)
    if origin is typing.Literal:
        for member in members:
            if value == show(member) if typed else (type(value), value) == (type(member), member):
                return member
    elif origin is tuple:
        if members[0] is str and isinstance(value, list) and all(isinstance(part, str) for part in value):
            return tuple(value)  # names of classes may contain any character, because they are not file names
        if typed or isinstance(value, list):
            parts = listed(value) if typed else value
            return tuple(read(members[0], part, typed) for part in parts)
    elif typed or type(value) in SCALARS[origin].json_types:  # not isinstance: a bool is an int
        number_or_text = origin(value)
        if origin is int or (
            math.isfinite(number_or_text) if origin is float else "\0" not in number_or_text
        ):
            return number_or_text
    raise ValueError(value)


def listed(text):
    """Returns the parts of a comma-separated text; an empty list for `EMPTY`."""
    return [] if text == EMPTY else [part.strip() for part in text.split(",") if part.strip()]


def read_setting(field, annotation, value, label, typed):
    """Returns `value` converted for the plain `field`; raises a UsageError that begins with `label`."""
    parse_text = field.metadata.get("parse")
    if parse_text:
        annotation = str | None if types.NoneType in alternatives(annotation) else str
    try:
        value = read(annotation, value, typed)
    except ValueError as error:
        wanted = expected(annotation, typed)
        fault = f"{quote(value)} is not {wanted}" if typed else f"expected {wanted}, got {quote(value)}"
        raise UsageError(f"{label}: {fault}") from error
    try:
        return value if parse_text is None or value is None else parse_text(value)
    except ValueError as error:
        raise UsageError(f"{label} {quote(value)}: {error}") from error


def resolve(field, annotation, value):
    """Returns the value of `field` that a program passes: a value of its type, or a text as on a command line.

    Raises:
        UsageError: The value is neither.
    """
    if "choices" in field.metadata:
        return resolve_component(field, value)
    value = plain(value)
    if value is None and types.NoneType not in alternatives(annotation):
        raise UsageError(f"{field.name} is None: it needs a value (leave it out for the default)")
    if "parse" in field.metadata and value is not None and not isinstance(value, str):
        sizes = tuple(value) if isinstance(value, list) else (value,)
        value = field.metadata.get("show", show)(sizes)
    try:
        return read_setting(field, annotation, value, field.name, typed=False)
    except UsageError:
        if not isinstance(value, str) or "parse" in field.metadata:
            raise
        return read_setting(field, annotation, value, field.name, typed=True)


def resolve_component(field, value):
    """Returns the component `value`, or the component that the text `value` names."""
    choices, fallback = field.metadata["choices"], field.metadata.get("fallback")
    if type(value) in choices.values():
        return value
    name = plain(value)
    if isinstance(name, str) and name in choices:
        return choices[name]()
    if isinstance(name, str) and fallback:
        return fallback(name)
    close = did_you_mean(str(name), choices)
    raise UsageError(f"{field.name} is {quote(value)}: expected one of {', '.join(choices)}{close}")


def plain(value):
    """Returns `value` as JSON has it: NumPy numbers and arrays, paths and sequences become Python's own types."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value


def expected(annotation, typed, many=False):
    """Returns a description of the values that `annotation` allows."""
    words = []
    for member in reversed(alternatives(annotation)):
        origin, members = form(member)
        if origin is tuple:
            items = expected(members[0], typed, many=True)
            words.append(f"a list of {items}, separated by commas" if typed else f"a list of {items}")
        elif members == (None,):
            words.append("none" if typed else "null")
        elif origin is typing.Literal:
            words.append(f"{'any' if many else 'one'} of {', '.join(map(show, members))}")
        else:
            words.append(SCALARS[origin].many if many else SCALARS[origin].one)
    return " or ".join(words)


def show(value):
    """Returns `value` as a user would type it."""
    if isinstance(value, tuple):
        return ",".join(map(show, value)) or EMPTY
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def show_setting(field, value):
    """Returns `value` of the plain `field` as a user would type it."""
    return show(value) if value is None else field.metadata.get("show", show)(value)


def did_you_mean(word, known):
    """Returns a suggestion in brackets, the closest of `known`, or an empty text."""
    inside = [name for name in known if name.endswith(f".{word.lstrip('-')}")]  # --objective.beta for --beta
    close = (inside or difflib.get_close_matches(word, known, 1))[:1]
    return f" (did you mean {close[0]}?)" if close else ""


def registered_name(component, choices):
    """Returns the name of a component in the registry `choices`, or the name of its class if it is not registered."""
    kind = type(component)
    return next((name for name, choice in choices.items() if choice is kind), kind.__name__)


def nest(values):
    """Returns a dict with dotted names as nested dicts: `{"objective.beta": 4}` becomes `{"objective": {"beta": 4}}`."""
    tree = {}
    for name, value in values.items():
        *parents, last = name.split(".")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[last] = value
    return tree


def in_texts(settings, prefix=""):
    """Returns a configuration's JSON as texts by dotted field; the text of a component's own field is its name."""
    texts = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            texts[prefix + key] = str(value["kind"])
            inner = {name: entry for name, entry in value.items() if name != "kind"}
            texts |= in_texts(inner, f"{prefix}{key}.")
        else:
            texts[prefix + key] = show(tuple(value) if isinstance(value, list) else value)
    return texts
