"""Finds the rungs of the ladder that are copies of training images."""

from typing import NamedTuple

import numpy as np

from keras_vae.evaluation.metrics import memorisation
from keras_vae.evaluation.metrics.copying import Originals, judge_copies
from keras_vae.evaluation.sections.found import Found

MOST_TRAINING = 60_000  # training images with which samples are compared
MOST_COMPARED = 1000  # images per rung


class Copying(NamedTuple):
    """How close each rung is to the training images.

    Attributes:
        scores: `CopyingScores` by rung.
        pixels: `PixelCopies` by sampled rung.
        verdicts: (True, False or None, a sentence) by sampled rung: whether it copies training images, judged by pixels
            and features.
        training: Features of the training images, `[m, F]`.
        num_images: Number of images of a rung that were compared.
    """

    scores: dict
    pixels: dict
    verdicts: dict
    training: np.ndarray
    num_images: int


def measure_copying(evidence, samplers, ladder, distances):
    """Measures how close the images of each rung are to training images; keeps the `Copying`."""
    known = evidence.dataset.train.take(MOST_TRAINING)
    training = evidence.see(known).looks
    looks = {name: seen.looks[:MOST_COMPARED] for name, seen in ladder.kept.seen.items()}
    test_distances = memorisation.nearest_training_images(looks["real"], training)[1][:, 0]
    scores = {
        name: memorisation.copying_scores(look, test_distances, training) for name, look in looks.items()
    }
    images = {name: rung[:MOST_COMPARED] for name, rung in ladder.kept.images.items()}
    originals, pixels, verdicts = Originals(known, images["real"]), {}, {}
    for name in (*samplers.kept, "prior"):
        density = distances.kept[name]
        by_features = memorisation.copies(scores[name], scores["reconstruction"], scores["real"], density)
        pixels[name] = originals.find(images[name])
        verdicts[name] = judge_copies(pixels[name], *by_features)
    return Found(kept=Copying(scores, pixels, verdicts, training, len(looks["real"])))
