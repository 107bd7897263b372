"""The mismatch of the prior in nats: how far the codes of all images together are from N(0, I).

The decoder is trained on codes of the aggregated posterior q(z) = E_x q(z|x), but samples come from the prior
p(z) = N(0, I). For any density f fitted to other codes,

    L = E_q(z)[log f(z) - log p(z)] = KL(q || p) - KL(q || f) <= KL(q || p)

is the gain of the ELBO if f were the prior, and a lower bound on the divergence of the distributions. Here f is
Gaussian with a covariance of low rank plus diagonal, and the expectation over z ~ q(z|x) has a closed form. 500 codes
are enough at 65,536 dimensions if L is measured on *held-out* codes: with fewer codes than dimensions, the sample
covariance shows a spurious mismatch of hundreds of nats.

Codes are `mean` and `log_var`, `[n, d]` each. A plain autoencoder (log_var = -100) has no prior and therefore no
mismatch.
"""

import math
from typing import NamedTuple

import numpy as np

from keras_vae.evaluation.metrics.spectrum import area_under_curve
from keras_vae.samplers.principal import column_blocks, combine, covariance, evenly_spaced, gram, largest

TINY = 1e-12  # variance of dimensions that never vary
PAIRS = 5e10  # limit for codes^2 * dimensions in the bounds on the information: one or two seconds
MOST_PAIRED = 4000  # codes; their matrix of log densities is 0.13 GB


class Aggregate(NamedTuple):
    """Gaussians f_r of every rank, fitted to codes, with standardised coordinates u = (z - center) / sqrt(scale).

        log f_r = -(1/2) [d log 2 pi + sum log scale + sum_{i<=r} (log l_i + (P_i' u)^2 / l_i)
                          + (d - r) log rho_r + (|u|^2 - sum_{i<=r} (P_i' u)^2) / rho_r]

    Attributes:
        center, scale: Mean and variance of every dimension, `[d]`.
        directions: P, `[d, ranks]`.
        variances: l, the variances of q(z) along the directions, `[ranks]`.
        residuals: rho_r, the mean variance outside the first r directions, `[ranks + 1]`.
        in_sample: L_r on the codes to which f was fitted, which is too high, `[ranks + 1]`.
        num_codes: The number of these codes.
    """

    center: np.ndarray
    scale: np.ndarray
    directions: np.ndarray
    variances: np.ndarray
    residuals: np.ndarray
    in_sample: np.ndarray
    num_codes: int


class Mismatch(NamedTuple):
    """A lower bound on KL(q(z) || N(0, I)) in nats.

    Attributes:
        nats: max_r L_r. It is negative if f was fitted to few codes and is worse than the prior.
        nats_se: Its standard error over images.
        rank: The r of the maximum. It is chosen on the same images, which adds at most about a standard error.
        marginal_nats: L_0, the part due to single dimensions.
        in_sample_nats: L_r at `rank` on the codes of the fit. If it is far above `nats`, there are too few codes.
        curve: L_r, `[ranks + 1]`.
        curve_se: Its standard errors.
    """

    nats: float
    nats_se: float
    rank: int
    marginal_nats: float
    in_sample_nats: float
    curve: np.ndarray
    curve_se: np.ndarray


class Contrast(NamedTuple):
    """Contrastive bounds on the mutual information of images and codes, in nats.

    Attributes:
        lower: I_NCE, at most log N.
        upper: I_LOO, the same with the code's own image left out of the mixture.
        lower_se, upper_se: Standard errors over images, treated as independent.
        log_n: log N for N images.
    """

    lower: float
    upper: float
    lower_se: float
    upper_se: float
    log_n: float


class MismatchBounds(NamedTuple):
    """Bounds on KL(q(z) || p), max(0, L, R - I_LOO) <= KL <= R - I_NCE, and on the information, R - KL."""

    information_lower: float
    information_upper: float
    divergence_lower: float
    divergence_upper: float


