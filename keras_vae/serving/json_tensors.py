"""Tensors in JSON, with the rules and error messages of TF Serving's `util/json_tensor.cc`.

A request's body is an object with `instances` (row format: a list with one element per row) or `inputs` (columnar
format: the tensors), and optionally `signature_name`. Bytes are `{"b64": "..."}`, which only string inputs accept.
Numbers that the input's type cannot represent are rejected, not rounded.
"""

import base64
import binascii
import contextlib
import itertools
import json

import numpy as np

from keras_vae.errors import StatusError
from keras_vae.serving.extra import extra
from keras_vae.serving.signatures import dtype_of
from keras_vae.serving.status import invalid

JSON_TYPES = {type(None): "Null", bool: "Bool", dict: "Object", list: "Array", str: "String"}
TYPE_NAMES = {"float32": "float", "float64": "double", "object": "string"}
MAX_RANK = 64  # NumPy's; TensorFlow's is 254
SHOWN = 300  # characters of a value in a message; TF Serving shows the whole value


def parse(body):
    """Returns the JSON object in the bytes `body`."""
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        document = loads(body)
    except json.JSONDecodeError as error:
        raise invalid(f"JSON Parse error: {error.msg} at offset: {error.pos}") from None
    except (ValueError, RecursionError) as error:
        # Invalid text, numbers of thousands of digits, or lists nested too deeply.
        raise invalid(f"JSON Parse error: {error}") from None
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {show(document)} Is not object")
    return document


def signature_name(document):
    """Returns the name of the requested signature, empty for the default."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {show(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    return name


def read_tensors(document, infos, exact):
    """Returns a request's inputs.

    Args:
        document: The result of `parse`.
        infos: The signature's inputs, `TensorInfo` by name.
        exact: Whether to check each value separately. This is necessary if the request contains `true` or `false`,
            which NumPy treats as numbers.

    Returns:
        A dict of arrays by name, and whether the request is in row format.
    """
    if "instances" in document and "inputs" in document:
        raise invalid(
            f"JSON Value: {show(document)} Not formatted correctly expecting only one of 'inputs' or 'instances'"
            " keys to exist "
        )
    if "instances" in document:
        return read_rows(document, infos, exact), True
    if "inputs" in document:
        return read_columns(document["inputs"], infos, exact), False
    raise invalid("Missing 'inputs' or 'instances' key")


def read_columns(inputs, infos, exact):
    """Returns the arrays of a request in columnar format."""
    if not is_object(inputs):
        if len(infos) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per"
                " tensorinfo_map"
            )
        inputs = {next(iter(infos)): inputs}
    for name in infos:
        if name not in inputs:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
    return {name: to_array(inputs[name], dtype_of(info), exact) for name, info in infos.items()}


def read_rows(document, infos, exact):
    """Returns the arrays of a request in row format."""
    rows = document["instances"]
    if not isinstance(rows, list):
        raise invalid(f"JSON Value: {show(document)} Excepting 'instances' to be an list/array")
    if not rows:
        raise invalid(f"JSON Value: {show(document)} No values in 'instances' array")
    if not isinstance(rows[0], dict) and len(infos) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per"
            " tensorinfo_map"
        )
    named = is_object(rows[0])
    columns = {name: [] for name in infos}
    for number, row in enumerate(rows):
        if is_object(row) != named:
            wanted = "object but got list" if named else "value/list but got object"
            raise invalid(f"Expecting {wanted} at item {number} of input list")
        for name, value in (row if named else {next(iter(infos)): row}).items():
            try:
                add_row(columns, name, value, infos, exact)
            except StatusError as error:
                key = f" key: {name}" if named else ""
                raise invalid(
                    f"Failed to process element: {number}{key} of 'instances' list. Error: {error}"
                ) from None
        if named and set(row) != set(infos):
            raise invalid(
                f"Failed to process element: {number} of 'instances' list. JSON object: {show(row)} keys must be"
                f" equal to: {','.join(sorted(infos))}"
            )
    return {name: np.stack(column) for name, column in columns.items()}


def add_row(columns, name, value, infos, exact):
    """Adds a value to the column `name`; all rows must have the same shape."""
    if name not in infos:
        raise invalid(f"JSON object: does not have named input: {name}")
    array, column = to_array(value, dtype_of(infos[name]), exact), columns[name]
    if column and array.size != column[0].size:
        raise invalid(f"Expecting tensor size: {column[0].size} but got: {array.size}")
    if column and array.shape != column[0].shape:
        raise invalid(f"Expecting shape {show_shape(column[0])} but got: {show_shape(array)}")
    column.append(array)


def to_array(value, dtype, exact=True):
    """Returns a JSON value, possibly nested lists, as an array."""
    dtype = np.dtype(dtype)
    if not exact and dtype.kind in "iuf":
        with contextlib.suppress(ValueError, OverflowError):  # ragged or not numeric: reported below
            array = np.asarray(value)
            if holds(array, dtype):
                return array.astype(dtype)
    shape = dense_shape(value)
    if len(shape) > MAX_RANK:
        raise invalid(f"Encountered list at unexpected level: {MAX_RANK} expected < {MAX_RANK}")
    flat = []
    fill(flat, value, 0, shape, dtype)
    array = np.empty(len(flat), dtype)
    array[:] = flat
    return array.reshape(shape)


def holds(array, dtype):
    """Returns whether an array made from a JSON value can be converted to `dtype` without further checks."""
    if not array.size:
        return True
    if dtype.kind == "f":
        return array.dtype.kind in "iuf" and not np.any(np.abs(array) >= 2.0**24)
    return array.dtype.kind in "iu" and np.can_cast(array.dtype, dtype)


def dense_shape(value):
    """Returns the shape of a nested list, judged by its first elements."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return shape


