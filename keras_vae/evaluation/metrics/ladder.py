"""The ladder of image sets by their Frechet distance from real images, with an error for each rung and each comparison.

A single split of the held-out images into compared images and reference gives a random result: on 180 digits the
distance between real images ranges from 0.005 to 0.026. So the held-out images are split into halves many times, all
rungs are measured on the same halves, and the mean is reported. The same halves give the errors. Only distances are
kept in memory, not features.
"""

import math
from typing import NamedTuple

import numpy as np

from keras_vae.evaluation.metrics.estimate import Estimate
from keras_vae.evaluation.metrics.frechet import Reference, moments_of
from keras_vae.evaluation.metrics.sets import as_sets
from keras_vae.runtime.threads import one_thread

SPLITS = 20
WIDE, FEW_SPLITS = 256, 6  # above 256 features a distance takes seconds, and there are only 6 splits
REAL = "real"
FLOORS = ("reconstruction", "posterior")  # the better of the two is the result of a perfect sampler
LEAST_IMAGES = 8  # a half has 4


class BestByDistance(NamedTuple):
    """The best of several samplers.

    Attributes:
        best: The sampler with the smallest mean distance.
        distance: The distance if the sampler is chosen on one half of the held-out images, measured on the other half
            with other draws. On the images of the choice, the winner would look better than it is.
        repaired: The share of the gap that this choice closes, measured in the same way; None without a gap.
        better: Whether the best beats the prior by more than the error of their difference.
        within_error: The samplers within the error of the best, including the best.
    """

    best: str
    distance: Estimate
    repaired: Estimate | None
    better: bool
    within_error: tuple


class LadderDistances:
    """Distances of all rungs over the same splits of the held-out images.

    Attributes:
        tables: By rung, `[splits, 2, draws]`: distances from each half, for each draw; a single draw for rungs made
            from the held-out images.
        num_images: Number of images in a half.
    """

    def __init__(self, tables, num_images):
        self.tables, self.num_images = tables, num_images

    def distance(self, name):
        """Returns the mean distance of a rung, an `Estimate`; for "real" this is the floor."""
        return self.estimate(lambda distances: distances[name])

    def deviation(self, name):
        """Returns the standard deviation of a rung's distance over single splits and draws."""
        return float(self.tables[name].std(ddof=1))

    def difference(self, first, second):
        """Returns the distance of `first` minus that of `second`, measured on the same splits."""
        return self.estimate(lambda distances: distances[first] - distances[second])

    def ratio(self, first, second):
        """Returns the distance of `first` divided by that of `second`, measured on the same splits."""
        return self.estimate(lambda distances: distances[first] / distances[second])

    def floor_name(self):
        """Returns the better of reconstructions and decoded posterior draws, the result of a perfect sampler.

        A decoder trained with noise in many dimensions may be worse at the posterior means.
        """
        known = [name for name in FLOORS if name in self.tables]
        return min(known, key=lambda name: self.tables[name].mean())

    def gap(self, name="prior"):
        """Returns the distance of a rung minus that of a perfect sampler."""
        return self.difference(name, self.floor_name())

    def gap_ratio(self, name="prior"):
        """Returns the gap divided by the distance of a perfect sampler, None if that is 0."""
        if self.tables[self.floor_name()].mean() <= 0:
            return None
        excess = self.ratio(name, self.floor_name())
        return excess._replace(value=excess.value - 1)

    def repaired(self, name, worst="prior"):
        """Returns the share of the gap that a sampler closes, None if the gap is within its error."""
        if not self.gap(worst).beyond():
            return None
        floor = self.floor_name()
        return self.estimate(lambda d: (d[worst] - d[name]) / (d[worst] - d[floor]))

    def estimate(self, function):
        """Returns `function` of the mean distances, with its standard error.

        The variance has two parts. For the held-out images, the variance of a statistic over random halves of a sample
        equals the variance of the statistic of the whole sample over samples (McCarthy 1969, balanced half-samples).
        For the independent draws of each sampler, it is the variance over draws divided by their number.

        Args:
            function: Takes a dict of distances by rung, floats or arrays, and uses only arithmetic.
        """
        mean = {name: float(table.mean()) for name, table in self.tables.items()}
        value = float(function(mean))
        halves = function({name: table.mean(axis=2).ravel() for name, table in self.tables.items()})
        variance = float(np.var(halves, ddof=1)) if np.ndim(halves) else 0.0
        for name, table in self.tables.items():
            if (draws := table.shape[2]) > 1:
                varied = function(mean | {name: table.mean(axis=(0, 1))})
                if np.ndim(varied):
                    variance += np.var(varied, ddof=1) / draws
        return Estimate(value, math.sqrt(variance))

    def choose(self, names, worst="prior"):
        """Returns the `BestByDistance` among the samplers `names`, at least one.

        Raises:
            ValueError: `names` is empty, or a sampler has fewer than two draws.
        """
        if not names or min(self.tables[name].shape[2] for name in names) < 2:
            raise ValueError(
                f"samplers are {list(names)}: expected at least one, each with at least two draws"
            )
        best = min(names, key=lambda name: self.tables[name].mean())
        crossed = LadderDistances(self.tables | {"chosen": self.crossed(names)}, self.num_images)
        near = tuple(name for name in names if name == best or not self.difference(name, best).beyond())
        distance = crossed.distance("chosen")
        # Both the choice and the draws of the chosen sampler vary.
        distance = distance._replace(se=max(distance.se, self.distance(best).se))
        share = crossed.repaired("chosen", worst)
        if share is not None:
            share = share._replace(se=max(share.se, self.repaired(best, worst).se))
        return BestByDistance(best, distance, share, self.difference(worst, best).beyond(), near)

    def crossed(self, names):
        """Returns the distances, on one half, of the sampler that is best on the other half, `[splits, 2, 2]`.

        Every second draw of a sampler is used for the choice and the others for the distance, and vice versa.
        """
        parts = [[self.tables[name][..., part::2].mean(axis=2) for name in names] for part in (0, 1)]
        seen, new = (np.stack(parts[part]) for part in (0, 1))  # [sampler, split, half]
        rounds = []
        for known, other in ((seen, new), (new, seen)):
            winner = known[:, :, ::-1].argmin(axis=0)  # on the half that is not used for the distance
            rounds.append(np.take_along_axis(other, winner[None], axis=0)[0])
        return np.stack(rounds, axis=2)


