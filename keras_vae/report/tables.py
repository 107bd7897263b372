"""Tables and a glossary of the numbers, made from the field descriptions in `keras_vae.evaluation.results`."""

import functools
import math

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


def link(path):
    """Returns the title of a number, linked to its entry in the glossary."""
    node, anchor = described(path)
    return tag("a", text(node["title"]), href=f"#g-{anchor}")


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
    """Returns the numbers of a section as a table: quantity, value and healthy range."""
    if all(get(results, inner) is None for inner in number_paths(path, skip)):
        return tag("p", f"{words}: ", not_computed(results, path))
    head = tag(
        "thead", tag("tr", *(tag("th", title, scope="col") for title in ("Quantity", "Value", "Healthy")))
    )
    rows = "".join(table_rows(results, path, skip))
    made = tag("table", caption(results, path, words), head, tag("tbody", rows), class_="numbers")
    return scrolling(made, words)


def table_rows(results, path, skip=()):
    """Yields a row for each number of the section at `path`, then its subsections, each with a heading.

    Numbers that are missing for the same reason share a row at the end.
    """
    missing, sections = {}, []
    for key in keys_of(path, skip):
        inner = f"{path}.{key}"
        numbers = number_paths(inner)
        if numbers and all(get(results, number) is None for number in numbers):
            missing.setdefault(reason(results, inner), []).append(inner)
        elif numbers == [inner]:
            yield row(results, inner)
        elif numbers:
            sections.append(inner)
    for inner in sections:
        yield tag("tr", tag("th", link(inner), scope="rowgroup", colspan=3), class_="group")
        yield from table_rows(results, inner)
    for paths in missing.values():
        head = tag("th", ", ".join(map(link, paths)), scope="row")
        yield tag("tr", head, tag("td", not_computed(results, paths[0]), colspan=2))


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


def row(results, path):
    """Returns the table row of a number."""
    healthy = described(path)[0].get("x-healthy", "")
    return tag(
        "tr",
        tag("th", link(path), scope="row"),
        tag("td", value_of(results, path), class_="value"),
        tag("td", text(healthy), class_="healthy"),
    )


def matrix(results, path, kind, words, names=None):
    """Returns several entries of one kind as a table, one row per entry.

    Args:
        results: All results.
        path: The path of the dict of entries.
        kind: The name of their definition in the schema.
        words: The caption.
        names: The names of the entries to show, in order; by default all.
    """
    entries = get(results, path)
    if not isinstance(entries, dict) or not any(
        isinstance(entries.get(key), dict) for key in names or entries
    ):
        return tag("p", f"{words}: ", not_computed(results, path))
    properties = schema()["$defs"][kind]["properties"]
    columns = {
        key: node
        for key, node in properties.items()
        if not is_uncertainty(key, properties) and key not in LEFT_OUT and is_number(node)
    }
    head = tag("td", "") + "".join(column_head(kind, key) for key in columns)
    rows = []
    for entry in names or entries:
        found = entries.get(entry)
        label = tag("th", text(entry_title(path, entry), NAME), scope="row")
        if not isinstance(found, dict):
            rows.append(
                tag("tr", label, tag("td", not_computed(results, f"{path}.{entry}"), colspan=len(columns)))
            )
            continue
        cells = (
            tag(
                "td",
                written(found[key], get_error(found, key), node, False, get_limits(found, key)),
                class_="num",
            )
            if found.get(key) is not None
            else tag(
                "td",
                tag("span", DASH, title=f"not computed: {reason(results, f'{path}.{entry}.{key}') or ''}"),
                class_="num none",
            )
            for key, node in columns.items()
        )
        rows.append(tag("tr", label, *cells))
    whys = missing_reasons(results, path, names or list(entries), columns)
    made = tag("table", caption(results, path, words), tag("thead", tag("tr", head)), tag("tbody", *rows))
    return scrolling(made, words) + whys


def column_head(kind, key, **attributes):
    """Returns a column heading: the title of a property of a schema definition, and its unit."""
    node = schema()["$defs"][kind]["properties"][key]
    title = tag("a", text(node["title"]), href=f"#g-{kind}.{key}")
    unit = tag("span", f" {text(node['x-unit'])}", class_="unit") if shows_unit(node) else ""
    return tag("th", title, unit, scope="col", class_="num", **attributes)


def missing_reasons(results, path, names, columns):
    """Returns lines that explain the empty cells of a `matrix`, or `""`."""
    empty = {}
    for entry in names:
        for key, node in columns.items():
            if (
                isinstance(at(results, (*parts_of(path), entry)), dict)
                and at(results, (*parts_of(path), entry, key)) is None
            ):
                empty.setdefault(reason(results, f"{path}.{entry}.{key}"), set()).add(node["title"])
    lines = [
        f"{DASH} {text(', '.join(sorted(titles)))} not computed" + (f": {text(why)}" if why else "") + "."
        for why, titles in empty.items()
    ]
    return "".join(tag("p", line, class_="none") for line in lines)


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


def glossary(results):
    """Returns the glossary: every property of the schema, grouped by section, with its value in this run."""
    whole_schema = schema()
    groups = [
        (
            "",
            "The run",
            None,
            {key: node for key, node in whole_schema["properties"].items() if "properties" not in node},
        )
    ]
    for key, node in whole_schema["properties"].items():
        if "properties" in node:
            groups.append((key, node["title"], node, flattened(node["properties"])))
    for key, node in whole_schema["$defs"].items():
        groups.append((key, node["title"], node, flattened(node["properties"])))
    return tag("div", *(glossary_group(results, *group) for group in groups), class_="glossary")


def flattened(properties, prefix=""):
    """Returns properties and nested properties by dotted path."""
    found = {}
    for key, node in properties.items():
        found[f"{prefix}{key}"] = node
        found.update(flattened(node.get("properties", {}), f"{prefix}{key}."))
    return found


def glossary_group(results, key, title, node, properties):
    """Returns a group of the glossary: a heading and its entries."""
    entries = []
    for inner, entry in properties.items():
        path = f"{key}.{inner}".lstrip(".")
        value = at(results, path)  # None for a definition in $defs
        here = ""
        if value is not None and not isinstance(value, dict | list | str):
            shown = written(value, get_error(results, path), entry, limits=get_limits(results, path))
            here = tag("b", f" Here: {shown}.")
        range_ = f" Healthy: {text(entry['x-healthy'])}." if "x-healthy" in entry else ""
        unit = f", {text(entry['x-unit'])}" if "x-unit" in entry else ""
        entries.append(
            tag(
                "div",
                tag(
                    "dt",
                    text(entry["title"]),
                    " ",
                    tag("code", text(path)),
                    tag("span", unit, class_="muted", style="font-weight:400"),
                ),
                tag("dd", text(entry["description"]), range_, here),
                id=f"g-{path}",
            )
        )
    about = tag("p", text(node["description"])) if node else ""
    identity = {"id": f"g-{key}"} if key else {}
    return tag("div", tag("h3", text(title)), about, tag("dl", *entries), class_="group", **identity)
