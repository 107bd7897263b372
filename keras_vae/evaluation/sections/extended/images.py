"""Measures how images change on paths to the prior, and how well images with swapped quadrants are reconstructed."""

import math

import numpy as np

from keras_vae.evaluation.metrics import paths, reconstruction
from keras_vae.evaluation.metrics.survival import median_angle, survival
from keras_vae.evaluation.sections.codes import in_batches, some
from keras_vae.evaluation.sections.found import Found

ANGLES = tuple(np.linspace(0, 90, 13).tolist())
MOST_PATHS = 500  # paths; the ladder keeps the same number of prior draws
FEWEST = 10  # paths for the curve of a class


def class_survival(evidence, earlier):
    """Returns the share of images that keep their class on paths to the prior, by class and angle.

    The path is cos(a) posterior + sin(a) prior. The class is the classifier's class of the reconstruction.
    """
    rungs = earlier.ladder
    start = rungs.seen["reconstruction"].classes
    if start is None:
        return Found(reasons={"extended.class_survival": evidence.features.reason})
    count = min(evidence.affordable(MOST_PATHS, MOST_PATHS // 2), len(rungs.codes["prior"]), len(start))
    ends = rungs.codes["posterior"][:count], rungs.codes["prior"][:count]
    labels = some(rungs.labels["posterior"], count)
    steps = [
        evidence.see(evidence.decode(paths.posterior_to_prior(*ends, [angle])[:, 0], labels)).classes
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
    kept = "more than half of the images keep their class on the whole path"
    return Found(section, {"median_angle": kept})


def swapped_quadrants(evidence, earlier):
    """Returns the squared error of reconstructing images with swapped quadrants, relative to the original images.

    Above 1, the model has learned the images; a model that copies arbitrary pixels would have 1. The standard error is
    that of a ratio of means, by the delta method.
    """
    count = earlier.reconstruction["test"]["n"]
    images = evidence.test.images[:count]
    swapped = np.roll(images, (images.shape[1] // 2, images.shape[2] // 2), axis=(1, 2))
    labels = evidence.test.labels_of(count)
    given_labels = evidence.label_inputs(labels, count)
    mean, _ = in_batches(
        evidence.subject.encode, evidence.subject.observe(swapped, evidence.seed), *given_labels
    )
    errors = reconstruction.mse(swapped, evidence.decode(mean.reshape(count, -1), labels))
    known = reconstruction.mse(images, evidence.decode(evidence.test.mean[:count], labels))
    below = max(float(known.mean()), 1e-12)
    ratio = float(errors.mean()) / below
    error = float(np.std(errors - ratio * known, ddof=1)) / (below * math.sqrt(count))
    return Found({"n": count, "ratio": ratio, "ratio_se": error})
