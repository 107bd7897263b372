"""What becomes of images: on the way to the prior, and with their quadrants exchanged."""

import math

import numpy as np

from keras_vae.evaluation.metrics import paths, reconstruction
from keras_vae.evaluation.metrics.survival import median_angle, survival
from keras_vae.evaluation.sections.codes import in_batches, some

ANGLES = tuple(np.linspace(0, 90, 13).tolist())
MOST_PATHS = 500  # a latent; as many prior draws are kept
FEWEST = 10  # paths of a class that has a curve


def class_survival(study):
    """Returns which share of the images of each class is still that, angle by angle, on the way to the prior.

    The path is cos(a) posterior + sin(a) prior; the class, the classifier's of the reconstruction.
    """
    start = study.seen["reconstruction"].classes
    if start is None:
        study.reasons["extended.class_survival"] = study.features.reason
        return None
    count = min(study.affordable(MOST_PATHS, MOST_PATHS // 2), len(study.codes["prior"]), len(start))
    ends = study.codes["posterior"][:count], study.codes["prior"][:count]
    labels = some(study.labels["posterior"], count)
    steps = [
        study.see(study.decode(paths.posterior_to_prior(*ends, [angle])[:, 0], labels)).classes
        for angle in ANGLES
    ]
    classes, start = np.stack(steps, axis=1), start[:count]
    groups = {str(label): start == label for label in np.unique(start)}
    groups = {"all": np.ones(count, bool)} | {
        label: chosen for label, chosen in groups.items() if chosen.sum() >= FEWEST
    }
    section = {"n": count, "angles": list(ANGLES), "classes": {}}
    for label, chosen in groups.items():
        share, error = survival(classes[chosen], start[chosen])
        section["classes"][label] = {
            "n": int(chosen.sum()),
            "share": share.tolist(),
            "share_se": error.tolist(),
            "median_angle": median_angle(ANGLES, share),
        }
    study.reasons["median_angle"] = "more than half of the images keep their class all the way"
    return section


def swapped_quadrants(study):
    """Returns the squared error of reconstructing images whose quadrants are exchanged, over that of images as they are.

    Above 1: the model knows its images; one that copies pixels, whatever they show, would have 1. The standard
    error is that of a ratio of means, by its first derivatives.
    """
    count = study.results["reconstruction"]["test"]["n"]
    images = study.test.images[:count]
    swapped = np.roll(images, (images.shape[1] // 2, images.shape[2] // 2), axis=(1, 2))
    labels = study.test.labels_of(count)
    told = study.told(labels, count)
    mean, _ = in_batches(study.subject.encode, study.subject.observe(swapped, study.seed), *told)
    errors = reconstruction.mse(swapped, study.decode(mean.reshape(count, -1), labels))
    known = reconstruction.mse(images, study.decode(study.test.mean[:count], labels))
    below = max(float(known.mean()), 1e-12)
    ratio = float(errors.mean()) / below
    error = float(np.std(errors - ratio * known, ddof=1)) / (below * math.sqrt(count))
    return {"n": count, "ratio": ratio, "ratio_se": error}
