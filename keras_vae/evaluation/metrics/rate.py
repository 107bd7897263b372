"""The rate of the codes, KL(q(z|x) || N(0, I)), per image and per dimension, and statistics of their moments.

Codes are `mean` and `log_var`, `[n, d]` each, of posteriors N(mean, diag exp(log_var)). Sums are computed in float64
over blocks of dimensions. A plain autoencoder (log_var = -100) has no rate, and its values here are meaningless.
"""

from typing import NamedTuple

import numpy as np

from keras_vae.samplers.principal import column_blocks, count_for_share

ACTIVE = 0.01  # variance of a unit's mean, Burda et al. 2016
COLLAPSED_RATE, COLLAPSED_SHARE = 0.01, 0.01  # epsilon (nats) and delta, Lucas et al. 2019


class Rate(NamedTuple):
    """The rate in nats.

    Attributes:
        per_image: `[n]`; its mean is the rate.
        per_dim: The mean over images of each dimension's share, `[d]`; its sum is the rate.
        collapsed: Whether a dimension's KL is below 0.01 nats for 99% of images, `[d]`, bool.
    """

    per_image: np.ndarray
    per_dim: np.ndarray
    collapsed: np.ndarray


class SecondMoments(NamedTuple):
    """E[mean^2] + E[variance] over the dimensions: their mean, and the 5th and 95th percentile."""

    mean: float
    p5: float
    p95: float


def measure_rate(mean, log_var):
    """Returns the `Rate` of codes `[n, d]`.

        kl_j(x) = (mean_j^2 + exp(log_var_j) - 1 - log_var_j) / 2  (Kingma and Welling 2014, appendix B)

    It is computed in float64 with expm1, so dimensions of 1e-9 nats differ from 0. The standard error over images is
    std(per_image) / sqrt(n). A mean over dimensions would be misleading: 0.007 nats in each of 65,536 are 466 nats.
    """
    per_image, per_dim, collapsed = (
        np.zeros(len(mean)),
        np.empty(mean.shape[1]),
        np.empty(mean.shape[1], bool),
    )
    for block in column_blocks(*mean.shape):
        logarithm = log_var[:, block].astype("float64")
        divergence = 0.5 * (np.square(mean[:, block], dtype="float64") + np.expm1(logarithm) - logarithm)
        per_image += divergence.sum(axis=1)
        per_dim[block] = divergence.mean(axis=0)
        collapsed[block] = (divergence < COLLAPSED_RATE).mean(axis=0) >= 1 - COLLAPSED_SHARE
    return Rate(per_image, per_dim, collapsed)


def spectrum(per_dim):
    """Returns the rates per dimension `[d]`, the largest first.

    A healthy spectrum drops to zero within tens of dimensions. A flat spectrum over thousands of dimensions is a spread
    code; only the principal components of the means (`keras_vae.evaluation.metrics.spectrum`) show its size.
    """
    return np.sort(per_dim)[::-1]


def dims90(per_dim):
    """Returns the smallest number of dimensions that carry 90% of the rate; 0 if the rate is 0."""
    return count_for_share(per_dim, 0.9)


def second_moments(mean, log_var):
    """Returns the `SecondMoments` of codes `[n, d]`.

    If dimension j is scaled by c and the decoder undoes it, the rate term becomes c^2 (E[mean_j^2] + E[var_j]) / 2 -
    log c plus a constant. Its minimum is at c = 1 only if the sum of the moments is 1. So a converged model has 1 in
    each dimension, at any beta > 0; a model far from 1 has not converged, or its log-variance is clamped. Norms and
    moments of single dimensions therefore cannot distinguish the codes from draws of the prior.
    """
    sums = np.empty(mean.shape[1])
    for block in column_blocks(*mean.shape):
        squares = np.square(mean[:, block], dtype="float64") + np.exp(log_var[:, block], dtype="float64")
        sums[block] = squares.mean(axis=0)
    return SecondMoments(float(sums.mean()), *np.percentile(sums, [5, 95]).tolist())


def active_units(mean):
    """Returns the number of dimensions of `mean` whose variance over images exceeds 0.01 (Burda et al. 2016).

    This counts axes, so it changes if codes are rotated: the same signal in more dimensions can have more active units
    or none. Compare it with the participation ratio.
    """
    return int(
        sum(
            (mean[:, block].var(axis=0, dtype="float64") > ACTIVE).sum()
            for block in column_blocks(*mean.shape)
        )
    )
