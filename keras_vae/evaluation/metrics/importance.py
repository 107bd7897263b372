"""The importance-weighted bound on the log-likelihood, and the test of whether it may be called a likelihood."""

import itertools
from typing import NamedTuple

import numpy as np

from keras_vae.evaluation.metrics.estimate import Estimate, mean_of

TOLERANCE = 0.1  # nats; a bound with a smaller bias may be called a likelihood
HALVING = 0.5  # smallest ratio of successive decreases: a small bias falls as 1 / k, so doubling k halves it
LEAST_DECAY = 0.95  # largest ratio, for the bias to converge to 0
UNKNOWN_DECAY = 0.9  # the ratio if there are too few samples to estimate it
LEVELS = 4  # number of doublings that are used


class ImportanceEstimate(NamedTuple):
    """An upper bound on the negative log-likelihood.

    Attributes:
        nats: The mean over images of -log mean_k w.
        nats_se: Its standard error over images.
        samples: k.
        effective_sample_size: The mean over images of (sum w)^2 / sum w^2, from 1 to k. It is not used for `accepted`:
            draws that all miss the posterior can have equal weights.
        accepted: Whether `nats` may be called a likelihood: `bias_limit` is at most `TOLERANCE`.
        per_image: -log mean_k w, `[n]`.
        moved: The decrease of the bound in nats when the samples are doubled, None with one sample.
        moved_se: Its standard error over images, None with one sample or one image.
        bias: The estimated bias of the bound in nats, None with one sample.
        bias_se: Its standard error over images, None with one sample or one image.
        bias_limit: The upper end of its 95% interval, or None.
        reason: Why the bound is not accepted, a sentence; empty if it is.
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

    The remaining bias is estimated from how the bound falls with k (`remaining_bias`), and from the annealed bound if
    that is lower. Neither detects a mode of the posterior that is far from all draws.

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
    largest = log_weights.max(axis=-1, keepdims=True)  # avoids overflow
    return -largest[..., 0] - np.log(np.exp(log_weights - largest).mean(axis=-1))


def movements_of(log_weights):
    """Returns the decreases of the bound in the last doublings of the number of samples, the last first, `[n]` each.

    The bound for k / 2 samples is the mean over both halves of the k samples, and so on. No decrease is negative
    (Jensen).
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
    """Returns the remaining bias, an `Estimate`, from the result of `movements_of`.

    If each doubling moves the bound r times as far as the previous one, future doublings move it by

        moved (r + r^2 + ...) = moved r / (1 - r)

    For many samples the bias is Var(w) / (2 k E[w]^2), and r is 1/2. For few samples with weights that vary by factors
    of e^10, r is 0.9 (the largest weight grows with the root of log k), and the bias is ten times the last movement. r
    is estimated from the observed movements, over three doublings if possible, and is at least 1/2. It falls with k, so
    the bias is overestimated rather than underestimated. The error is a jackknife estimate over images.
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
    """Returns the sum of future movements, from the observed ones `[levels, ...]`, the last first."""
    levels = len(movements) - 1
    # The last movement is the noisiest, with one pair of halves per image. Each is at least half the previous one.
    last = np.max([HALVING**level * one for level, one in enumerate(movements)], axis=0)
    if not levels:
        decay = UNKNOWN_DECAY
    else:
        decay = (last / np.maximum(movements[-1], np.finfo("float64").tiny)) ** (1 / levels)
        decay = np.clip(decay, HALVING, LEAST_DECAY)
    return last * decay / (1 - decay)


def larger_bias(bias, shortfall):
    """Returns the larger of two `Estimate`s of the bias; `shortfall`, from another bound, must exceed its error."""
    return shortfall if shortfall.beyond() and shortfall.high > bias.high else bias


def why_refused(samples, bias, limit):
    """Returns why a bound is not accepted as a likelihood, a sentence, or "" if it is."""
    if samples < 2:
        return "one sample per image gives the ELBO: its distance from the likelihood cannot be estimated"
    if limit is None:
        return "the error of the bias cannot be estimated from one image: measure more images"
    if limit <= TOLERANCE:
        return ""
    return (
        f"the bound still falls with more samples: with {samples:,} samples per image it is about {bias:.2g} nats too"
        f" high (up to {limit:.2g}), and only {TOLERANCE} nats are accepted for a likelihood"
    )


def prior_over_posterior(codes, noise, log_var):
    """Returns log p(z) - log q(z|x), `[n]`, float64, of codes z = mean + exp(log_var / 2) * noise, `[n, d]` each.

        (|noise|^2 - |z|^2 + sum log_var) / 2

    This avoids the cancellation between two log densities of d dimensions.
    """
    terms = np.square(noise, dtype="float64") - np.square(codes, dtype="float64") + log_var
    return 0.5 * terms.sum(axis=1)
