"""Measures whether samples decode to realistic images."""

from keras_vae.evaluation.metrics import manifold
from keras_vae.evaluation.sections.found import Found

BY_NEIGHBOURS = ("dead_zone", "dead_zone_se", "threshold")


def measure_completeness(evidence, ladder, spaces):
    """Measures the dead zone of each rung in the space that passed its test; null without such a space."""
    seen_by_rung, judged = ladder.kept.seen, spaces.kept.judged
    sure, rungs, threshold = seen_by_rung["reconstruction"].confidence, {}, None
    for name, seen in seen_by_rung.items():
        if name in ("real", "reconstruction"):
            continue
        dead = dead_in(judged, name)
        threshold = dead.pop("threshold")
        unsure = None
        if seen.confidence is not None:
            unsure = manifold.confidence_dead_zone(seen.confidence, sure)["dead_zone"]
        rungs[name] = {**dead, "dead_zone_confidence": unsure}
    reasons = {"dead_zone_confidence": evidence.features.reason} if sure is None else {}
    values = {"n": ladder.kept.n, "threshold": threshold, **rungs["prior"], "by_rung": rungs}
    return Found(values, reasons)


def dead_in(judged, name):
    """Returns the dead zone of a rung in the `Judged` space; nulls without one."""
    if judged is None:
        return dict.fromkeys(BY_NEIGHBOURS)
    return manifold.dead_zone(judged.rungs[name], judged.reference, judged.rungs["reconstruction"])
