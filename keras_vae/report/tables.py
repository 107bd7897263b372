"""Numbers as tables and as a glossary, made from what `results.schema.json` says of each: title, unit, meaning, healthy range."""

import functools
import json
import math
import pathlib

import numpy as np

from keras_vae.report.page import DASH, NAME, PLUS_MINUS, clean, measured, number, scrolling, tag, text

LEFT_OUT = ("n", "seconds")  # of a table: its caption has them


@functools.cache
def schema():
    """Returns the JSON schema of `results.json`."""
    return json.loads(
        pathlib.Path(__file__).parent.with_name("results.schema.json").read_text(encoding="utf-8")
    )


def definition(node):
    """Returns the name and the content of the definition that a schema node refers to, or (None, node)."""
    for option in [node, *node.get("anyOf", ())]:
        if "$ref" in option:
            key = option["$ref"].rpartition("/")[2]
            return key, schema()["$defs"][key]
    return None, node


def described(path):
    """Returns the schema node of a dotted path, and the glossary's anchor for it."""
    node, anchor = schema(), ""
    for part in path.split("."):
        key, node = definition(node)
        node = node["properties"][part]
        anchor = f"{key or anchor}.{part}".lstrip(".")
    return node, anchor


def get(results, path):
    """Returns what stands at a dotted path, None where there is nothing."""
    for part in path.split("."):
        results = results.get(part) if isinstance(results, dict) else None
    return results


def reason(results, path):
    """Returns why `path` is null: the reason of the path, of a section that it stands in, or of its name."""
    reasons = results.get("reasons") or {}
    parts = path.split(".")
    candidates = [".".join(parts[:length]) for length in range(len(parts), 0, -1)] + [parts[-1]]
    return next((reasons[key] for key in candidates if reasons.get(key)), None)


def not_computed(results, path):
    """Returns why a number is missing, as HTML."""
    why = reason(results, path)
    return tag("span", "not computed" + (f": {text(why)}" if why else ""), class_="none")


def plain(value):
    """Returns `value` as JSON can hold it: no NumPy, nothing that is not finite, no broken text."""
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
    return written(value, get(results, f"{path}_se"), described(path)[0])


def written(value, error, node, with_unit=True):
    """Returns a number as HTML, with its standard error and its unit."""
    unit = node.get("x-unit")
    shown, _, uncertain = measured(value, error, unit).partition(f" {PLUS_MINUS} ")
    shown = text(shown) + (tag("span", f" {PLUS_MINUS} {uncertain}", class_="se") if uncertain else "")
    if not with_unit or not shows_unit(node) or isinstance(value, str):
        return shown
    return f"{shown} {tag('span', text(unit), class_='unit')}"


def shows_unit(node):
    """Returns whether the unit is written behind the number, rather than in it as per cent and GiB are."""
    return node.get("x-unit") not in (None, "share", "bytes")


def caption(results, path, words):
    """Returns a table's caption, with n and time where they are known."""
    section = get(results, path) or {}
    notes = [f"n = {number(section['n'])}"] if section.get("n") is not None else []
    if section.get("seconds") is not None:
        notes.append(f"{section['seconds']:.1f} s")
    return tag("caption", words, tag("small", ", ".join(notes)) if notes else "")


def table(results, path, words, skip=()):
    """Returns the numbers of a section as a table: quantity, value, and how a healthy model reads."""
    if all(get(results, inner) is None for inner in number_paths(path, skip)):
        return tag("p", f"{words}: ", not_computed(results, path))
    head = tag(
        "thead", tag("tr", *(tag("th", title, scope="col") for title in ("Quantity", "Value", "Healthy")))
    )
    rows = "".join(table_rows(results, path, skip))
    made = tag("table", caption(results, path, words), head, tag("tbody", rows), class_="numbers")
    return scrolling(made, words)


