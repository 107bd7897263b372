"""A number with its standard error, and tests of whether a difference is more than noise."""

import math
from typing import NamedTuple

import numpy as np

CONFIDENT = 1.96  # standard errors on each side of a 95% interval
SURE = 2.0  # standard errors beyond which a difference counts


class Estimate(NamedTuple):
    """A measured number.

    Attributes:
        value: The number.
        se: Its standard error.
    """

    value: float
    se: float

    @property
    def low(self):
        """The lower end of the 95% interval."""
        return self.value - CONFIDENT * self.se

    @property
    def high(self):
        """The upper end of the 95% interval."""
        return self.value + CONFIDENT * self.se

    def beyond(self, threshold=0.0, sure=SURE):
        """Returns whether the number is above `threshold` by more than `sure` of its standard errors.

        A number whose error is NaN is never beyond a threshold.
        """
        return bool(self.value - threshold > sure * self.se)


def beyond_error(first, second, sure=SURE):
    """Returns whether `first` exceeds `second` by more than `sure` errors of their difference.

    The two `Estimate`s must be independent. For numbers measured on the same images, subtract image by image and use
    the error of the difference.
    """
    return Estimate(first.value - second.value, math.hypot(first.se, second.se)).beyond(0.0, sure)


def mean_of(values):
    """Returns the mean of independent `values`, `[n]`, as an `Estimate`; its error is NaN for n = 1."""
    values = np.asarray(values, np.float64)
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return Estimate(float(values.mean()), float(error))


def ratio_of_means(above, below):
    """Returns the mean of `above` over that of `below`, `[n]` each, paired, as an `Estimate`; None if `below` is 0.

    The error is that of the linear approximation (delta method).
    """
    above, below = np.asarray(above, np.float64), np.asarray(below, np.float64)
    if len(above) < 2 or below.mean() == 0:
        return None
    ratio = above.mean() / below.mean()
    residuals = (above - ratio * below) / below.mean()
    return Estimate(float(ratio), float(residuals.std(ddof=1) / math.sqrt(len(residuals))))
