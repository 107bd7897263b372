"""Command-line flags for a tree of frozen dataclasses.

A field is a flag (`--epochs`) and a line of `--help`. A field without a default is required. The flag of a component
chooses its class (`--objective beta_vae`), and the component's own fields have dotted flags (`--objective.beta 4`).
"""

import argparse
import contextlib
import functools
import sys
import typing

from keras_vae.config.codec import (
    EMPTY,
    MISSING,
    SCALARS,
    alternatives,
    build,
    default_of,
    did_you_mean,
    expected,
    form,
    kind_name,
    nest,
    quote,
    settings,
    show,
    show_setting,
)
from keras_vae.errors import UsageError, WriteError
from keras_vae.runtime.programs import spelled
from keras_vae.runtime.upstream import actions_of, options_of, positionals_of


class Parsed(typing.NamedTuple):
    """A parsed command line: the configuration, the extra arguments, and the dotted names of the fields it sets."""

    config: typing.Any
    extra: argparse.Namespace
    given: set


def parse(
    config_type, argv=None, *, base=None, prog=None, description=None, epilog=None, extra=None, short=()
):
    """Parses a command line.

    Args:
        config_type: The dataclass whose fields are the flags.
        argv: A list of texts, `sys.argv[1:]` by default.
        base: A `config_type` whose values replace the defaults, or a function from the namespace of the extra arguments
            to one or None.
        prog, description: As in argparse.
        epilog: A text that is printed as it is, with its commands as they are typed here.
        extra: A function of the parser that adds further arguments with `parser.add_argument`.
        short: The names of the fields that `--help` shows; `--help all` shows all. Empty: `--help` shows all.

    Returns:
        `Parsed(config, extra, given)`.

    Raises:
        UsageError: The command line is invalid.
        SystemExit: After `--help`, with code 0.
    """
    parser = Parser(prog=prog, description=description, epilog=spelled(epilog or ""), allow_abbrev=False)
    parser.config_type, parser.defaults = config_type, None if callable(base) else base
    words = list(sys.argv[1:] if argv is None else argv)
    parser.short = () if asks_for_everything(words) else short
    add_flags(parser, config_type)
    if extra:
        extra(parser)
    parser.usage = (
        parser.usage or parser.short_usage()
    )  # before parsing, which hides the positional arguments
    words = join_values(parser, words)
    namespace, rest = parser.parse_known_intermixed_args(words)
    if rest:
        refuse_word(parser, rest[0])
    values = vars(namespace)
    flags = {flag: values.pop(flag) for flag in list(values) if flag.startswith("--")}
    texts = {flag[2:]: show(value) for flag, value in flags.items() if value is not None}
    start = base(namespace) if callable(base) else base
    config = build(config_type, start, nest(texts), "", typed=True)
    return Parsed(config, namespace, {name.removesuffix(".kind") for name in texts})


def asks_for_everything(words):
    """Returns whether `words` contain `--help all`, and removes its second word."""
    for place, word in enumerate(words):
        if word in ("-h", "--help") and words[place + 1 : place + 2] == ["all"]:
            del words[place + 1]
            return True
    return False


def to_flags(config, given):
    """Returns the arguments of a command line that sets the same fields again.

    Args:
        config: The parsed dataclass.
        given: The set of dotted names that were given (`Parsed.given`).
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
    """Returns the arguments that choose a component and set its fields that differ from the defaults."""
    if text := text_for(field, component):
        return [f"--{field.name}", text]
    flags = [f"--{field.name}", kind_name(field, component)]
    for inner, _ in settings(type(component)):
        value = getattr(component, inner.name)
        if value != default_of(inner, None):
            flags += [f"--{field.name}.{inner.name}", show_setting(inner, value)]
    return flags


def text_for(field, component):
    """Returns the text that the field's `fallback` turns into `component`, such as a path, or None without one."""
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


def fail(prog, message):
    """Prints `message` as one line on standard error and exits with code 2."""
    print(f"{prog}: error: {UsageError(message)}", file=sys.stderr)
    raise SystemExit(2)


def command(prog, bad_input=()):
    """Returns a decorator of main functions: `UsageError`, `WriteError`, those in `bad_input` and Ctrl-C call `fail`."""

    def decorate(main):
        @functools.wraps(main)
        def run(*arguments, **named):
            try:
                return main(*arguments, **named)
            except (UsageError, WriteError, *bad_input) as error:
                fail(prog, error)
            except KeyboardInterrupt:
                fail(prog, "stopped by Ctrl-C; the files that have been written are complete")

        return run

    return decorate