def table_rows(results, path, skip=()):
    """Yields a row for each number of the section at `path`, then those of the sections within it, with a heading.

    What was not computed for one reason shares a row at the end.
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
    """Returns the names in the section at `path` that its table may show."""
    properties = definition(described(path)[0])[1]["properties"]
    return [key for key in properties if key not in (*LEFT_OUT, *skip) and not key.endswith("_se")]


def number_paths(path, skip=()):
    """Returns the paths of the numbers in the section at `path`; of a number, its own; of a list, none."""
    node = definition(described(path)[0])[1]
    if "properties" in node:
        return [number for key in keys_of(path, skip) for number in number_paths(f"{path}.{key}")]
    return [path] if is_number(node) else []


def is_number(node):
    """Returns whether a schema node is of one value, which fits into a table's cell."""
    return not {"array", "object"} & set(np.atleast_1d(node.get("type", "array")))


def row(results, path):
    """Returns one number as a row."""
    healthy = described(path)[0].get("x-healthy", "")
    return tag(
        "tr",
        tag("th", link(path), scope="row"),
        tag("td", value_of(results, path), class_="value"),
        tag("td", text(healthy), class_="healthy"),
    )


def matrix(results, path, kind, words, names=None):
    """Returns several things of one kind as a table, a row each.

    Args:
        results: All of them.
        path: Where they stand, by name.
        kind: The definition in the schema that they follow.
        words: The caption.
        names: Which, in order; by default all that are there.
    """
    entries = get(results, path)
    if not isinstance(entries, dict) or not any(
        isinstance(entries.get(key), dict) for key in names or entries
    ):
        return tag("p", f"{words}: ", not_computed(results, path))
    columns = {
        key: node
        for key, node in schema()["$defs"][kind]["properties"].items()
        if not key.endswith("_se") and key not in LEFT_OUT and is_number(node)
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
            tag("td", written(found[key], found.get(f"{key}_se"), node, False), class_="num")
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
    """Returns the heading of a column: a property of a definition in the schema, and its unit."""
    node = schema()["$defs"][kind]["properties"][key]
    title = tag("a", text(node["title"]), href=f"#g-{kind}.{key}")
    unit = tag("span", f" {text(node['x-unit'])}", class_="unit") if shows_unit(node) else ""
    return tag("th", title, unit, scope="col", class_="num", **attributes)


def missing_reasons(results, path, names, columns):
    """Returns a line that says why cells of a `matrix` are empty, where any is."""
    empty = {}
    for entry in names:
        for key, node in columns.items():
            if (
                isinstance(get(results, f"{path}.{entry}"), dict)
                and get(results, f"{path}.{entry}.{key}") is None
            ):
                empty.setdefault(reason(results, f"{path}.{entry}.{key}"), set()).add(node["title"])
    lines = [
        f"{DASH} {text(', '.join(sorted(titles)))} not computed" + (f": {text(why)}" if why else "") + "."
        for why, titles in empty.items()
    ]
    return "".join(tag("p", line, class_="none") for line in lines)


def entry_title(path, entry):
    """Returns what an entry of a section is called: its title in the schema, or its own name."""
    known = definition(described(path)[0])[1].get("properties", {})
    return known[entry]["title"] if entry in known else rung_title(entry)


def rung_title(rung):
    """Returns what a rung is called."""
    node = schema()["properties"]["generation_gap"]["properties"].get(rung, {})
    return node.get("title", clean(rung, NAME))


def glossary(results):
    """Returns an entry for every property of the schema, grouped by section, with its value in this run."""
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
    """Returns properties by dotted path, those of sections within them too."""
    found = {}
    for key, node in properties.items():
        found[f"{prefix}{key}"] = node
        found.update(flattened(node.get("properties", {}), f"{prefix}{key}."))
    return found


def glossary_group(results, key, title, node, properties):
    """Returns a heading and the entries below it."""
    entries = []
    for inner, entry in properties.items():
        path = f"{key}.{inner}".lstrip(".")
        value = get(results, path)
        here = ""
        if value is not None and not isinstance(value, dict | list | str):
            here = tag("b", f" Here: {written(value, get(results, f'{path}_se'), entry)}.")
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
