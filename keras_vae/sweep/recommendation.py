"""Recommends the smallest latent whose generation is within one standard error of the best.

Only settings whose verdicts allow their use compete: a low distance does not make a model with a bad verdict usable.
"""

import collections
import math
import statistics
from dataclasses import asdict, dataclass

from keras_vae.report.page import measured

SURE = 4  # seeds; a standard error from fewer seeds is uncertain
MOST_NAMED = 4  # settings in a list


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
        unusable: The verdicts in words of runs that cannot be used, not even with a fitted sampler.
        advice: What the verdict of a run says to do, or None.
        steps: The optimizer steps of its shortest training, or None.
        enough: The steps of a training by default, or None.
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
    unusable: tuple[str, ...] = ()
    advice: str | None = None
    steps: int | None = None
    enough: int | None = None

    @property
    def is_usable(self):
        """Whether most of its runs can be used."""
        return 2 * len(self.unusable) < len(self.distances)

    @property
    def is_short(self):
        """Whether it was trained for less than half of the steps of a training by default."""
        return None not in (self.steps, self.enough) and 2 * self.steps < self.enough

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
    """The recommended setting, the reason and the numbers behind it.

    Without a recommended setting, all but `reason`, `title` and `tone` are None.
    """

    words: str | None
    reason: str
    title: str | None = None
    tone: str = "none"
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
    at most the lowest one plus its standard error, the smallest latent, and among these the lowest distance. Candidates
    that are not usable do not take part.
    """
    if not candidates:
        words = "No run has been evaluated yet, so nothing can be recommended."
        return Recommendation(None, words, "Nothing can be recommended yet")
    tried, candidates = candidates, [candidate for candidate in candidates if candidate.is_usable]
    if not candidates:
        title = "None of these settings is usable"
        return Recommendation(None, " ".join(no_way(tried)), title, "bad")
    best = min(candidates, key=lambda candidate: (candidate.distance, candidate.size))
    threshold = best.distance + (best.error or 0.0)
    close = [candidate for candidate in candidates if candidate.distance <= threshold]
    chosen = min(close, key=lambda candidate: (candidate.size, candidate.distance))
    return Recommendation(
        chosen.words,
        " ".join(
            [*sentences(candidates, best, threshold, close, chosen), *left_out(tried), *short(candidates)]
        ),
        chosen.words,
        "fair" if chosen.faults or chosen.is_short else "good",
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


def no_way(candidates):
    """Yields why none of the candidates is usable, and what to do."""
    counts = collections.Counter(words for candidate in candidates for words in candidate.unusable)
    runs = sum(len(candidate.distances) for candidate in candidates)
    listed = " and ".join(f"{words} ({number} of {runs} runs)" for words, number in counts.most_common())
    yield f"Their verdicts are: {listed}."
    best = min(candidates, key=lambda candidate: (candidate.distance, candidate.size))
    yield f"By distance alone, {best} is first, but the lowest distance among unusable models means little."
    trained = list(short(candidates))
    yield from trained
    if not trained and best.advice:
        yield f"What to do, by the verdict on {best.words}: {best.advice}"


def left_out(candidates):
    """Yields a sentence on the candidates that do not take part because of their verdicts, if there are any."""
    named = [
        f"{candidate.words} ({', '.join(dict.fromkeys(candidate.unusable))})"
        for candidate in candidates
        if not candidate.is_usable
    ]
    if named:
        more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
        yield f"Left out because of their verdicts: {'; '.join(named[:MOST_NAMED])}{more}."


def short(candidates):
    """Yields a sentence on trainings of few steps, if there are any."""
    steps = [candidate.steps for candidate in candidates if candidate.is_short]
    if not steps:
        return
    enough = max(candidate.enough for candidate in candidates if candidate.is_short)
    few = f"{min(steps):,}" + (f" to {max(steps):,}" if max(steps) > min(steps) else "")
    yield (
        f"Training was short: {few} steps, where the default is about {enough:,}. Train longer before you rely on these"
        " numbers (leave out --epochs)."
    )