def measure_ladder(real, tied, free, labels=None, splits=None, seed=0):
    """Returns the `LadderDistances` of sets of images, all as features.

    Every rung has the same number of images, n = N // 2, because the distance falls with n.

    Cost: `splits` * 2 * (2 + rungs and draws) eigenvalue problems of size F: 3 seconds for 6 samplers of 4 draws in 128
    features.

    Args:
        real: `[N, F]`, all held-out images.
        tied: By rung, `[N, F]`: row i is made from held-out image i, for example its reconstruction.
        free: By rung, a list of draws, each `[n, F]` or more, independent of the held-out images.
        labels: `[N]` or None: both halves have equally many images of each label.
        splits: How often the held-out images are split into halves; None: fewer for many features.
        seed: Seed for the halves.
    """
    real = np.asarray(real, "float64")
    if len(real) < LEAST_IMAGES:
        raise ValueError(
            f"got {len(real)} held-out images: at least {LEAST_IMAGES} are needed to split them into halves"
        )
    tied = {REAL: real, **{name: as_sets(rows, real, 2)[0] for name, rows in tied.items()}}
    if wrong := [name for name, rows in tied.items() if len(rows) != len(real)]:
        raise ValueError(
            f"{wrong[0]} has {len(tied[wrong[0]])} rows for {len(real)} held-out images: expected one row per image"
        )
    count = len(real) // 2
    draws = {name: [as_sets(rows[:count], real, 2)[0] for rows in sets] for name, sets in free.items()}
    if short := [name for name, sets in draws.items() if not sets or min(map(len, sets)) < count]:
        raise ValueError(
            f"{short[0]} has draws of fewer than {count} images: expected half the number of held-out images"
        )
    if splits is None:
        splits = SPLITS if real.shape[1] <= WIDE else FEW_SPLITS
    with one_thread():
        return LadderDistances(fill(tied, draws, labels, splits, np.random.default_rng(seed)), count)


def fill(tied, draws, labels, splits, generator):
    """Returns the tables of a `LadderDistances`."""
    moments = {name: [moments_of(rows) for rows in sets] for name, sets in draws.items()}
    sizes = dict.fromkeys(tied, 1) | {name: len(sets) for name, sets in draws.items()}
    tables = {name: np.empty((splits, 2, size)) for name, size in sizes.items()}
    for split in range(splits):
        halves = cut(len(tied[REAL]), labels, generator)
        for half in (0, 1):
            reference = Reference(*moments_of(tied[REAL][halves[half]]))
            for name, rows in tied.items():
                tables[name][split, half] = reference.distance(*moments_of(rows[halves[1 - half]]))
            for name, sets in moments.items():
                tables[name][split, half] = [reference.distance(*one) for one in sets]
    return tables


def cut(count, labels, generator):
    """Returns two random halves of `count` rows, `[count // 2]` each, with labels divided as equally as possible."""
    order = generator.permutation(count)
    if labels is not None:
        order = order[np.argsort(np.asarray(labels)[order], kind="stable")]
    pairs = order[: count // 2 * 2].reshape(-1, 2)  # pairs of equal label
    pairs = generator.permuted(pairs, axis=1)
    return pairs[:, 0], pairs[:, 1]
