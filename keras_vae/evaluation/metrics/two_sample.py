"""How well a classifier tells two sets of images apart, from its scores alone.

A classifier two-sample test (Lopez-Paz and Oquab 2017, "Revisiting Classifier Two-Sample Tests"): if no classifier can
tell samples from the reference, they follow its distribution as far as this many images can show. Scores must come
from a classifier that has learned from other images; `keras_vae.evaluation.classifiers` trains one.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta, rankdata

from keras_vae.evaluation.metrics.estimate import Estimate

CONFIDENCE = 0.95  # of the lower bound of the total variation
RARE, RARER = 0.05, 0.01  # share of the reference in the region where samples count as off
ENOUGH_FOR_RARER = 1000  # images a side
RESAMPLES = 400  # of the bootstrap


@dataclass(frozen=True)
class Fold:
    """Scores of the images of one fold, by a classifier that has learned from the others; higher: more like a sample.

    Attributes:
        reference: `[n]`.
        samples: `[m]`.
        threshold: What separates the two best on images that the classifier was chosen by, and not on these.
    """

    reference: np.ndarray
    samples: np.ndarray
    threshold: float


@dataclass(frozen=True)
class TwoSampleTest:
    """How well samples are told from the reference.

    Attributes:
        auc: The area under the ROC curve, the share of pairs in which the sample has the higher score; 0.5: cannot
            be told apart.
        auc_se: Its standard error, from the influence curve.
        tv: An estimate of the total variation that the classifier sees, 2 x balanced accuracy - 1.
        tv_low: A lower bound of the total variation that holds with 95% confidence, whatever the classifier: at least
            this share of the samples would have to be exchanged before the set could pass.
        off: The share of the samples in a region that holds at most 5% of the reference (1% from 1,000 images on).
        off_se: Its standard error.
        missing: The share of the reference in a region that holds at most as much of the samples.
        missing_se: Its standard error.
        n: The smaller number of images of a side, over all folds.
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
    """Returns `TwoSampleTest` of a list of `Fold`.

    The AUC is computed within each fold and averaged: scores of different classifiers have no common scale. Its error
    is the mean of the folds' errors, as if they were fully correlated. Near 0.5 they are: what one fold has by chance,
    the classifier of the other fold learns, and the other way round, so that both AUCs are off to the same side
    (Bengio and Grandvalet 2004, "No unbiased estimator of the variance of K-fold cross-validation").
    """
    areas, errors = zip(*(area_and_error(fold.reference, fold.samples) for fold in folds))
    n = min(sum(len(fold.reference) for fold in folds), sum(len(fold.samples) for fold in folds))
    rare = RARER if n >= ENOUGH_FOR_RARER else RARE
    off = np.mean([beyond(fold.samples, fold.reference, rare) for fold in folds])
    missing = np.mean([beyond(-fold.reference, -fold.samples, rare) for fold in folds])
    return TwoSampleTest(
        auc=float(np.mean(areas)),
        auc_se=float(np.mean(errors)),
        tv=tv(folds),
        tv_low=total_variation_low(folds),
        off=float(off),
        off_se=share_error(off, sum(len(fold.samples) for fold in folds), n, rare),
        missing=float(missing),
        missing_se=share_error(missing, sum(len(fold.reference) for fold in folds), n, rare),
        n=n,
    )


def share_error(share, n, others, rare):
    """Returns the standard error of a share of `n` images beyond a quantile, `rare` of the images of the `others`.

    The quantile is uncertain too. One image counts even where all are alike.
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
    """Returns the share of the reference below each sample, `[m]`, and of the samples above each reference, `[n]`."""
    n, m = len(reference), len(samples)
    ranks = rankdata(np.concatenate([reference, samples]))
    return (ranks[n:] - rankdata(samples)) / n, 1 - (ranks[:n] - rankdata(reference)) / m


def variance_of_mean(values):
    """Returns the variance of the mean of independent `values`, 0 of a single one."""
    return values.var(ddof=1) / len(values) if len(values) > 1 else 0.0


def difference(first, second):
    """Returns the AUC of one set less that of another, an `Estimate`, both against the same reference images.

    The reference's part of the error is that of the differences image by image: DeLong's for correlated curves.

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
    """Returns how much of the total variation of one set another is without: 1 - tv(best) / tv(worst).

    Args:
        best, worst: Lists of `Fold`, in which row i of `reference` is the same image.
        seed: Decides the images of the bootstrap, which draws the reference images once for both.

    Returns:
        (value, standard error, lower and upper end of the 95% interval); None where tv(worst) is within its error of 0,
        or comes near it in some resample, so that the ratio has no usable error.
    """
    generator = np.random.default_rng(seed)
    known = np.array([tv(best), tv(worst)])
    drawn = np.array([resampled(best, worst, generator) for _ in range(RESAMPLES)])
    deviation = drawn[:, 1].std(ddof=1)
    if not Estimate(known[1], deviation).beyond() or drawn[:, 1].min() < 0.25 * deviation:
        return None
    shares = 1 - drawn[:, 0] / drawn[:, 1]
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(1 - known[0] / known[1]), float(shares.std(ddof=1)), float(low), float(high)


def tv(folds):
    """Returns the total variation that the thresholds of the folds see, an estimate."""
    return float(np.mean([sum(rates(fold)) - 1 for fold in folds]))


def resampled(best, worst, generator):
    """Returns the total variations of two sets, of images drawn with replacement, the reference's the same for both."""
    pairs = []
    for fold, other in zip(best, worst, strict=True):
        rows = generator.integers(len(fold.reference), size=len(fold.reference))
        pairs.append([redrawn(part, rows, generator) for part in (fold, other)])
    return np.mean(pairs, axis=0)


def redrawn(fold, rows, generator):
    """Returns the total variation of a fold with the reference images `rows` and random samples of its own."""
    samples = generator.choice(fold.samples, len(fold.samples))
    return np.mean(samples > fold.threshold) - np.mean(fold.reference[rows] > fold.threshold)


def rates(fold):
    """Returns the shares of samples and of reference images that the threshold names rightly."""
    return float(np.mean(fold.samples > fold.threshold)), float(np.mean(fold.reference <= fold.threshold))


def total_variation_low(folds):
    """Returns a lower bound of the total variation, at least 0, which holds with the confidence `CONFIDENCE`.

    For any region A, P(A) - Q(A) is at most the total variation. Both rates have Clopper-Pearson bounds, at the error
    that is left for each of the two rates of each fold, so that the largest over the folds holds too.
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
    """Returns the lower Clopper-Pearson bound of a share of which `count` of `n` were seen."""
    return 0.0 if count == 0 else float(beta.ppf(error, count, n - count + 1))


def beyond(scores, others, rare):
    """Returns the share of `scores` above all but the share `rare` of `others`."""
    kept = math.floor(rare * len(others))
    return float(np.mean(scores > np.sort(others)[len(others) - 1 - kept]))


def best_threshold(reference, samples):
    """Returns the score that separates the two best by balanced accuracy."""
    scores = np.unique(np.concatenate([reference, samples]))
    right = 1 - np.searchsorted(np.sort(samples), scores, side="right") / len(samples)
    kept = np.searchsorted(np.sort(reference), scores, side="right") / len(reference)
    return float(scores[np.argmax(right + kept)])
