"""How well a learned sampler will do, said before one is trained: numbers that take seconds.

Each number is a claim of the literature on what makes a latent easy to sample. docs/forecast.md tests them on
42 models; `forecast_auc` is fitted to 28 of these and tested on the other 14.
"""

import numpy as np

from keras_vae.evaluation.metrics.estimate import Estimate
from keras_vae.evaluation.metrics.frechet import frechet_distance
from keras_vae.evaluation.metrics.neighbours import nearest
from keras_vae.layers.densities import batch_mean
from keras_vae.model.regularizers import SpectralPenalty
from keras_vae.model.regularizers.equivariance import resized
from keras_vae.samplers.principal import principal_components

# Of docs/forecast.md: log odds of 2 AUC - 1 against the log of the velocity variance, and the root mean square error of the
# AUC on a set of images that the line was not fitted to.
INTERCEPT, SLOPE, ERROR = -3.97, 1.02, 0.085


def velocity_variance(variances):
    """Returns the sum over directions of the variance that a velocity keeps when its place is known.

    A code z ~ N(0, lambda) and noise e ~ N(0, 1) are joined by the straight path (1 - t) e + t z, or by the circle
    cos(s) e + sin(s) z. Either way the variance of the velocity, given the time and the place, integrates to

        (pi / 2) sqrt(lambda)

    over the path (arXiv 2606.03578 calls the sum over directions velocity-induced variance). No network can get below
    it, so a smaller sum is an easier task. For codes of mean variance 1 in each coordinate it is largest, pi / 2 times
    their number, where they are uncorrelated.

    Args:
        variances: The codes' variances along their principal directions, within classes if there are labels, `[d]`.
    """
    return float(np.pi / 2 * np.sqrt(np.maximum(variances, 0)).sum())


def within_classes(mean, labels=None):
    """Returns rows, `[n, d]`, less the mean of their class; without labels, less the mean of all."""
    if labels is None:
        return mean - mean.mean(axis=0)
    away = np.array(mean, "float32")
    for label in np.unique(labels):
        rows = labels == label
        away[rows] -= away[rows].mean(axis=0)
    return away


def variances_of(rows, labels=None):
    """Returns the variances of the posterior means along their principal directions, within classes, `[min(n - 1, d)]`.

    Args:
        rows: The posteriors in a sampler's coordinates, `keras_vae.samplers.coordinates.Rows`.
        labels: int `[n]`, or None for a single class.
    """
    mean = rows.mean.reshape(len(rows), -1).astype("float32")
    return principal_components(within_classes(mean, labels), 0).eigenvalues


def high_frequencies(codes):
    """Returns the share of the variance of maps, `[n, height, width, channels]`, at the upper half of the frequencies.

    Skorokhodov et al. 2025 (arXiv 2502.14831). White maps have 3/4.
    """
    return float(SpectralPenalty(cutoff=0.5).share(codes, codes.shape[1:], batch_mean))


def scale_error(decode, codes):
    """Returns how far decoding codes of half the resolution is from halving the decoded images, as a share of variance.

    The squared error of decode(half z) against half decode(z), over the variance of half decode(z) between images
    (Kouzelis et al. 2025, arXiv 2502.09509). Halving takes the mean over 2x2 equal parts and repeats it, so that all
    shapes stay as they are.

    Args:
        decode: (codes) -> images.
        codes: Maps, `[n, height, width, channels]`.
    """
    images = halved(np.asarray(decode(codes)))
    error = np.square(np.asarray(decode(halved(codes))) - images).sum()
    return float(error / max(np.square(images - images.mean(axis=0)).sum(), 1e-12))


def halved(values):
    """Returns `[n, height, width, channels]` at half the resolution, in the shape that it had."""
    sides = values.shape[1:3]
    return np.asarray(resized(resized(values, [max(1, round(side / 2)) for side in sides]), sides))


def middles(codes):
    """Returns the points half way between each row of `codes`, `[n, d]`, and the row that is nearest to it."""
    places = nearest(codes, codes, own=np.arange(len(codes)))[0][:, 0]
    return 0.5 * (codes + codes[places])


def neighbour_distance(see, decode, codes, others):
    """Returns the Fréchet distance of images half way between neighbouring codes from images of other codes.

    The features' total variance is the unit (the interpolation FID of arXiv 2606.03578).

    Args:
        see: (images) -> features, `[n, F]`.
        decode: (flat codes) -> images.
        codes, others: Draws from the posteriors of different images, `[n, d]`.
    """
    reference = see(decode(others))
    return frechet_distance(see(decode(middles(codes))), reference) / max(
        reference.var(axis=0, ddof=1).sum(), 1e-12
    )


def forecast_auc(variance):
    """Returns the expected AUC after a minute of flow matching, given the velocity variance, as an `Estimate`.

    The AUC is that of a classifier that tells decoded samples from decoded posterior draws. The error is that of the
    forecast for other images.
    """
    odds = np.exp(INTERCEPT + SLOPE * np.log(max(variance, 1e-6)))
    return Estimate(float(0.5 + 0.5 * odds / (1 + odds)), ERROR)
