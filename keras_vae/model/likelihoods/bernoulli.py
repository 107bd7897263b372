"""Densities of which the decoder gives logits: over black and white, and over all between them."""

from dataclasses import dataclass, field
from typing import Literal

from keras_vae.layers.densities import (
    bernoulli_log_density,
    continuous_bernoulli_log_density,
    continuous_bernoulli_mean,
    sum_per_image,
)
from keras_vae.model.likelihoods.likelihood import Likelihood
from keras_vae.runtime.lazy import keras, ops


@dataclass(frozen=True)
class Bernoulli(Likelihood):
    """Independent Bernoulli pixels; the decoder puts out logits. For images that are nearly black and white.

    A Bernoulli density is one over zeros and ones. `binarize` says how grey values become that:

    * `dynamic`: a pixel is 1 with its grey value as probability, drawn anew at each use of the image
      (Salakhutdinov and Murray 2008; Burda, Grosse and Salakhutdinov 2016). Its numbers can be compared with
      the papers' on "dynamically" or "stochastically" binarised MNIST.
    * `threshold`: a pixel is 1 where its grey value is above one half.
    * `none`: grey values enter as they are. The loss is then a cross-entropy and no likelihood: it can be
      compared with nothing but itself.
    """

    binarize: Literal["dynamic", "threshold", "none"] = field(
        default="dynamic",
        metadata={"help": "how grey becomes black or white: drawn anew, cut at 1/2, not at all"},
    )

    @property
    def bin_width(self):
        """1, a mass over black and white (bits are those of a binary pixel); None where grey enters as it is."""
        return None if self.binarize == "none" else 1.0

    def observe(self, images, seed):
        """Returns `images` binarised by the rule."""
        if self.binarize == "dynamic":
            return ops.cast(
                keras.random.uniform(ops.shape(images), dtype="float32", seed=seed) < images, "float32"
            )
        if self.binarize == "threshold":
            return ops.cast(images > 0.5, "float32")
        return images

    def without_noise(self, images):
        """Returns the grey values where they are drawn from: the log density is linear in them, so its mean is theirs."""
        return images if self.binarize == "dynamic" else self.observe(images, seed=None)

    def log_prob(self, images, decoded):
        """Returns log p(images | decoded), `[batch]`, in nats."""
        return sum_per_image(bernoulli_log_density(images, decoded))

    def mean(self, decoded):
        """Returns the probability of white."""
        return ops.sigmoid(decoded)


@dataclass(frozen=True)
class ContinuousBernoulli(Likelihood):
    """Independent pixels in [0, 1] whose log density is straight (Loaiza-Ganem and Cunningham 2019, equation 4).

    It is the cross-entropy that people train on grey values, made a density by its normaliser.
    """

    def log_prob(self, images, decoded):
        """Returns log p(images | decoded), `[batch]`, in nats."""
        return sum_per_image(continuous_bernoulli_log_density(images, decoded))

    def mean(self, decoded):
        """Returns the mean, which is not sigmoid(logits) but nearer to 1/2."""
        return continuous_bernoulli_mean(decoded)
