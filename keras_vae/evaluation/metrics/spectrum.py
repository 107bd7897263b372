"""The number of directions that the codes use, and their distance from the prior there.

Codes are `mean` and `log_var`, `[n, d]` each. The eigenvalues of Cov(mean) and the directions come from
`principal_components`, once; the rest here is arithmetic on them.
"""

from typing import NamedTuple

import numpy as np

from keras_vae.runtime.threads import one_thread
from keras_vae.samplers.principal import (
    column_blocks,
    count_for_share,
    evenly_spaced,
    gram,
    principal_components,
    project,
)

__all__ = [
    "Directions",
    "area_under_curve",
    "count_directions",
    "measure_norms",
    "participation_ratio",
    "pc90",
    "pc95",
    "principal_components",
    "recommended_size",
    "signal_radius",
]

LEAST_CODES = 32  # whose quarters show how the number of directions grows with the codes
SLACK = 1.15  # a size below PC95 by less than this share holds 94% instead of 95%
UNSURE = 0.05  # of PC95: the smallest distance of its upper end
TOO_MANY = 0.5  # directions for each code, above which PC95 is a property of the number of codes


class Directions(NamedTuple):
    """How many directions the codes use, corrected for the number of codes.

    Attributes:
        num_codes: The number of codes.
        participation_ratio: The estimate for the population; None if these codes do not determine it.
        pc95: How many principal components hold 95% of the means' variance: extrapolated to many codes.
        pc95_low: The number in these codes, which is too low.
        pc95_high: The upper end; None if it is not known.
        recommended_size: A power of two: PC95, or up to 13% less.
        recommended_low, recommended_high: The same for the two ends; the upper one is None if it is not known.
    """

    num_codes: int
    participation_ratio: float | None
    pc95: float
    pc95_low: int
    pc95_high: float | None
    recommended_size: int
    recommended_low: int
    recommended_high: int | None


class Norms(NamedTuple):
    """Lengths of codes.

    Attributes:
        prior: Of draws from N(0, I), `[n]`.
        posterior: Of draws from the posteriors, one each, `[n]`.
        auc: The probability that one of `posterior` is longer than one of `prior`; 0.5 if length does not separate
            them.
    """

    prior: np.ndarray
    posterior: np.ndarray
    auc: float


class SignalRadius(NamedTuple):
    """Root mean squared distance from the codes' center within the principal directions.

    Attributes:
        dims: How many directions.
        prior: Of draws from N(0, I).
        posterior: Of draws from the posteriors.
        ratio: prior / posterior: 1 in a healthy model, 0.3 if prior draws carry a third of a code's signal.
    """

    dims: int
    prior: float
    posterior: float
    ratio: float


def participation_ratio(eigenvalues, num_codes=None):
    """Returns (sum l)^2 / sum l^2 of the eigenvalues `[k]` of Cov(mean): d if all are equal, 1 for a single one.

    The number of codes limits it: from n Gaussian codes, 1 / PR_n = 1 / PR + 1 / (n - 1) in expectation (the
    second moment of a Wishart matrix). Isotropic codes of 65,536 dimensions show 984 when there are 1,000. Given n as
    `num_codes`, it subtracts 1 / (n - 1), and is within a percent of the population's value if that is below n. It is
    infinite if nothing is left, and 0 if all codes are equal.
    """
    eigenvalues = np.asarray(eigenvalues, "float64")
    total = eigenvalues.sum()
    if not total > 0:
        return 0.0
    inverse = float(np.square(eigenvalues).sum() / total**2)
    if num_codes is not None:
        inverse -= 1 / max(num_codes - 1, 1)
    return 1 / inverse if inverse > 0 else np.inf


def count_directions(mean):
    """Returns the `Directions` of codes `[n, d]`.

    PC95 grows with n: for a model of 8x8x1024 it is 93, 110, 122 and 132 in 244, 488, 976 and 4,000 codes. Its value at
    n, at n / 2 and at n / 4 (means over 2 and 4 subsets) is extrapolated in 1 / n, twice (Richardson),

        (8 PC95(n) - 6 PC95(n / 2) + PC95(n / 4)) / 3

    which is still too small if the spectrum has a long tail. The upper end is higher by the larger of 5% and twice the
    difference from the first step, 2 PC95(n) - PC95(n / 2). If PC95 is above n / 2, there is no upper end: isotropic
    codes of d > n
    dimensions show 0.95 n for every d.
    """
    spectra, count = subset_spectra(mean)
    found = [float(np.mean([pc95(one) for one in level])) for level in spectra]
    ratio = participation_ratio(spectra[0][0], count)
    low = int(found[0])
    best = high = float(low)
    if len(found) == 3:
        once = 2 * found[0] - found[1]
        twice = (8 * found[0] - 6 * found[1] + found[2]) / 3
        best = float(np.clip(twice, low, mean.shape[1]))
        high = float(np.clip(best + max(2 * abs(twice - once), UNSURE * best), best, mean.shape[1]))
    if low > TOO_MANY * count and low < 0.9 * mean.shape[1]:
        high = None
    sizes = [None if value is None else power_of_two(value) for value in (best, low, high)]
    return Directions(count, ratio if np.isfinite(ratio) else None, best, low, high, *sizes)