class Information(NamedTuple):
    """Bounds on the mutual information of images and codes, in nats, and the source of each bound.

    Attributes:
        lower, upper: 0 <= lower <= upper <= the rate.
        lower_from: "contrast" (I_NCE), "zero", or "upper" if the contrast exceeds the upper bound by chance.
        upper_from: "rate", "mismatch" (the rate minus L) or "leave_one_out" (I_LOO).
    """

    lower: float
    upper: float
    lower_from: str
    upper_from: str


def fit_aggregate(mean, log_var, max_rank=256, excess=0.0):
    """Returns the `Aggregate` of training codes `[n, d]`.

    Mean and variance of every dimension are those of q(z), computed from the posteriors' means and variances without
    sampling. If d is at most n, the directions are eigenvectors of the correlation matrix of q(z), with all ranks up to
    d (f_d has the full covariance of q(z)); otherwise they are those of the means' correlation matrix, at most
    `max_rank`. The variances along the directions are those of q(z).

    The variance outside the directions is distributed over the dimensions in proportion to their variances. If the
    signal makes these differ by a relative standard deviation c, L is lower by about d c^2 / 4 nats.

    `excess` is as in `measure_mismatch`, for these codes. If d and n both exceed 1,500, the directions are computed
    from 1,500 codes and the variances from all. Memory: 4 d `max_rank` bytes plus about 0.3 GB.
    """
    size = mean.shape[1]
    center = mean.mean(axis=0, dtype="float64")
    spread, posterior = np.empty(size), np.empty(size)
    for block in column_blocks(*mean.shape):
        spread[block] = np.square(mean[:, block] - center[block]).mean(axis=0)
        posterior[block] = np.exp(log_var[:, block], dtype="float64").mean(axis=0)
    scale = np.maximum(spread + posterior, TINY)
    some, root = evenly_spaced(mean), np.sqrt(scale)
    if size <= len(some):
        correlations = covariance(some, center, root) + np.diag(posterior / scale)
        directions = largest(correlations, size)[1].astype("float32")
    else:
        eigenvalues, vectors = largest(gram(some, center, root), min(max_rank, len(some) - 1))
        directions = combine(some, center, vectors, eigenvalues, root)
    draft = Aggregate(center, scale, directions, None, None, None, len(mean))
    along, total, prior = moments_along(draft, mean, log_var)
    variances = np.maximum(along.mean(axis=0), TINY)
    left = size - np.arange(len(variances) + 1)
    residuals = (size - np.concatenate([[0], np.cumsum(variances)])) / np.maximum(left, 1)
    residuals = np.where(left > 0, np.maximum(residuals, TINY), 1.0)
    fitted = draft._replace(variances=variances, residuals=residuals)
    return fitted._replace(in_sample=curve(fitted, along, total, prior + 2 * excess)[0])


def measure_mismatch(aggregate, mean, log_var, excess=0.0):
    """Returns the `Mismatch` of held-out codes `[n, d]`, measured with an `Aggregate` of others.

    If the prior p is not N(0, I), L is larger by `excess`, E log N(z; 0, I) - log p(z) for each image, `[n]`.

    Below 2 nats and 5% of the rate is healthy; above 10 nats or 25% is a hole (provisional). It does not rank models by
    image quality: use it together with the generation gap.
    """
    along, total, prior = moments_along(aggregate, mean, log_var)
    values, errors = curve(aggregate, along, total, prior + 2 * excess)
    rank = int(values.argmax())
    in_sample = float(aggregate.in_sample[rank])
    return Mismatch(
        float(values[rank]), float(errors[rank]), rank, float(values[0]), in_sample, values, errors
    )


def mismatch_auc(aggregate, rank, mean, log_var, seed):
    """Returns the AUC of log f_rank / p between draws of held-out posteriors `[n, d]` and of the prior.

    It is 0.5 if they cannot be separated and 1 if always. Unlike tests by length or by neighbours, it keeps its power
    at 65,536 dimensions.
    """
    draw = np.random.default_rng(seed).standard_normal

    def posterior(block):
        return mean[:, block] + np.exp(0.5 * log_var[:, block]) * draw(mean[:, block].shape, "float32")

    def prior(block):
        return draw(mean[:, block].shape, "float32")

    ratios = (log_ratios(aggregate, rank, codes, *mean.shape) for codes in (posterior, prior))
    return area_under_curve(*ratios)


