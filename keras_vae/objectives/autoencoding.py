"""The autoencoder without a rate."""

from dataclasses import dataclass
from typing import ClassVar

from keras_vae.latents import Point


@dataclass(frozen=True)
class PlainAutoencoder:
    """A plain autoencoder: the distortion alone, with a code that is a point."""

    latent: ClassVar = Point()
    terms: ClassVar = ("distortion",)

    def __call__(self, model, step):
        """Returns the loss, -log p(x|z) at the encoder's code."""
        return {"loss": step.distortion, "distortion": step.distortion}

    def effective_beta(self, dims):
        """Returns None: there is no rate."""
        del dims
