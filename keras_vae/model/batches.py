"""Computes functions of many rows in batches, so memory does not grow with the number of rows."""

import math

import numpy as np

from keras_vae.layers import backends
from keras_vae.runtime.lazy import keras, ops

# A network's feature maps take about 130 bytes per value of an image: 140 MB for this many.
VALUES_AT_ONCE = 2**20
MOST_AT_ONCE = 256  # images; larger batches are not faster
# Keras keeps the results of all layers until a call ends. Those of a residual network are ten times as large as usual.
RESULTS_AT_ONCE = 2**25  # numbers of all layers together, 128 MiB
ALIGNMENT = 64  # bytes, as TensorFlow and JAX require of memory that they share


def images_at_once(values, results=0):
    """Returns how many images go through a network at a time.

    Args:
        values: The numbers of an image.
        results: The numbers that the network's layers together make of an image, as far as they are known.
    """
    return max(1, min(MOST_AT_ONCE, VALUES_AT_ONCE // values, RESULTS_AT_ONCE // max(results, 1)))


def rows_at_once(model):
    """Returns how many images or codes go through the encoder or the decoder of `model` at a time."""
    return images_at_once(model.dims.pixels, max(map(results_of, (model.encoder, model.decoder))))


def results_of(network):
    """Returns the numbers that the layers of `network` together make of an image, as far as Keras knows."""
    count = 0
    for layer in getattr(network, "layers", ()):
        try:
            results = keras.tree.flatten(layer.output)
        except (AttributeError, ValueError):  # it was never called on a symbolic tensor
            continue
        count += sum(math.prod(size or 1 for size in result.shape[1:]) for result in results)
    return count


def filled(function, at_once, *arrays):
    """Returns `function(*arrays)` as `in_batches` does, but with one result, each batch of which is written into it.

    Joining batches takes twice the memory of the result. On a CPU this takes it once. No gradient passes.
    """
    count, result = arrays[0].shape[0], None
    for start in range(0, count, at_once):
        part = ops.convert_to_numpy(function(*(rows(array, start, at_once, count) for array in arrays)))
        result = aligned((count, *part.shape[1:]), part.dtype) if result is None else result
        result[start : start + at_once] = part
    return backends.shared(result)


def aligned(shape, dtype):
    """Returns a new array whose memory TensorFlow and JAX can share."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + ALIGNMENT, "uint8")
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def in_batches(function, at_once, *arrays):
    """Returns `function(*arrays)`, computed for at most `at_once` rows at a time.

    In float32 the rows equal those of one large batch only up to rounding, since the algorithm of a convolution depends
    on the batch size.

    Args:
        function: A function of arrays whose rows are independent. It returns one or more tensors, in any structure, with
            one row per input row.
        at_once: The largest number of rows in a call.
        *arrays: `[n, ...]` each, or None. The first must be an array; the others may have a single row for all.
    """
    count = arrays[0].shape[0]
    if count is None or 0 < count <= at_once:  # None in a graph that is traced for any size
        return function(*arrays)
    if count == 0:
        return nothing_of(function, *arrays)
    parts = [
        function(*(rows(array, start, at_once, count) for array in arrays))
        for start in range(0, count, at_once)
    ]
    return keras.tree.map_structure(lambda *results: ops.concatenate(results, axis=0), *parts)


def rows(array, start, at_once, count):
    """Returns `at_once` rows of `array` from `start`; unchanged if it is None or does not have `count` rows."""
    return array[start : start + at_once] if array is not None and array.shape[0] == count else array


def nothing_of(function, *arrays):
    """Returns `function` of arrays without rows, computed for a row of zeros, which is cut off (see `model.rows`)."""
    spare = [None if array is None else ops.zeros((1, *array.shape[1:]), array.dtype) for array in arrays]
    return keras.tree.map_structure(lambda result: result[:0], function(*spare))