def log_ratio(aggregate, rank, codes):
    """Returns log f_rank(z) - log N(z; 0, I) of codes z `[n, d]`: `[n]`."""
    return log_ratios(aggregate, rank, lambda block: codes[:, block], *codes.shape)


def contrast(mean, log_var, seed, most=MOST_PAIRED):
    """Returns the `Contrast` of codes `[n, d]` (Poole et al. 2019, equations 12 and 13).

        I_NCE = E log q(z_i|x_i) - log (1/N) sum_j q(z_i|x_j),  I_LOO: the mean over j other than i

    I_NCE cannot exceed log N: at R = 20 nats and N = 1,000 it is 6.9 for every model, which does not indicate a hole.
    At most `most` evenly spaced images are used, further limited by `PAIRS`: 4,000 up to 3,125 dimensions, 873 at
    65,536.
    """
    count = min(len(mean), most, max(math.isqrt(int(PAIRS / mean.shape[1])), 2))
    chosen = np.linspace(0, len(mean) - 1, count).astype(int)
    generator = np.random.default_rng(seed)
    center = mean.mean(axis=0, dtype="float64")
    own = np.zeros(count)
    others = np.zeros((count, count))  # [i, j]: -2 log density of code i under the posterior of image j
    for block in column_blocks(count, mean.shape[1]):
        means = (mean[chosen, block] - center[block]).astype("float32")
        log_vars = log_var[chosen, block]
        noise = generator.standard_normal(means.shape, "float32")
        codes = means + np.exp(0.5 * log_vars) * noise
        # The precision minus 1; |z|^2 is added separately, so float32 loses at most 1e-3 nats.
        excess = np.expm1(-log_vars)
        weighted = means + means * excess
        own += (np.square(noise) + log_vars).sum(axis=1, dtype="float64")
        others += np.square(codes) @ excess.T
        others -= (2 * codes) @ weighted.T
        others += (means * weighted + log_vars).sum(axis=1, dtype="float64")
        others += np.square(codes).sum(axis=1, dtype="float64")[:, None]
    others *= -0.5
    own *= -0.5
    np.fill_diagonal(others, -np.inf)
    largest_of = others.max(axis=1, keepdims=True)
    rest = largest_of[:, 0] + np.log(
        np.exp(np.subtract(others, largest_of, out=others), out=others).sum(axis=1)
    )
    lower = own - np.logaddexp(rest, own) + math.log(count)
    upper = own - rest + math.log(count - 1)
    errors = (float(values.std(ddof=1) / math.sqrt(count)) for values in (lower, upper))
    return Contrast(float(lower.mean()), float(upper.mean()), *errors, math.log(count))


def bounds(rate, nats, contrasted):
    """Returns the `MismatchBounds` from the rate R, the mismatch L and the `Contrast` of a model's held-out codes.

    R = I(x; z) + KL(q(z) || p) (Hoffman and Johnson 2016), so a bound on one is a bound on the other.
    """
    found, rate = information(rate, nats, contrasted), max(float(rate), 0.0)
    return MismatchBounds(found.lower, found.upper, rate - found.upper, rate - found.lower)


def information(rate, nats, contrasted):
    """Returns the `Information`, given the arguments of `bounds`; `nats` may be None if no mismatch is known.

    The upper bound is the smallest of three: the rate, the rate minus a lower bound on the divergence, and I_LOO. I_LOO
    alone can be far above the rate if the codes of other images are unrelated to an image's own code.
    """
    rate = max(float(rate), 0.0)
    uppers = {"rate": rate, "mismatch": rate - (nats or 0.0), "leave_one_out": contrasted.upper}
    upper_from = min(uppers, key=uppers.get)
    upper = max(uppers[upper_from], 0.0)
    lowers = {"zero": 0.0, "contrast": contrasted.lower}
    lower_from = max(lowers, key=lowers.get)
    if lowers[lower_from] > upper:
        return Information(upper, upper, "upper", upper_from)
    return Information(lowers[lower_from], upper, lower_from, upper_from)


