"""The importance-weighted bound on the log-likelihood, and the test of whether it may be called a likelihood."""

import itertools
from typing import NamedTuple

import numpy as np

from keras_vae.evaluation.metrics.estimate import Estimate

TOLERANCE = 0.1  # nats by which a bound may be off and still be called a likelihood
HALVING = 0.5  # remaining share of a small bias when the number of samples doubles: it falls as 1 / k
LEAST_DECAY = 0.95  # largest remaining share with which the bias is assumed to go to 0
UNKNOWN_DECAY = 0.9  # if there are too few samples to see how the bias falls
LEVELS = 4  # doublings of the samples that are used


class ImportanceEstimate(NamedTuple):
    """An upper bound on the negative log-likelihood.

    Attributes:
        nats: The mean over images of -log mean_k w.
        nats_se: Its standard error over images.
        samples: k.
        effective_sample_size: The mean over images of (sum w)^2 / sum w^2, from 1 to k. It decides nothing: draws that
            all miss the posterior have equal weights.
        accepted: Whether `nats` may be called a likelihood: `bias_limit` is at most `TOLERANCE`.
        per_image: -log mean_k w, `[n]`.
        moved: The decrease of the bound in nats when the samples are doubled, None with one sample.
        moved_se: Its standard error over images, None with one sample or one image.
        bias: The estimated bias of the bound in nats, None with one sample.
        bias_se: Its standard error over images, None with one sample or one image.
        bias_limit: The upper end of its 95% interval, None if it is not known. reason: Why it is not accepted, a
        sentence; empty if it is.
    """

    nats: float
    nats_se: float
    samples: int
    effective_sample_size: float
    accepted: bool
    per_image: np.ndarray
    moved: float | None = None
    moved_se: float | None = None
    bias: float | None = None
    bias_se: float | None = None
    bias_limit: float | None = None
    reason: str = ""


def importance_weighted(log_weights, annealed=None):
    """Returns the `ImportanceEstimate` bound from log weights `[n, k]`, in nats.

        log w = log p(x|z) + log p(z) - log q(z|x),  z ~ q(z|x)
        E[-log mean_k w] >= -log p(x), falling with k  (Burda, Grosse and Salakhutdinov 2016, equation 8)

    Its remaining bias is estimated from how it falls (`remaining_bias`), and from the annealed bound if there is a
    lower one. Neither detects a mode of the posterior that is far from all draws.

    Args:
        log_weights: `[n, k]`.
        annealed: -log p(x) of the first m of the same images by annealed importance sampling, `[m]`, or None.
    """
    log_weights = np.asarray(log_weights, "float64")
    num_images, samples = log_weights.shape
    per_image = negative_log_mean(log_weights)
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    effective = float((weights.sum(axis=1) ** 2 / np.square(weights).sum(axis=1)).mean())
    error = float(per_image.std(ddof=1) / np.sqrt(num_images)) if num_images > 1 else np.nan
    known = {}
    if samples > 1:
        movements = movements_of(log_weights)
        moved, bias = mean_of(movements[0]), remaining_bias(movements)
        if annealed is not None:
            bias = larger_bias(bias, mean_of(per_image[: len(annealed)] - np.asarray(annealed, "float64")))
        known = {"moved": moved.value, "bias": bias.value}
        if num_images > 1:
            known |= {"moved_se": moved.se, "bias_se": bias.se, "bias_limit": bias.high}
    reason = why_refused(samples, known.get("bias"), known.get("bias_limit"))
    return ImportanceEstimate(
        float(per_image.mean()), error, samples, effective, not reason, per_image, **known, reason=reason
    )


def negative_log_mean(log_weights):
    """Returns -log mean w over the last axis."""
    largest = log_weights.max(
        axis=-1, keepdims=True
    )  # the largest weight is 1: no overflow, no division by 0
    return -largest[..., 0] - np.log(np.exp(log_weights - largest).mean(axis=-1))


def movements_of(log_weights):
    """Returns the decrease of the bound for each of the last doublings of the samples, the last first, `[n]` each.

    The bound of k / 2 samples is the mean over both halves of the k, and so on: none is negative (Jensen).
    """
    size = log_weights.shape[1]
    bounds = [negative_log_mean(log_weights)]
    for level in range(1, LEVELS + 1):
        if (part := size >> level) < 1:
            break
        groups = log_weights[:, : part << level].reshape(len(log_weights), 1 << level, part)
        bounds.append(negative_log_mean(groups).mean(axis=1))
    return [before - after for after, before in itertools.pairwise(bounds)]


def remaining_bias(movements):
    """Returns the remaining bias, an `Estimate`, from the last movements of the bound, the last first, `[n]` each.

    If each doubling moves the bound r times as far as the one before, the future ones move it by

        moved (r + r^2 + ...) = moved r / (1 - r)

    The bias of many samples is Var(w) / (2 k E[w]^2), and r is 1/2. For few samples with weights that vary by factors
    of e^10, r is 0.9 (their largest grows with the root of log k), and the bias is ten times the last movement. r is
    estimated from the observed movements, over three doublings if possible, and is at least 1/2. It falls with k, so
    the bias is overestimated rather than underestimated. The error is the jackknife's over images.
    """
    rows = np.stack(movements)
    means = rows.mean(axis=1)
    value = extrapolated(means)
    number = rows.shape[1]
    if number < 2:
        return Estimate(value, np.nan)
    left_out = extrapolated((rows.sum(axis=1, keepdims=True) - rows) / (number - 1))
    error = np.sqrt((number - 1) * np.var(left_out))
    return Estimate(float(value), float(error))


def extrapolated(movements):
    """Returns the sum of the future movements, from the last ones `[levels, ...]`, the last first."""
    levels = len(movements) - 1
    # The last movement is the noisiest, with one pair of halves an image. Each is at least half of the one before.
    last = np.max([HALVING**level * one for level, one in enumerate(movements)], axis=0)
    if not levels:
        decay = UNKNOWN_DECAY
    else:
        decay = (last / np.maximum(movements[-1], np.finfo("float64").tiny)) ** (1 / levels)
        decay = np.clip(decay, HALVING, LEAST_DECAY)
    return last * decay / (1 - decay)


def larger_bias(bias, shortfall):
    """Returns the larger of two `Estimate`s of the bias; `shortfall`, from another bound, only beyond its error."""
    return shortfall if shortfall.beyond() and shortfall.high > bias.high else bias


def why_refused(samples, bias, limit):
    """Returns why a bound is not accepted as a likelihood, a sentence, or "" if it is."""
    if samples < 2:
        return "one sample an image gives the ELBO: its distance from the likelihood cannot be estimated"
    if limit is None:
        return "the error of the bias is not known from one image: measure more images"
    if limit <= TOLERANCE:
        return ""
    return (
        f"the bound still falls with more samples: at {samples:,} an image it is about {bias:.2g} nats too high"
        f" (up to {limit:.2g}), and {TOLERANCE} are allowed in a likelihood"
    )


def mean_of(values):
    """Returns the mean of `values`, `[n]`, an `Estimate`."""
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return Estimate(float(values.mean()), float(error))


def prior_over_posterior(codes, noise, log_var):
    """Returns log p(z) - log q(z|x), `[n]`, float64, of codes z = mean + exp(log_var / 2) * noise, `[n, d]` each.

        (|noise|^2 - |z|^2 + sum log_var) / 2

    This avoids the two sums of d log densities and their cancellation.
    """
    terms = np.square(noise, dtype="float64") - np.square(codes, dtype="float64") + log_var
    return 0.5 * terms.sum(axis=1)
