"""The input of the sections: the model, the images, their codes, and the features."""

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from keras_vae.evaluation.metrics.estimate import mean_of
from keras_vae.evaluation.sections.codes import Encoded, encode_split, held_out, in_batches, number_of_codes
from keras_vae.samplers import PriorSampler

MOST_SAMPLES = 2000  # images per rung
LARGE_LATENT = 4096  # larger latents have half as many images per rung
NO_LIKELIHOOD = "the decoder's likelihood is unknown: give one (--likelihood)"
NO_GRADIENT = "the decoder has no gradient: only its outputs are known"
NO_DENSITY = (
    "the decoder's distortion is not a density over images: it has neither bits nor a likelihood bound"
)
NOT_STANDARD = "it needs the prior N(0, I) and Gaussian posteriors, and this model has others"


@dataclasses.dataclass(frozen=True)
class Evidence:
    """The input of every section. Sections do not change it.

    Attributes:
        subject: The model.
        dataset: The images.
        train, test: `Encoded` training and held-out images.
        reference: Further held-out images, which are in no other set, `[n, height, width, channels]`.
        reference_labels: Their labels, `[n]`, or None.
        features: The features for comparing sets of images.
        settings: An `Evaluation`.
        folder: The folder of the run's samplers, or None.
    """

    subject: object
    dataset: object
    train: Encoded
    test: Encoded
    reference: np.ndarray
    reference_labels: np.ndarray | None
    features: object
    settings: object
    folder: object = None

    @property
    def seed(self):
        """The random seed."""
        return self.settings.seed

    @property
    def prior(self):
        """The sampler of the model's prior."""
        return self.subject.prior or PriorSampler(self.test.latent_shape)

    @property
    def is_standard(self):
        """Whether rates have a closed form: Gaussian posteriors against N(0, I)."""
        return self.subject.prior is None and self.subject.draw is None

    def generator(self, use):
        """Returns a generator for one `use`, a string; the draws of different uses are independent."""
        return np.random.default_rng([self.seed, *use.encode()])

    def shaped(self, codes):
        """Returns flat `codes`, `[n, d]`, in the model's latent shape."""
        return codes.reshape(len(codes), *self.test.latent_shape).astype("float32")

    def label_inputs(self, labels, count):
        """Returns the labels of `count` codes in a tuple for a conditional model; an empty tuple for other models.

        Each label is repeated for consecutive rows if there are several codes per label.
        """
        return (np.repeat(labels, count // len(labels)),) if self.subject.num_classes else ()

    def drawn_labels(self, count):
        """Returns labels drawn with the frequencies of the training labels, `[count]`, or None without labels."""
        labels = self.train.labels
        return None if labels is None else self.generator("labels").choice(labels, count)

    def prior_codes(self, count, use):
        """Returns codes drawn from the prior, `[count, d]`."""
        return drawn_from(self.prior, count, self.generator(use))

    def decode(self, codes, labels=None):
        """Returns the images of flat `codes`, `[n, d]`; a conditional model needs their `labels`."""
        return in_batches(self.subject.decode, self.shaped(codes), *self.label_inputs(labels, len(codes)))

    def log_prob(self, images, codes, labels=None):
        """Returns log p(x|z) of observed `images` given flat `codes`, `[n]`, in nats."""
        given_labels = self.label_inputs(labels, len(codes))
        return in_batches(self.subject.log_prob, images, self.shaped(codes), *given_labels)

    def score(self, images, codes, labels=None):
        """Returns the same, and its gradient with respect to the flat codes, `[n, d]`."""
        given_labels = self.label_inputs(labels, len(codes))
        value, gradient = in_batches(self.subject.score, images, self.shaped(codes), *given_labels)
        return value, gradient.reshape(len(codes), -1)

    def slopes(self, codes, directions, labels=None):
        """Returns the decoder's derivatives at flat `codes` along flat `directions`, `[n, d]` each: `[n, pixels]`."""
        tangent = self.subject.tangent or differences(self.subject.decode)
        given_labels = self.label_inputs(labels, len(codes))
        slopes = in_batches(tangent, self.shaped(codes), self.shaped(directions), *given_labels, size=64)
        return slopes.reshape(len(codes), -1)

    def pull(self, codes, weights, labels=None):
        """Returns the gradient `[n, d]`, with respect to flat `codes`, of their images times `weights` `[n, pixels]`."""
        images = weights.reshape(len(codes), *self.test.images.shape[1:]).astype("float32")
        given_labels = self.label_inputs(labels, len(codes))
        pulled = in_batches(self.subject.pullback, self.shaped(codes), images, *given_labels, size=64)
        return pulled.reshape(len(codes), -1)

    def affordable(self, count, large):
        """Returns the sample size of a costly measurement: `count`, or `large` if the latent is large."""
        return count if self.test.mean.shape[1] <= LARGE_LATENT else large

    def see(self, images):
        """Returns the `Seen` of `images`, an array or a `Split`."""
        looks, probabilities = self.features.describe(images)
        if probabilities is None:
            return Seen(looks, None, None)
        return Seen(looks, probabilities.max(axis=-1), probabilities.argmax(axis=-1))


class Seen(NamedTuple):
    """The features and classes of images.

    Attributes:
        looks: The features, `[n, F]`.
        confidence: The classifier's largest class probability, `[n]`, or None without a classifier.
        classes: The class with this probability, `[n]`, or None.
    """

    looks: np.ndarray
    confidence: np.ndarray | None
    classes: np.ndarray | None

    @property
    def mean_confidence(self):
        """The mean confidence, None without a classifier."""
        return None if self.confidence is None else float(self.confidence.mean())

    def same_classes(self, others):
        """Returns the share of rows with the same class as in `others`, None without a classifier."""
        return (
            None
            if self.classes is None
            else float(np.mean(self.classes == others.classes[: len(self.classes)]))
        )


def gather(subject, size, dataset, features, settings, folder=None):
    """Returns the `Evidence`; `size` is the number of latent dimensions."""
    count = number_of_codes(size)
    measured, reference, labels = held_out(
        dataset, count, MOST_SAMPLES if size <= LARGE_LATENT else MOST_SAMPLES // 2
    )
    train = encode_split(subject, dataset.train, min(count, len(dataset.train)), settings.seed)
    test = encode_split(subject, dataset.test, measured, settings.seed + 1)
    return Evidence(subject, dataset, train, test, reference, labels, features, settings, folder)


def drawn_from(sampler, count, generator):
    """Returns codes drawn from a sampler, `[count, d]`."""
    seeds = np.arange(count, dtype="int64") + generator.integers(2**62)
    return in_batches(lambda part: sampler.sample(part).numpy(), seeds).reshape(count, -1)


def mean_and_error(values):
    """Returns the mean of `values`, `[n]`, and its standard error, None for n = 1."""
    mean, error = mean_of(values)
    return mean, None if math.isnan(error) else error


def differences(decode, step=1e-2):
    """Returns (codes, directions, *labels) -> the derivative of `decode` along the directions, by central differences."""
    return lambda codes, directions, *labels: (
        (decode(codes + step * directions, *labels) - decode(codes - step * directions, *labels)) / (2 * step)
    )
