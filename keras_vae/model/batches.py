"""Computes functions of many rows in batches, so memory does not grow with the number of rows."""

from keras_vae.runtime.lazy import keras, ops

# A network's feature maps take about 130 bytes per value of an image: 140 MB for this many.
VALUES_AT_ONCE = 2**20
MOST_AT_ONCE = 256  # images; larger batches are not faster


def images_at_once(values):
    """Returns how many images with this number of `values` go through a network at a time."""
    return max(1, min(MOST_AT_ONCE, VALUES_AT_ONCE // values))


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
