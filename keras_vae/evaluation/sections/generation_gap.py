"""The ladder of image sets from real ones down to the prior's."""

from keras_vae.evaluation.metrics import frechet, kernel, manifold
from keras_vae.evaluation.sections.codes import some
from keras_vae.evaluation.sections.study import drawn_from

KEPT = 500  # draws of the posterior and of the prior that are kept, for paths and pictures
LEAST_GAP = 0.1  # of the reconstructions' distance, below which a share of the gap is a ratio of noise
WORTH_REPAIRING = 0.9  # of the prior's distance; above that a fitted sampler is not worth its export


def measure_generation_gap(study):
    """The ladder: sets of as many images each, from real ones down to the prior's, against the same reference."""
    n = len(study.reference)
    study.rungs["real"] = study.test.images[:n]
    study.rungs["reconstruction"] = study.rungs["reconstruction"][:n]
    for name, codes, labels in rung_codes(study, n):
        if name in ("posterior", "prior"):
            study.codes[name], study.labels[name] = codes[:KEPT].copy(), some(labels, KEPT)
        if name == "posterior" and not study.subject.is_variational:
            study.reasons["generation_gap.posterior"] = (
                "the codes have no noise: their draws are the reconstructions"
            )
            continue
        study.rungs[name] = study.decode(codes, labels)
    order = ("real", "reconstruction", "posterior", "shuffled", *study.samplers, "prior")
    study.rungs = {name: study.rungs[name] for name in order if name in study.rungs}
    study.seen = {name: study.see(images) for name, images in study.rungs.items()}
    study.seen_reference = study.see(study.reference)
    section = {"n": n, "features": describe_features(study.features)}
    for name, seen in study.seen.items():
        section[name] = compare(seen, study.seen_reference)
    for name in ("posterior", "gaussian", "mixture"):
        section.setdefault(name, None)
    if study.features.accuracy is None:
        study.reasons["generation_gap.features.accuracy"] = study.features.reason
        study.reasons["confidence"] = study.features.reason
    return {**section, **repaired(study, section)}


def rung_codes(study, n):
    """Yields name, codes `[n, d]` and labels of each rung that is decoded; one at a time, for they are large."""
    draw, labels = study.generator("rungs"), study.test.labels_of(n)
    posterior = study.test.draw(draw, n)
    yield "posterior", posterior, labels
    yield "shuffled", draw.permuted(posterior, axis=0), labels
    del posterior
    labels = study.drawn_labels(n)
    for name, sampler in {**study.samplers, "prior": study.prior}.items():
        yield name, drawn_from(sampler, n, study.generator("seeds")), labels


def compare(seen, reference):
    """Returns the distances of a set of images from the reference, both `Seen`."""
    kid, kid_se = kernel.kernel_distance(seen.looks, reference.looks)
    return {
        "frechet": frechet.frechet_distance(seen.looks, reference.looks),
        "kid": kid,
        "kid_se": kid_se,
        **manifold.density_and_coverage(seen.looks, reference.looks),
        "confidence": seen.mean_confidence,
        "n": len(seen.looks),
    }


def repaired(study, section, copying=()):
    """Returns how large the gap is, and how much of it the best sampler that is not among `copying` closes."""
    prior = section["prior"]["frechet"]
    # A decoder that was trained under the noise of many dimensions may do worse at the means, without any.
    floor = min(section[rung]["frechet"] for rung in ("reconstruction", "posterior") if section.get(rung))
    honest = [name for name in study.samplers if name not in copying]
    best = min(honest, key=lambda name: section[name]["frechet"], default="prior")
    gap, closed = prior - floor, None
    if not honest:
        study.reasons["generation_gap.repaired_fraction"] = (
            "every fitted sampler draws copies of training images"
        )
    elif gap <= LEAST_GAP * floor:
        study.reasons["generation_gap.repaired_fraction"] = (
            "there is no gap to speak of: the prior lies no farther from real images than reconstructions do"
        )
    else:
        closed = (prior - section[best]["frechet"]) / gap
    if floor <= 0:
        study.reasons["generation_gap.gap_ratio"] = "reconstructions lie at no distance from real images"
    return {
        "gap": gap,
        "gap_ratio": gap / floor if floor > 0 else None,
        "best_sampler": best if section[best]["frechet"] < WORTH_REPAIRING * prior else "prior",
        "repaired_fraction": closed,
    }


def describe_features(features):
    """Returns what images are compared in."""
    return {
        "name": features.name,
        "metric_name": features.metric_name,
        "accuracy": features.accuracy,
        "dim": features.num_features,
    }
