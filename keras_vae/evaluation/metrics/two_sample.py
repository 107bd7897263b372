"""How well a classifier tells two sets of images apart, from its scores alone.

A classifier two-sample test (Lopez-Paz and Oquab 2017, "Revisiting Classifier Two-Sample Tests"): if no classifier can
tell samples from the reference, they follow its distribution as far as this many images can show. Scores must come
from a classifier that has learned from other images; `keras_vae.evaluation.classifiers` trains one.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta, rankdata

CONFIDENCE = 0.95  # of the lower bound of the total variation
RARE, RARER = 0.05, 0.01  # share of the reference in the region where samples count as off
ENOUGH_FOR_RARER = 1000  # images a side


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
class ToldApart:
    """How well samples are told from the reference.

    Attributes:
        auc: The area under the ROC curve, the share of pairs in which the sample has the higher score; 0.5: cannot
            be told apart.
        auc_se: Its standard error, from the influence curve.
        tv: An estimate of the total variation that the classifier sees, 2 x balanced accuracy - 1.
        tv_low: A lower bound of the total variation that holds with 95% confidence, whatever the classifier: at least
            this share of the samples would have to be exchanged before the set could pass.
        off: The share of the samples in a region that holds at most 5% of the reference (1% from 1,000 images on).
        missing: The share of the reference in a region that holds at most as much of the samples.
        n: The smaller number of images of a side, over all folds.
    """

    auc: float
    auc_se: float
    tv: float
    tv_low: float
    off: float
    missing: float
    n: int


def told_apart(folds):
    """Returns `ToldApart` of a list of `Fold`.

    The AUC is computed within each fold and averaged: scores of different classifiers have no common scale.
    """
    areas, errors = zip(*(area_and_error(fold.reference, fold.samples) for fold in folds))
    n = min(sum(len(fold.reference) for fold in folds), sum(len(fold.samples) for fold in folds))
    rare = RARER if n >= ENOUGH_FOR_RARER else RARE
    return ToldApart(
        auc=float(np.mean(areas)),
        auc_se=math.sqrt(sum(error**2 for error in errors)) / len(folds),
        tv=float(np.mean([sum(rates(fold)) - 1 for fold in folds])),
        tv_low=total_variation_low(folds),
        off=float(np.mean([beyond(fold.samples, fold.reference, rare) for fold in folds])),
        missing=float(np.mean([beyond(-fold.reference, -fold.samples, rare) for fold in folds])),
        n=n,
    )


def area_and_error(reference, samples):
    """Returns the area under the ROC curve and its standard error. A tie counts half.

    The error is that of the influence curve (LeDell, Petersen and van der Laan 2015, "Computationally efficient
    confidence intervals for cross-validated area under the ROC curve estimates"), which equals DeLong's.

    Args:
        reference: `[n]`, scores.
        samples: `[m]`, scores.
    """
    n, m = len(reference), len(samples)
    ranks = rankdata(np.concatenate([reference, samples]))
    above = (ranks[n:] - rankdata(samples)) / n  # [m], share of the reference below each sample
    below = 1 - (ranks[:n] - rankdata(reference)) / m  # [n], share of the samples above each reference
    variance = sum(part.var(ddof=1) / len(part) for part in (above, below) if len(part) > 1)
    return float(above.mean()), math.sqrt(variance)


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
