"""The diagonal Gaussian posterior."""

from dataclasses import dataclass
from typing import ClassVar

from keras_vae.layers.densities import (
    MAX_LOG_VAR,
    MIN_LOG_VAR,
    gaussian_log_density,
    kl_to_standard_normal,
    sum_per_image,
)
from keras_vae.model.posteriors.latent import Draw, Latent


@dataclass(frozen=True)
class DiagonalGaussian(Latent):
    """q(z|x) = N(mean, diag exp(log_var)) against the prior N(0, I) (Kingma and Welling 2014)."""

    has_noise: ClassVar = True

    def heads(self):
        """Returns the encoder's outputs; log_var starts at 0, a standard deviation of 1."""
        return {"mean": "glorot_uniform", "log_var": "zeros"}

    def bound(self, posterior):
        """Returns the posterior with its log-variance bounded between -14 and 6."""
        from keras_vae.layers.basic import SoftBounds

        bounds = SoftBounds(MIN_LOG_VAR, MAX_LOG_VAR, dtype="float32", name="bounded_log_var")
        return {"mean": posterior["mean"], "log_var": bounds(posterior["log_var"])}

    def new_layer(self, latent_shape):
        """Returns the layer that draws codes by the reparameterisation trick."""
        del latent_shape
        from keras_vae.layers.basic import Sampling

        return Sampling(name="sampling")

    def draw(self, posterior, seed, training=False, weights=None, noise=None):
        """Returns mean + exp(log_var / 2) * noise and its log density."""
        del training, weights
        mean, log_var = posterior["mean"], posterior["log_var"]
        codes = self.layer([mean, log_var], seed=seed, noise=noise)
        return Draw(codes, sum_per_image(gaussian_log_density(codes, mean, log_var)))

    def rate(self, posterior):
        """Returns KL(q(z|x) || N(0, I)), `[batch]`, in nats, summed over latent dimensions."""
        return sum_per_image(kl_to_standard_normal(posterior["mean"], posterior["log_var"]))

    def moments(self, posterior):
        """Returns the encoder's own mean and log-variance."""
        return posterior["mean"], posterior["log_var"]