class Parser(argparse.ArgumentParser):
    """A parser that raises `UsageError` instead of printing its usage, and documents `config_type` in its help."""

    def error(self, message):
        """Raises a UsageError, without the word "argument" that argparse puts before some messages."""
        raise UsageError(message.removeprefix("argument "))

    def short_usage(self):
        """Returns the usage with "[options]" in place of every flag."""
        formatter = argparse.HelpFormatter(f"{self.prog} [options]")
        formatter.add_usage(None, positionals_of(self), [], prefix="")
        return formatter.format_help().strip().replace("%", "%%")

    def format_help(self):
        """Returns the help: positional arguments, options that are not settings, settings, and the epilog as it is.

        The short help has the epilog, which contains the examples, in front of the options.
        """
        extras = [action for action in actions_of(self) if not action.dest.startswith("--")]
        positional = [action for action in extras if not action.option_strings]
        formatter = argparse.HelpFormatter(self.prog, max_help_position=32)
        formatter.add_usage(self.usage, [], [])
        formatter.add_text(self.description)
        epilog = (self.epilog or "").strip("\n")
        if self.short:
            head = formatter.format_help()
            formatter = argparse.HelpFormatter(self.prog, max_help_position=32)
        formatter.start_section("arguments")
        formatter.add_arguments(positional)
        formatter.end_section()
        formatter.start_section("options")
        formatter.add_arguments([action for action in extras if action.option_strings])
        if self.short:
            add_short_help(formatter, self.config_type, self.defaults, self.short)
            formatter.end_section()
            more = "--help all shows every option and what there is to choose from.\n"
            return f"{head}\n{epilog}\n\n{formatter.format_help()}\n{more}"
        add_help(formatter, self.config_type, self.defaults)
        formatter.end_section()
        return formatter.format_help() + (f"\n{epilog}\n" if epilog else "")


def is_switch(field, annotation):
    """Returns whether the flag takes no value: `--flag` or `--no-flag`."""
    return bool in alternatives(annotation) and not field.metadata.keys() & {"choices", "parse"}


def add_flags(parser, kind, prefix="--"):
    """Adds the flags of `kind` and of all components that it may hold. A name that several choices share is one flag.

    Raises:
        TypeError: A shared name is a switch in one choice and takes a value in another.
    """
    for field, annotation in settings(kind):
        choices = field.metadata.get("choices", {})
        if not field.metadata.keys() & {"choices", "parse"}:
            expected(annotation, typed=True)  # raises an error if the annotation is not supported
        flag, switch = prefix + field.name, is_switch(field, annotation)
        dest = f"{flag}.kind" if choices else flag  # the dashes distinguish it from the extra arguments
        known = options_of(parser).get(flag)
        if known is None:
            parser.add_argument(flag, dest=dest, action=argparse.BooleanOptionalAction if switch else "store")
        elif (known.dest, known.nargs == 0) != (dest, switch):
            raise TypeError(f"{flag}: one choice has a switch or a component here and another a value")
        for choice in choices.values():
            add_flags(parser, choice, f"{flag}.")


def add_help(formatter, kind, start, prefix="--"):
    """Adds the fields of `kind` to `formatter`, components last, with their choices and the flags of each."""
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


def add_short_help(formatter, kind, start, names):
    """Adds the fields `names` of `kind` to `formatter`, in this order, each in a line; a component lists no choices."""
    known = {field.name: (field, annotation) for field, annotation in settings(kind)}
    for name in names:
        field, annotation = known[name]
        formatter.add_argument(help_line(field, annotation, default_of(field, start), "--"))


def help_line(field, annotation, default, prefix):
    """Returns an argparse action that is only printed."""
    component, flag = "choices" in field.metadata, prefix + field.name
    note = " (required)"
    if default is not MISSING:
        shown = kind_name(field, default) if component else show_setting(field, default)
        note = "" if default is None or shown in ("", EMPTY) else f" (default: {shown})"
    text = f"{field.metadata.get('help', '')}{note}".strip().replace("%", "%%")
    if is_switch(field, annotation):
        return argparse.Action([flag, f"--no-{flag[2:]}"], flag, nargs=0, help=text)
    if component or "parse" in field.metadata:
        metavar = "NAME" if component else field.name.upper()
    else:
        metavar = place(annotation)
    return argparse.Action([flag], flag, metavar=field.metadata.get("metavar", metavar), help=text)


def place(annotation):
    """Returns the placeholder in the help for a value of the plain type `annotation`."""
    origin, members = form(alternatives(annotation)[-1])
    if origin is tuple:
        return f"{place(members[0])},..."
    return f"{{{','.join(map(show, members))}}}" if members else SCALARS[origin].metavar


def first_line(kind):
    """Returns the first line of the docstring of `kind`, unless it is the signature that dataclasses generate."""
    text = (kind.__doc__ or "").strip()
    return "" if text.startswith(f"{kind.__name__}(") else text.partition("\n")[0]


def join_values(parser, argv):
    """Returns `argv` with `--flag value` written as `--flag=value`, so a value may begin with a dash.

    Raises:
        UsageError: An option is unknown or lacks its value, or a switch has one.
    """
    joined, words = [], iter(argv)
    for word in words:
        if word == "--":
            return [*joined, word, *words]
        name, equals, _ = word.partition("=")
        action = options_of(parser).get(name)
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
    """Raises a UsageError for an unexpected word on the command line."""
    name = word.partition("=")[0]
    if name.startswith("-"):
        raise UsageError(f"unknown option {name}{did_you_mean(name, options_of(parser))}")
    raise UsageError(f"unexpected argument {quote(word)}")