def moments_along(aggregate, mean, log_var):
    """Returns the expectations over z ~ q(z|x) of (P_i' u)^2 `[n, ranks]`, |u|^2 `[n]` and |z|^2 `[n]`."""
    center, root, directions = aggregate.center, np.sqrt(aggregate.scale), aggregate.directions
    along, variance_along = np.zeros((2, len(mean), directions.shape[1]))
    total, prior = np.zeros((2, len(mean)))
    for block in column_blocks(*mean.shape):
        # float32 products within a block, float64 sums over blocks: half the time, with six correct digits.
        variances = np.exp(log_var[:, block])
        standard = ((mean[:, block] - center[block]) / root[block]).astype("float32")
        scaled = variances / aggregate.scale[block].astype("float32")
        along += standard @ directions[block]
        variance_along += scaled @ np.square(directions[block])
        total += (np.square(standard) + scaled).sum(axis=1, dtype="float64")
        prior += (np.square(mean[:, block]) + variances).sum(axis=1, dtype="float64")
    return np.square(along) + variance_along, total, prior


def curve(aggregate, along, total, prior):
    """Returns the mean over images of L_r, `[ranks + 1]`, and its standard error, from `moments_along`."""
    constant, per_rank = constants(aggregate)
    sums, squares = np.zeros((2, len(per_rank)))
    for rows in column_blocks(len(per_rank), len(along)):
        values = log_density(aggregate, along[rows], total[rows]) - 0.5 * (constant + per_rank)
        values += 0.5 * prior[rows, None]
        if rows.start == 0:
            shift = values.mean(axis=0)  # avoids cancellation in the variance
        sums += (values - shift).sum(axis=0)
        squares += np.square(values - shift).sum(axis=0)
    number = len(along)
    mean = sums / number
    variance = np.maximum(squares / number - mean**2, 0) * number / max(number - 1, 1)
    return mean + shift, np.sqrt(variance / number)


def log_density(aggregate, along, total):
    """Returns the part of log f_r that depends on the code, `[n, ranks + 1]`."""
    zero = np.zeros((len(along), 1))
    explained = np.concatenate([zero, np.cumsum(along, axis=1)], axis=1)
    lengths = np.concatenate([zero, np.cumsum(along / aggregate.variances, axis=1)], axis=1)
    left = np.maximum(total[:, None] - explained, 0)
    if len(aggregate.residuals) == len(aggregate.scale) + 1:
        left[:, -1] = 0  # nothing is left outside of all d directions
    return -0.5 * (lengths + left / aggregate.residuals)


def constants(aggregate):
    """Returns the log-determinant of f_r in two parts: a constant, and one for each rank `[ranks + 1]`."""
    ranks = np.arange(len(aggregate.residuals))
    added = np.concatenate([[0], np.cumsum(np.log(aggregate.variances))])
    return np.log(aggregate.scale).sum(), added + (len(aggregate.scale) - ranks) * np.log(aggregate.residuals)


def log_ratios(aggregate, rank, codes, num_codes, size):
    """Returns log f_rank - log p, `[n]`; `codes(block)` returns a block of the codes' columns, `[n, width]`."""
    directions, root = aggregate.directions[:, :rank], np.sqrt(aggregate.scale)
    along = np.zeros((num_codes, rank))
    total, prior = np.zeros((2, num_codes))
    for block in column_blocks(num_codes, size):
        drawn = codes(block)
        standard = ((drawn - aggregate.center[block]) / root[block]).astype("float32")
        along += standard @ directions[block]
        total += np.square(standard).sum(axis=1, dtype="float64")
        prior += np.square(drawn).sum(axis=1, dtype="float64")
    along = np.square(along)
    constant, per_rank = constants(aggregate)
    left = np.maximum(total - along.sum(axis=1), 0) if rank < size else 0
    quadratic = (along / aggregate.variances[:rank]).sum(axis=1) + left / aggregate.residuals[rank]
    return 0.5 * (prior - quadratic - constant - per_rank[rank])
