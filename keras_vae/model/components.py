"""The parts of a model by name, as JSON and as objects."""

import dataclasses

from keras_vae.config.codec import did_you_mean, from_json, to_json

# Whole: Keras, which imports this file, may be imported by the first use of them.


def component(given, choices, name):
    """Returns `given` as a component: by its name among `choices`, from its JSON, or as it is.

    The fields of a component are checked where its class is among `choices`; one of another class is trusted.
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
    """Returns the JSON of a component whose class is among `choices`."""
    kind = next((name for name, choice in choices.items() if choice is type(given)), None)
    if kind is None:
        raise ValueError(
            f"{type(given).__name__} has no name to be saved under, as {', '.join(choices)} have: enter it in the"
            " dict of its kind (keras_vae.OBJECTIVES, LIKELIHOODS, NETWORKS), when saving and when loading"
        )
    return {"kind": kind, **to_json(given)}
