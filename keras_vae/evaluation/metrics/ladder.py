"""The ladder of image sets by their Frechet distance from real images, with an error for each rung and each comparison.

One split of the held-out images into those that are compared and those that they are compared with is one draw of a
random number: on 180 digits the distance of real images from real images is anything from 0.005 to 0.026. So the
held-out images are cut into halves many times, all rungs are measured against the same halves, and what is reported is
the mean. The same halves give the errors. Kept in memory are distances, not features.
"""

import math
from typing import NamedTuple

import numpy as np

from keras_vae.evaluation.metrics.estimate import Estimate
from keras_vae.evaluation.metrics.frechet import Reference, moments_of, one_thread
from keras_vae.evaluation.metrics.sets import as_sets

SPLITS = 20
WIDE, FEW_SPLITS = (
    256,
    6,
)  # features beyond which a distance takes seconds, and the splits that are affordable then
REAL = "real"
FLOORS = ("reconstruction", "posterior")  # what a perfect sampler would give: the better of the two
LEAST_IMAGES = 8  # a half has 4


class Choice(NamedTuple):
    """The best of several samplers.

    Attributes:
        best: The sampler with the smallest mean distance.
        distance: The distance that whoever chooses like this gets: chosen on one half of the held-out images, measured
            on the other with other draws. On the images of the choice the winner looks better than it is.
        repaired: The share of the gap that the choice closes, measured in the same way; None where there is no gap.
        better: Whether the best beats the prior by more than the error of their difference.
        within_error: The samplers that cannot be told from the best, the best among them.
    """

    best: str
    distance: Estimate
    repaired: Estimate | None
    better: bool
    within_error: tuple


