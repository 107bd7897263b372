"""TF Serving's REST interface as a function of a request (`model_servers/http_rest_api_handler.cc`)."""

import re
import urllib.parse

from keras_vae.errors import StatusError
from keras_vae.serving import json_tensors
from keras_vae.serving.signatures import DEFAULT
from keras_vae.serving.status import HTTP_STATUS, invalid

# model_servers/http_rest_api_util.cc
VERSION = r"(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?"
PREDICTION = re.compile(rf"/v1/models/([^/:]+){VERSION}:(classify|regress|predict)", re.IGNORECASE)
STATUS = re.compile(rf"/v1/models(?:/([^/:]+))?{VERSION}(?:/(metadata))?", re.IGNORECASE)
NEWEST = 2**63 - 1  # the largest version number


def answer(models, method, path, body, max_batch):
    """Returns the response to a request.

    Args:
        models: A dict of `Model` by name.
        method, path: Such as `POST` and `/v1/models/decoder:predict`; the path is percent-encoded.
        body: Bytes.
        max_batch: Predictions of more rows are rejected.

    Returns:
        The HTTP status and the body, JSON in bytes.
    """
    try:
        return 200, route(models, method, path, body, max_batch)
    except StatusError as error:
        return HTTP_STATUS[error.code], json_tensors.dumps({"error": error.message})


def route(models, method, path, body, max_batch):
    """Returns the body of a successful response."""
    pattern = {"POST": PREDICTION, "GET": STATUS}.get(method)
    found = pattern and pattern.fullmatch(path)
    if not found:
        raise invalid(f"Malformed request: {method} {path}")
    name, number, label, what = found.groups()
    if name is None:
        if path.rstrip("/").lower() != "/v1/models":
            raise invalid("Missing model name in request.")
        return json_tensors.dumps({"models": sorted(models)})  # KServe's list; TF Serving has none
    name = urllib.parse.unquote(name)
    number = version_number(number, models.get(name))
    if method == "POST" and what.lower() == "predict":
        return predict(models, name, number, label, body, max_batch)
    model = chosen(models, name, number, label, status=method == "GET" and not what)
    if what is None:
        # The last two are what KServe's clients ask; TF Serving's clients ignore them.
        return json_tensors.dumps({**model.status(number), "name": name, "ready": model.is_ready(number)})
    if method == "GET":
        return json_tensors.dumps(metadata(model, model.loaded(number)))
    raise invalid(
        f"Expected {'classification' if what.lower() == 'classify' else 'regression'} signature method_name to be"
        f" tensorflow/serving/{what.lower()}. Was: tensorflow/serving/predict"
    )


def version_number(digits, model=None):
    """Returns the version number in a path, or None for the newest version.

    Version 0 is the newest, as in OpenVINO Model Server, unless the model has a version of that number.
    """
    if digits is None:
        return None
    if len(digits) > len(str(NEWEST)) or int(digits) > NEWEST:
        raise invalid(f"Failed to convert version: {digits} to numeric.")
    number = int(digits)
    return None if number == 0 and (model is None or 0 not in model.states) else number


def chosen(models, name, number, label, status=False):
    """Returns the model that a path names; `number`, None for the newest version, is used in messages only."""
    if label is not None:
        raise invalid(f"Unrecognized servable version label: {urllib.parse.unquote(label)}")
    if name in models:
        return models[name]
    version = "any versions" if number is None else f"version {number}"
    asked = f"Latest({name})" if number is None else f"Specific({name}, {number})"
    raise StatusError(
        "NOT_FOUND",
        f"Could not find {version} of model {name}" if status else f"Servable not found for request: {asked}",
    )


def predict(models, name, number, label, body, max_batch):
    """Returns the body of the response to a prediction request."""
    document = json_tensors.parse(body)
    signature_name = json_tensors.signature_name(document)
    model = chosen(models, name, number, label)
    version = model.loaded(number)
    signature = version.signatures.get(signature_name or DEFAULT)
    if signature is None:
        raise invalid(f'Serving signature name: "{signature_name or DEFAULT}" not found in signature def')
    if not signature.inputs:
        raise invalid(f"Failed to get input map for signature: {signature_name or 'DEFAULT'}")
    if isinstance(document.get("instances"), list):
        check_rows(document["instances"], max_batch)  # before the rows are parsed
    exact = b"true" in body or b"false" in body
    inputs, by_row = json_tensors.read_tensors(document, signature.inputs, exact)
    for array in inputs.values():
        if array.ndim:
            check_rows(array, max_batch)
    return json_tensors.write_tensors(version.predict(signature_name, inputs), by_row)


def check_rows(rows, max_batch):
    """Raises a `StatusError` if there are more than `max_batch` rows."""
    if len(rows) > max_batch:
        raise invalid(f"Task size {len(rows)} is larger than maximum input batch size {max_batch}")


def metadata(model, version):
    """Returns a version's signatures in TF Serving's form, protobuf's JSON."""
    from google.protobuf import json_format

    def plain(signature):
        return json_format.MessageToDict(
            signature, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )

    signatures = {name: plain(signature) for name, signature in sorted(version.signatures.items())}
    return {
        "model_spec": {"name": model.name, "signature_name": "", "version": str(version.number)},
        "metadata": {"signature_def": {"signature_def": signatures}},
    }
