"""Heavy libraries, imported when they are first used.

TensorFlow takes seconds to import. Everything that describes a run (configuration, help, usage errors) is
therefore written against these stand-ins, so that the command line answers at once.
"""

import importlib
import types

NO_TENSORFLOW = (
    "TensorFlow is not here: pip install tensorflow; without it models train by model.fit on JAX, with the environment"
    " variable KERAS_BACKEND=jax (docs/jax.md)"
)


class LazyModule(types.ModuleType):
    """Stands for the module `name` and imports it when an attribute is first read."""

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


keras = LazyModule("keras")
ops = LazyModule("keras.ops")
tf = LazyModule("tensorflow")
