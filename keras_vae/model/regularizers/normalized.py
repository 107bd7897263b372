"""Codes of a fixed length, instead of a rate."""

from dataclasses import dataclass
from typing import ClassVar

from keras_vae.config.codec import registered_name
from keras_vae.model.objectives import OBJECTIVES
from keras_vae.model.posteriors import Sphere
from keras_vae.model.regularizers.regularizer import Regularizer


@dataclass(frozen=True)
class NormalizedCodes(Regularizer):
    """Normalizes codes to a root mean square of 1 at each position of a map, or over a vector (Ke and Xue 2025).

    The codes of an autoencoder without a rate may otherwise grow or shrink. The decoder normalizes its inputs too,
    since a sampler's draws are not exactly on the sphere; the paper projects the output of its generator in the same
    way. Unlike in the paper, the codes have no noise. There is no rate, and therefore no bound on the likelihood.
    """

    name: ClassVar = "normalized"

    def check(self, model):
        """Raises a ValueError for objectives that pull codes towards a prior, and for codes of a single number."""
        super().check(model)
        if model.objective.prior != "none":
            raise ValueError(
                "regularizer normalized replaces the pull towards a prior, which objective"
                f" {registered_name(model.objective, OBJECTIVES)} has (try --objective autoencoder)"
            )
        if model.latent_shape[-1] < 2:
            raise ValueError(
                "regularizer normalized leaves only the sign of a single number, and the latent is"
                f" {'x'.join(map(str, model.latent_shape))}: expected 2 or more numbers at each position"
            )

    def latent(self, latent):
        """Returns points on the sphere."""
        del latent
        return Sphere()
