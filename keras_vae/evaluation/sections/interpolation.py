"""Measures images on paths between codes, and between codes and the prior."""

import numpy as np

from keras_vae.evaluation.metrics import frechet, manifold, paths
from keras_vae.evaluation.sections.codes import some
from keras_vae.evaluation.sections.found import Found, missing

ANGLES = (0, 22.5, 45, 67.5, 90)
MOST_PATHS = 500


def measure_interpolation(evidence, ladder, spaces):
    """Measures the images halfway between two test images on each path, and on the paths from codes to the prior.

    A conditional model decodes a path with the label of its start.
    """
    rungs = ladder.kept
    count, half = len(evidence.reference) // 2, len(evidence.test) // 2
    count = min(count, half, MOST_PATHS)
    start, end = slice(0, count), slice(half, half + count)
    drawn = evidence.test.draw(evidence.generator("interpolation"), half + count)
    labels = evidence.test.labels_of(start)

    def middle(path, codes):
        return evidence.decode(path(codes[start], codes[end], [0.5])[:, 0], labels)

    middles = {
        "linear": middle(paths.linear, evidence.test.mean),
        "slerp": middle(paths.slerp, drawn),
        "variance_preserving": middle(paths.variance_preserving, drawn),
        "pixel_blend": 0.5 * (evidence.test.images[start] + evidence.test.images[end]),
    }
    section = {"n": count}
    for name, images in middles.items():
        seen, real = evidence.see(images), rungs.reference.looks
        section[name] = {
            "confidence": seen.mean_confidence,
            "frechet": frechet.frechet_distance(seen.looks, real),
            "dead_zone": dead_share(evidence, spaces.kept.judged, images, seen.looks),
        }
    section["posterior_to_prior"] = walk_to_prior(evidence, rungs, min(count, 200))
    noise = unit_noise(evidence, min(count, 500))
    section["noise_around_mean"] = noise_around_mean(evidence, rungs, noise)
    reasons = {}
    if rungs.reference.classes is None:
        names = ("posterior_to_prior.class_agreement", "noise_around_mean.same_class")
        reasons = missing("interpolation", names, evidence.features.reason)
    shown = {"real": evidence.test.images[:8], "decoded": noise[:8]}
    return Found(section, reasons, pictures={"noise_around_mean": shown})


def dead_share(evidence, judged, images, looks):
    """Returns the dead zone of images in the `judged` space, or None; `looks` are their `evidence.features`."""
    if judged is None:
        return None
    if judged.features is not evidence.features:
        looks = judged.features(images)
    return manifold.dead_zone(looks, judged.reference, judged.rungs["reconstruction"])["dead_zone"]


def walk_to_prior(evidence, rungs, count):
    """Returns how images change from a posterior draw to a prior draw, by angle."""
    walks = paths.posterior_to_prior(rungs.codes["posterior"][:count], rungs.codes["prior"][:count], ANGLES)
    labels = some(rungs.labels["posterior"], count)
    steps = [evidence.see(evidence.decode(walks[:, index], labels)) for index in range(len(ANGLES))]
    section = {
        "angles": list(ANGLES),
        "frechet": [frechet.frechet_distance(step.looks, rungs.reference.looks) for step in steps],
        "class_agreement": None,
        "confidence": None,
    }
    if steps[0].classes is not None:
        section["class_agreement"] = [step.same_classes(rungs.seen["reconstruction"]) for step in steps]
        section["confidence"] = [step.mean_confidence for step in steps]
    return section


def unit_noise(evidence, count):
    """Returns decoded draws from N(mu(x), I) of the first test images, `[count, height, width, channels]`."""
    noise = evidence.generator("noise around mean").standard_normal(
        (count, evidence.test.mean.shape[1]), "float32"
    )
    return evidence.decode(evidence.test.mean[:count] + noise, evidence.test.labels_of(count))


def noise_around_mean(evidence, rungs, images):
    """Returns the effect of unit noise around the mean: `images` of `unit_noise` compared with reconstructions.

    If they keep the class of the reconstruction although prior samples are bad, the code is spread over many
    dimensions.
    """
    count = len(images)
    seen, plain = evidence.see(images), rungs.seen["reconstruction"].looks[:count]
    moved = np.linalg.norm(seen.looks - plain, axis=1).mean()
    apart = np.linalg.norm(plain - np.roll(plain, 1, axis=0), axis=1).mean()
    return {
        "n": count,
        "same_class": seen.same_classes(rungs.seen["reconstruction"]),
        "feature_distance_ratio": float(moved / max(apart, 1e-12)),
    }
