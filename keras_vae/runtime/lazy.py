"""Heavy libraries, imported on first use.

TensorFlow takes seconds to import. Configuration, help and usage errors use these modules in order to respond at once.
"""

import importlib
import types
from typing import TYPE_CHECKING

NO_TENSORFLOW = (
    "TensorFlow is not installed: pip install tensorflow, or set KERAS_BACKEND=jax and train with model.fit on JAX"
    " (docs/jax.md)"
)


class LazyModule(types.ModuleType):
    """A module that is imported when one of its attributes is first read."""

    def __getattr__(self, attribute):
        if attribute.startswith("__"):  # introspection (pickle, inspect, doctest) must not import anything
            raise AttributeError(attribute)
        try:
            value = getattr(importlib.import_module(self.__name__), attribute)
        except ImportError as error:
            if error.name != "tensorflow":
                raise
            raise ImportError(NO_TENSORFLOW, name="tensorflow") from error
        setattr(self, attribute, value)
        return value


if TYPE_CHECKING:
    import keras
    import tensorflow as tf
    from keras import ops
else:
    keras = LazyModule("keras")
    ops = LazyModule("keras.ops")
    tf = LazyModule("tensorflow")
