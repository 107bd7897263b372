"""The prior of discrete codes."""

import math
from dataclasses import dataclass

from keras_vae.model.priors.prior import Prior
from keras_vae.runtime.lazy import keras, ops


@dataclass(frozen=True)
class UniformPrior(Prior):
    """A uniform distribution over the codebook's entries at each position (van den Oord et al. 2017, section 3.1).

    Models with a codebook always use it. Its rate is constant: positions * log(entries) nats.
    """

    def log_prob(self, codes):
        """Returns the log probability of `codes` that are entries, `[batch]`, which is constant."""
        positions = math.prod(self.latent_shape[:-1])
        return ops.zeros_like(codes[:, 0, 0, 0]) - positions * math.log(self.entries.size)

    def draw(self, count, seed):
        """Returns random entries, `[count, *latent]`."""
        shape = (count, *self.latent_shape[:-1])
        indices = keras.random.randint(shape, 0, self.entries.size, dtype="int32", seed=seed)
        return ops.take(ops.convert_to_tensor(self.entries.codebook), indices, axis=0)

    def sampler(self):
        """Returns the prior as a sampler, with the current codebook."""
        from keras_vae import samplers

        return samplers.UniformSampler.of_codebook(
            ops.convert_to_numpy(self.entries.codebook), self.latent_shape
        )
