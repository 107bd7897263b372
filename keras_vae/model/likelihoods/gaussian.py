"""Gaussian pixels with a fixed, learned or optimal standard deviation, or one per pixel."""

import math
from dataclasses import dataclass, field

from keras_vae.layers.densities import batch_mean, gaussian_log_density, soft_bounds, sum_per_image
from keras_vae.model.likelihoods.likelihood import LearnedScale, Located, check_scale
from keras_vae.runtime.lazy import ops

# Standard deviations below exp(-6) of the grey range only measure rounding (Rybkin et al. 2021).
MIN_LOG_SIGMA = -6.0
MAX_LOG_SIGMA = 1.0


@dataclass(frozen=True)
class Gaussian(Located):
    """Independent Gaussian pixels with one fixed standard deviation: a squared error, scaled by `sigma`."""

    sigma: float = field(default=0.1, metadata={"help": "standard deviation of a pixel (pixels are 0 to 1)"})

    def __post_init__(self):
        check_scale("sigma", self.sigma)

    def log_prob(self, images, decoded):
        """Returns log p(images | decoded), `[batch]`, in nats."""
        return sum_per_image(gaussian_log_density(images, decoded, 2 * math.log(self.sigma)))


@dataclass(frozen=True)
class LearnedGaussian(LearnedScale):
    """Gaussian pixels with one standard deviation, learned with the network (Rybkin et al. 2021)."""

    min_log_scale, scale_name = MIN_LOG_SIGMA, "log_sigma"

    def log_prob(self, images, decoded):
        """Returns log p(images | decoded), `[batch]`, in nats; the last channel is log sigma."""
        return sum_per_image(gaussian_log_density(images, decoded[..., :-1], 2 * decoded[..., -1:]))


@dataclass(frozen=True)
class GaussianPerPixel(Located):
    """Gaussian pixels, each with its own mean and standard deviation (Kingma and Welling 2014, appendix C.2).

    The decoder outputs the means, then the log sigmas, which are softly bounded between -6 and 1. At pixels that never
    change, sigma falls to the lower bound; the resulting high densities do not indicate a better model.
    """

    def num_parameters(self, channels):
        """Returns the number of means and log sigmas."""
        return 2 * channels

    def log_prob(self, images, decoded):
        """Returns log p(images | decoded), `[batch]`, in nats."""
        mean, log_sigma = ops.split(decoded, 2, axis=-1)
        log_var = 2 * soft_bounds(log_sigma, MIN_LOG_SIGMA, MAX_LOG_SIGMA)
        return sum_per_image(gaussian_log_density(images, mean, log_var))

    def mean(self, decoded):
        """Returns the means, clipped to [0, 1]."""
        return super().mean(ops.split(decoded, 2, axis=-1)[0])


@dataclass(frozen=True)
class OptimalGaussian(Located):
    """Gaussian pixels with the optimal variance of the batch, its mean squared error (sigma-VAE).

    The variance sigma^2 = MSE maximises the density, so it is neither learned nor set (Rybkin, Daniilidis and Levine
    2021). In training and evaluation it comes from the batch itself, which makes the likelihood of a batch about half a
    nat too high. The score of single images (`Autoencoder.score`) uses the variance of the training images instead, as
    the paper's tests do. `PixelVariance` stores it, as a running mean over about a hundred training steps.
    """

    def log_prob(self, images, decoded):
        """Returns log p(images | decoded), `[batch]`, in nats."""
        return self.log_prob_in_batch(images, decoded, None)

    def log_prob_in_batch(self, images, decoded, weights):
        """Returns log p(images | decoded), `[batch]`, in nats, with the weighted variance of the batch."""
        return log_prob_at(images, decoded, mean_squared_error(images, decoded, weights))

    def new_layer(self):
        """Returns the layer that stores the variance."""
        from keras_vae.layers.basic import PixelVariance

        return PixelVariance(name="pixel_variance")

    def follow(self, images, decoded, weights):
        """Updates the running variance with a batch."""
        total = None if weights is None else ops.sum(weights)
        self.layer.follow(mean_squared_error(images, decoded, weights), total)

    def log_prob_alone(self, images, decoded):
        """Returns log p(images | decoded), `[batch]`, in nats, with the running variance of the training."""
        return log_prob_at(images, decoded, self.layer.variance())


def mean_squared_error(images, decoded, weights):
    """Returns the weighted mean squared error of a batch of images, a scalar."""
    return ops.mean(batch_mean(ops.square(images - decoded), weights))


def log_prob_at(images, decoded, variance):
    """Returns the log density of `images`, `[batch]`, in nats, with the same `variance` for all pixels."""
    log_var = ops.maximum(ops.log(variance + 1e-12), 2 * MIN_LOG_SIGMA)
    return sum_per_image(gaussian_log_density(images, decoded, log_var))
