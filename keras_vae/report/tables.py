"""Tables of the numbers and notes on them, made from the field descriptions in `keras_vae.evaluation.results`."""

import functools
import math
import re

import numpy as np

from keras_vae.report.page import DASH, NAME, PLUS_MINUS, clean, measured, number, scrolling, tag, text

# Not shown in tables: they are in the caption or in the notes below the table.
LEFT_OUT = ("n", "seconds", "reason", "name", "metric")
ENDINGS = {
    "_half": ", half resolution",
    "_quarter": ", quarter resolution",
    "_training": " against draws of training images",
}
ENDS = ("low", "high")  # the ends of an interval, for example `gap_low` and `gap_high`


def schema():
    """Returns the JSON schema of `results.json`."""
    from keras_vae.evaluation.results.schema import (
        results_schema,  # only now: commands import this for --help
    )

    return results_schema()


def definition(node):
    """Returns the name and content of the definition that a schema node refers to, or (None, node)."""
    for option in [node, *node.get("anyOf", ())]:
        if "$ref" in option:
            key = option["$ref"].rpartition("/")[2]
            return key, schema()["$defs"][key]
    return None, node


@functools.lru_cache(maxsize=4096)
def described(path):
    """Returns the schema node of a path, and its anchor in the glossary.

    Args:
        path: A dotted path, or a tuple of names. Use a tuple if a name comes from data, such as that of a sampler: the
            name may contain a dot, and it need not be a field of the schema.

    Raises:
        KeyError: Results have no such entry; the path is misspelt.
    """
    node, anchor = schema(), ""
    for part in parts_of(path):
        key, node = definition(node)
        inner = node.get("properties", {}).get(part)
        if inner is None and not isinstance(path, str):
            inner = node.get("additionalProperties")
        if not inner:
            raise KeyError(f"results have no entry {'.'.join(map(str, parts_of(path)))!r}")
        node = inner
        anchor = f"{key or anchor}.{part}".lstrip(".")
    return node, anchor


def parts_of(path):
    """Returns the names in a path."""
    return path.split(".") if isinstance(path, str) else path


def get(results, path):
    """Returns the entry of the results at a path (as in `described`), or None if it is missing.

    Raises:
        KeyError: Results have no such entry; the path is misspelt.
    """
    described(path)
    return at(results, path)


def at(tree, path):
    """Returns the entry at a path of nested dicts, or None if it is missing."""
    for part in parts_of(path):
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree


def best_distance_path(results, otherwise=None):
    """Returns the path of the Fréchet distance of the best sampler.

    Older results have only that of its rung, or of the rung `otherwise` if they name no best sampler.
    """
    path = "generation_gap.best_frechet"
    if get(results, path) is not None:
        return path
    return "generation_gap", get(results, "generation_gap.best_sampler") or otherwise, "frechet"


def get_error(results, path):
    """Returns the standard error of the number at a path, or None."""
    *section, name = parts_of(path)
    return at(results, (*section, f"{name}_se"))


def get_limits(results, path):
    """Returns the lower and upper end of the interval of the number at a path; each may be None."""
    *section, name = parts_of(path)
    return tuple(at(results, (*section, f"{name}_{end}")) for end in ENDS)


def reason(results, path):
    """Returns why `path` is null: the reason given for the path, for a section around it, or for its name."""
    reasons = results.get("reasons") or {}
    parts = [str(part) for part in parts_of(path)]
    candidates = [".".join(parts[:length]) for length in range(len(parts), 0, -1)] + [parts[-1]]
    return next((reasons[key] for key in candidates if reasons.get(key)), None)


def not_computed(results, path):
    """Returns why a number is missing, as HTML."""
    why = reason(results, path)
    return tag("span", "not computed" + (f": {text(why)}" if why else ""), class_="none")


def plain(value):
    """Returns `value` in a form that is valid in JSON: without NumPy types, NaN, infinity and invalid text."""
    if isinstance(value, dict):
        return {clean(key, 10**6): plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value).encode("utf-8", "replace").decode()


def link(path, words=None):
    """Returns the title of a number, or other `words`, as a button that opens the note on the number (see `notes`)."""
    node, anchor = described(path)
    return tag(
        "button", text(words or node["title"]), type="button", class_="term", popovertarget=f"g-{anchor}"
    )


def value_of(results, path):
    """Returns the number at `path` with its standard error and unit as HTML, or why it is missing."""
    value = get(results, path)
    if value is None:
        return not_computed(results, path)
    return written(value, get_error(results, path), described(path)[0], limits=get_limits(results, path))


