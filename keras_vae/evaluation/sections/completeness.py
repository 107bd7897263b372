"""Whether what is sampled decodes to something real."""

from keras_vae.evaluation.metrics import manifold
from keras_vae.evaluation.sections.found import Found


def measure_completeness(evidence, ladder):
    """The share of each rung that falls where no image is."""
    seen_by_rung, reference = ladder.kept.seen, ladder.kept.reference
    blurred, rungs = seen_by_rung["reconstruction"], {}
    for name, seen in seen_by_rung.items():
        if name in ("real", "reconstruction"):
            continue
        dead = manifold.dead_zone(seen.looks, reference.looks, blurred.looks)
        threshold = dead.pop("threshold")
        unsure = None
        if seen.confidence is not None:
            unsure = manifold.confidence_dead_zone(seen.confidence, blurred.confidence)["dead_zone"]
        rungs[name] = {**dead, "dead_zone_confidence": unsure}
    reasons = {"dead_zone_confidence": evidence.features.reason} if blurred.confidence is None else {}
    values = {"n": ladder.kept.n, "threshold": threshold, **rungs["prior"], "by_rung": rungs}
    return Found(values, reasons)
