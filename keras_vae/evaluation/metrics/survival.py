"""How long images keep their class on paths from their codes to the prior."""

import numpy as np


def survival(classes, start):
    """Returns the share of paths on which the class has not changed so far, `[points]`, and its standard error.

    A path that returns to its class still counts as changed, so the share never rises (Kaplan and Meier 1958, without
    censoring).

    Args:
        classes: The class at each point of each path, `[n, points]`.
        start: The class at the start of each path, `[n]`.
    """
    alive = np.logical_and.accumulate(classes == start[:, None], axis=1)
    share = alive.mean(axis=0)
    return share, np.sqrt(share * (1 - share) / len(alive))


def median_angle(angles, share):
    """Returns the angle at which half the paths have changed their class, interpolated; None if more than half keep it.

    Args:
        angles: `[points]`, rising.
        share: The share of surviving paths at each angle, `[points]`, falling.
    """
    below = np.flatnonzero(share < 0.5)
    if not len(below):
        return None
    after = below[0]
    if after == 0:
        return float(angles[0])
    fraction = (share[after - 1] - 0.5) / (share[after - 1] - share[after])
    return float(angles[after - 1] + fraction * (angles[after] - angles[after - 1]))
