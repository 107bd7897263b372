"""Batches without rows, and checks of a requested number of rows."""

import operator

from keras_vae.model.batches import nothing_of


def apply(network, rows, training=False):
    """Returns `network` of a batch, which may have no rows.

    oneDNN's fused convolution gives an empty batch a wrong shape (TensorFlow 2.21). So a row of zeros is used, and its
    results are cut off. Within a graph the number of rows is unknown; exports handle this case (`keras_vae.export.saved_models`).
    """
    if rows.shape[0] != 0:
        return network(rows, training=training)
    return nothing_of(lambda row: network(row, training=False), rows)


def check_count(count):
    """Returns `count` as a whole number, 0 or more; raises a ValueError for other values."""
    try:
        number = operator.index(count)
    except TypeError:
        number = -1
    if number < 0:
        raise ValueError(f"count is {count!r}: expected how many samples to draw, a whole number from 0")
    return number