class Ladder:
    """Distances of all rungs over the same splits of the held-out images.

    Attributes:
        tables: By rung, `[splits, 2, draws]`: distances from either half, for each draw; one draw for rungs that are
            made from the held-out images themselves.
        num_images: In a half.
    """

    def __init__(self, tables, num_images):
        self.tables, self.num_images = tables, num_images

    def distance(self, name):
        """Returns the mean distance of a rung, an `Estimate`; of "real" it is the floor."""
        return self.estimate(lambda distances: distances[name])

    def deviation(self, name):
        """Returns by how much the distance of one rung differs between single splits and draws."""
        return float(self.tables[name].std(ddof=1))

    def difference(self, first, second):
        """Returns the distance of `first` less that of `second`, measured on the same splits."""
        return self.estimate(lambda distances: distances[first] - distances[second])

    def ratio(self, first, second):
        """Returns the distance of `first` over that of `second`, measured on the same splits."""
        return self.estimate(lambda distances: distances[first] / distances[second])

    def floor_name(self):
        """Returns the better of reconstructions and decoded posterior draws: what a perfect sampler would give.

        A decoder that was trained under the noise of many dimensions may do worse at the means, without any.
        """
        known = [name for name in FLOORS if name in self.tables]
        return min(known, key=lambda name: self.tables[name].mean())

    def gap(self, name="prior"):
        """Returns by how much a rung is farther off than a perfect sampler would be."""
        return self.difference(name, self.floor_name())

    def gap_ratio(self, name="prior"):
        """Returns the gap in distances of a perfect sampler, None where that is at no distance."""
        if self.tables[self.floor_name()].mean() <= 0:
            return None
        excess = self.ratio(name, self.floor_name())
        return excess._replace(value=excess.value - 1)

    def repaired(self, name, worst="prior"):
        """Returns the share of the gap that a sampler closes, None where the gap is within its error."""
        if not self.gap(worst).beyond():
            return None
        floor = self.floor_name()
        return self.estimate(lambda d: (d[worst] - d[name]) / (d[worst] - d[floor]))

    def estimate(self, function):
        """Returns `function` of the mean distances, with its standard error.

        Two things vary. The held-out images: over random halves of a sample, a statistic has the variance that the same
        statistic of the whole sample has over samples (McCarthy 1969, balanced half-samples). And the draws of each
        sampler, which are independent: their variance, over their number.

        Args:
            function: Of a dict of distances by rung; floats or arrays, so that it must be arithmetic.
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
        """Returns the `Choice` among the samplers `names`, at least one.

        Raises:
            ValueError: There is no sampler to choose, or one has fewer than two draws.
        """
        if not names or min(self.tables[name].shape[2] for name in names) < 2:
            raise ValueError(
                f"samplers are {list(names)}: expected at least one, each with two draws or more"
            )
        best = min(names, key=lambda name: self.tables[name].mean())
        crossed = Ladder(self.tables | {"chosen": self.crossed(names)}, self.num_images)
        near = tuple(name for name in names if name == best or not self.difference(name, best).beyond())
        distance = crossed.distance("chosen")
        # The choice varies, and so do the draws of what is chosen.
        distance = distance._replace(se=max(distance.se, self.distance(best).se))
        share = crossed.repaired("chosen", worst)
        if share is not None:
            share = share._replace(se=max(share.se, self.repaired(best, worst).se))
        return Choice(best, distance, share, self.difference(worst, best).beyond(), near)

    def crossed(self, names):
        """Returns the distances of the sampler that is chosen on one half, from the other half, `[splits, 2, 2]`.

        With the first draws of each sampler for the choice and the others for the distance, and the other way round.
        """
        parts = [[self.tables[name][..., part::2].mean(axis=2) for name in names] for part in (0, 1)]
        seen, new = (np.stack(parts[part]) for part in (0, 1))  # [sampler, split, half]
        rounds = []
        for known, other in ((seen, new), (new, seen)):
            winner = known[:, :, ::-1].argmin(axis=0)  # on the half that the distance is not taken from
            rounds.append(np.take_along_axis(other, winner[None], axis=0)[0])
        return np.stack(rounds, axis=2)


def measure_ladder(real, tied, free, labels=None, splits=None, seed=0):
    """Returns the `Ladder` of sets of images, all as features.

    Every rung is compared at the same number of images, n = N // 2, since the distance falls with it.

    Cost: `splits` * 2 * (2 + rungs and draws) eigenvalues of `[F, F]`: 3 seconds for 6 samplers of 4 draws in 128
    features.

    Args:
        real: `[N, F]`, all held-out images.
        tied: By rung, `[N, F]`: row i is made from held-out image i, as its reconstruction is.
        free: By rung, a list of draws, each `[n, F]` or more, independent of the held-out images.
        labels: `[N]`: halves hold as many of each; or None.
        splits: How often the held-out images are cut in halves; None: what is affordable.
        seed: Of the halves.
    """
    real = np.asarray(real, "float64")
    if len(real) < LEAST_IMAGES:
        raise ValueError(
            f"{len(real)} held-out images: at least {LEAST_IMAGES} are needed to cut them in halves"
        )
    tied = {REAL: real, **{name: as_sets(rows, real, 2)[0] for name, rows in tied.items()}}
    if wrong := [name for name, rows in tied.items() if len(rows) != len(real)]:
        raise ValueError(
            f"{wrong[0]} has {len(tied[wrong[0]])} rows and there are {len(real)} held-out images: expected one each"
        )
    count = len(real) // 2
    draws = {name: [as_sets(rows[:count], real, 2)[0] for rows in sets] for name, sets in free.items()}
    if short := [name for name, sets in draws.items() if not sets or min(map(len, sets)) < count]:
        raise ValueError(
            f"{short[0]} has draws of fewer than {count} images, as many as half of the held-out ones"
        )
    if splits is None:
        splits = SPLITS if real.shape[1] <= WIDE else FEW_SPLITS
    with one_thread():
        return Ladder(fill(tied, draws, labels, splits, np.random.default_rng(seed)), count)


def fill(tied, draws, labels, splits, generator):
    """Returns the tables of a `Ladder`."""
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
    """Returns two random halves of `count` rows, `[count // 2]` each, with as many of each label as can be."""
    order = generator.permutation(count)
    if labels is not None:
        order = order[np.argsort(np.asarray(labels)[order], kind="stable")]
    pairs = order[: count // 2 * 2].reshape(-1, 2)  # neighbours have one label
    pairs = generator.permuted(pairs, axis=1)
    return pairs[:, 0], pairs[:, 1]
