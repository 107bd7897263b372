"""What stands between codes, and between codes and the prior."""

import numpy as np

from keras_vae.evaluation.metrics import frechet, manifold, paths
from keras_vae.evaluation.sections.codes import some

ANGLES = (0, 22.5, 45, 67.5, 90)
MOST_PATHS = 500


def measure_interpolation(study):
    """What stands half way between two test images, by each path, and half way from the codes to the prior.

    A conditional model decodes a path with the label of its start.
    """
    count, half = len(study.reference) // 2, len(study.test) // 2
    count = min(count, half, MOST_PATHS)
    start, end = slice(0, count), slice(half, half + count)
    drawn = study.test.draw(study.generator("interpolation"), half + count)
    labels = study.test.labels_of(start)

    def middle(path, codes):
        return study.decode(path(codes[start], codes[end], [0.5])[:, 0], labels)

    middles = {
        "linear": middle(paths.linear, study.test.mean),
        "slerp": middle(paths.slerp, drawn),
        "variance_preserving": middle(paths.variance_preserving, drawn),
        "pixel_blend": 0.5 * (study.test.images[start] + study.test.images[end]),
    }
    section = {"n": count}
    for name, images in middles.items():
        seen, real = study.see(images), study.seen_reference.looks
        section[name] = {
            "confidence": seen.mean_confidence,
            "frechet": frechet.frechet_distance(seen.looks, real),
            "dead_zone": manifold.dead_zone(seen.looks, real, study.seen["reconstruction"].looks)[
                "dead_zone"
            ],
        }
    section["posterior_to_prior"] = walk_to_prior(study, min(count, 200))
    section["noise_around_mean"] = noise_around_mean(study, min(count, 500))
    return section


def walk_to_prior(study, count):
    """Returns how images change from a posterior's draw to a prior's, angle by angle."""
    walks = paths.posterior_to_prior(study.codes["posterior"][:count], study.codes["prior"][:count], ANGLES)
    labels = some(study.labels["posterior"], count)
    steps = [study.see(study.decode(walks[:, index], labels)) for index in range(len(ANGLES))]
    section = {
        "angles": list(ANGLES),
        "frechet": [frechet.frechet_distance(step.looks, study.seen_reference.looks) for step in steps],
        "class_agreement": None,
        "confidence": None,
    }
    if steps[0].classes is None:
        for name in ("posterior_to_prior.class_agreement", "noise_around_mean.same_class"):
            study.reasons[f"interpolation.{name}"] = study.features.reason
    else:
        section["class_agreement"] = [step.same_classes(study.seen["reconstruction"]) for step in steps]
        section["confidence"] = [step.mean_confidence for step in steps]
    return section


def noise_around_mean(study, count):
    """Returns what a whole unit of noise around the mean does: N(mu(x), I) decoded, beside x reconstructed.

    That it decodes to the same digit while the prior does not is the mark of a code spread over many dimensions.
    """
    noise = study.generator("noise around mean").standard_normal((count, study.test.mean.shape[1]), "float32")
    images = study.decode(study.test.mean[:count] + noise, study.test.labels_of(count))
    seen, plain = study.see(images), study.seen["reconstruction"].looks[:count]
    moved = np.linalg.norm(seen.looks - plain, axis=1).mean()
    apart = np.linalg.norm(plain - np.roll(plain, 1, axis=0), axis=1).mean()
    study.pictures["noise_around_mean"] = {"real": study.test.images[:8], "decoded": images[:8]}
    return {
        "n": count,
        "same_class": seen.same_classes(study.seen["reconstruction"]),
        "feature_distance_ratio": float(moved / max(apart, 1e-12)),
    }
