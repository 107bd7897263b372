"""Classifier two-sample test: how well a classifier distinguishes two sets of images, computed from its scores.

Lopez-Paz and Oquab 2017, "Revisiting Classifier Two-Sample Tests": if no classifier can distinguish samples from the
reference, both have the same distribution as far as this number of images can show. The classifier must have been
trained on other images; `keras_vae.evaluation.classifiers` trains one.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy.stats import beta, rankdata

from keras_vae.evaluation.metrics.estimate import Estimate

FOLDS = 2  # of a division of the images
CONFIDENCE = 0.95  # of the lower bound of the total variation
RARE, RARER = 0.05, 0.01  # share of the reference in the region where samples count as off
ENOUGH_FOR_RARER = 1000  # images in each set
RESAMPLES = 400  # of the bootstrap
SATURATED = 0.99  # AUC above which sets of samples cannot be compared with one another
LARGEST = 1 - 1e-4  # AUC whose normal quantile is computed
NORMAL = NormalDist()


@dataclass(frozen=True)
class Fold:
    """Scores of the images of one fold, by a classifier trained on the other folds; higher: more like a sample.

    Attributes:
        reference: `[n]`.
        samples: `[m]`.
        threshold: The best separating score on the images by which the classifier was chosen, not on these images.
    """

    reference: np.ndarray
    samples: np.ndarray
    threshold: float


@dataclass(frozen=True)
class TwoSampleTest:
    """How well samples are distinguished from the reference.

    Attributes:
        auc: The area under the ROC curve, the share of pairs in which the sample has the higher score; 0.5: the sets
            cannot be distinguished.
        auc_se: Its standard error, from the influence curve.
        tv: An estimate of the total variation distance that the classifier detects, 2 x balanced accuracy - 1.
        tv_low: A lower bound of the total variation distance with 95% confidence, for any classifier: at least this
            share of the samples would have to be replaced for the set to have the reference's distribution.
        off: The share of the samples in a region with at most 5% of the reference (1% from 1,000 images on).
        off_se: Its standard error.
        missing: The share of the reference in a region with at most this percentage of the samples.
        missing_se: Its standard error.
        n: The number of images of the smaller set.
    """

    auc: float
    auc_se: float
    tv: float
    tv_low: float
    off: float
    off_se: float
    missing: float
    missing_se: float
    n: int


def told_apart(folds):
    """Returns the `TwoSampleTest` of a list of `Fold`: `FOLDS` of each division of the same images.

    Estimates are averaged over all divisions; the bound of the total variation is that of the first. The AUC is computed
    within each fold and averaged, because scores of different classifiers have no common scale. Its error is the mean of
    the folds' errors, as if they were fully correlated. Near 0.5 they are: each fold's classifier learns the random
    properties of the other fold, so both AUCs deviate in the same direction (Bengio and Grandvalet 2004, "No unbiased
    estimator of the variance of K-fold cross-validation").
    """
    areas, errors = zip(*(area_and_error(fold.reference, fold.samples) for fold in folds))
    once = folds[:FOLDS]
    others, samples = (sum(len(getattr(fold, key)) for fold in once) for key in ("reference", "samples"))
    n = min(others, samples)
    rare = RARER if n >= ENOUGH_FOR_RARER else RARE
    off = np.mean([beyond(fold.samples, fold.reference, rare) for fold in folds])
    missing = np.mean([beyond(-fold.reference, -fold.samples, rare) for fold in folds])
    return TwoSampleTest(
        auc=float(np.mean(areas)),
        auc_se=float(np.mean(errors)),
        tv=tv(folds),
        tv_low=total_variation_low(once),
        off=float(off),
        off_se=share_error(off, samples, n, rare),
        missing=float(missing),
        missing_se=share_error(missing, others, n, rare),
        n=n,
    )


def share_error(share, n, others, rare):
    """Returns the standard error of the share of `n` images beyond the 1 - `rare` quantile of `others` images.

    It includes the error of the quantile. Shares of 0 and 1 are moved inwards by about one image, to have an error too.
    """
    share = min(max(share, 1 / (n + 2)), 1 - 1 / (n + 2))
    return math.sqrt(share * (1 - share) / n + rare * (1 - rare) / others)


def area_and_error(reference, samples):
    """Returns the area under the ROC curve and its standard error. A tie counts half.

    The error is that of the influence curve (LeDell, Petersen and van der Laan 2015, "Computationally efficient
    confidence intervals for cross-validated area under the ROC curve estimates"), which equals DeLong's.

    Args:
        reference: `[n]`, scores.
        samples: `[m]`, scores.
    """
    above, below = placements(reference, samples)
    return float(above.mean()), math.sqrt(variance_of_mean(above) + variance_of_mean(below))


def placements(reference, samples):
    """Returns the share of the reference below each sample, `[m]`, and of samples above each reference image, `[n]`."""
    n, m = len(reference), len(samples)
    ranks = rankdata(np.concatenate([reference, samples]))
    return (ranks[n:] - rankdata(samples)) / n, 1 - (ranks[:n] - rankdata(reference)) / m


def variance_of_mean(values):
    """Returns the variance of the mean of independent `values`; 0 for a single value."""
    return values.var(ddof=1) / len(values) if len(values) > 1 else 0.0


def difference(first, second):
    """Returns the AUC of one set minus that of another, an `Estimate`, both against the same reference images.

    The reference's part of the error is computed from the differences for each image, as in DeLong's method for
    correlated curves.

    Args:
        first, second: Lists of `Fold`, in which row i of `reference` is the same image.
    """
    values, errors = [], []
    for one, two in zip(first, second, strict=True):
        (above, below), (above_two, below_two) = (
            placements(fold.reference, fold.samples) for fold in (one, two)
        )
        values.append(above.mean() - above_two.mean())
        parts = (above, above_two, below - below_two)
        errors.append(math.sqrt(sum(map(variance_of_mean, parts))))
    return Estimate(float(np.mean(values)), float(np.mean(errors)))


def repaired_share(best, worst, seed=0):
    """Returns the share of the total variation distance of `worst` that `best` removes: 1 - tv(best) / tv(worst).

    Args:
        best, worst: Lists of `Fold`, in which row i of `reference` is the same image. Only the first division is used.
        seed: Seed of the bootstrap, which draws the same reference images for both.

    Returns:
        (value, standard error, lower and upper end of the 95% interval); None if tv(worst) is within its error of 0, or
        so close to 0 in some resample that the ratio has no usable error.
    """
    generator, best, worst = np.random.default_rng(seed), best[:FOLDS], worst[:FOLDS]
    known = np.array([tv(best), tv(worst)])
    drawn = np.array([resampled(best, worst, generator) for _ in range(RESAMPLES)])
    deviation = drawn[:, 1].std(ddof=1)
    if not Estimate(known[1], deviation).beyond() or drawn[:, 1].min() < 0.25 * deviation:
        return None
    shares = 1 - drawn[:, 0] / drawn[:, 1]
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(1 - known[0] / known[1]), float(shares.std(ddof=1)), float(low), float(high)


def removed_share(better, worse):
    """Returns how much of one set's separation from a reference another set removes: 1 - (z(better) / z(worse))^2.

    z is the quantile of the normal distribution at an AUC. Between two normal distributions of equal covariance, z^2 is
    half of their Kullback-Leibler divergence (Green and Swets 1966, "Signal Detection Theory and Psychophysics": d' is
    sqrt(2) z). Unlike the AUC or the total variation, which are bounded, it adds up over independent directions: what is
    removed in some of them is a share of the whole, however far the others are.

    Args:
        better, worse: The AUCs of the two sets against the same reference, `Estimate`s.

    Returns:
        The share, an `Estimate` whose error takes those of the AUCs as independent. None if `worse` is within its error of
        0.5, or if both AUCs are nearly 1, where z cannot be measured.
    """
    if not worse.beyond(0.5) or better.value > SATURATED:
        return None
    near, far = (NORMAL.inv_cdf(min(max(area.value, 0.5), LARGEST)) for area in (better, worse))
    slopes = 2 * near / far**2, 2 * near**2 / far**3
    errors = (slope * area.se / NORMAL.pdf(z) for slope, area, z in zip(slopes, (better, worse), (near, far)))
    return Estimate(1 - (near / far) ** 2, math.hypot(*errors))


def tv(folds):
    """Returns an estimate of the total variation distance, from the thresholds of the folds."""
    return float(np.mean([sum(rates(fold)) - 1 for fold in folds]))


def resampled(best, worst, generator):
    """Returns the total variation distances of two sets in a bootstrap sample with common reference images."""
    pairs = []
    for fold, other in zip(best, worst, strict=True):
        rows = generator.integers(len(fold.reference), size=len(fold.reference))
        pairs.append([redrawn(part, rows, generator) for part in (fold, other)])
    return np.mean(pairs, axis=0)


def redrawn(fold, rows, generator):
    """Returns the total variation distance of a fold with the reference images `rows` and resampled samples."""
    samples = generator.choice(fold.samples, len(fold.samples))
    return np.mean(samples > fold.threshold) - np.mean(fold.reference[rows] > fold.threshold)


def rates(fold):
    """Returns the shares of samples and of reference images that the threshold classifies correctly."""
    return float(np.mean(fold.samples > fold.threshold)), float(np.mean(fold.reference <= fold.threshold))


def total_variation_low(folds):
    """Returns a lower bound of the total variation distance, at least 0, with confidence `CONFIDENCE`.

    For any region A, P(A) - Q(A) is at most the total variation distance. Both rates of each fold have Clopper-Pearson
    bounds. Their error levels are divided by the number of rates, so the maximum over the folds is a valid bound too.
    """
    error = (1 - CONFIDENCE) / (2 * len(folds))
    bounds = []
    for fold in folds:
        right, kept = rates(fold)
        low = share_low(round(right * len(fold.samples)), len(fold.samples), error)
        low += share_low(round(kept * len(fold.reference)), len(fold.reference), error)
        bounds.append(low - 1)
    return max(0.0, *bounds)


def share_low(count, n, error):
    """Returns the lower Clopper-Pearson bound of a share observed as `count` of `n`."""
    return 0.0 if count == 0 else float(beta.ppf(error, count, n - count + 1))


def beyond(scores, others, rare):
    """Returns the share of `scores` above the 1 - `rare` quantile of `others`."""
    kept = math.floor(rare * len(others))
    return float(np.mean(scores > np.sort(others)[len(others) - 1 - kept]))


def best_threshold(reference, samples):
    """Returns the score that separates the two sets with the best balanced accuracy."""
    scores = np.unique(np.concatenate([reference, samples]))
    right = 1 - np.searchsorted(np.sort(samples), scores, side="right") / len(samples)
    kept = np.searchsorted(np.sort(reference), scores, side="right") / len(reference)
    return float(scores[np.argmax(right + kept)])
