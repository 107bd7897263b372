"""The standard normal prior."""

from dataclasses import dataclass
from typing import ClassVar

from keras_vae.layers.densities import standard_normal_log_density, sum_per_image
from keras_vae.model.priors.prior import Prior
from keras_vae.runtime.lazy import keras


@dataclass(frozen=True)
class StandardNormal(Prior):
    """N(0, I) (Kingma and Welling 2014). It also serves as a placeholder for objectives without a prior."""

    is_standard: ClassVar = True

    def log_prob(self, codes):
        """Returns log N(codes; 0, I), `[batch]`."""
        return sum_per_image(standard_normal_log_density(codes))

    def draw(self, count, seed):
        """Returns codes drawn from N(0, I), `[count, *latent]`."""
        return keras.random.normal((count, *self.latent_shape), dtype="float32", seed=seed)

    def sampler(self):
        """Returns the sampler of N(0, I)."""
        from keras_vae import samplers

        return samplers.PriorSampler(self.latent_shape)
