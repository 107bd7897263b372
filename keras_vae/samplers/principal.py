"""Principal components of codes of many dimensions, without a `[d, d]` array.

A thousand codes of 65,536 dimensions take 0.26 GB in float32, but their covariance would take 34 GB. Sums therefore run
over blocks of columns in float64, and eigenvectors come from the smaller of the covariance and the Gram matrix.
"""

from typing import NamedTuple

import numpy as np

# The largest eigendecomposition. Its cost is cubic: 0.3 seconds for a size of 1,000 on two cores, 2 seconds for 2,000,
# minutes for 10,000.
MOST = 1500
# Eigenvalues below this share of the largest are rounding errors.
NEGLIGIBLE = 1e-10
BLOCK = 2**22  # numbers in a block, 32 MB in float64


class PrincipalComponents(NamedTuple):
    """Principal components of codes.

    Attributes:
        center: The mean, `[d]`, float64.
        eigenvalues: Eigenvalues of the covariance (with n - 1), largest first, at most min(n - 1, d).
        directions: The first eigenvectors, orthonormal columns, `[d, r]`, float32.
    """

    center: np.ndarray
    eigenvalues: np.ndarray
    directions: np.ndarray


def principal_components(codes, count=256):
    """Returns the `PrincipalComponents` of `codes`, `[n, d]`, with at most `count` directions.

    Directions without variance are left out, so there may be no directions. If both n and d are above `MOST`,
    directions and eigenvalues are those of `MOST` evenly spaced codes; the mean is that of all codes.

    If n < d, the eigenvalues depend on n: noise of variance s in d dimensions has n - 1 eigenvalues of about
    s (1 +- sqrt(d / n))^2 instead of d eigenvalues s (Marchenko and Pastur 1967).
    """
    center = codes.mean(axis=0, dtype="float64")
    some = evenly_spaced(codes)
    num_codes = len(some)
    if some.shape[1] <= num_codes:
        eigenvalues, directions = largest(covariance(some, center), count)
    else:
        eigenvalues, vectors = largest(gram(some, center), count)
        directions = combine(some, center, vectors, eigenvalues)
    most = min(num_codes - 1, some.shape[1])
    unbiased = eigenvalues[:most] * (num_codes / max(num_codes - 1, 1))
    return PrincipalComponents(center, unbiased, directions.astype("float32"))


def oriented(directions):
    """Returns directions, `[d, r]`, each with the sign that makes its largest entry positive.

    The sign of an eigenvector is arbitrary, so maps of the same codes would be mirror images of each other.
    """
    largest_entries = np.take_along_axis(directions, np.abs(directions).argmax(axis=0, keepdims=True), axis=0)
    return directions * np.where(largest_entries < 0, -1, 1).astype(directions.dtype)


def first_components(components, count):
    """Returns `components` with at most `count` directions."""
    return components._replace(directions=np.ascontiguousarray(components.directions[:, :count]))


def project(codes, center, directions):
    """Returns the coordinates, `[n, r]`, of `codes` - `center`, `[n, d]`, along `directions`, `[d, r]`."""
    coordinates = np.zeros((len(codes), directions.shape[1]))
    for block in column_blocks(*codes.shape):
        coordinates += (codes[:, block] - center[block]) @ directions[block]
    return coordinates


def count_for_share(values, share):
    """Returns how many of the largest `values` make up `share` of their sum; 0 if the sum is 0."""
    sums = np.cumsum(np.sort(np.asarray(values, "float64"))[::-1])
    if not len(sums) or sums[-1] <= 0:
        return 0
    return int(np.searchsorted(sums, share * sums[-1] * (1 - 1e-12))) + 1


def evenly_spaced(codes):
    """Returns `codes`, or `MOST` evenly spaced rows if it has more rows and more columns than that."""
    if min(codes.shape) <= MOST:
        return codes
    return evenly(codes, MOST)


def evenly(rows, most):
    """Returns at most `most` of the rows, evenly spaced."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(int)]


def covariance(codes, center, scale=1.0):
    """Returns the mean outer product of the rows of (codes - center) / scale, `[d, d]`, float64."""
    size = codes.shape[1]
    total = np.zeros((size, size))
    for start in range(0, len(codes), max(BLOCK // size, 1)):
        rows = (codes[start : start + max(BLOCK // size, 1)] - center) / scale
        total += rows.T @ rows
    return total / len(codes)


def gram(codes, center, scale=1.0):
    """Returns the inner products of the rows of (codes - center) / scale, divided by n, `[n, n]`, float64."""
    total = np.zeros((len(codes), len(codes)))
    scale = np.broadcast_to(scale, codes.shape[1:])
    for block in column_blocks(*codes.shape):
        rows = (codes[:, block] - center[block]) / scale[block]
        total += rows @ rows.T
    return total / len(codes)


def largest(matrix, count):
    """Returns the eigenvalues of a symmetric `matrix`, largest first, and the first eigenvectors.

    There are at most `count` eigenvectors, without those whose eigenvalue is a rounding error.
    """
    eigenvalues, vectors = np.linalg.eigh(matrix)
    eigenvalues = np.maximum(eigenvalues[::-1], 0)
    kept = min(count, int(np.sum(eigenvalues > NEGLIGIBLE * eigenvalues[0])))
    return eigenvalues, vectors[:, ::-1][:, :kept]


def combine(codes, center, vectors, eigenvalues, scale=1.0):
    """Returns the directions, `[d, r]`, for the eigenvectors of the Gram matrix, `[n, r]`."""
    weights = vectors / np.sqrt(len(codes) * eigenvalues[: vectors.shape[1]])
    directions = np.empty((codes.shape[1], vectors.shape[1]), "float32")
    scale = np.broadcast_to(scale, codes.shape[1:])
    for block in column_blocks(*codes.shape):
        directions[block] = ((codes[:, block] - center[block]) / scale[block]).T @ weights
    return directions


def column_blocks(num_rows, num_columns):
    """Yields slices of columns with about `BLOCK` numbers each."""
    width = max(BLOCK // max(num_rows, 1), 1)
    for start in range(0, num_columns, width):
        yield slice(start, min(start + width, num_columns))
