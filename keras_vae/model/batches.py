"""Computes functions of many rows a batch at a time, so memory does not grow with the number of rows."""

from keras_vae.runtime.lazy import keras, ops

# A network's maps take some 130 bytes for each value of an image: about 140 MB for this many.
VALUES_AT_ONCE = 2**20
MOST_AT_ONCE = 256  # images: more at a time are no faster


def images_at_once(values):
    """Returns how many images with this number of `values` go through a network at a time."""
    return max(1, min(MOST_AT_ONCE, VALUES_AT_ONCE // values))


def in_batches(function, at_once, *arrays):
    """Returns `function(*arrays)`, computed for at most `at_once` rows at a time.

    In float32 the rows equal those of one large batch up to rounding, since convolutions choose their algorithm by the
    batch's size.

    Args:
        function: A function of arrays whose rows do not depend on each other. It returns a tensor, or several in any
            structure, with a row for each row.
        at_once: The largest number of rows in a call.
        *arrays: `[n, ...]` each, or None. The first must be an array; another may have one row for all.
    """
    count = arrays[0].shape[0]
    if count is None or 0 < count <= at_once:  # not known in a graph that is traced for any size
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
    """Returns `function` of arrays without rows: convolutions give a wrong shape, so a row of zeros is cut off."""
    spare = [None if array is None else ops.zeros((1, *array.shape[1:]), array.dtype) for array in arrays]
    return keras.tree.map_structure(lambda result: result[:0], function(*spare))
