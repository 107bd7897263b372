"""The autoencoder without a rate, and its denoising form."""

from dataclasses import dataclass
from typing import ClassVar

from keras_vae.model.objectives.objective import Objective
from keras_vae.model.posteriors import Point


@dataclass(frozen=True)
class PlainAutoencoder(Objective):
    """A plain autoencoder: only the distortion, with codes without noise."""

    formula: ClassVar = "D"
    paper: ClassVar = "Hinton and Salakhutdinov 2006"
    good_for: ClassVar = "compression; generation only with a fitted sampler"

    latent: ClassVar = Point()
    terms: ClassVar[tuple[str, ...]] = ("distortion",)
    prior: ClassVar = "none"

    def __call__(self, model, step):
        """Returns the loss, -log p(x|z) at the encoder's code."""
        return {"loss": step.distortion, "distortion": step.distortion}


@dataclass(frozen=True)
class DenoisingAutoencoder(PlainAutoencoder):
    """A plain autoencoder that decodes clean images from the codes of corrupted ones (Vincent et al. 2010).

    The default corruption is Gaussian noise. `--corruption` works with every objective.
    """

    formula: ClassVar = "D, codes of corrupted images"
    paper: ClassVar = "Vincent et al. 2010"
    good_for: ClassVar = "codes that ignore noise; restoring images"

    corruption: ClassVar = "gaussian"
