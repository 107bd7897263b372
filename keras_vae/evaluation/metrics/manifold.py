"""Measures by nearest neighbours whether samples lie near real images, and whether they cover them.

Features should have rows of length 1. A classifier's features of unfamiliar images are short, so without normalisation
garbage is close to everything (measured: precision up to 1.00, dead zone 0).

The reference consists of real images on which neither the model nor the classifier was trained. If samples are
reconstructions of images in the reference, `own` excludes each sample's original.
"""

import math

import numpy as np

from keras_vae.evaluation.metrics.neighbours import mask_own, nearest, squared_distances
from keras_vae.evaluation.metrics.sets import as_sets

DENSITY_NEIGHBOURS = 5  # k of Naeem et al. 2020
DEAD_ZONE_SHARE = 0.05  # share of the reconstructions beyond the threshold, by definition
ROUNDING = 1e-12  # of the variance, added to squared radii: images that occur many times have radius 0


def density_and_coverage(features, reference, k=DENSITY_NEIGHBOURS, own=None):
    """Returns how densely samples lie among real images, and how many real images have a sample nearby.

    Naeem, Oh, Uh, Choi and Yoo 2020, equations 4 and 5. B_i is the ball around the i-th real image that reaches its
    k-th nearest other real image:

        density  = 1 / (k n) sum_j #{i: sample j in B_i}       1 for equal distributions, not bounded by 1
        coverage = 1 / m     #{i: some sample j in B_i}        `expected_coverage` for equal distributions

    Coverage rises with n: compare at equal n and m. Density is inflated if samples crowd into the densest part. Both
    lose their meaning in hundreds of unstructured dimensions. The standard errors are for a fixed reference: that of
    the mean over samples, and the binomial error over real images.

    Args:
        features: `[n, F]`, the samples.
        reference: `[m, F]`, m more than k.
        k: Number of neighbours in a ball.
        own: int `[n]`: the row of the reference from which a sample is made, or negative. It is not counted.

    Returns:
        {"density", "density_se", "coverage", "coverage_se"}, floats.
    """
    features, reference = as_sets(features, reference, 1)
    radii = nearest(reference, reference, k, own=np.arange(len(reference)))[1][:, -1]
    squared_radii = np.square(radii) + ROUNDING * reference.var(axis=0).sum()
    num_balls, covered = np.empty(len(features)), np.zeros(len(reference), bool)
    for block, squared in squared_distances(features, reference):
        inside = squared <= squared_radii
        if own is not None:
            mask_own(inside, np.asarray(own)[block], False)
        num_balls[block] = inside.sum(axis=1)
        covered |= inside.any(axis=0)
    coverage = float(covered.mean())
    return {
        "density": float(num_balls.mean() / k),
        "density_se": float(num_balls.std() / k / math.sqrt(len(features))),
        "coverage": coverage,
        "coverage_se": _binomial_se(coverage, len(reference)),
    }


def expected_coverage(num_samples, num_reference, k=DENSITY_NEIGHBOURS):
    """Returns the expected coverage of samples that have the reference's distribution.

    A real image is not covered if its k nearest neighbours among the n samples and the m - 1 other real images are all
    real (Naeem et al. 2020, lemma 2): 1 - prod_{i<k} (m - 1 - i) / (n + m - 1 - i), about 1 - 2^-k for n = m.
    """
    others = num_reference - 1
    return 1 - math.prod((others - i) / (num_samples + others - i) for i in range(k))


def dead_zone(features, reference, reconstructions, own=None):
    """Returns the share of samples that are farther from real images than the blur of reconstructions explains.

    With t the 95% quantile of the distances of reconstructions to their nearest real image,

        dead zone = (share of samples farther than t from their nearest real image - 0.05) / 0.95

    is 0 for samples as good as reconstructions (down to -0.05 if they are better), and 1 if all samples are farther
    away; `1 - dead zone` is the completeness of the latent space. Above 0.5 it is called dead, above 0.1 patchy.

    The reference must be the same for samples and reconstructions. `own` must exclude the original of each
    reconstruction, which is near for any model. Distances fall equally for both as the reference grows.

    Args:
        features: `[n, F]`, the samples.
        reference: `[m, F]`, real images.
        reconstructions: `[r, F]`, decoded from the codes of held-out images.
        own: int `[r]`: the row of the reference from which a reconstruction was made, or negative; None if the
            reference does not contain the originals.

    Returns:
        {"dead_zone", "dead_zone_se", "threshold"}, floats. The error includes that of t.
    """
    return _beyond(distances_to(features, reference), distances_to(reconstructions, reference, own))


def distances_to(features, reference, own=None):
    """Returns each sample's distance to its nearest real image, `[n]`, which `dead_zone` compares with its threshold.

    Args:
        features: `[n, F]`, the samples.
        reference: `[m, F]`, real images.
        own: int `[n]`: the row of the reference from which a sample is made, or negative. It is not counted.
    """
    features, reference = as_sets(features, reference, 1)
    return nearest(features, reference, own=own)[1][:, 0]


def confidence_dead_zone(confidences, reconstruction_confidences):
    """Returns the share of samples with a lower classifier confidence than the blur of reconstructions explains.

    It is like `dead_zone`, with a classifier's largest probability instead of the distance: 95% of the reconstructions
    reach the threshold. It needs labels but no reference, and misses nonsense to which the classifier assigns a class.

    Args:
        confidences: `[n]`, the largest class probability of each sample.
        reconstruction_confidences: `[r]`, that of each reconstruction.

    Returns:
        {"dead_zone", "dead_zone_se", "threshold"}, floats.
    """
    result = _beyond(
        -np.asarray(confidences, np.float64), -np.asarray(reconstruction_confidences, np.float64)
    )
    return result | {"threshold": -result["threshold"]}


def _beyond(values, baseline):
    """Returns (share of values above the baseline's 95% quantile - 0.05) / 0.95, its error, the quantile.

    Args:
        values: `[n]`.
        baseline: `[r]`.
    """
    kept = 1 - DEAD_ZONE_SHARE
    # One standard error of the quantile corresponds to one standard error of the proportion below it.
    step = _binomial_se(kept, len(baseline))
    levels = np.clip([kept - step, kept, kept + step], 0, 1)
    # The quantile is a value of the baseline, so at most 5% of the baseline is beyond it.
    low, threshold, high = np.quantile(baseline, levels, method="higher")
    share = float(np.mean(values > threshold))
    from_threshold = float(np.mean(values > low) - np.mean(values > high)) / 2
    return {
        "dead_zone": (share - DEAD_ZONE_SHARE) / kept,
        "dead_zone_se": math.hypot(_binomial_se(share, len(values)), from_threshold) / kept,
        "threshold": float(threshold),
    }


def _binomial_se(share, count):
    return math.sqrt(share * (1 - share) / count)
