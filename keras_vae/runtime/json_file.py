"""Reads JSON files, with errors that name the file."""

import json
import pathlib

from keras_vae.errors import UsageError


def read_json(path):
    """Returns the JSON object in the file `path` as a dict.

    Raises:
        UsageError: The file cannot be read or does not contain a JSON object.
    """
    try:
        data = json.loads(pathlib.Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # ValueError: not UTF-8 or not JSON
        raise UsageError(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise UsageError(f"{path}: expected a JSON object, got {quote(data)}")
    return data


def quote(value):
    """Returns the `repr` of `value`, shortened to 120 characters."""
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
