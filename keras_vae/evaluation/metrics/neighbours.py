"""Exact nearest neighbours by matrix products in blocks, without the full matrix of distances."""

import numpy as np

VALUES_AT_ONCE = 2**23  # distances held at once, 64 MiB


def squared_distances(points, reference):
    """Yields (slice of the points, squared distances `[block, m]`), in float64, for all points in order.

    They are |x|^2 + |y|^2 - 2 x.y, centred at the reference's mean; the cancellation error is about 1e-15 of the
    squared lengths.

    Args:
        points: `[n, F]`.
        reference: `[m, F]`.
    """
    points, reference = np.asarray(points), np.asarray(reference, np.float64)
    centre = reference.mean(axis=0)
    reference = reference - centre
    lengths = np.square(reference).sum(axis=1)
    rows = max(1, VALUES_AT_ONCE // len(reference))
    for start in range(0, len(points), rows):
        block = points[start : start + rows].astype(np.float64) - centre
        squared = block @ reference.T
        squared *= -2
        squared += np.square(block).sum(axis=1)[:, None]
        squared += lengths
        yield slice(start, start + len(block)), np.maximum(squared, 0, out=squared)


def nearest(points, reference, k=1, own=None):
    """Returns the k nearest rows of the reference to each point.

    The rows are found by matrix products. Their distances are then computed from the differences, so copies have a
    distance of exactly 0. The order of equal distances is undefined.

    Args:
        points: `[n, F]`.
        reference: `[m, F]`.
        k: Neighbours for each point.
        own: int `[n]`: the row of the reference that is excluded for each point, or negative. None excludes no rows.

    Returns:
        (indices int64 `[n, k]`, distances float64 `[n, k]`), the nearest first.

    Raises:
        ValueError: The reference has fewer than k rows.
    """
    points, reference = np.asarray(points), np.asarray(reference)
    if not 1 <= k <= len(reference) - (own is not None):
        raise ValueError(f"{k} neighbours were requested from {len(reference)} rows: give more rows")
    indices, distances = np.empty((len(points), k), np.int64), np.empty((len(points), k))
    for block, squared in squared_distances(points, reference):
        if own is not None:
            mask_own(squared, own[block], np.inf)
        found = _smallest(squared, k)
        differences = reference[found].astype(np.float64) - points[block, None]
        exact = np.sqrt(np.square(differences).sum(axis=2))
        order = np.argsort(exact, axis=1, kind="stable")
        indices[block] = np.take_along_axis(found, order, axis=1)
        distances[block] = np.take_along_axis(exact, order, axis=1)
    return indices, distances


def mask_own(values, own, value):
    """Sets column `own[i]` of row i of `values` `[block, m]` to `value`; a negative column is skipped."""
    has_own = np.flatnonzero(np.asarray(own) >= 0)
    values[has_own, np.asarray(own)[has_own]] = value


def _smallest(values, k):
    """Returns the columns of the k smallest values of each row, in any order, `[rows, k]`."""
    if k == 1:
        return values.argmin(axis=1)[:, None]  # 50 times faster than a partition
    if k == values.shape[1]:
        return np.broadcast_to(np.arange(k), values.shape)
    return np.argpartition(values, k - 1, axis=1)[:, :k]
