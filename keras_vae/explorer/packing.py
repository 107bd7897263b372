"""Arrays in JSON: `{"dtype": "float32", "shape": [2, 3], "data": base64 of the little-endian numbers}`."""

import base64
import json

import numpy as np

DTYPES = ("float32", "int32", "uint8")  # for which the page has typed arrays


def to_text(value):
    """Returns `value`, made of dicts, lists, plain values and arrays, as JSON; NaN and infinity become null."""
    return json.dumps(plain(value), allow_nan=False, separators=(",", ":"))


def plain(value):
    """Returns `value` with arrays packed, and NaN and infinity as None."""
    if isinstance(value, np.ndarray):
        return pack(value)
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def pack(array):
    """Returns an array as a dict."""
    if array.dtype.name not in DTYPES:
        raise TypeError(f"the array has dtype {array.dtype}: expected {', '.join(DTYPES)}")
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return {
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "data": base64.b64encode(little.tobytes()).decode(),
    }


def unpacked(value):
    """Returns the inverse of `plain`: a value with its arrays."""
    if isinstance(value, dict) and "dtype" in value:
        little = np.frombuffer(base64.b64decode(value["data"]), np.dtype(value["dtype"]).newbyteorder("<"))
        return little.astype(value["dtype"]).reshape(value["shape"])
    if isinstance(value, dict):
        return {key: unpacked(part) for key, part in value.items()}
    return [unpacked(part) for part in value] if isinstance(value, list) else value
