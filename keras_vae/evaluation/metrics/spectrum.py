"""The number of directions that the codes use, and the distance of the codes from the prior in these directions.

Codes are `mean` and `log_var`, `[n, d]` each. Eigenvalues of Cov(mean) and directions are those of
`principal_components`.
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
    "signal_radius",
]

LEAST_CODES = 32  # to split into quarters, which show how the number of directions grows with the codes
SLACK = 1.15  # PC95 may exceed the recommended size by this factor, which then holds 94% instead of 95%
UNSURE = 0.05  # smallest distance of the upper end from PC95, as a share of PC95
TOO_MANY = 0.5  # above this ratio of directions to codes, PC95 depends on the number of codes


class Directions(NamedTuple):
    """How many directions the codes use, corrected for the number of codes.

    Attributes:
        num_codes: The number of codes.
        participation_ratio: The estimate for the population; None if these codes do not determine it.
        pc95: The number of principal components that hold 95% of the means' variance, extrapolated to many codes.
        pc95_low: The number for these codes, which is too low.
        pc95_high: The upper end; None if unknown.
        recommended_size: A power of two, at least 87% of PC95.
        recommended_low, recommended_high: The same for the two ends; the upper one is None if unknown.
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
    """Root mean square distance from the codes' center within the principal directions.

    Attributes:
        dims: Number of directions.
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

    It is limited by the number of codes: for n Gaussian codes, 1 / PR_n = 1 / PR + 1 / (n - 1) in expectation (the
    second moment of a Wishart matrix). 1,000 isotropic codes of 65,536 dimensions have 984. If n is given as
    `num_codes`, 1 / (n - 1) is subtracted, and the result is within a percent of the population's value if that is
    below n. The result is infinite if the difference is not positive, and 0 if all codes are equal.
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

    PC95 grows with n: for a model of 8x8x1024 it is 93, 110, 122 and 132 for 244, 488, 976 and 4,000 codes. Its values
    at n, n / 2 and n / 4 (means over 2 and 4 subsets) are extrapolated in 1 / n by two Richardson steps,

        (8 PC95(n) - 6 PC95(n / 2) + PC95(n / 4)) / 3

    which is still too small if the spectrum has a long tail. The upper end is higher by 5%, or by twice the difference
    from the first step, 2 PC95(n) - PC95(n / 2), if that is larger. If PC95 is above n / 2, there is no upper end,
    because isotropic codes of d > n dimensions have 0.95 n for every d.
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
    """Returns the smallest power of two that is at least `directions / SLACK`, and at least 1."""
    return 1 << int(np.ceil(np.log2(max(directions / SLACK, 1.0))))


def subset_spectra(mean):
    """Returns the eigenvalues of all codes, of two halves and of four quarters, and the number of codes.

    Codes with more dimensions than codes share one Gram matrix. Too few codes are not split.
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
    """Returns the eigenvalues of the covariance of `codes[rows]`, from the inner products `table` if given."""
    if table is None:
        away = codes[rows] - codes[rows].mean(axis=0, dtype="float64")
        count = len(away)
        # Both matrices have the same positive eigenvalues; the smaller one is cheaper.
        matrix = away @ away.T if count < away.shape[1] else away.T @ away
    else:
        matrix = table[rows, rows]
        count = len(matrix)
        matrix = matrix - matrix.mean(axis=0) - matrix.mean(axis=1, keepdims=True) + matrix.mean()
    return np.maximum(np.linalg.eigvalsh(matrix), 0) / max(count - 1, 1)


def pc90(eigenvalues):
    """Returns the number of principal components that hold 90% of the means' variance, at most n - 1 (see `pc95`)."""
    return count_for_share(eigenvalues, 0.9)


def pc95(eigenvalues):
    """Returns the number of principal components that hold 95% of the means' variance.

    If n is not far above it, it depends on n: isotropic codes of d > n dimensions have n - 1 nearly equal eigenvalues
    (Marchenko and Pastur 1967), and PC95 is 0.95 n.
    """
    return count_for_share(eigenvalues, 0.95)


def signal_radius(components, mean, log_var, prior_codes=None):
    """Returns the `SignalRadius` of codes `[n, d]` in the directions that hold 90% of the means' variance.

        prior^2 = k + |W' center|^2,  posterior^2 = E|W' (mean - center)|^2 + sum_i W_i' diag(E var) W_i

    Lengths in all d dimensions hide holes (`measure_norms`). These lengths show them, because the signal is in few
    directions.

    Args:
        components: The `PrincipalComponents` of *other* codes, such as those of training images. Components of fewer
            than d codes follow their noise: with components of the same codes, isotropic codes that fill the prior
                exactly
            would look too wide.
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
    """Returns the `Norms` of one draw from each posterior, `[n, d]`, and of equally many from the prior.

    Lengths cannot show a mismatch, because at any optimum E|z|^2 is d for both (`rate.second_moments`). For N(0, I)
    they are drawn from the chi distribution with d degrees of freedom; for another prior they are the lengths of its
    draws `prior_codes`, `[m, d]`.
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
    """Returns the probability that one of `positive` `[n]` exceeds one of `negative` `[m]`; ties count half.

    This is the area under the ROC curve, computed from ranks (Mann and Whitney 1947).
    """
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([positive, negative]))[: len(positive)]
    return float((ranks.sum() - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative)))
