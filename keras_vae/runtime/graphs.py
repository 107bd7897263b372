"""Graphs that TensorFlow would keep for ever.

`tf.custom_gradient`, of which Keras' silu and the layers of `keras_vae.layers.kernels.layers` are made, enters the gradient of each operation
that it traces into a registry which nothing is ever taken out of. The gradient knows tensors of the graph that was
traced, so the graph stays (TensorFlow 2.21; tensorflow#97697): 13 MiB for an export and an evaluation of the small default
model of digits.
"""

import inspect
import weakref

from keras_vae.runtime.lazy import tf

TRACED = "CustomGradient-"  # how the names of such gradients begin
OWNED = "_keras_vae_gradients"  # the attribute of a graph that holds those of its operations


class Borrowed:
    """A gradient function that lives as long as the graph that owns it."""

    def __init__(self, function):
        self.function = weakref.ref(function)

    def __call__(self, *arguments):
        return self.function()(*arguments)


def release_graphs():
    """Has each graph own the gradients of its operations: both go when nobody uses the graph any more.

    A workaround: TensorFlow has no public name for the registry.
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
    """Returns the graph of the tensors that `function`, or a function in it, has from around it; None without any."""
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
