"""The JSON schema of `results.json`, generated from the types."""

import collections
import functools
import re

from pydantic.json_schema import GenerateJsonSchema

from keras_vae.evaluation.results import Results


class Compact(GenerateJsonSchema):
    """Writes `{"type": ["number", "null"]}` for an optional number, and no default values."""

    def nullable_schema(self, schema):
        inner = self.generate_inner(schema["schema"])
        if "type" in inner:
            return {**inner, "type": [inner["type"], "null"]}
        return {"anyOf": [inner, {"type": "null"}]}

    def default_schema(self, schema):
        return self.generate_inner(schema["schema"])


@functools.cache
def results_schema():
    """Returns the JSON schema of `results.json`, in which sections that occur once are inlined.

    Sections that occur more than once, or under arbitrary names, are in `$defs` by the name of their class in lower
    case, such as `rung` and `split`.
    """
    schema = Results.model_json_schema(schema_generator=Compact)
    definitions = schema.pop("$defs")
    fields = [node for section in (schema, *definitions.values()) for node in section["properties"].values()]
    uses = collections.Counter(filter(None, map(referred, fields)))
    once = {name: definitions[name] for name in uses if uses[name] == 1}
    shared = {shared_name(name): node for name, node in definitions.items() if name not in once}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **written_out(schema, once),
        "$defs": {name: written_out(shared[name], once) for name in sorted(shared)},
    }


def referred(node):
    """Returns the name of the definition to which the field `node` refers, or None."""
    for option in (node, *node.get("anyOf", ())):
        if "$ref" in option:
            return option["$ref"].rpartition("/")[2]
    return None


def shared_name(name):
    """Returns the name in `$defs` of a class: `DeadZoneResults` is `dead_zone`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.removesuffix("Results")).lower()


def written_out(node, once):
    """Returns `node` with the definitions in `once` inlined, and descriptions in one line."""
    if isinstance(node, list):
        return [written_out(entry, once) for entry in node]
    if not isinstance(node, dict):
        return node
    name = referred(node)
    if name in once:
        kind = {"type": ["object", "null"] if "anyOf" in node else "object"}
        rest = {key: value for key, value in node.items() if key not in ("$ref", "anyOf")}
        node = {**once[name], **kind, **rest}
    return {
        key: reworded(key, value) if isinstance(value, str) else written_out(value, once)
        for key, value in node.items()
    }


def reworded(key, value):
    """Returns a string of the schema with references renamed as in `$defs`, and descriptions without line breaks."""
    if key == "$ref":
        return "#/$defs/" + shared_name(value.rpartition("/")[2])
    return re.sub(r"\s+", " ", value) if key == "description" else value
