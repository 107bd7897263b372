"""Linear transforms of rows and columns as matrices: averages, and cosine transforms."""

import numpy as np

from keras_vae.runtime.lazy import ops


def product(values, rows, columns):
    """Returns `[batch, height, width, channels]`, multiplied by a matrix along its rows and one along its columns.

    Args:
        values: `[batch, height, width, channels]`.
        rows: `[new height, height]`.
        columns: `[new width, width]`.
    """
    rows, columns = (ops.convert_to_tensor(matrix, "float32") for matrix in (rows, columns))
    return ops.einsum("ih,jw,bhwc->bijc", rows, columns, values)


def shares(size, parts):
    """Returns the matrix, `[parts, size]`, that averages `size` values over equal parts of their length.

    A value on the border of two parts counts in each by the share that lies in it.
    """
    edges = np.linspace(0, size, parts + 1)[:, None]
    places = np.arange(size)
    overlap = np.minimum(edges[1:], places + 1) - np.maximum(edges[:-1], places)
    return np.maximum(overlap, 0) * parts / size


def cosines(size, count):
    """Returns the first `count` rows of the orthonormal cosine transform (DCT-II) of `size` values, `[count, size]`.

    The frequency of row k, relative to the highest one, is k / `size`.
    """
    phases = np.arange(count)[:, None] * (np.arange(size) + 0.5) * np.pi / size
    scales = np.where(np.arange(count) == 0, 1, 2)[:, None] / size
    return np.sqrt(scales) * np.cos(phases)
