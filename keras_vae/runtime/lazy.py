"""Heavy libraries, imported when they are first used.

TensorFlow takes seconds to import. Everything that describes a run (configuration, help, usage errors) is
therefore written against these stand-ins, so that the command line answers at once.
"""

import importlib
import importlib.abc
import importlib.util
import sys
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


class AfterImport(importlib.abc.MetaPathFinder):
    """Imports the module `follower` as soon as the module `leader` has been imported, and not before."""

    def __init__(self, leader, follower):
        self.leader, self.follower = leader, follower

    def install(self):
        """Waits for `leader`; where it has been imported already, imports `follower` now."""
        if self.leader in sys.modules:
            importlib.import_module(self.follower)
        else:
            sys.meta_path.insert(0, self)

    def is_half_imported(self):
        """Returns whether a module beside `follower` is being imported, and has itself asked for `leader`.

        What follows would find that one unfinished. Who imports such a module by itself uses it by itself.
        """
        beside = self.follower.rpartition(".")[0] + "."
        modules = [module for name, module in sys.modules.items() if name.startswith(beside)]
        return any(getattr(module.__spec__, "_initializing", False) for module in modules)

    def find_spec(self, name, path=None, target=None):
        """Finds `leader` as Python would, with the import of `follower` put behind its execution."""
        if name != self.leader:
            return None
        sys.meta_path.remove(self)  # else the next line would ask here again
        spec = importlib.util.find_spec(name)
        if spec is None:
            return None
        # To be found is not to be imported: TensorFlow only looks whether Keras is there.
        sys.meta_path.insert(0, self)
        execute = spec.loader.exec_module

        def execute_both(module):
            execute(module)
            sys.meta_path.remove(self)
            if not self.is_half_imported():
                importlib.import_module(self.follower)

        spec.loader.exec_module = execute_both
        return spec


keras = LazyModule("keras")
ops = LazyModule("keras.ops")
tf = LazyModule("tensorflow")
