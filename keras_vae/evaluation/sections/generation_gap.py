"""The gap between what a model reconstructs and what it generates, and the sampler that closes most of it."""

from typing import NamedTuple

from keras_vae.evaluation.sections.found import Found

LEAST_GAP = 0.1  # of the reconstructions' distance, below which a share of the gap is a ratio of noise
WORTH_REPAIRING = 0.9  # of the prior's distance; above that a fitted sampler is not worth its export
NO_GAP = "there is no gap to speak of: the prior lies no farther from real images than reconstructions do"
ALL_COPY = "every fitted sampler draws copies of training images"
NO_DISTANCE = "reconstructions lie at no distance from real images"


class Choice(NamedTuple):
    """The sampler that is chosen, a name, and the share of the gap that it closes, or None and the reason."""

    sampler: str
    repaired: float | None
    reason: str | None


def measure_generation_gap(evidence, samplers, ladder, distances, copying):
    """The ladder of distances, the gap in it, and the best sampler that copies no training images."""
    rungs = distances.values
    copies = {name: copying.kept.verdicts[name] for name in samplers.kept}
    refused = {name: sentence for name, (copied, sentence) in copies.items() if copied}
    # A decoder that was trained under the noise of many dimensions may do worse at the means, without any.
    floor = min(rungs[name]["frechet"] for name in ("reconstruction", "posterior") if name in rungs)
    gap = rungs["prior"]["frechet"] - floor
    choice = choose_sampler(rungs, [name for name in copies if name not in refused], floor)
    reasons = {f"samplers.{name}": f"not used: {sentence}" for name, sentence in refused.items()}
    if choice.repaired is None:
        reasons["generation_gap.repaired_fraction"] = choice.reason
    if floor <= 0:
        reasons["generation_gap.gap_ratio"] = NO_DISTANCE
    values = {
        "n": ladder.kept.n,
        "features": describe_features(evidence.features),
        **dict.fromkeys(("posterior", "gaussian", "mixture")),
        **rungs,
        "gap": gap,
        "gap_ratio": gap / floor if floor > 0 else None,
        "best_sampler": choice.sampler,
        "repaired_fraction": choice.repaired,
    }
    return Found(values, reasons)


def choose_sampler(rungs, candidates, floor):
    """Returns the `Choice` among the `candidates`, fitted samplers: the prior where none is worth its export.

    Args:
        rungs: Distances by rung.
        candidates: Names of the fitted samplers that may be used.
        floor: The distance of reconstructions.
    """
    prior = rungs["prior"]["frechet"]
    best = min(candidates, key=lambda name: rungs[name]["frechet"], default="prior")
    distance = rungs[best]["frechet"]
    chosen = best if distance < WORTH_REPAIRING * prior else "prior"
    if best == "prior":
        return Choice("prior", None, ALL_COPY)
    if prior - floor <= LEAST_GAP * floor:
        return Choice(chosen, None, NO_GAP)
    return Choice(chosen, (prior - distance) / (prior - floor), None)


def describe_features(features):
    """Returns what images are compared in."""
    return {
        "name": features.name,
        "metric_name": features.metric_name,
        "accuracy": features.accuracy,
        "dim": features.num_features,
    }
