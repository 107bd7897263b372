"""Paths between codes, and how evenly images change along them.

Codes are `[n, d]`; the paths of n pairs are `[n, points, d]`, in the dtype of the codes. At 65,536 dimensions, eleven
points for 100 pairs need 0.3 GB: pass few pairs at a time.
"""

import numpy as np

PARALLEL = 1e-6  # sine of the smallest angle at which an arc has a direction


def linear(start, end, fractions):
    """Returns (1 - t) start + t end for codes `[n, d]` and fractions t `[points]`: `[n, points, d]`.

    It suits posterior means, which have different lengths. The midpoint of two draws from N(0, I) is shorter than the
    draws by a factor of sqrt(2): at 65,536 dimensions, it is 106 standard deviations away from the shell of such draws.
    """
    fractions = np.asarray(fractions, "float64")
    return weigh(start, end, 1 - fractions, fractions)


def slerp(start, end, fractions):
    """Returns the points on the arc from `start` to `end`, `[n, d]`: `[n, points, d]` (White 2016).

        (sin((1 - t) w) start + sin(t w) end) / sin(w),  w the angle between them

    It suits draws, which have about equal lengths. Codes in the same or in opposite directions, and codes at the
    origin, do not define an arc; they get the straight line.
    """
    fractions = np.asarray(fractions, "float64")
    lengths = np.linalg.norm(start, axis=1).astype("float64") * np.linalg.norm(end, axis=1)
    products = np.einsum("nd,nd->n", start, end, dtype="float64")
    cosine = np.divide(products, lengths, out=np.ones(len(start)), where=lengths > 0)
    angle = np.arccos(np.clip(cosine, -1, 1))[:, None]
    sine = np.where(np.sin(angle) > PARALLEL, np.sin(angle), np.inf)
    straight = np.isinf(sine)
    first = np.where(straight, 1 - fractions, np.sin((1 - fractions) * angle) / sine)
    second = np.where(straight, fractions, np.sin(fractions * angle) / sine)
    return weigh(start, end, first, second)


def variance_preserving(start, end, fractions):
    """Returns ((1 - t) start + t end) / sqrt((1 - t)^2 + t^2) for codes `[n, d]`: `[n, points, d]`.

    Points between independent draws from N(0, I) are again distributed as N(0, I). (Agustsson et al. 2019 match the
    distribution in another way.)
    """
    fractions = np.asarray(fractions, "float64")
    length = np.hypot(1 - fractions, fractions)
    return weigh(start, end, (1 - fractions) / length, fractions / length)


def posterior_to_prior(posterior, prior, degrees):
    """Returns cos(a) posterior + sin(a) prior for draws `[n, d]` and angles a `[points]`: `[n, points, d]`.

    0 degrees is the posterior draw, 90 degrees the prior draw. If the aggregated posterior is N(0, I), every point has
    this distribution. The angle at which images deteriorate shows whether codes form islands or a continuum.
    """
    radians = np.radians(np.asarray(degrees, "float64"))
    return weigh(posterior, prior, np.cos(radians), np.sin(radians))


def weigh(start, end, first, second):
    """Returns first * start + second * end, `[n, points, d]`, from weights `[points]` or `[n, points]`."""
    dtype = np.result_type(start, end)
    first, second = (np.atleast_2d(weight).astype(dtype)[:, :, None] for weight in (first, second))
    return first * start[:, None] + second * end[:, None]


def jump(features):
    """Returns the largest step over the mean step along each path, `[n]`, from features `[n, points, F]`.

    It is 1 if the steps are equal or nothing changes, and points - 1 if all change happens in one step; above 3 the
    image jumps. It depends on the number of points: compare only paths with equally many points.
    """
    steps = step_lengths(features)
    mean = steps.mean(axis=1)
    return np.divide(steps.max(axis=1), mean, out=np.ones(len(steps)), where=mean > 0)


def detour(features):
    """Returns the length of each path over that of its chord, `[n]`, from features `[n, points, F]`.

    It is 1 for a straight path and for one that does not move, and infinite for one that returns to its start.
    """
    features = np.asarray(features, "float64")
    length = step_lengths(features).sum(axis=1)
    chord = np.linalg.norm(features[:, -1] - features[:, 0], axis=1)
    still = np.where(length > 0, np.inf, 1.0)
    return np.divide(length, chord, out=still, where=chord > 0)


def step_lengths(features):
    """Returns the lengths of the steps along paths `[n, points, F]`: `[n, points - 1]`."""
    return np.linalg.norm(np.diff(np.asarray(features, "float64"), axis=1), axis=2)
