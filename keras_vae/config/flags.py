"""A tree of frozen dataclasses as command-line flags and as JSON, and back.

A field is a flag (`--epochs`), a JSON key and a line of `--help`; one without a default has to be given. A
field with `choices` holds a component, itself a dataclass: its flag chooses the class, as in
`--objective beta_vae`, whose own fields are dotted flags (`--objective.beta 4`) and stand in JSON beside the
key `kind`.

Both sources become nested dicts, which `build` turns into dataclasses. Texts are converted there and not by
argparse: what `--objective.beta` means is known only once the objective is, and flags come in any order.
"""

import argparse
import contextlib
import dataclasses
import difflib
import functools
import json
import math
import os
import pathlib
import sys
import types
import typing

from keras_vae.errors import UsageError, WriteError

MISSING = dataclasses.MISSING
EMPTY = "empty"  # how one types a list of nothing, where an empty text would be overlooked


class StrangerError(UsageError):
    """A field is given that the chosen component does not have."""


class Parsed(typing.NamedTuple):
    """What a command line says; `given` holds the dotted names of the fields that it sets."""

    config: typing.Any
    extra: argparse.Namespace
    given: set


def option(default, help, *, choices=None, fallback=None, parse=None, show=None, metavar=None):
    """A dataclass field with what its flag needs.

    Args:
        default: the value, an instance for a component; `dataclasses.MISSING` makes the flag a required one.
        help: str, one sentence for `--help`.
        choices: dict, name -> dataclass, with every class that the field may hold.
        fallback: callable(text) -> component, for texts on the command line that are not in `choices`.
        parse, show: callable(text) -> value and back; flag and JSON then hold the text `show(value)`.
        metavar: str, what stands for the value in `--help`.

    Returns:
        A `dataclasses.field`.
    """
    metadata = {"choices": choices, "fallback": fallback, "parse": parse, "show": show, "metavar": metavar}
    metadata = {key: value for key, value in metadata.items() if value is not None}
    return dataclasses.field(default=default, metadata={"help": help, **metadata})


def parse(config_type, argv=None, *, base=None, prog=None, description=None, epilog=None, extra=None):
    """Reads a command line.

    Args:
        config_type: the dataclass whose fields are the flags.
        argv: list of str, `sys.argv[1:]` by default.
        base: a `config_type` whose values stand in for the defaults, or a callable(namespace of the extra
            arguments) that returns one or None.
        prog, description: str, as in argparse.
        epilog: str, printed as it is.
        extra: callable(parser) that adds what is no field, by `parser.add_argument`.

    Returns:
        `Parsed(config, extra, given)`.

    Raises:
        UsageError: the command line cannot be used.
        SystemExit: with code 0, after `--help`.
    """
    parser = Parser(prog=prog, description=description, epilog=epilog, allow_abbrev=False)
    parser.config_type, parser.defaults = config_type, None if callable(base) else base
    add_flags(parser, config_type)
    if extra:
        extra(parser)
    parser.usage = parser.usage or parser.short_usage()  # now: parsing hides the positional arguments
    words = join_values(parser, sys.argv[1:] if argv is None else argv)
    namespace, rest = parser.parse_known_intermixed_args(words)
    if rest:
        refuse_word(parser, rest[0])
    values = vars(namespace)
    flags = {flag: values.pop(flag) for flag in list(values) if flag.startswith("--")}
    texts = {flag[2:]: show(value) for flag, value in flags.items() if value is not None}
    start = base(namespace) if callable(base) else base
    config = build(config_type, start, nest(texts), "", typed=True)
    return Parsed(config, namespace, {name.removesuffix(".kind") for name in texts})


def to_json(config):
    """`config` as a dict of plain JSON values, defaults written out."""
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


def to_flags(config, given):
    """The arguments that say again what a command line said of `config`.

    Args:
        config: the dataclass that was read.
        given: set of the dotted names that were given (`Parsed.given`).
    """
    flags = []
    for field, annotation in settings(type(config)):
        value = getattr(config, field.name)
        names = sorted(name for name in given if name.partition(".")[0] == field.name)
        if "choices" in field.metadata and names:
            flags += component_flags(field, value)
        elif names and typing.get_origin(annotation) is None and annotation is bool:
            flags.append(f"--{field.name}" if value else f"--no-{field.name}")
        elif names:
            flags += [f"--{field.name}", show_setting(field, value)]
    return flags


def component_flags(field, component):
    """The arguments that name a component, and what is not the default in it."""
    if text := text_for(field, component):
        return [f"--{field.name}", text]
    flags = [f"--{field.name}", kind_name(field, component)]
    for inner, _ in settings(type(component)):
        value = getattr(component, inner.name)
        if value != default_of(inner, None):
            flags += [f"--{field.name}.{inner.name}", show_setting(inner, value)]
    return flags


