"""The difference between the ELBOs of training and held-out images, with its error."""

import math
from typing import NamedTuple

import numpy as np

from keras_vae.evaluation.metrics.estimate import Estimate

LEAST_RATE = 1e-9  # nats; smallest divisor for the fraction


class ElboGap(NamedTuple):
    """The generalisation gap of the ELBO.

    Attributes:
        gap: Mean ELBO of training images minus that of test images, in nats per image.
        fraction: The gap as a share of the test images' rate.
    """

    gap: Estimate
    fraction: Estimate


def elbo_gap(train, test, rate):
    """Returns the `ElboGap` from the ELBOs and rates of each image, in nats.

        gap = mean(train) - mean(test),  se^2 = var(train) / n + var(test) / m

    The two sets are independent, so a gap beyond three standard errors is a false alarm in 0.13% of cases; with the
    error of the test ELBO alone, it would be 1.7% at n = m. The fraction divides by a mean over the same test images;
    by the delta method, its error is that of mean(train) - mean(test + fraction * rate), divided by the mean rate.

    Args:
        train: ELBOs of training images, `[n]`, n at least 2.
        test: ELBOs of held-out images, `[m]`, m at least 2.
        rate: Rates of the same held-out images, `[m]`.
    """
    train, test, rate = (np.asarray(values, "float64") for values in (train, test, rate))
    if train.ndim != 1 or test.ndim != 1 or rate.shape != test.shape or min(len(train), len(test)) < 2:
        raise ValueError(
            f"train is {train.shape}, test {test.shape} and rate {rate.shape}: expected [n], [m] and [m],"
            " with n and m at least 2 (one number per image)"
        )
    cost = max(float(rate.mean()), LEAST_RATE)
    gap = float(train.mean() - test.mean())
    share = gap / cost
    error = difference_error(train, test + share * rate) / cost
    return ElboGap(Estimate(gap, difference_error(train, test)), Estimate(share, error))


def difference_error(first, second):
    """Returns the standard error of the difference between the means of two independent samples, `[n]` and `[m]`."""
    return math.sqrt(first.var(ddof=1) / len(first) + second.var(ddof=1) / len(second))
