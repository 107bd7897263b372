"""Codes of a fixed length, in the place of a rate."""

from dataclasses import dataclass
from typing import ClassVar

from keras_vae.model.posteriors import Sphere
from keras_vae.model.regularizers.regularizer import Regularizer, named


@dataclass(frozen=True)
class NormalizedCodes(Regularizer):
    """Codes have a root mean square of 1 at each place of a map, or in all of a vector (Ke and Xue 2025).

    An autoencoder without a rate may let its codes grow or shrink; these cannot. The decoder normalizes its inputs too:
    the draws of a sampler do not lie on the sphere exactly, and are decoded from the nearest point on it, as the paper
    projects what its generator proposes. Unlike the paper's, these codes have no noise. There is no rate, so there is no
    bound on the likelihood.
    """

    name: ClassVar = "normalized"

    def check(self, model):
        """Refuses objectives that pull the codes towards a prior, and codes of one number."""
        super().check(model)
        if model.objective.prior != "none":
            raise ValueError(
                "regularizer normalized takes the place of the pull towards a prior, which objective"
                f" {named(model.objective)} has (try --objective autoencoder)"
            )
        if model.latent_shape[-1] < 2:
            raise ValueError(
                "regularizer normalized leaves one number only its sign, and the latent is"
                f" {'x'.join(map(str, model.latent_shape))}: expected 2 or more numbers at a place"
            )

    def latent(self, latent):
        """Returns points on the sphere."""
        del latent
        return Sphere()
