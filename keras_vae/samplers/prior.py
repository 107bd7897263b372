"""The standard normal prior as a sampler."""

from dataclasses import dataclass

from keras_vae.layers.densities import standard_normal_log_density, sum_per_image
from keras_vae.samplers.noise import standard_normal


@dataclass(frozen=True)
class PriorSampler:
    """N(0, I), the standard prior of a variational autoencoder.

    For a plain autoencoder, which has no prior, it is only a reference.
    """

    latent_shape: tuple[int, ...]

    @property
    def settings(self):
        """An empty dict."""
        return {}

    def fit(self, codes, components=None):
        """Returns the prior itself, which does not depend on codes."""
        del codes, components
        return self

    def sample(self, seeds):
        """Returns codes drawn from N(0, I), float32 `[n, *latent]`. Row i depends only on `seeds[i]`."""
        return standard_normal(seeds, self.latent_shape)

    def log_prob(self, codes):
        """Returns log N(codes; 0, I), `[n]`, in nats."""
        return sum_per_image(standard_normal_log_density(codes))
