"""Imports packages of the extra `serving` when they are needed."""

import importlib

from keras_vae.errors import UsageError


def extra(module):
    """Returns the module with that dotted name; raises a `UsageError` if it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name.partition(".")[0]
        raise UsageError(f"{missing} is not installed: pip install --editable '.[serving]'") from error
