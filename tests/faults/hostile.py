"""Hostile input, made from what is to be attacked: command lines from the fields of a dataclass, JSON from JSON."""

import contextlib
import copy
import io
import json
import math
import typing

from hypothesis import strategies as st

from keras_vae.config.codec import alternatives, form, settings
from keras_vae.config.flags import is_switch

NAMES = (
    "</script><script>hit()</script>",
    "<!--<script>hit()",
    "<img src=x onerror=hit()>",
    "\"'><svg/onload=hit()>&amp;`${hit()}",
    "../../outside",
    "/outside",
    "C:\\outside",
    "javascript:hit()",
    "=HYPERLINK(1)",
    "a\u2028b\u2029c\u202ed",
    "\x1b[2J\x00\x07\r\nb\t",
    "\udcff",
    "$\\frac{",
    "n" * 10_000,
)
TEXTS = (
    *NAMES,
    *("", " ", ",", "=", "-1", "0", "1", "1,2", "8x8x8", "1e308", "1e-308", "nan", "-inf", "none", "auto"),
    *("9" * 30, "9" * 5000, str(2**60), str(2**63), "9x" * 2000, "٣", "{}", "%s", "kind", "-h"),
    *("a\x00b", "~nobody-of-this-name/x", "~", "/", ".", "x/" * 3000, "/dev/null/x", "x" * 300),
)
JSON_VALUES = (
    *(None, True, 0, -1, 0.5, 10**30, 10**400, math.nan, math.inf, -0.0, "", "x", "none", "\udcff", "a\x00b"),
    *([], [1, "a"], {}, {"kind": 1}, {"kind": "vae"}, {"class_name": "system", "module": "os", "config": {}}),
    *("../../outside", "9" * 5000, "n" * 10_000, [[[[0]]]], 2**60, 2**63, [2**60, 2**60], [-1], [0]),
)
NOT_JSON = (
    *(b"", b" ", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b"{", b"null", b"[]", b"7", b'"x"', b"NaN"),
    *(b'{"a": 1e999}', b'{"a": ' + b"9" * 5000 + b"}", b"\x00" * 100, b"{}", b'{"a": "\\ud800"}'),
)


class Answer(typing.NamedTuple):
    """What a command ended with."""

    code: int
    out: str
    err: str


def answer(main, words):
    """What the command `main` answers to the command line `words`; an exception but SystemExit gets through."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(list(words))
        except SystemExit as end:
            code = end.code or 0
    return Answer(code, out.getvalue(), err.getvalue())


def check(found):
    """Asserts that an answer is right, or a refusal in one line that a terminal can show."""
    assert found.code in (0, 2), found
    if found.code == 2:
        *before, last, end = found.err.split("\n")
        assert end == "", found.err
        assert ": error: " in last, found.err
        assert not any(": error: " in line for line in before), found.err
        assert last.isprintable(), last
    assert "Traceback" not in found.err


# Command lines


class Flag(typing.NamedTuple):
    """A flag of a command: its field, the type of that, and the words that choose the component it belongs to."""

    name: str
    field: object
    annotation: object
    chosen: tuple = ()


def flags_of(kind, prefix="--", chosen=()):
    """The flags of the dataclass `kind`, with those of all that it may hold."""
    for field, annotation in settings(kind):
        name = f"{prefix}{field.name}"
        yield Flag(name, field, annotation, chosen)
        for choice, component in field.metadata.get("choices", {}).items():
            yield from flags_of(component, f"{name}.", (*chosen, f"{name}={choice}"))


def fitting(flag):
    """Texts for a flag that it may well take, small ones; what is taken becomes a model."""
    if "choices" in flag.field.metadata:
        return st.sampled_from(sorted(flag.field.metadata["choices"]))
    if "parse" in flag.field.metadata:
        return st.sampled_from(["1", "2", "3x5", "4x4x2", "8x8x3", "16"])
    return st.one_of(*map(plain, alternatives(flag.annotation)))


def plain(annotation):
    """Texts of a single type, as `fitting` has them."""
    origin, members = form(annotation)
    if origin is typing.Literal:
        return st.sampled_from([str(member).lower() for member in members])
    if origin is tuple:
        return st.lists(plain(members[0]), max_size=3).map(",".join)
    if origin is str:
        return st.sampled_from(["relu", "tanh", "none", "batch", "flip", "gaussian", "images", "x"])
    return st.sampled_from(
        ["1", "2", "3", "4", "5", "8", "0"] if origin is int else ["0.5", "0.1", "1", "2.5", "0"]
    )


@st.composite
def command_lines(draw, kind, most=4):
    """Command lines for the dataclass `kind`: up to `most` flags that go together; in every other one some take what is absurd."""
    absurd = draw(st.sampled_from([0, 0, 1, 2]))
    chosen, words = {}, []
    for flag in draw(st.lists(st.sampled_from(list(flags_of(kind))), min_size=1, max_size=most)):
        parts = dict(word.split("=") for word in flag.chosen)
        if any(chosen.setdefault(part, choice) != choice for part, choice in parts.items()):
            continue  # it belongs to another component than the one that a flag before it has chosen
        text = draw(st.one_of(st.sampled_from(TEXTS), st.text(max_size=20)) if absurd > 0 else fitting(flag))
        absurd -= 1
        words += flag.chosen
        if is_switch(flag.field, flag.annotation):
            words.append(draw(st.sampled_from([flag.name, f"--no-{flag.name[2:]}"])))
        else:
            words += draw(st.sampled_from([[f"{flag.name}={text}"], [flag.name, text]]))
    return words


# JSON


@st.composite
def mutated(draw, data, most=3):
    """`data`, of dicts and lists, with up to `most` of its places deleted, replaced, wrapped or doubled."""
    data = copy.deepcopy(data)
    for _ in range(draw(st.integers(1, most))):
        places = list(places_in(data))
        if not places:
            break
        holder, key = draw(st.sampled_from(places))
        change = draw(st.sampled_from(["replace", "replace", "delete", "wrap", "rename"]))
        if change == "delete":
            del holder[key]
        elif change == "wrap":
            holder[key] = draw(st.sampled_from([[holder[key]], {"kind": holder[key]}, str(holder[key])]))
        elif change == "rename" and isinstance(holder, dict):
            holder[draw(st.sampled_from(["new", "kind", "../x", "n" * 300]))] = holder.pop(key)
        else:
            holder[key] = copy.deepcopy(draw(st.sampled_from(JSON_VALUES)))
    return data


def places_in(data):
    """The pairs (dict or list, key or index) of all that `data` holds."""
    for key in list(data if isinstance(data, dict) else range(len(data))):
        yield data, key
        if isinstance(data[key], dict | list):
            yield from places_in(data[key])


def spoilt(data):
    """Bytes for a file that should hold `data` as JSON: mutated, cut off, or nothing of the sort."""
    text = json.dumps(data).encode()
    return st.one_of(
        mutated(data).map(lambda changed: json.dumps(changed).encode()),
        mutated(data).map(lambda changed: json.dumps(changed).encode()),
        st.integers(0, max(len(text) - 1, 0)).map(lambda end: text[:end]),
        st.sampled_from(NOT_JSON),
    )
