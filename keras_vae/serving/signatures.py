"""The signatures of a SavedModel, and TF Serving's rules for requests to them.

The rules and their messages are those of `servables/tensorflow/predict_util.cc` in TF Serving and
`cc/saved_model/util.cc` in TensorFlow (2.21).
"""

import pathlib

from keras_vae.errors import StatusError
from keras_vae.serving.status import invalid

DEFAULT = "serving_default"
METHOD = "tensorflow/serving/predict"


def read_signatures(folder):
    """Returns the `SignatureDef`s of the SavedModel in `folder` by name."""
    from tensorflow.core.protobuf import saved_model_pb2

    content = pathlib.Path(folder, "saved_model.pb").read_bytes()
    return dict(saved_model_pb2.SavedModel.FromString(content).meta_graphs[0].signature_def)


def predicting(signatures):
    """Returns the `signatures` that serve requests, without those that TensorFlow runs when it loads a model."""
    return {name: signature for name, signature in signatures.items() if signature.method_name == METHOD}


def shape_of(info):
    """Returns the shape of a `TensorInfo`, with -1 for free sizes."""
    return tuple(dim.size for dim in info.tensor_shape.dim)


def dtype_of(info):
    """Returns the NumPy dtype of a `TensorInfo`."""
    import tensorflow as tf

    return tf.as_dtype(info.dtype).as_numpy_dtype


def find_signature(signatures, name):
    """Returns the name and the `SignatureDef` of the requested signature; an empty `name` is the default."""
    name = name or DEFAULT
    if name not in signatures:
        raise StatusError("FAILED_PRECONDITION", f'Serving signature key "{name}" not found.')
    return name, signatures[name]


def check_inputs(signature, given):
    """Raises a `StatusError` if the names in `given` are not the signature's inputs.

    Args:
        signature: A `SignatureDef` without default inputs, whose rules are not implemented.
        given: The names of a request's inputs.
    """
    given, taken = set(given), set(signature.inputs)
    if len(given) != len(taken):
        raise invalid(
            f"input size does not match signature: {len(given)}!={len(taken)} len({braced(given)}) !="
            f" len({braced(taken)}). Sent extra: {braced(given - taken)}."
            f" Missing but required: {braced(taken - given)}."
        )
    for alias in sorted(taken - given):
        raise invalid(
            f"Signature input alias: {alias}(feed name: {signature.inputs[alias].name}) not found in request and"
            f" no default value provided. Inputs expected to be in the request {braced(given)},"
            " or default input alias set: "
        )


def check_outputs(signature, output_filter):
    """Returns the requested outputs, all if the filter is empty; raises a `StatusError` for a bad filter."""
    for position, alias in enumerate(output_filter):
        if alias not in signature.outputs:
            raise invalid(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in the set"
                f" {braced(signature.outputs)}."
            )
        if alias in output_filter[:position]:
            raise invalid(f"duplicate output tensor alias: {alias}")
    return list(output_filter) or sorted(signature.outputs)


def braced(names):
    """Returns a set of names in TF Serving's notation."""
    return "{" + ",".join(sorted(names)) + "}"
