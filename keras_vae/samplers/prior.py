"""The prior: where a variational autoencoder is meant to be sampled from."""

from dataclasses import dataclass

from keras_vae.layers.densities import standard_normal_log_density, sum_per_image
from keras_vae.samplers.noise import standard_normal


@dataclass(frozen=True)
class PriorSampler:
    """N(0, I), what a variational autoencoder is trained to decode from.

    A plain autoencoder has no prior; for one this is where a person would look first, and no more.
    """

    latent_shape: tuple[int, ...]

    @property
    def settings(self):
        """There are none."""
        return {}

    def fit(self, codes, components=None):
        """Returns the prior itself: nothing in it depends on `codes`."""
        del codes, components
        return self

    def sample(self, seeds):
        """Returns codes drawn from N(0, I), float32 `[n, *latent]`, row i from `seeds[i]` alone."""
        return standard_normal(seeds, self.latent_shape)

    def log_prob(self, codes):
        """Returns log N(codes; 0, I), `[n]`, in nats."""
        return sum_per_image(standard_normal_log_density(codes))
