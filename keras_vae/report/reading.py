"""results.json read back: of the types that its schema has, or refused."""

import math

from keras_vae.command_line import UsageError, read_json
from keras_vae.report.tables import definition, schema

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def read_results(path):
    """Returns what evaluate.py wrote to the file `path`, without what the schema of this version does not know.

    Nothing has to be there: what is read may come from another version.

    Raises:
        UsageError: The file cannot be read, or something in it is not of the type that the schema has for it.
    """
    try:
        return known(read_json(path), schema(), "")
    except TypeError as error:
        raise UsageError(
            f"{path} is not a results.json of this package: see {error} (evaluate the run anew)"
        ) from error


def known(value, node, place):
    """Returns `value` without what the schema `node` does not know; raises a TypeError that names a `place` of another type."""
    for kind in (definition(kind)[1] for kind in node.get("anyOf", [node])):
        if any(is_of(value, name) for name in listed(kind.get("type"))):
            return parts(value, kind, place)
    raise TypeError(place.lstrip(".") or "its top")


def parts(value, node, place):
    """Returns `value`, of the type that `node` has, with all parts as `known` has them."""
    if isinstance(value, list):
        return [known(part, node["items"], place) for part in value]
    if not isinstance(value, dict):
        return value
    others = node.get("additionalProperties")
    described = {key: node.get("properties", {}).get(key, others) for key in value}
    return {key: known(value[key], inner, f"{place}.{key}") for key, inner in described.items() if inner}


def is_of(value, name):
    """Returns whether `value` is of the JSON type `name`; numbers are finite."""
    if name not in ("integer", "number"):
        return isinstance(value, TYPES[name])
    if isinstance(value, bool) or not isinstance(value, int if name == "integer" else int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def listed(names):
    """Returns the types of a schema node as a list."""
    return names if isinstance(names, list) else [names]