def text_for(field, component):
    """The text that the field's `fallback` makes `component` of, such as a folder's path; None where there is none."""
    fallback = field.metadata.get("fallback")
    for inner, _ in settings(type(component)) if fallback else ():
        text = getattr(component, inner.name)
        with contextlib.suppress(ValueError):
            if (
                isinstance(text, str)
                and text not in field.metadata["choices"]
                and fallback(text) == component
            ):
                return text
    return None


def from_json(config_type, data):
    """The `config_type` that `data` describes; absent keys take the defaults.

    Raises:
        UsageError: a key is unknown, or a value has the wrong type or is refused by its dataclass.
    """
    if not isinstance(data, dict):
        raise UsageError(f"expected a JSON object, got {quote(data)}")
    return build(config_type, None, data, "", typed=False)


def read_json(path):
    """The JSON object in the file `path`, as a dict.

    Raises:
        UsageError: there is no such file, or it holds something else.
    """
    try:
        data = json.loads(pathlib.Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # ValueError: neither UTF-8 nor JSON
        raise UsageError(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise UsageError(f"{path}: expected a JSON object, got {quote(data)}")
    return data


def read_config(config_type, path):
    """The `config_type` in the JSON file `path`; raises a UsageError that names the file."""
    data = read_json(path)
    try:
        return from_json(config_type, data)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def fail(prog, message):
    """Ends the program with exit code 2 and `message` as one line on standard error."""
    print(f"{prog}: error: {UsageError(message)}", file=sys.stderr)
    raise SystemExit(2)


def command(prog, bad_input=()):
    """Decorates a main function: `UsageError`, `WriteError` and the exceptions in the tuple `bad_input` end in `fail`."""

    def decorate(main):
        @functools.wraps(main)
        def run(*arguments, **named):
            try:
                return main(*arguments, **named)
            except (UsageError, WriteError, *bad_input) as error:
                fail(prog, error)

        return run

    return decorate


# From nested dicts to dataclasses


@functools.cache
def settings(kind):
    """The pairs (field, annotation) of what the constructor of the dataclass `kind` takes."""
    hints = typing.get_type_hints(kind)
    return [(field, hints[field.name]) for field in dataclasses.fields(kind) if field.init]


def default_of(field, start):
    """The value of `field` in the instance `start`; where that is None its default, or `MISSING`."""
    if start is not None:
        return getattr(start, field.name)
    return field.default if field.default_factory is MISSING else field.default_factory()


def kind_name(field, component):
    """The name that the class of `component` has among the choices of `field`; a TypeError without one."""
    for name, kind in field.metadata["choices"].items():
        if type(component) is kind:
            return name
    raise TypeError(f"{field.name}: {type(component).__name__} is not among the choices")


def build(kind, start, values, path, typed):
    """A dataclass from the dict `values`.

    Args:
        kind: the dataclass.
        start: an instance of it that has what `values` lacks, or None for the defaults.
        values: dict, field name -> text or JSON value, a dict of this sort for a component.
        path: str, dotted name of the component, empty for the whole configuration.
        typed: bool, whether the values are texts from a command line, else from JSON.

    Raises:
        UsageError: a value does not fit, a required one is absent, or the dataclass refuses them.
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
        named = not path or str(error).startswith(f"{path}.")  # the dataclass may have named it already
        raise UsageError(error if named else f"{path}: {error}") from error


def choose(field, current, values, path, typed):
    """The component that `values` describes; it starts from `current` unless `values` names another kind."""
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
    """Raises a StrangerError for the first name in `values` that is no field of the choice `chosen`."""
    fields = {name: [field.name for field, _ in settings(kind)] for name, kind in choices.items()}
    for key in values:
        if key not in fields[chosen]:
            owners = [name for name in choices if key in fields[name]]
            fault = f"belongs to {' and '.join(owners)}" if owners else "is unknown"
            has = f"whose fields are {', '.join(fields[chosen])}" if fields[chosen] else "which has no fields"
            close = "" if owners else did_you_mean(key, fields[chosen])
            raise StrangerError(f"{label}.{key} {fault}; the {path} is {chosen}, {has}{close}")


def nest(texts):
    """Dotted names as dicts in dicts: `{"objective.beta": "4"}` becomes `{"objective": {"beta": "4"}}`."""
    tree = {}
    for name, text in texts.items():
        *parents, last = name.split(".")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[last] = text
    return tree


# Single values


class Scalar(typing.NamedTuple):
    """One such value in words, several, its place in the help, and the types that it may have in JSON."""

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
    """The types that `annotation` allows; None comes first, since a text that means None is also a text."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return sorted(typing.get_args(annotation), key=lambda member: member is not types.NoneType)
    return [annotation]


def form(annotation):
    """The pair (origin, members) of a single type, None and bool as the literals that they are.

    Raises:
        TypeError: there is no writing values of this type.
    """
    if annotation in (types.NoneType, bool):
        return typing.Literal, (None,) if annotation is types.NoneType else (True, False)
    origin, members = typing.get_origin(annotation) or annotation, typing.get_args(annotation)
    if origin is typing.Literal or origin in SCALARS or (origin is tuple and members[1:] == (...,)):
        return origin, members
    raise TypeError(f"{annotation} is neither flag nor JSON: the field needs `choices` or `parse`")


def read(annotation, value, typed):
    """`value`, a text if `typed`, else from JSON, as the first type of `annotation` that it fits.

    Raises:
        ValueError: it fits none.
    """
    for member in alternatives(annotation):
        # OverflowError: an integer in JSON that is too large for a float
        with contextlib.suppress(ValueError, OverflowError):
            return read_one(member, value, typed)
    raise ValueError(value)


def read_one(annotation, value, typed):
    """As `read`, where `annotation` is a single type; empty parts of a comma separated text are left out."""
    origin, members = form(annotation)
    if origin is typing.Literal:
        for member in members:
            if value == show(member) if typed else (type(value), value) == (type(member), member):
                return member
    elif origin is tuple:
        if members[0] is str and isinstance(value, list) and all(isinstance(part, str) for part in value):
            return tuple(value)  # names of classes may hold anything; they name no files
        if typed or isinstance(value, list):
            parts = listed(value) if typed else value
            return tuple(read(members[0], part, typed) for part in parts)
    elif typed or type(value) in SCALARS[origin].json_types:  # no isinstance: a bool is an int
        number_or_text = origin(value)
        if origin is int or (
            math.isfinite(number_or_text) if origin is float else "\0" not in number_or_text
        ):
            return number_or_text
    raise ValueError(value)


def listed(text):
    """The parts of a comma separated text; of `EMPTY` none."""
    return [] if text == EMPTY else [part.strip() for part in text.split(",") if part.strip()]


def read_setting(field, annotation, value, label, typed):
    """`value` as the plain `field` wants it, or a UsageError that begins with `label`."""
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


def settle(field, annotation, value):
    """The value of `field` that a program gives: of its own type, or as one would type it; one rule for all settings.

    Raises:
        UsageError: it is neither.
    """
    if "choices" in field.metadata:
        return settle_component(field, value)
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


def settle_component(field, value):
    """The component that `value` is or, a text, names."""
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
    """`value` as JSON has it: of NumPy's numbers and arrays, paths and sequences Python's own."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value


def expected(annotation, typed, many=False):
    """What `annotation` wants, in words."""
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
    """`value` as one would type it."""
    if isinstance(value, tuple):
        return ",".join(map(show, value)) or EMPTY
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def show_setting(field, value):
    """`value` of the plain `field` as one would type it."""
    return show(value) if value is None else field.metadata.get("show", show)(value)


def quote(value):
    """`value` as Python writes it, cut where it would fill the screen."""
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def did_you_mean(word, known):
    """A suggestion in brackets, the closest of `known`, or nothing."""
    inside = [name for name in known if name.endswith(f".{word.lstrip('-')}")]  # --beta: --objective.beta
    close = (inside or difflib.get_close_matches(word, known, 1))[:1]
    return f" (did you mean {close[0]}?)" if close else ""


# argparse


class Parser(argparse.ArgumentParser):
    """Raises `UsageError` where argparse would print its usage, and explains `config_type` in its help."""

    def error(self, message):
        """Raises `message`, which argparse begins with the word argument."""
        raise UsageError(message.removeprefix("argument "))

    def short_usage(self):
        """The usage with all options in one word; argparse would name every flag."""
        formatter = argparse.HelpFormatter(f"{self.prog} [options]")
        formatter.add_usage(None, self._get_positional_actions(), [], prefix="")
        return formatter.format_help().strip().replace("%", "%%")

    def format_help(self):
        """The help: arguments without a name, options that are no settings, settings, the epilog as it is."""
        extras = [action for action in self._actions if not action.dest.startswith("--")]
        positional = [action for action in extras if not action.option_strings]
        formatter = argparse.HelpFormatter(self.prog, max_help_position=32)
        formatter.add_usage(self.usage, [], [])
        formatter.add_text(self.description)
        formatter.start_section("arguments")
        formatter.add_arguments(positional)
        formatter.end_section()
        formatter.start_section("options")
        formatter.add_arguments([action for action in extras if action.option_strings])
        add_help(formatter, self.config_type, self.defaults)
        formatter.end_section()
        epilog = (self.epilog or "").strip("\n")
        return formatter.format_help() + (f"\n{epilog}\n" if epilog else "")


def is_switch(field, annotation):
    """Whether the flag stands alone, as `--flag` or `--no-flag`."""
    return bool in alternatives(annotation) and not field.metadata.keys() & {"choices", "parse"}


def add_flags(parser, kind, prefix="--"):
    """Adds the flags of `kind` and of all components that it may hold; a name that choices share is one flag.

    Raises:
        TypeError: a shared name is a switch in one choice and takes a value in another.
    """
    for field, annotation in settings(kind):
        choices = field.metadata.get("choices", {})
        if not field.metadata.keys() & {"choices", "parse"}:
            expected(
                annotation, typed=True
            )  # raises where the annotation is of no use: here, not at its first use
        flag, switch = prefix + field.name, is_switch(field, annotation)
        dest = f"{flag}.kind" if choices else flag  # the dashes keep it apart from the extra arguments
        known = parser._option_string_actions.get(flag)
        if known is None:
            parser.add_argument(flag, dest=dest, action=argparse.BooleanOptionalAction if switch else "store")
        elif (known.dest, known.nargs == 0) != (dest, switch):
            raise TypeError(f"{flag}: one choice has a switch or a component here and another a value")
        for choice in choices.values():
            add_flags(parser, choice, f"{flag}.")


def add_help(formatter, kind, start, prefix="--"):
    """Adds to `formatter` the fields of `kind`, components last, with their choices and the flags of each."""
    for field, annotation in sorted(settings(kind), key=lambda pair: "choices" in pair[0].metadata):
        default, choices = default_of(field, start), field.metadata.get("choices", {})
        line = help_line(field, annotation, default, prefix)
        if not choices:
            formatter.add_argument(line)
            continue
        formatter.start_section(f"{prefix}{field.name}"[2:])
        formatter.add_argument(line)
        for name, choice in choices.items():
            text = first_line(choice).replace("%", "%%")
            formatter.add_argument(argparse.Action([], name, metavar=name, help=text))
            formatter.start_section(None)  # no heading: only the indent
            add_help(
                formatter, choice, default if type(default) is choice else None, f"{prefix}{field.name}."
            )
            formatter.end_section()
        formatter.end_section()


def help_line(field, annotation, default, prefix):
    """An argparse action that only serves to be printed."""
    component, flag = "choices" in field.metadata, prefix + field.name
    note = "required"
    if default is not MISSING:
        shown = kind_name(field, default) if component else show_setting(field, default)
        note = f"default: {shown or EMPTY}"
    text = f"{field.metadata.get('help', '')} ({note})".strip().replace("%", "%%")
    if is_switch(field, annotation):
        return argparse.Action([flag, f"--no-{flag[2:]}"], flag, nargs=0, help=text)
    if component or "parse" in field.metadata:
        metavar = "NAME" if component else field.name.upper()
    else:
        metavar = place(annotation)
    return argparse.Action([flag], flag, metavar=field.metadata.get("metavar", metavar), help=text)


def place(annotation):
    """What stands for a value of the plain type `annotation` in the help."""
    origin, members = form(alternatives(annotation)[-1])
    if origin is tuple:
        return f"{place(members[0])},..."
    return f"{{{','.join(map(show, members))}}}" if members else SCALARS[origin].metavar


def first_line(kind):
    """The first line of the docstring of `kind`, unless it is the signature that dataclasses write."""
    text = (kind.__doc__ or "").strip()
    return "" if text.startswith(f"{kind.__name__}(") else text.partition("\n")[0]


def join_values(parser, argv):
    """`argv` with `--flag value` written `--flag=value`, so that a value may begin with a dash.

    Raises:
        UsageError: an unknown option, an option without its value, or a switch with one.
    """
    joined, words = [], iter(argv)
    for word in words:
        if word == "--":
            return [*joined, word, *words]
        name, equals, _ = word.partition("=")
        action = parser._option_string_actions.get(name)  # argparse has no public list of its options
        if action is None and word.startswith("--"):
            refuse_word(parser, word)
        if action and action.nargs == 0 and equals:
            raise UsageError(f"{name} takes no value (write {' or '.join(action.option_strings)})")
        if action and action.nargs is None and not equals:
            value = next(words, "--")
            if value.startswith("--"):
                raise UsageError(f"{name}: a value is missing (write {name}=VALUE)")
            word = f"{name}={value}"
        joined.append(word)
    return joined


def refuse_word(parser, word):
    """Raises a UsageError for a word of the command line that nothing takes."""
    name = word.partition("=")[0]
    if name.startswith("-"):
        raise UsageError(f"unknown option {name}{did_you_mean(name, parser._option_string_actions)}")
    raise UsageError(f"unexpected argument {quote(word)}")
