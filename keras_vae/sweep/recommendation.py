"""Recommends the smallest latent whose generation is within one standard error of the best."""

import math
import statistics
from dataclasses import asdict, dataclass

from keras_vae.report.page import measured

SURE = 4  # seeds; a standard error from fewer seeds is uncertain


@dataclass(frozen=True)
class Candidate:
    """A setting with the results of its seeds.

    Attributes:
        words: The setting, such as `latent 8, objective vae`, without the seed and what all candidates share.
        size: Numbers in a code.
        distances: The Fréchet distance of the best sampler, one per seed.
        errors: The evaluation's own standard error of each distance, or None.
        priors: The Fréchet distances of samples from the prior, as far as they were measured.
        runs: The names of its runs.
        faults: The verdicts in words of runs that are not healthy.
        aucs: The AUC of a classifier between the best sampler's samples and decoded codes, one per seed if measured.
        blind: Whether the features of the distances cannot tell fog from real images here.
    """

    words: str
    size: int
    distances: tuple[float, ...]
    errors: tuple[float | None, ...]
    priors: tuple[float, ...] = ()
    runs: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    aucs: tuple[float, ...] = ()
    blind: bool = False

    @property
    def distance(self):
        """The mean over seeds."""
        return statistics.fmean(self.distances)

    @property
    def error(self):
        """The standard error over seeds; for a single seed that of its evaluation, or None."""
        if len(self.distances) == 1:
            return self.errors[0]
        return statistics.stdev(self.distances) / math.sqrt(len(self.distances))

    def __str__(self):
        return f"{self.words} ({measured(self.distance, self.error)})"


@dataclass(frozen=True)
class Recommendation:
    """The recommended setting, the reason and the numbers behind it; without one, all but `reason` are None."""

    words: str | None
    reason: str
    size: int | None = None
    distance: float | None = None
    error: float | None = None
    seeds: int | None = None
    best: str | None = None
    best_distance: float | None = None
    best_error: float | None = None
    threshold: float | None = None
    runs: tuple[str, ...] = ()

    def to_json(self):
        """Returns the recommendation as plain JSON values."""
        return asdict(self)


def recommend(candidates):
    """Returns the `Recommendation` among candidates that were measured in the same way.

    This is the one-standard-error rule of Breiman et al. 1984, section 3.4.3: among candidates whose mean distance is
    at most the lowest one plus its standard error, the smallest latent, and among these the lowest distance.
    """
    if not candidates:
        return Recommendation(None, "No run has been evaluated yet, so nothing can be recommended.")
    best = min(candidates, key=lambda candidate: (candidate.distance, candidate.size))
    threshold = best.distance + (best.error or 0.0)
    close = [candidate for candidate in candidates if candidate.distance <= threshold]
    chosen = min(close, key=lambda candidate: (candidate.size, candidate.distance))
    return Recommendation(
        chosen.words,
        " ".join(sentences(candidates, best, threshold, close, chosen)),
        chosen.size,
        chosen.distance,
        chosen.error,
        len(chosen.distances),
        best.words,
        best.distance,
        best.error,
        threshold,
        chosen.runs,
    )


def sentences(candidates, best, threshold, close, chosen):
    """Yields why `chosen` is recommended, and how reliable that is."""
    alone = "It is the only setting that was tried" if len(candidates) == 1 else "It generates best"
    if chosen is best:
        as_good = f" (within one standard error: up to {threshold:.3g})" if best.error else ""
        yield (
            f"{alone}: its best sampler's Fréchet distance from real images is"
            f" {measured(best.distance, best.error)}{as_good}."
        )
    else:
        yield (
            f"By the Fréchet distance of the best sampler, {best} generates best;"
            f" {chosen} is within one standard error of it (up to {threshold:.3g})."
        )
    if chosen.faults:
        yield f"It has problems: {' and '.join(dict.fromkeys(chosen.faults))}."
    if chosen.priors and (prior := statistics.fmean(chosen.priors)) > threshold and prior > chosen.distance:
        yield f"Draw its codes from the fitted sampler: with the prior, the distance is {prior:.3g}."
    if chosen.aucs:
        yield (
            "A classifier distinguishes samples of its best sampler from decoded codes in"
            f" {statistics.fmean(chosen.aucs):.0%} of pairs (50% is chance)."
        )
    if any(candidate.blind for candidate in candidates):
        yield (
            "The features of these distances cannot tell fog from real images here: look at the images before you"
            " rely on the distances."
        )
    sizes = sorted({candidate.size for candidate in candidates})
    smaller = [candidate for candidate in candidates if candidate.size < chosen.size]
    if len(sizes) == 1:
        yield "All codes have the same size: use --over latent=... to find out how large they should be."
    elif smaller:
        next_size = max(candidate.size for candidate in smaller)
        next_best = min(
            (candidate for candidate in smaller if candidate.size == next_size), key=lambda one: one.distance
        )
        yield f"The next smaller latent is worse: {next_best}."
    else:
        yield "It is the smallest latent that was tried: a smaller one may do as well."
    if len(sizes) > 1 and best.size == sizes[-1]:
        yield "The best is the largest latent that was tried: a larger one may do better."
    equals = [candidate for candidate in close if candidate.size == chosen.size and candidate is not chosen]
    if equals:
        yield f"Also within one standard error at the same size: {'; '.join(map(str, equals))}."
    if best.error is None:
        yield (
            "The best setting has only one seed and therefore no standard error, so it is unknown which differences are"
            " chance (use --over seed=0,1,2)."
        )
    elif len(best.distances) == 1:
        yield "The best setting has one seed: its error covers the evaluation but not the randomness of training."
    elif len(best.distances) < SURE:
        yield f"A standard error from {len(best.distances)} seeds is itself uncertain."
