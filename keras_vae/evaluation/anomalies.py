"""Ranks images by how unusual they are for a model, and chooses the score above which they raise an alarm."""

import csv
import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from keras_vae.data.listed import Prepared
from keras_vae.errors import DatasetError, UsageError
from keras_vae.runtime.files import whole
from keras_vae.training.config import Config
from keras_vae.training.setup import load

MOST_NORMAL = 1000  # validation images that set the threshold; its error is then below a percent


@dataclass(frozen=True)
class Threshold:
    """The score above which an image raises an alarm.

    Attributes:
        value: The score, in nats.
        rate: The share of normal images that raise a false alarm, or None if the user gave the score.
        count: The number of validation images that it was chosen on.
    """

    value: float
    rate: float | None = None
    count: int = 0

    @property
    def rate_se(self):
        """The standard error of `rate`: of so many images, the number above any fixed score is binomial."""
        return None if self.rate is None else math.sqrt(self.rate * (1 - self.rate) / self.count)


def prepared_for(model, config, asked=None):
    """Returns how the images of `model` were `Prepared`.

    Args:
        model: An `Autoencoder`.
        config: The `Config` of its training, or None.
        asked: A range (low, high) in the place of the training's, or None.
    """
    config = config or Config()
    return Prepared(model.image_shape, asked or config.range, model.value_range, config.data_rules)


def scored(model, pixels, labels, num_samples, seed):
    """Returns `model.score` as an array; raises a UsageError if the arguments or the model are refused."""
    try:
        return np.asarray(model.score(pixels, labels, num_samples, seed))
    except ValueError as error:
        raise UsageError(error) from error


def normal_scores(model, config, fingerprint, num_samples, seed):
    """Returns the scores of the training's validation images, `[n]`, and notes on them.

    Args:
        model: An `Autoencoder`.
        config: The `Config` of its training.
        fingerprint: The fingerprint of the images that it was trained on, or None.
        num_samples, seed: As in `Autoencoder.score`.

    Raises:
        DatasetError, UsageError: The images cannot be loaded.
    """
    *size, channels = model.image_shape
    fitted = {"image_size": tuple(size), "channels": channels if channels in (1, 3) else None}
    dataset = load(dataclasses.replace(config, download=False, limit=None, **fitted))
    split = dataset.validation
    if not len(split):
        raise DatasetError("there are no validation images")
    split = split.take(min(len(split), MOST_NORMAL))
    notes = ()
    if fingerprint not in (None, dataset.fingerprint):
        notes = ("the images of the training have changed since: the threshold is chosen on those of now",)
    labels = split.labels if model.conditional else None
    return scored(model, split.images(), labels, num_samples, seed), notes


def threshold_for(scores, rate):
    """Returns the `Threshold` that a share `rate` of normal images exceeds.

    Args:
        scores: Scores of normal images that the model was not trained on, `[n]`.
        rate: From 0 to 1, exclusive.

    Raises:
        UsageError: There are too few images for so small a share.
    """
    if rate * len(scores) < 1:
        raise UsageError(
            f"{len(scores)} validation images are too few for {rate:.3g} false alarms: at least"
            f" {math.ceil(1 / rate):,} are needed (try --false_alarms {math.ceil(1000 / len(scores)) / 1000:g})"
        )
    return Threshold(float(np.quantile(scores, 1 - rate)), rate, len(scores))


def ranked(names, scores, threshold=None):
    """Returns (name, score, alarm) of each image, the highest score first; the alarm is 0 or 1, or "" without threshold.

    Images of the same score are in the order of their names. A score that is not a number comes first, with an alarm.
    """
    order = sorted(range(len(names)), key=lambda place: (-rank_of(scores[place]), names[place]))
    return [
        (
            names[place],
            float(scores[place]),
            "" if threshold is None else int(not scores[place] <= threshold.value),
        )
        for place in order
    ]


def rank_of(score):
    """Returns the score, or infinity if it is not a number."""
    return math.inf if math.isnan(score) else score


def write_scores(path, rows):
    """Writes `rows`, of `ranked`, as a CSV file, whole or not at all."""
    with whole(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file", "score", "alarm"))
        writer.writerows((name, f"{score:.4f}", alarm) for name, score, alarm in rows)
