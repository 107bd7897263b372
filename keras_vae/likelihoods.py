"""What the decoder's output means: a density over images, in nats per image.

A likelihood is a frozen dataclass with four methods of the same signature in all of them:

    num_parameters(channels)   how many channels the decoder puts out for an image of `channels`
    head()                     further layers at the decoder's end (a learned variance), mostly none
    log_prob(images, decoded)  log p(images | codes), `[batch]`, summed over pixels and channels
    mean(decoded)              the images that the decoder shows, `[batch, height, width, channels]` in [0, 1]

and `observe(images, seed)`, which makes of grey values what the density is over.
"""

import math
from dataclasses import dataclass, field
from typing import Literal

from keras_vae.densities import bernoulli_log_density, gaussian_log_density, sum_per_image
from keras_vae.lazy import keras, ops

# Below exp(-6) of the grey range a variance only measures rounding (Rybkin et al. 2021, section 4).
MIN_LOG_SIGMA = -6.0

NEARLY_BLACK_AND_WHITE = 0.15


class Likelihood:
    """The common part of all likelihoods: one channel of parameters a channel, images taken as they are."""

    def num_parameters(self, channels):
        """Returns the number of channels that the decoder puts out."""
        return channels

    def head(self):
        """Returns the layers that follow the decoder's last convolution, in order."""
        return []

    def observe(self, images, seed):
        """Returns what the density is over, made of `images` in [0, 1]; `seed` as in `keras.random`."""
        del seed
        return images


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

    def observe(self, images, seed):
        """Returns `images` binarised by the rule."""
        if self.binarize == "dynamic":
            return ops.cast(
                keras.random.uniform(ops.shape(images), dtype="float32", seed=seed) < images, "float32"
            )
        if self.binarize == "threshold":
            return ops.cast(images > 0.5, "float32")
        return images

    def log_prob(self, images, decoded):
        """Returns log p(images | decoded), `[batch]`, in nats."""
        return sum_per_image(bernoulli_log_density(images, decoded))

    def mean(self, decoded):
        """Returns the probability of white."""
        return ops.sigmoid(decoded)


class GaussianMean(Likelihood):
    """Gaussians whose first channels are their means; shown clipped to [0, 1]."""

    def mean(self, decoded):
        """Returns the means, clipped to [0, 1]."""
        return ops.clip(decoded, 0.0, 1.0)


@dataclass(frozen=True)
class Gaussian(GaussianMean):
    """Independent Gaussian pixels of one fixed standard deviation: squared error, on the scale of `sigma`."""

    sigma: float = field(
        default=0.1, metadata={"help": "standard deviation of a pixel whose range is 0 to 1"}
    )

    def __post_init__(self):
        if not self.sigma > 0:
            raise ValueError(
                f"likelihood.sigma is {self.sigma}: it must be above 0 (try --likelihood.sigma 0.1)"
            )

    def log_prob(self, images, decoded):
        """Returns log p(images | decoded), `[batch]`, in nats."""
        return sum_per_image(gaussian_log_density(images, decoded, 2 * math.log(self.sigma)))


@dataclass(frozen=True)
class LearnedGaussian(GaussianMean):
    """Gaussian pixels of one standard deviation, learned with the network (Rybkin et al. 2021, section 4.1)."""

    def head(self):
        """Returns the layer that holds the learned logarithm of the standard deviation."""
        from keras_vae.layers import AppendLogSigma

        return [AppendLogSigma(MIN_LOG_SIGMA, dtype="float32", name="log_sigma")]

    def log_prob(self, images, decoded):
        """Returns log p(images | decoded), `[batch]`, in nats; the last channel is the log sigma."""
        return sum_per_image(gaussian_log_density(images, decoded[..., :-1], 2 * decoded[..., -1:]))

    def mean(self, decoded):
        """Returns the means, clipped to [0, 1]."""
        return super().mean(decoded[..., :-1])


@dataclass(frozen=True)
class OptimalGaussian(GaussianMean):
    """Gaussian pixels of the variance that suits the batch best: its mean squared error (sigma-VAE).

    Rybkin, Daniilidis and Levine 2021, section 4.2, equation 6: sigma^2 = MSE makes the density largest, so
    nothing has to be learned or set. As the variance is taken from the batch that is scored, the figure
    flatters by about half a nat a batch.
    """

    def log_prob(self, images, decoded):
        """Returns log p(images | decoded), `[batch]`, in nats."""
        squared_error = ops.mean(ops.square(images - decoded))
        log_var = ops.maximum(ops.log(squared_error + 1e-12), 2 * MIN_LOG_SIGMA)
        return sum_per_image(gaussian_log_density(images, decoded, log_var))


@dataclass(frozen=True)
class Automatic:
    """Chosen by the images: `bernoulli` where they are nearly black and white, else `gaussian_optimal`.

    Nearly means that 4x(1 - x), which is 0 at black and white and 1 at middle grey, is below 0.15 in the mean
    (MNIST 0.07, scikit-learn's digits 0.28).
    """

    def resolve(self, images):
        """Returns the likelihood for images like `images`, `[n, height, width, channels]` in [0, 1]."""
        greyness = float((4 * images * (1 - images)).mean())
        return Bernoulli() if greyness < NEARLY_BLACK_AND_WHITE else OptimalGaussian()


LIKELIHOODS = {
    "bernoulli": Bernoulli,
    "gaussian": Gaussian,
    "gaussian_learned": LearnedGaussian,
    "gaussian_optimal": OptimalGaussian,
}
