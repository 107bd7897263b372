"""All uses of private names of other libraries, and nothing else.

Each entry says which public interface is missing, which versions it was run with, and the upstream issue if there is one.
`tests/test_upstream.py` fails when an entry is no longer needed or no longer works.
"""

import contextlib
import functools
import inspect
import weakref

from keras_vae.runtime.lazy import keras, tf

TRACED = "CustomGradient-"  # how the names of registered gradients begin
OWNED = "_keras_vae_gradients"  # the attribute of a graph that holds those of its operations


# Keras 3.12 to 3.15


def compile_metrics(model):
    """Returns the container of the metrics that were given to `compile`, or None.

    `Model.compute_metrics` updates them, but nothing public builds them before a step is traced.
    """
    return model._compile_metrics


def layers_for_quantization(model):
    """Returns the layers that `keras.Model.quantize` changes. No public method lists them."""
    return list(model._flatten_layers(include_self=False))


def data_adapters():
    """Returns the module of the adapters that `fit` makes of its data. A model cannot wrap its batches otherwise."""
    return keras.src.trainers.data_adapters


def writes_legacy_file():
    """Returns whether `keras.saving.save_model` is writing an HDF5 file of Keras 2, in which `get_config` differs."""
    return bool(keras.src.backend.common.global_state.get_global_attribute("use_legacy_config"))


def batch_counter(optimizer):
    """Returns the variable that counts the batches of an optimizer.

    The public `iterations` counts steps, which are fewer if the optimizer accumulates gradients.
    """
    return getattr(optimizer, "inner_optimizer", optimizer)._iterations


def take_as_summed(optimizer):
    """Prevents an optimizer from summing gradients over replicas, because they have been summed already.

    Keras sums them only after each replica's own gradients have been clipped, and after the first replica's have been
    searched for values that float16 cannot hold.
    """
    getattr(optimizer, "inner_optimizer", optimizer)._all_reduce_sum_gradients = list


class NoSymbolicBuild:
    """Makes Keras skip its symbolic build, since our models are built by their constructor.

    For each fit and evaluation it would average the first batch over the replicas to learn its shape, which fails if their
    parts differ in size.
    """

    def _maybe_symbolic_build(self, *args, **kwargs):
        """Does nothing."""


# TensorFlow 2.21


class Borrowed:
    """A gradient function that lives as long as the graph that owns it."""

    def __init__(self, function):
        self.function = weakref.ref(function)

    def __call__(self, *arguments):
        return self.function()(*arguments)


def release_graphs():
    """Makes each graph own the gradients of its operations, so that both are freed with the last user of the graph.

    `tf.custom_gradient`, which Keras' silu and the layers of `keras_vae.layers.kernels` use, enters the gradient of each
    traced operation into a registry that nothing is removed from. The gradient refers to tensors of its graph, so the graph
    stays for ever (tensorflow#97697): 13 MiB for an export and an evaluation of the default model of the digits. The
    registry has no public name.
    """
    from tensorflow.python.framework.ops import gradient_registry

    entries = gradient_registry._registry
    for name, entry in entries.copy().items():
        graph = graph_of(entry["type"]) if name.startswith(TRACED) else None
        if graph is not None:
            setattr(graph, OWNED, [*getattr(graph, OWNED, ()), entry["type"]])
            entry["type"] = Borrowed(entry["type"])
            weakref.finalize(graph, entries.pop, name, None).atexit = False


def graph_of(function):
    """Returns the graph of the tensors in the closure of `function`, or of a function in it; None without any."""
    for cell in getattr(function, "__closure__", None) or ():
        value = cell.cell_contents
        if inspect.isfunction(value):
            graph = graph_of(value)
        else:
            tensors = filter(tf.is_symbolic_tensor, tf.nest.flatten(value))
            graph = next((tensor.graph for tensor in tensors), None)
        if graph is not None:
            return graph
    return None


def wait_for_silent_workers(seconds):
    """Lets a worker be silent for `seconds` before the others take it for dead; 10 is TensorFlow's own limit.

    On a busy host 10 seconds are too few, and the limit has no public name.
    """
    from tensorflow.python.eager.context import context

    configure = context().configure_coordination_service
    context().configure_coordination_service = functools.partial(
        configure, heartbeat_timeout_in_ms=1000 * seconds
    )


# TensorFlow Datasets 4.9


@contextlib.contextmanager
def without_downloads(builder, error):
    """Makes a dataset's builder raise `error(url)` instead of downloading: it would try the network for minutes."""

    def make_manager(*args, **kwargs):
        manager = type(builder)._make_download_manager(builder, *args, **kwargs)
        manager._downloader.download = refuse
        return manager

    def refuse(url, *args, **kwargs):
        raise error(url)

    builder._make_download_manager = make_manager
    try:
        yield
    finally:
        del builder._make_download_manager


def is_wrong_checksum(error):
    """Returns whether TensorFlow Datasets refused a file for its checksum. The exception's class is not public."""
    return type(error).__name__ == "NonMatchingChecksumError"


# argparse of Python 3.11 to 3.13


def options_of(parser):
    """Returns the actions of a parser by their options, such as "--epochs". argparse has no public list."""
    return parser._option_string_actions


def actions_of(parser):
    """Returns all actions of a parser in their order."""
    return parser._actions


def positionals_of(parser):
    """Returns the actions of a parser that have no option."""
    return parser._get_positional_actions()
