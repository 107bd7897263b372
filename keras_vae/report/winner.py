"""The first sentence of a comparison: which run generates best, or that the errors do not tell."""

import math
from dataclasses import dataclass

from keras_vae.report.comparison import differing, letter
from keras_vae.report.page import measured, tag, text
from keras_vae.report.tables import best_distance_path, get, get_error
from keras_vae.report.verdict import VERDICTS

SURE = 1.96  # standard errors of a difference that is not chance, at 5%


@dataclass(frozen=True)
class Contestant:
    """A run with the Fréchet distance of its best sampler and that distance's standard error, or None."""

    letter: str
    distance: float
    error: float | None
    verdict: str | None

    def __str__(self):
        return f"{self.letter} ({measured(self.distance, self.error)})"


def contestants(runs):
    """Returns the `Contestant`s among runs, the lowest distance first."""
    found = []
    for index, run in enumerate(runs):
        path = best_distance_path(run, otherwise="prior")
        if (distance := get(run, path)) is not None:
            error, verdict = get_error(run, path), get(run, "verdict.name")
            found.append(Contestant(letter(index), distance, error, verdict))
    return sorted(found, key=lambda one: one.distance)


def is_clear(better, worse):
    """Returns whether the distances of two runs differ beyond their errors; None if an error is unknown."""
    if better.error is None or worse.error is None:
        return None
    return worse.distance - better.distance > SURE * math.hypot(better.error, worse.error)


def winner_card(runs):
    """Returns the card that names the winner, or says why no run wins."""
    title, words, tone = winner(runs)
    return tag(
        "div",
        tag("p", "Which run generates best", class_="kind"),
        tag("h2", text(title)),
        tag("p", text(words).replace(" \u00b1 ", "\u00a0\u00b1\u00a0"), class_="cause") if words else "",
        class_=f"card verdict tone-{tone}",
    )


def winner(runs):
    """Returns a title, an explanation and a tone, which say who wins, that runs tie, or why they cannot be compared."""
    reasons = differing(runs)
    if reasons:
        words = (
            f"These runs were measured with different {' and '.join(reasons)}: their Fréchet and kernel distances,"
            " density and coverage are not comparable."
        )
        return "The runs cannot be compared", words, "fair"
    found = contestants(runs)
    if len(found) < 2:
        return "The runs cannot be compared", "Fewer than two runs have a Fréchet distance.", "none"
    first, *others = found
    clear = [is_clear(first, other) for other in others]
    listed = "Fréchet distances of the best samplers: " + ", ".join(map(str, found)) + "."
    if None in clear:
        words = "A distance has no standard error, so the difference may be chance. " + listed
        return f"{first.letter} has the lowest distance, its error is unknown", words, "none"
    equal = [first.letter, *(other.letter for other, is_worse in zip(others, clear) if not is_worse)]
    if len(equal) == len(found):
        return "No difference beyond the errors", listed, "none"
    if len(equal) > 1:
        title = (
            f"{', '.join(equal[:-1])} and {equal[-1]} generate best, without a difference beyond their errors"
        )
        return title, listed, "none"
    return f"{first.letter} generates best", f"{listed}{caveat(first)}", tone_of(first)


def tone_of(contestant):
    """Returns the tone of a run's verdict."""
    return VERDICTS.get(contestant.verdict, ("", "", "none"))[2]


def caveat(contestant):
    """Returns a sentence on the winner's verdict if it is not healthy, or `""`."""
    if contestant.verdict in (None, "healthy"):
        return ""
    words = VERDICTS.get(contestant.verdict, (contestant.verdict,))[0]
    return f" Its own verdict, however, is: {words[:1].lower()}{words[1:]}."
