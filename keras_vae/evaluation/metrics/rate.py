"""The rate of the codes, KL(q(z|x) || N(0, I)), by image and by dimension, and statistics of their moments.

Codes are `mean` and `log_var`, `[n, d]` each, of posteriors N(mean, diag exp(log_var)). All sums are float64,
over blocks of dimensions. A plain autoencoder (log_var = -100) has no rate, so these numbers would be meaningless.
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

    in float64 with expm1: dimensions of 1e-9 nats must differ from 0. Exact for these images; the standard
    error over images is std(per_image) / sqrt(n). A mean over dimensions would hide it: 0.007 nats in each of
    65,536 are 466.
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

    Healthy: a knee within tens of dimensions, then nothing. Flat over thousands of dimensions: a spread code, which
    only the principal components of the means (`keras_vae.evaluation.metrics.spectrum`) resolve.
    """
    return np.sort(per_dim)[::-1]


def dims90(per_dim):
    """Returns how many dimensions, the most expensive first, carry 90% of the rate; 0 without a rate."""
    return count_for_share(per_dim, 0.9)


def second_moments(mean, log_var):
    """Returns the `SecondMoments` of codes `[n, d]`.

    Scaling dimension j by c, if the decoder can undo it, changes the loss by c^2 (E[mean_j^2] + E[var_j]) / 2
    - log c, which is least at c = 1 only if the sum is 1. So it is 1 in each dimension of a model that has
    converged, at any beta > 0: a model far from 1 has not converged, or its log-variance is clamped. Therefore norms
    and moments of single dimensions cannot distinguish such codes from the prior's.
    """
    sums = np.empty(mean.shape[1])
    for block in column_blocks(*mean.shape):
        squares = np.square(mean[:, block], dtype="float64") + np.exp(log_var[:, block], dtype="float64")
        sums[block] = squares.mean(axis=0)
    return SecondMoments(float(sums.mean()), *np.percentile(sums, [5, 95]).tolist())


def active_units(mean):
    """Returns how many dimensions have means `[n, d]` whose variance over images is above 0.01 (Burda et al. 2016).

    A count of axes: it changes when the codes are rotated, and the same signal in more dimensions can have more
    active units or none. Read it next to the participation ratio.
    """
    return int(
        sum(
            (mean[:, block].var(axis=0, dtype="float64") > ACTIVE).sum()
            for block in column_blocks(*mean.shape)
        )
    )