def written(value, error, node, with_unit=True, limits=(None, None)):
    """Returns a number as HTML, with its standard error (or its interval) and its unit."""
    unit = node.get("x-unit")
    shown, _, uncertain = measured(value, error, unit).partition(f" {PLUS_MINUS} ")
    uncertain = f" {PLUS_MINUS} {uncertain}" if uncertain else interval(*limits, unit)
    shown = text(shown) + (tag("span", uncertain, class_="se") if uncertain else "")
    if not with_unit or not shows_unit(node) or isinstance(value, str):
        return shown
    return f"{shown} {tag('span', text(unit), class_='unit')}"


def interval(low, high, unit=None):
    """Returns the interval of a number in brackets, or `""`."""
    if low is None and high is None:
        return ""
    if high is None:
        return f" (at least {number(low, unit)})"
    return (
        f" (at most {number(high, unit)})"
        if low is None
        else f" ({number(low, unit)} to {number(high, unit)})"
    )


def shows_unit(node):
    """Returns whether the unit is written after the number; percent and bytes are part of the number."""
    return node.get("x-unit") not in (None, "share", "bytes")


def caption(results, path, words):
    """Returns the caption of a table, with n and time if known."""
    section = get(results, path) or {}
    notes = [f"n = {number(section['n'])}"] if section.get("n") is not None else []
    if section.get("seconds") is not None:
        notes.append(f"{section['seconds']:.1f} s")
    return tag("caption", words, tag("small", ", ".join(notes)) if notes else "")


def table(results, path, words, skip=()):
    """Returns the computed numbers of a section as a table: quantity, value and, if known, healthy range; or `""`."""
    found = [inner for inner in number_paths(path, skip) if get(results, inner) is not None]
    if not found:
        return ""
    ranges = any("x-healthy" in described(inner)[0] for inner in found)
    titles = ("Quantity", "Value", "Healthy") if ranges else ("Quantity", "Value")
    head = tag("thead", tag("tr", *(tag("th", title, scope="col") for title in titles)))
    rows = "".join(table_rows(results, path, skip, ranges))
    made = tag("table", caption(results, path, words), head, tag("tbody", rows), class_="numbers")
    return scrolling(made, words)


def table_rows(results, path, skip=(), ranges=True):
    """Yields a row for each computed number of the section at `path`, then its subsections, each with a heading."""
    sections = []
    for key in keys_of(path, skip):
        inner = f"{path}.{key}"
        numbers = [number for number in number_paths(inner) if get(results, number) is not None]
        if numbers == [inner]:
            yield row(results, inner, ranges)
        elif numbers:
            sections.append(inner)
    for inner in sections:
        yield tag("tr", tag("th", link(inner), scope="rowgroup", colspan=2 + ranges), class_="group")
        yield from table_rows(results, inner, ranges=ranges)


def keys_of(path, skip=()):
    """Returns the names in the section at `path` that a table shows."""
    properties = definition(described(path)[0])[1]["properties"]
    return [
        key for key in properties if key not in (*LEFT_OUT, *skip) and not is_uncertainty(key, properties)
    ]


def is_uncertainty(key, properties):
    """Returns whether an entry is the error or an interval end of another entry, with which it is shown."""
    name, _, end = key.rpartition("_")
    return end in ("se", *ENDS) and name in properties


def number_paths(path, skip=()):
    """Returns the paths of the numbers in the section at `path`: of a number its own path, of a list none."""
    node = definition(described(path)[0])[1]
    if "properties" in node:
        return [number for key in keys_of(path, skip) for number in number_paths(f"{path}.{key}")]
    return [path] if is_number(node) else []


def is_number(node):
    """Returns whether a schema node describes a single value, which fits into a table cell."""
    return not {"array", "object"} & set(np.atleast_1d(node.get("type", "array")))


def row(results, path, ranges=True):
    """Returns the table row of a number; with its healthy range if the table has `ranges`."""
    cells = [tag("td", value_of(results, path), class_="value")]
    if ranges:
        cells.append(tag("td", text(described(path)[0].get("x-healthy", "")), class_="healthy"))
    return tag("tr", tag("th", link(path), scope="row"), *cells)


def matrix(results, path, kind, words, names=None):
    """Returns the computed entries of one kind as a table, one row per entry, without empty columns; or `""`.

    Args:
        results: All results.
        path: The path of the dict of entries.
        kind: The name of their definition in the schema.
        words: The caption.
        names: The names of the entries to show, in order; by default all.
    """
    entries = get(results, path) or {}
    found = {entry: entries[entry] for entry in names or entries if isinstance(entries.get(entry), dict)}
    properties = schema()["$defs"][kind]["properties"]
    columns = {
        key: node
        for key, node in properties.items()
        if not is_uncertainty(key, properties)
        and key not in LEFT_OUT
        and is_number(node)
        and any(values.get(key) is not None for values in found.values())
    }
    if not columns:
        return ""
    head = tag("td", "") + "".join(column_head(kind, key) for key in columns)
    rows = (
        tag(
            "tr",
            tag("th", text(entry_title(path, entry), NAME), scope="row"),
            *(matrix_cell(values, key, node) for key, node in columns.items()),
        )
        for entry, values in found.items()
        if any(values.get(key) is not None for key in columns)
    )
    made = tag("table", caption(results, path, words), tag("thead", tag("tr", head)), tag("tbody", *rows))
    return scrolling(made, words)