def fill(flat, value, level, shape, dtype):
    """Appends the values in `value` to the list `flat`; raises a `StatusError` for another shape or type."""
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid(
                f"JSON Value: {show(value)} found at incorrect level: {level + 1} in the JSON DOM. Expected at"
                f" level: {len(shape)}"
            )
        flat.append(scalar(value, dtype))
        return
    if level >= len(shape):
        raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    for element in value:
        fill(flat, element, level + 1, shape, dtype)


def scalar(value, dtype):
    """Returns a JSON value other than a list as an element for an array of `dtype`."""
    if dtype.kind == "f" and type(value) in (int, float):
        digits, largest = np.finfo(dtype).nmant + 1, float(np.finfo(dtype).max)
        bound = 2**digits - 1 if type(value) is int else largest
        if abs(value) > bound and not (type(value) is float and np.isinf(value)):
            raise invalid(
                f"Cannot convert JSON value: {show(value)} to {type_name(dtype)} without loss of precision."
            )
        return value
    if dtype.kind in "iu" and type(value) is int and np.iinfo(dtype).min <= value <= np.iinfo(dtype).max:
        return value
    if dtype.kind == "b" and isinstance(value, bool):
        return value
    if dtype.kind == "O" and isinstance(value, str):
        return value.encode()
    if dtype.kind == "O" and isinstance(value, dict):
        return from_base64(value)
    raise invalid(
        f"JSON Value: {show(value)} Type: {json_type(value)} is not of expected type: {type_name(dtype)}"
    )


def from_base64(value):
    """Returns the bytes of a `{"b64": ...}`."""
    if not is_base64(value):
        raise invalid(f"JSON Value: {show(value)} not formatted correctly for base64 data")
    try:
        return base64.b64decode(value["b64"], validate=True)
    except binascii.Error:
        raise invalid("Unable to base64 decode") from None


def is_base64(value):
    """Returns whether a JSON value represents bytes."""
    return isinstance(value, dict) and set(value) == {"b64"} and isinstance(value["b64"], str)


def is_object(value):
    """Returns whether a JSON value is an object that does not represent bytes."""
    return isinstance(value, dict) and not is_base64(value)


def write_tensors(tensors, by_row):
    """Returns the body of a response.

    Args:
        tensors: Arrays by name; in row format, all have the same number of rows.
        by_row: Whether the request was in row format.
    """
    tensors = {name: np.ascontiguousarray(array) for name, array in sorted(tensors.items())}
    (first, *others) = tensors.values()
    if not by_row:
        return dumps({"outputs": tensors if others else first})
    if others:
        return dumps(
            {"predictions": [dict(zip(tensors, row)) for row in zip(*tensors.values(), strict=True)]}
        )
    return dumps({"predictions": first})


def dumps(value):
    """Returns `value` as JSON; float32 values have the fewest digits that restore them exactly."""
    orjson = extra("orjson")
    body = orjson.dumps(value, default=plain, option=orjson.OPT_SERIALIZE_NUMPY)
    # orjson writes null for NaN and infinity; TF Serving writes NaN, Infinity and -Infinity.
    return json.dumps(value, default=plain).encode() if b"null" in body else body


def loads(body):
    """Parses JSON in bytes; accepts NaN, Infinity and -Infinity too."""
    try:
        return extra("orjson").loads(body)
    except ValueError:
        value = json.loads(body)  # slower, but accepts those words and has better error messages
        if b"\\u" in body:
            # Raises a ValueError for half a surrogate pair.
            json.dumps(value, ensure_ascii=False).encode()
        return value


def plain(value):
    """Converts a NumPy array or number, or bytes, to plain JSON values."""
    return value.decode() if isinstance(value, bytes) else value.tolist()


def show(value):
    """Returns a JSON value as text for a message, at most `SHOWN` characters of it."""
    text = "".join(itertools.islice(json.JSONEncoder(indent=4).iterencode(value), SHOWN + 1))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def show_shape(array):
    """Returns a shape as TF Serving writes it."""
    return f"[{','.join(map(str, array.shape))}]"


def json_type(value):
    """Returns the name of a JSON value's type."""
    if isinstance(value, bool):
        return str(value)
    return JSON_TYPES.get(type(value), "Number")


def type_name(dtype):
    """Returns TensorFlow's name of a NumPy dtype."""
    return TYPE_NAMES.get(dtype.name, dtype.name)
