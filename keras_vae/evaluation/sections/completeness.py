"""Whether what is sampled decodes to something real."""

from keras_vae.evaluation.metrics import manifold


def measure_completeness(study):
    """The share of each rung that falls where no image is."""
    rungs = {}
    blurred = study.seen["reconstruction"]
    for name, seen in study.seen.items():
        if name in ("real", "reconstruction"):
            continue
        dead = manifold.dead_zone(seen.looks, study.seen_reference.looks, blurred.looks)
        threshold = dead.pop("threshold")
        unsure = None
        if seen.confidence is not None:
            unsure = manifold.confidence_dead_zone(seen.confidence, blurred.confidence)["dead_zone"]
        rungs[name] = {**dead, "dead_zone_confidence": unsure}
    if blurred.confidence is None:
        study.reasons["dead_zone_confidence"] = study.features.reason
    return {"n": len(study.reference), "threshold": threshold, **rungs["prior"], "by_rung": rungs}
