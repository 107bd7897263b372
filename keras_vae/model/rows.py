"""Batches of no rows, and how many are asked for."""

import operator

from keras_vae.model.batches import nothing_of


def apply(network, rows, training=False):
    """Returns what `network` makes of a batch, of one without rows too.

    oneDNN's fused convolution gives an empty batch a wrong shape (TensorFlow 2.21). So a row of zeros stands in, and
    its results are cut off. Within a graph the number of rows is unknown; exports take care of it (`keras_vae.export`).
    """
    if rows.shape[0] != 0:
        return network(rows, training=training)
    return nothing_of(lambda row: network(row, training=False), rows)


def check_count(count):
    """Returns `count` as a whole number, 0 or more; raises a ValueError where it is something else."""
    try:
        number = operator.index(count)
    except TypeError:
        number = -1
    if number < 0:
        raise ValueError(f"count is {count!r}: expected how many samples to draw, a whole number from 0")
    return number
