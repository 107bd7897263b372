"""The Frechet distance between two sets of features, each treated as Gaussian."""

import math

import numpy as np

from keras_vae.evaluation.metrics.estimate import Estimate
from keras_vae.evaluation.metrics.sets import as_sets
from keras_vae.runtime.threads import one_thread

GROUPS = 20  # groups of images for the jackknife


def frechet_distance(features, reference):
    """Returns the squared Frechet distance between Gaussians fitted to two sets of features.

        |m1 - m2|^2 + tr(S1) + tr(S2) - 2 tr((S1^1/2 S2 S1^1/2)^1/2)

    Dowson and Landau 1982; Heusel et al. 2017, equation 6, where it is called FID for Inception features. For centred
    and scaled sets A and B with `S1 = A'A`, the last trace is the sum of the singular values of `A B'`. These equal the
    singular values of the product of the triangles of two QR decompositions. This needs no square root of a matrix and
    allows fewer images than features.

    It is biased upwards by about c / n, where c depends on the features and on the model (Binkowski et al. 2018; Chong
    and Forsyth 2020): compare only at equal n, and use n of at least 8 times the number of features. The distance of
    two samples of the same distribution is not 0; measure it for reference. It depends only on means and covariances.

    Args:
        features: `[n, F]`, n at least 2.
        reference: `[m, F]`, m at least 2.

    Returns:
        A float, at least 0.
    """
    first, second = as_sets(features, reference, 2)
    means = first.mean(axis=0), second.mean(axis=0)
    scaled = [(rows - mean) / np.sqrt(len(rows) - 1) for rows, mean in zip((first, second), means)]
    with one_thread():
        left, right = (_triangle(rows) for rows in scaled)
        shared = np.linalg.svd(left @ right.T, compute_uv=False).sum()
    total = sum(np.square(rows).sum() for rows in scaled)
    return max(0.0, float(np.square(means[0] - means[1]).sum() + total - 2 * shared))


def gaussian_frechet_distance(mean, covariance, other_mean, other_covariance):
    """Returns the squared Frechet distance between two Gaussians, given their moments.

    It uses the eigenvalues of `S1^1/2 S2 S1^1/2`. This matrix is symmetric, so rounding cannot make its root complex,
    unlike that of `S1 S2`.

    Args:
        mean: `[F]`.
        covariance: `[F, F]`.
        other_mean: `[F]`.
        other_covariance: `[F, F]`.

    Returns:
        A float, at least 0.
    """
    moments = mean, covariance, other_mean, other_covariance
    mean, covariance, other_mean, other_covariance = (np.asarray(m, np.float64) for m in moments)
    with one_thread():
        return Reference(mean, covariance).distance(other_mean, other_covariance)


class Reference:
    """A Gaussian that many others are compared with; the root of its covariance is computed once.

    Use it within `one_thread`.
    """

    def __init__(self, mean, covariance):
        """Stores the Gaussian's mean `[F]` and covariance `[F, F]`, in float64."""
        values, vectors = np.linalg.eigh(covariance)
        self.mean, self.total = mean, float(np.trace(covariance))
        self.root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T

    def distance(self, mean, covariance):
        """Returns the squared Frechet distance to another Gaussian, a float, at least 0."""
        shared = np.sqrt(np.clip(np.linalg.eigvalsh(self.root @ covariance @ self.root), 0, None)).sum()
        away = np.square(self.mean - mean).sum() + self.total + np.trace(covariance)
        return max(0.0, float(away - 2 * shared))


def frechet_distance_error(features, reference, groups=GROUPS):
    """Returns `frechet_distance` of two independent sets as an `Estimate`.

    The error is a jackknife estimate over `groups` groups of images of each set (Efron and Stein 1981). It is correct
    if the sets differ, and up to 50% too large if they have the same distribution.

    Args:
        features: `[n, F]`, n at least `groups`.
        reference: `[m, F]`, m at least `groups`.
        groups: Number of groups, at least 2.
    """
    first, second = as_sets(features, reference, max(groups, 4))
    variance = 0.0
    with one_thread():
        for rows, others in ((first, second), (second, first)):
            fixed = Reference(*moments_of(others))
            left_out = [
                fixed.distance(*moments_of(rows[np.arange(len(rows)) % groups != group]))
                for group in range(groups)
            ]
            variance += (groups - 1) * float(np.var(left_out))
    return Estimate(frechet_distance(first, second), math.sqrt(variance))


def moments_of(rows):
    """Returns the mean `[F]` and the covariance `[F, F]` of `rows`, `[n, F]`."""
    mean = rows.mean(axis=0)
    away = rows - mean
    return mean, away.T @ away / (len(rows) - 1)


def _triangle(rows):
    """Returns R of `rows = Q R`, `[min(n, F), F]`, or the rows themselves if there are at most F."""
    return np.linalg.qr(rows, mode="r") if rows.shape[0] > rows.shape[1] else rows
