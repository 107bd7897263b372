"""The gap between what a model reconstructs and what it generates, and the sampler that closes most of it."""

from typing import NamedTuple

from keras_vae.evaluation.metrics.estimate import Estimate
from keras_vae.evaluation.sections.found import Found

USUAL = ("posterior", "gaussian", "mixture")  # rungs that are null in the results if missing
NO_GAP = "the gap is within its error: the prior is as close to real images as reconstructions are"
ALL_COPY = "every fitted sampler draws copies of training images"
NONE_FITTED = "no sampler was fitted"
ALWAYS_TOLD = (
    "the classifier cannot rank the samplers, and the distances' features cannot tell fog from real images"
)
NO_DISTANCE = "reconstructions have a distance of 0 from real images"


class ChosenSampler(NamedTuple):
    """The chosen sampler.

    Attributes:
        sampler: Its name; "prior" if no fitted sampler is better by more than the error of the difference.
        within_error: The fitted samplers within the error of the best.
        distance: Its distance on images that were not used for the choice, an `Estimate`.
        repaired: The share of the gap that it closes on these images, an `Estimate`, or None.
        reason: Why this share is missing, or None.
    """

    sampler: str
    within_error: tuple
    distance: Estimate | None
    repaired: Estimate | None
    reason: str | None


def measure_generation_gap(evidence, samplers, ladder, spaces, distances, copying, told_apart):
    """Measures the gap in the ladder of distances, and chooses the best sampler that does not copy training images."""
    rungs = ladder.kept.distances
    copies = {name: copying.kept.verdicts[name] for name in samplers.kept}
    refused = {name: sentence for name, (copied, sentence) in copies.items() if copied}
    candidates = [name for name in copies if name not in refused]
    own = (spaces.values or {}).get(evidence.features.name) or {}
    choice = choose_sampler(rungs, list(copies), candidates, told_apart.kept, bool(own.get("blind")))
    gap, ratio = rungs.gap(), rungs.gap_ratio()
    blur = rungs.ratio("reconstruction", "real") if rungs.distance("real").value > 0 else None
    reasons = {f"samplers.{name}": f"not used: {sentence}" for name, sentence in refused.items()}
    reasons |= missing_reasons(choice, ratio, blur)
    values = {
        "n": ladder.kept.n,
        "features": describe_features(evidence.features),
        **distances.values,
        **{name: None for name in USUAL if name not in distances.values},
        **with_interval("gap", gap),
        **with_interval("gap_ratio", ratio),
        **pair("blur_ratio", blur),
        "best_sampler": choice.sampler,
        "best_within_error": list(choice.within_error),
        **pair("best_frechet", choice.distance),
        **with_interval("repaired_fraction", choice.repaired),
    }
    return Found(values, reasons)


def pair(name, estimate):
    """Returns an `Estimate` or None as two fields."""
    value, error = (None, None) if estimate is None else (float(estimate.value), float(estimate.se))
    return {name: value, f"{name}_se": error}


def with_interval(name, estimate):
    """Returns an `Estimate` or None as four fields, including its 95% interval."""
    low, high = (None, None) if estimate is None else (float(estimate.low), float(estimate.high))
    return {**pair(name, estimate), f"{name}_low": low, f"{name}_high": high}


def missing_reasons(choice, ratio, blur):
    """Returns why numbers of the gap are null, by dotted path."""
    reasons = {}
    if choice.repaired is None:
        reasons |= dict.fromkeys(named("repaired_fraction", "_low", "_high"), choice.reason)
    if ratio is None:
        reasons |= dict.fromkeys(named("gap_ratio", "_low", "_high"), NO_DISTANCE)
    if blur is None:
        reasons |= dict.fromkeys(named("blur_ratio"), "real images have a distance of 0 from each other")
    return reasons


def named(name, *further):
    """Returns the dotted paths of a number of this section, of its error, and of fields with `further` suffixes."""
    return tuple(f"generation_gap.{name}{ending}" for ending in ("", "_se", *further))


def choose_sampler(rungs, fitted, candidates, seen=None, blind=False):
    """Returns the `ChosenSampler` among the `candidates`: the prior if none is better by more than the error.

    The classifier decides. If there are too few images for it, or its AUC is close to 1 for all samplers, the distances
    decide, unless their features are blind.

    Args:
        rungs: A `metrics.ladder.LadderDistances`.
        fitted: Names of all fitted samplers.
        candidates: Names of the samplers that may be chosen.
        seen: The `ChosenByClassifier` of the section `told_apart`, or None.
        blind: Whether the features of the distances cannot tell fog from real images.
    """
    if not candidates:
        return ChosenSampler("prior", (), rungs.distance("prior"), None, ALL_COPY if fitted else NONE_FITTED)
    if blind and (seen is None or seen.better is None):
        return ChosenSampler("prior", (), rungs.distance("prior"), None, ALWAYS_TOLD)
    if seen is None or seen.better is None:
        found = rungs.choose(candidates)
        better, near = found.better, found.within_error
    else:
        found, better, near = rungs.choose([seen.sampler]), seen.better, seen.within_error
    if not better:
        return ChosenSampler("prior", near, rungs.distance("prior"), found.repaired, NO_GAP)
    return ChosenSampler(found.best, near, found.distance, found.repaired, NO_GAP)


def describe_features(features):
    """Returns a description of the features."""
    return {
        "name": features.name,
        "metric_name": features.metric_name,
        "accuracy": features.accuracy,
        "dim": features.num_features,
    }
