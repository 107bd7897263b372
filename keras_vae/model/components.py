"""Components of a model: from names and JSON to objects, and back."""

import dataclasses

from keras_vae.config.codec import did_you_mean, from_json, to_json


def component(given, choices, name):
    """Returns the component that `given` specifies: a name in `choices`, JSON, or a component.

    The fields of a component are checked if its class is in `choices`; components of other classes are trusted.
    """
    if type(given) in choices.values():
        given = component_to_json(given, choices)
    if dataclasses.is_dataclass(given) and not isinstance(given, type):
        return given
    fields = dict(given) if isinstance(given, dict) else {"kind": given}
    kind = fields.pop("kind", None)
    if kind not in choices:
        hint = did_you_mean(str(kind), choices)
        raise ValueError(f"{name} is {kind!r}: expected one of {', '.join(choices)}{hint}")
    try:
        return from_json(choices[kind], fields)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def component_to_json(given, choices):
    """Returns the JSON of a component whose class is in `choices`."""
    kind = next((name for name, choice in choices.items() if choice is type(given)), None)
    if kind is None:
        raise ValueError(
            f"{type(given).__name__} cannot be saved because it has no name, unlike {', '.join(choices)}: add it to the"
            " dict of its kind (keras_vae.OBJECTIVES, LIKELIHOODS, NETWORKS) before saving and before loading"
        )
    return {"kind": kind, **to_json(given)}
