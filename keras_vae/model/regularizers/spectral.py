"""Codes without high frequencies."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

from keras_vae.layers.densities import sum_per_image
from keras_vae.model.posteriors import show_shape
from keras_vae.model.regularizers.maps import cosines, product
from keras_vae.model.regularizers.regularizer import Regularizer, check_map, check_weight
from keras_vae.runtime.lazy import ops


@dataclass(frozen=True)
class SpectralPenalty(Regularizer):
    """Penalises the share of the codes' variance at high spatial frequencies (after Skorokhodov et al. 2025).

    They find more high frequencies in the cosine transform of latents than in that of images, and suppress them through
    the decoder (`equivariance` without rotations). Here the share itself is added to the loss: the variance of the
    posteriors' means over the batch at row or column frequencies from `cutoff` on, divided by all of it. A share cannot
    be lowered by smaller codes. It is one number for the batch. White codes have a share of 1 - cutoff^2.
    """

    name: ClassVar = "spectral"
    terms: ClassVar = ("high_frequencies",)

    weight: float = field(default=100.0, metadata={"help": "nats that a share of 1 costs an image"})
    cutoff: float = field(
        default=0.5, metadata={"help": "lowest frequency that is penalised, relative to the map's highest"}
    )

    def __post_init__(self):
        check_weight(self.weight)
        if not 0 < self.cutoff < 1:
            raise ValueError(f"regularizer.cutoff is {self.cutoff}: expected 0 to 1 (try 0.5)")

    def check(self, model):
        """Refuses vectors, and a cutoff above all frequencies of the map."""
        super().check(model)
        check_map(self.name, model.latent_shape, model.image_shape)
        if all(count == size for count, size in self.counts(model.latent_shape)):
            raise ValueError(
                f"regularizer.cutoff is {self.cutoff}: a latent of {show_shape(model.latent_shape)} has no frequencies"
                " from there on (try 0.5)"
            )

    def counts(self, latent_shape):
        """Returns the number of low frequencies and of all, of rows and of columns."""
        return [(math.ceil(self.cutoff * size), size) for size in latent_shape[:2]]

    def __call__(self, model, step):
        """Returns the share of high frequencies, the same for each image, and its part of the loss."""
        share = self.share(step.posterior["mean"], model.latent_shape, step.mean)
        shares = ops.broadcast_to(share, ops.shape(step.posterior["mean"])[:1])
        return {"loss": self.weight * shares, "high_frequencies": shares}

    def share(self, codes, latent_shape, mean):
        """Returns the share of the variance of `codes`, `[batch, *latent]`, at high frequencies, a number.

        `mean` takes the mean over the batch.
        """
        centred = codes - mean(codes)
        rows, columns = (cosines(size, count) for count, size in self.counts(latent_shape))
        low, total = (
            mean(sum_per_image(ops.square(values))) for values in (product(centred, rows, columns), centred)
        )
        return ops.divide_no_nan(total - low, total)
