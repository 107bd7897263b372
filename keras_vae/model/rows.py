"""Batches without rows, and checks of a requested number of rows."""

import operator

from keras_vae.model.batches import nothing_of


def apply(network, rows, training=False):
    """Returns `network(rows)`; the batch may be empty.

    oneDNN's fused convolution gives an empty batch a wrong shape (TensorFlow 2.21), so the network gets a row of zeros
    and its result is cut off. Within a graph the number of rows is unknown; `keras_vae.export.saved_models` handles it.
    """
    if rows.shape[0] != 0:
        return network(rows, training=training)
    return nothing_of(lambda row: network(row, training=False), rows)


def check_count(count):
    """Returns `count` as an `int`, 0 or more; raises a ValueError for other values."""
    try:
        number = operator.index(count)
    except TypeError:
        number = -1
    if number < 0:
        raise ValueError(f"count is {count!r}: expected the number of samples to draw, a whole number from 0")
    return number
