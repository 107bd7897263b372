"""Checks two sets of features for comparison."""

import numpy as np


def as_sets(features, reference, least):
    """Returns both sets in float64.

    Args:
        features: `[n, F]`.
        reference: `[m, F]`.
        least: The smallest number of rows.

    Raises:
        ValueError: They have other shapes, or contain NaN or infinity.
    """
    first, second = np.asarray(features, np.float64), np.asarray(reference, np.float64)
    fits = first.ndim == second.ndim == 2 and first.shape[1] == second.shape[1]
    if not fits or min(len(first), len(second)) < least:
        raise ValueError(
            f"features are {first.shape} and the reference {second.shape}:"
            f" both must be [n, F] with the same F and n at least {least}"
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("features contain NaN or infinity: check the images from which they were computed")
    return first, second