def power_of_two(directions):
    """Returns the smallest power of two that holds so many directions up to `SLACK`, at least 1."""
    return 1 << int(np.ceil(np.log2(max(directions / SLACK, 1.0))))


def subset_spectra(mean):
    """Returns the eigenvalues of all codes, of two halves and of four quarters, and how many codes there are.

    If there are more dimensions than codes, they come from one Gram matrix. Few codes have no subsets.
    """
    some = evenly_spaced(mean)
    count = len(some)
    levels = (1, 2, 4) if count >= LEAST_CODES else (1,)
    table = None
    if some.shape[1] > count:
        table = gram(some, some.mean(axis=0, dtype="float64")) * count
    with one_thread():
        return [[eigenvalues_of(some, table, slice(i, None, k)) for i in range(k)] for k in levels], count


def eigenvalues_of(codes, table, rows):
    """Returns the eigenvalues of the covariance of `codes[rows]`, from the inner products `table` if it is given."""
    if table is None:
        away = codes[rows] - codes[rows].mean(axis=0, dtype="float64")
        count = len(away)
        # Both have the same eigenvalues above 0, and the smaller one is the cheaper.
        matrix = away @ away.T if count < away.shape[1] else away.T @ away
    else:
        matrix = table[rows, rows]
        count = len(matrix)
        matrix = matrix - matrix.mean(axis=0) - matrix.mean(axis=1, keepdims=True) + matrix.mean()
    return np.maximum(np.linalg.eigvalsh(matrix), 0) / max(count - 1, 1)


def pc90(eigenvalues):
    """Returns how many principal components hold 90% of the means' variance, at most n - 1 (see `pc95`)."""
    return count_for_share(eigenvalues, 0.9)


def pc95(eigenvalues):
    """Returns how many principal components hold 95% of the means' variance.

    If n is not far above it, it is a property of n: the noise of isotropic codes of d > n dimensions falls
    on n - 1 nearly equal eigenvalues (Marchenko and Pastur 1967), and PC95 is 0.95 n.
    """
    return count_for_share(eigenvalues, 0.95)


def recommended_size(eigenvalues):
    """Returns a latent size that holds what the codes hold: PC95, rounded up to a power of two, 1 at least.

    If it is at or above the current size, the latent is not too large.
    """
    return 1 << max(pc95(eigenvalues) - 1, 0).bit_length()


def signal_radius(components, mean, log_var, prior_codes=None):
    """Returns the `SignalRadius` of codes `[n, d]` in the directions that hold 90% of the means' variance.

        prior^2 = k + |W' center|^2,  posterior^2 = E|W' (mean - center)|^2 + sum_i W_i' diag(E var) W_i

    Lengths in all d dimensions hide holes (`measure_norms`); these lengths show them, since the signal is in few
    directions.

    Args:
        components: The `PrincipalComponents` of *other* codes, say of training images. Components of the same codes, if
            fewer than d, follow their noise: isotropic codes that fill the prior exactly then look too wide.
        mean, log_var: Codes of held-out images.
        prior_codes: Draws of the prior, `[m, d]`, if it is not N(0, I).
    """
    dims = min(pc90(components.eigenvalues), components.directions.shape[1])
    directions = components.directions[:, :dims]
    coordinates = project(mean, components.center, directions)
    noise = 0.0
    for block in column_blocks(*log_var.shape):
        noise += (
            np.exp(log_var[:, block], dtype="float64").mean(axis=0) @ np.square(directions[block])
        ).sum()
    if prior_codes is None:
        prior = np.sqrt(dims + np.square(components.center @ directions).sum())
    else:
        away = project(prior_codes, components.center, directions)
        prior = np.sqrt(np.square(away).sum(axis=1).mean())
    posterior = np.sqrt(np.square(coordinates).sum(axis=1).mean() + noise)
    return SignalRadius(
        dims, float(prior), float(posterior), float(prior / posterior) if posterior > 0 else np.nan
    )


def measure_norms(mean, log_var, seed, prior_codes=None):
    """Returns the `Norms` of one draw from each posterior, `[n, d]`, and of as many from the prior.

    Lengths cannot show a mismatch: at any optimum E|z|^2 is d for both (`rate.second_moments`). For N(0, I) the lengths
    are drawn from the chi distribution with d degrees of freedom; for another prior they are those of its draws
    `prior_codes`, `[m, d]`.
    """
    generator = np.random.default_rng(seed)
    num_codes, size = mean.shape
    prior = np.sqrt(generator.chisquare(size, num_codes))
    if prior_codes is not None:
        prior = np.linalg.norm(prior_codes, axis=1).astype("float64")
    squares = np.zeros(num_codes)
    for block in column_blocks(num_codes, size):
        noise = generator.standard_normal(mean[:, block].shape)
        squares += np.square(mean[:, block] + np.exp(0.5 * log_var[:, block], dtype="float64") * noise).sum(
            axis=1
        )
    posterior = np.sqrt(squares)
    return Norms(prior, posterior, area_under_curve(posterior, prior))


def area_under_curve(positive, negative):
    """Returns the probability that one of `positive` `[n]` exceeds one of `negative` `[m]`, ties counted half.

    The area under the ROC curve, by ranks (Mann and Whitney 1947).
    """
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([positive, negative]))[: len(positive)]
    return float((ranks.sum() - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative)))
