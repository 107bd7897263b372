"""A number with its standard error, and tests of whether a difference is more than noise."""

import math
from typing import NamedTuple

CONFIDENT = 1.96  # standard errors to each side of a 95% interval
SURE = 2.0  # standard errors beyond which a difference may decide something


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

        A number without a usable error (NaN) is never beyond a threshold, so it decides nothing.
        """
        return bool(self.value - threshold > sure * self.se)


def beyond_error(first, second, sure=SURE):
    """Returns whether `first` exceeds `second` by more than `sure` errors of their difference.

    The two `Estimate`s must be independent. For numbers measured on the same images, subtract image by image and use
    the error of the difference.
    """
    return Estimate(first.value - second.value, math.hypot(first.se, second.se)).beyond(0.0, sure)
