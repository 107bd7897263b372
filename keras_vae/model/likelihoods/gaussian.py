"""Gaussian pixels: of one standard deviation that is fixed, learned or the best, or of one each."""

import math
from dataclasses import dataclass, field

from keras_vae.layers.densities import batch_mean, gaussian_log_density, soft_bounds, sum_per_image
from keras_vae.model.likelihoods.likelihood import LearnedScale, Located, check_scale
from keras_vae.runtime.lazy import ops

# Below exp(-6) of the grey range a deviation only measures rounding (Rybkin et al. 2021).
MIN_LOG_SIGMA = -6.0
MAX_LOG_SIGMA = 1.0


@dataclass(frozen=True)
class GaussianLikelihood(Located):
    """Independent Gaussian pixels of one fixed standard deviation: squared error, on the scale of `sigma`."""

    sigma: float = field(
        default=0.1, metadata={"help": "standard deviation of a pixel whose range is 0 to 1"}
    )

    def __post_init__(self):
        check_scale("sigma", self.sigma)

    def log_prob(self, images, decoded):
        """Returns log p(images | decoded), `[batch]`, in nats."""
        return sum_per_image(gaussian_log_density(images, decoded, 2 * math.log(self.sigma)))


@dataclass(frozen=True)
class LearnedGaussian(LearnedScale):
    """Gaussian pixels of one standard deviation, learned with the network (Rybkin et al. 2021)."""

    min_log_scale, scale_name = MIN_LOG_SIGMA, "log_sigma"

    def log_prob(self, images, decoded):
        """Returns log p(images | decoded), `[batch]`, in nats; the last channel is the log sigma."""
        return sum_per_image(gaussian_log_density(images, decoded[..., :-1], 2 * decoded[..., -1:]))


@dataclass(frozen=True)
class GaussianPerPixel(Located):
    """Gaussian pixels, each of its own mean and standard deviation (Kingma and Welling 2014, appendix C.2).

    The decoder puts out the means and then the log sigmas, kept softly between -6 and 1. Where images never
    change, sigma falls to that bound: high densities there are no merit.
    """

    def num_parameters(self, channels):
        """Returns a mean and a log sigma a channel."""
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
    """Gaussian pixels of the variance that suits the batch best: its mean squared error (sigma-VAE).

    Rybkin, Daniilidis and Levine 2021: sigma^2 = MSE makes the density largest, so nothing has to be learned or
    set. In training and in evaluation it is taken from the batch that is measured, so that the figure flatters by
    about half a nat a batch. A score of single images (`Autoencoder.score`) takes the training images' variance, as
    the paper's tests do: a running mean over some hundred training steps, kept in `PixelVariance`.
    """

    def log_prob(self, images, decoded):
        """Returns log p(images | decoded), `[batch]`, in nats."""
        return self.log_prob_in_batch(images, decoded, None)

    def log_prob_in_batch(self, images, decoded, weights):
        """Returns log p(images | decoded), `[batch]`, in nats, at the variance of the images by their weights."""
        return log_prob_at(images, decoded, mean_squared_error(images, decoded, weights))

    def new_layer(self):
        """Returns the layer that holds the variance."""
        from keras_vae.layers.basic import PixelVariance

        return PixelVariance(name="pixel_variance")

    def follow(self, images, decoded, weights):
        """Moves the running variance towards the batch's."""
        total = None if weights is None else ops.sum(weights)
        self.layer.follow(mean_squared_error(images, decoded, weights), total)

    def log_prob_alone(self, images, decoded):
        """Returns log p(images | decoded), `[batch]`, in nats, at the running variance of the training."""
        return log_prob_at(images, decoded, self.layer.variance())


def mean_squared_error(images, decoded, weights):
    """Returns the mean squared error of a batch of images, each by its weight: a number."""
    return ops.mean(batch_mean(ops.square(images - decoded), weights))


def log_prob_at(images, decoded, variance):
    """Returns the log density of `images`, `[batch]`, in nats, where all pixels have one `variance`."""
    log_var = ops.maximum(ops.log(variance + 1e-12), 2 * MIN_LOG_SIGMA)
    return sum_per_image(gaussian_log_density(images, decoded, log_var))
