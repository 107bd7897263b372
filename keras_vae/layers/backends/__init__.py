"""What Keras' backends do differently, one file each, of the same names.

    Steps                                        `train_step` and `test_step` of the model, a class to derive it from
    derivative_along(function, inputs, directions)   as `keras_vae.layers.gradients` says
    is_readable(values)                          whether a tensor has values that can be looked at, outside of all graphs
    num_replicas(), replica_number()             how many times a step runs side by side, and which of these this is
    mean_over_replicas(values)                   of a tensor or a list of them
    gradient_step(function, weights)             a function that computes the gradients of the sum of `function()` by
                                                 `weights`, variables, and waits for them
    gpu_capability()                             the compute capability of the first GPU, such as (8, 0), or None
    describe()                                   the backend's name, version and threads
    shared(array)                                a tensor of a NumPy array that nothing else uses, without a copy if it can be
    SEED_DTYPE                                   of the two numbers that `keras.random` takes as a seed

Read from here (`backends.num_replicas()`), they are those of the backend that Keras runs on.
"""

import importlib

from keras_vae.runtime.lazy import keras

SUPPORTED = ("tensorflow", "jax")


def __getattr__(name):
    if name.startswith("__"):  # introspection must not import Keras
        raise AttributeError(name)
    backend = keras.backend.backend()
    if backend not in SUPPORTED:
        raise ImportError(
            f"Keras runs on {backend}, and keras_vae on {' and '.join(SUPPORTED)} alone: set KERAS_BACKEND"
        )
    return getattr(importlib.import_module(f"keras_vae.layers.backends.{backend}"), name)
