"""The importance-weighted bound on the log-likelihood, and whether it may be called a likelihood."""

from typing import NamedTuple

import numpy as np

LEAST_SHARE = 1 / 50  # of the draws that must count
LEAST_SIZE = 2  # where one draw outweighs all others, the bound is that draw's, however few there are


class ImportanceWeighted(NamedTuple):
    """An upper bound on the negative log-likelihood.

    Attributes:
        nats: The mean over images of -log mean_k w.
        nats_se: Its standard error over images.
        samples: k.
        effective_sample_size: The mean over images of (sum w)^2 / sum w^2, from 1 to k.
        accepted: Whether that is large enough for `nats` to be called a likelihood.
        per_image: -log mean_k w, `[n]`.
    """

    nats: float
    nats_se: float
    samples: int
    effective_sample_size: float
    accepted: bool
    per_image: np.ndarray


def importance_weighted(log_weights):
    """Returns the `ImportanceWeighted` bound from log weights `[n, k]`, in nats.

        log w = log p(x|z) + log p(z) - log q(z|x),  z ~ q(z|x)
        E[-log mean_k w] >= -log p(x), falling with k  (Burda, Grosse and Salakhutdinov 2016, equation 8)

    It is still above by about Var(w) / (2 k E[w]^2), which the effective sample size tells: where that is below
    k / 50, or below 2, the number is refused. At 65,536 dimensions it was 1.3 of 256.
    """
    log_weights = np.asarray(log_weights, "float64")
    num_images, samples = log_weights.shape
    largest = log_weights.max(axis=1, keepdims=True)
    weights = np.exp(log_weights - largest)  # the largest is 1: no overflow, and no division by 0
    total = weights.sum(axis=1)
    per_image = np.log(samples) - largest[:, 0] - np.log(total)
    effective = float((total**2 / np.square(weights).sum(axis=1)).mean())
    error = float(per_image.std(ddof=1) / np.sqrt(num_images)) if num_images > 1 else np.nan
    accepted = effective >= max(LEAST_SHARE * samples, LEAST_SIZE)
    return ImportanceWeighted(float(per_image.mean()), error, samples, effective, accepted, per_image)


def prior_over_posterior(codes, noise, log_var):
    """Returns log p(z) - log q(z|x), `[n]`, float64, of codes z = mean + exp(log_var / 2) * noise, `[n, d]` each.

        (|noise|^2 - |z|^2 + sum log_var) / 2

    which avoids the two sums of d log densities and their cancellation.
    """
    terms = np.square(noise, dtype="float64") - np.square(codes, dtype="float64") + log_var
    return 0.5 * terms.sum(axis=1)
