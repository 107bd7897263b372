"""Means with errors, correlations of ranks, and factors between sizes."""

import math
import statistics

import numpy as np
from scipy import stats

DRAWS = 2000  # of the bootstrap


def mean_and_error(values):
    """Returns the mean of `values` over seeds and its standard error, None of one; (None, None) of none."""
    values = [value for value in values if value is not None]
    if not values:
        return None, None
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None
    return statistics.fmean(values), error


def show(values, digits=3):
    """Returns `mean ± standard error` of values, as a table's cell."""
    mean, error = mean_and_error(values if isinstance(values, list | tuple) else [values])
    if mean is None:
        return "-"
    return written(mean, digits) if error is None else f"{written(mean, digits)} ± {written(error, 2)}"


def written(value, digits=3):
    """Returns a number with so many digits that count; thousands with commas."""
    if value is None:
        return "-"
    if value and abs(value) >= 10**digits:
        return f"{value:,.0f}"
    if value and abs(value) < 1e-4:
        return f"{value:.1e}"
    return f"{value:.{digits}g}"


def rank_correlation(values, others, seed=0):
    """Returns Spearman's correlation of two lists, and its bootstrapped standard error; (None, None) of few."""
    pairs = np.array([pair for pair in zip(values, others, strict=True) if None not in pair], "float64")
    if len(pairs) < 4 or min(np.ptp(pairs, axis=0)) == 0:
        return None, None
    generator = np.random.default_rng(seed)
    drawn = [pairs[generator.integers(len(pairs), size=len(pairs))] for _ in range(DRAWS)]
    repeats = [correlation(*draw.T) for draw in drawn if min(np.ptp(draw, axis=0)) > 0]
    return correlation(*pairs.T), float(np.std(repeats))


def correlation(values, others):
    """Returns the correlation of the ranks of two arrays."""
    return float(np.corrcoef(stats.rankdata(values), stats.rankdata(others))[0, 1])


def partial_correlation(values, others, given):
    """Returns Spearman's correlation of two lists with that of a third taken out of both, or None.

    (r_xy - r_xz r_yz) / sqrt((1 - r_xz^2) (1 - r_yz^2))
    """
    rows = np.array([row for row in zip(values, others, given, strict=True) if None not in row], "float64").T
    if rows.size < 15 or min(np.ptp(rows, axis=1)) == 0:
        return None
    together, first, second = (correlation(rows[i], rows[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    left = (1 - first**2) * (1 - second**2)
    return float((together - first * second) / math.sqrt(left)) if left > 1e-12 else None


def factor(size, other):
    """Returns by which factor two sizes differ, 1 at least."""
    return max(size / other, other / size)


def power_of_two(value):
    """Returns `value` rounded up to a power of two, 1 at least."""
    return 1 << max(math.ceil(value) - 1, 0).bit_length()
