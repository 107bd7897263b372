"""How long images keep their class on the way from their codes to the prior."""

import numpy as np


def survival(classes, start):
    """Returns the share of paths on which the class has not changed so far, `[points]`, and its standard error.

    A path that returns to its class stays dead, so the share never rises (Kaplan and Meier 1958, without censoring).

    Args:
        classes: The class at each point of each path, `[n, points]`.
        start: The class that it started from, `[n]`.
    """
    alive = np.logical_and.accumulate(classes == start[:, None], axis=1)
    share = alive.mean(axis=0)
    return share, np.sqrt(share * (1 - share) / len(alive))


def median_angle(angles, share):
    """Returns the angle at which half the paths have died, by linear interpolation; None if more survive.

    Args:
        angles: `[points]`, rising.
        share: Alive at each, `[points]`, falling.
    """
    below = np.flatnonzero(share < 0.5)
    if not len(below):
        return None
    after = below[0]
    if after == 0:
        return float(angles[0])
    fraction = (share[after - 1] - 0.5) / (share[after - 1] - share[after])
    return float(angles[after - 1] + fraction * (angles[after] - angles[after - 1]))
