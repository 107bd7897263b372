"""The autoencoder without a rate, and its denoising form."""

from dataclasses import dataclass
from typing import ClassVar

from keras_vae.latents import Point
from keras_vae.objectives.objective import Objective


@dataclass(frozen=True)
class PlainAutoencoder(Objective):
    """A plain autoencoder: the distortion alone, with a code that is a point."""

    latent: ClassVar = Point()
    terms: ClassVar = ("distortion",)
    prior: ClassVar = "none"

    def __call__(self, model, step):
        """Returns the loss, -log p(x|z) at the encoder's code."""
        return {"loss": step.distortion, "distortion": step.distortion}