def matrix_cell(values, key, node):
    """Returns the cell of a number of an entry."""
    if values.get(key) is None:
        return tag("td", DASH, class_="num none")
    return tag(
        "td", written(values[key], get_error(values, key), node, False, get_limits(values, key)), class_="num"
    )


def column_head(kind, key, **attributes):
    """Returns a column heading: the title of a property of a schema definition, and its unit."""
    node = schema()["$defs"][kind]["properties"][key]
    title = tag("button", text(node["title"]), type="button", class_="term", popovertarget=f"g-{kind}.{key}")
    unit = tag("span", f" {text(node['x-unit'])}", class_="unit") if shows_unit(node) else ""
    return tag("th", title, unit, scope="col", class_="num", **attributes)


def not_computed_list(results):
    """Returns a line for each reason why numbers are missing, with their titles, or `""`."""
    grouped = {}
    for path, why in (results.get("reasons") or {}).items():
        name = path.rpartition(".")[2]
        if why and name != "reason" and name.rpartition("_")[2] not in ("se", *ENDS):
            grouped.setdefault(why, {})[title_of(path)] = None
    return "".join(
        tag("p", tag("strong", text(", ".join(titles))), f": not computed: {text(why)}", class_="none")
        for why, titles in grouped.items()
    )


def title_of(path):
    """Returns the title of an entry for its path, or for its last name, under which reasons are given too."""
    nodes = described_nodes()
    known = nodes.get(path) or next((node for key, node in nodes.items() if key.endswith(f".{path}")), None)
    if known is None and "." in path:
        section, _, entry = path.rpartition(".")
        return f"{title_of(section)}: {nodes[entry]['title'] if entry in nodes else entry.replace('_', ' ')}"
    return known["title"] if known else clean(path.replace("_", " "), NAME)


def entry_title(path, entry):
    """Returns the title of an entry of a section: from the schema, or else its name."""
    known = definition(described(path)[0])[1].get("properties", {})
    if entry in known:
        return known[entry]["title"]
    ending = next((ending for ending in ENDINGS if entry.endswith(ending)), "")
    return (
        f"{entry_title(path, entry.removesuffix(ending))}{ENDINGS[ending]}" if ending else rung_title(entry)
    )


def rung_title(rung):
    """Returns the title of a rung."""
    node = schema()["properties"]["generation_gap"]["properties"].get(rung, {})
    return node.get("title", clean(rung, NAME))


@functools.lru_cache(maxsize=1)
def described_nodes():
    """Returns all schema nodes by their anchors, such as `rate_distortion.rate` and, of a definition, `rung.frechet`."""
    whole_schema = schema()
    nodes = flattened(whole_schema["properties"])
    for key, node in whole_schema["$defs"].items():
        nodes[key] = node
        nodes.update(flattened(node["properties"], f"{key}."))
    return nodes


def notes(results, body):
    """Returns the notes on the terms in `body`, HTML: each opens at its term, by mouse, touch and keyboard."""
    used, nodes = dict.fromkeys(re.findall(r'popovertarget="g-([^"]+)"', body)), described_nodes()
    return "".join(note(results, anchor, nodes[anchor]) for anchor in used)


def note(results, anchor, node):
    """Returns the note on a number: meaning, healthy range, value in this run and place in results.json."""
    value = at(results, anchor)  # None for a definition in $defs
    unit = f", {text(node['x-unit'])}" if shows_unit(node) else ""
    facts = [f"Healthy: {text(node['x-healthy'])}."] if "x-healthy" in node else []
    if value is not None and not isinstance(value, dict | list | str):
        here = written(value, get_error(results, anchor), node, limits=get_limits(results, anchor))
        facts.append(f"Here: {here}.")
    return tag(
        "div",
        tag("strong", text(node["title"])),
        tag("span", unit, class_="muted"),
        tag("p", text(node["description"])),
        tag("p", " ".join(facts), class_="muted") if facts else "",
        tag("code", text(anchor)),
        id=f"g-{anchor}",
        class_="hint",
        popover="auto",
    )


def flattened(properties, prefix=""):
    """Returns properties and nested properties by dotted path."""
    found = {}
    for key, node in properties.items():
        found[f"{prefix}{key}"] = node
        found.update(flattened(node.get("properties", {}), f"{prefix}{key}."))
    return found
