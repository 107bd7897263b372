"""Bernoulli and continuous Bernoulli pixels, for which the decoder outputs logits."""

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
    """Independent Bernoulli pixels, for images that are nearly black and white.

    The decoder outputs logits. A Bernoulli distribution is over zeros and ones; `binarize` converts grey values:

    * `dynamic`: a pixel is 1 with its grey value as probability, drawn anew at each use of the image (Salakhutdinov and
      Murray 2008; Burda, Grosse and Salakhutdinov 2016). Results can be compared with those of papers on "dynamically"
      or "stochastically" binarised MNIST.
    * `threshold`: a pixel is 1 if its grey value is above one half.
    * `none`: grey values are used unchanged. The loss is then a cross-entropy rather than a likelihood, and cannot be
      compared with other likelihoods.
    """

    binarize: Literal["dynamic", "threshold", "none"] = field(
        default="dynamic",
        metadata={
            "help": "how grey values become black or white: at random, at a threshold of 1/2, not at all"
        },
    )

    @property
    def bin_width(self):
        """1 for a mass over black and white, with bits per binary pixel; None for grey values."""
        return None if self.binarize == "none" else 1.0

    def observe(self, images, seed):
        """Returns the binarised `images`."""
        if self.binarize == "dynamic":
            return ops.cast(
                keras.random.uniform(ops.shape(images), dtype="float32", seed=seed) < images, "float32"
            )
        if self.binarize == "threshold":
            return ops.cast(images > 0.5, "float32")
        return images

    def without_noise(self, images):
        """Returns the grey values if pixels are drawn from them: `log_prob` is linear, so this gives its mean."""
        return images if self.binarize == "dynamic" else self.observe(images, seed=None)

    def log_prob(self, images, decoded):
        """Returns log p(images | decoded), `[batch]`, in nats."""
        return sum_per_image(bernoulli_log_density(images, decoded))

    def mean(self, decoded):
        """Returns the probability of white."""
        return ops.sigmoid(decoded)


@dataclass(frozen=True)
class ContinuousBernoulli(Likelihood):
    """Independent continuous Bernoulli pixels in [0, 1] (Loaiza-Ganem and Cunningham 2019, equation 4).

    Their log density is linear in the pixel: the cross-entropy of grey values, normalised to be a density.
    """

    def log_prob(self, images, decoded):
        """Returns log p(images | decoded), `[batch]`, in nats."""
        return sum_per_image(continuous_bernoulli_log_density(images, decoded))

    def mean(self, decoded):
        """Returns the mean, which is closer to 1/2 than sigmoid(logits)."""
        return continuous_bernoulli_mean(decoded)
