"""A penalty on high spatial frequencies of codes."""

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
    the decoder (`equivariance` without rotations). This regularizer adds the share itself to the loss: the variance of
    the posteriors' means over the batch at row or column frequencies from `cutoff` on, divided by the total variance.
    Smaller codes do not lower it. It is one number per batch. Codes of white noise have a share of 1 - cutoff^2.
    """

    name: ClassVar = "spectral"
    terms: ClassVar[tuple[str, ...]] = ("high_frequencies",)

    weight: float = field(default=100.0, metadata={"help": "penalty in nats per image at a share of 1"})
    cutoff: float = field(
        default=0.5, metadata={"help": "lowest penalised frequency, relative to the highest"}
    )

    def __post_init__(self):
        check_weight(self.weight)
        if not 0 < self.cutoff < 1:
            raise ValueError(f"regularizer.cutoff is {self.cutoff}: it must lie between 0 and 1 (try 0.5)")

    def check(self, model):
        """Raises a ValueError for vector latents, and for a cutoff above all frequencies of the map."""
        super().check(model)
        check_map(self.name, model.latent_shape, model.image_shape)
        if all(count == size for count, size in self.counts(model.latent_shape)):
            raise ValueError(
                f"regularizer.cutoff is {self.cutoff}: a latent of {show_shape(model.latent_shape)} has no frequencies"
                " that high (try 0.5)"
            )

    def counts(self, latent_shape):
        """Returns `(low frequencies, all frequencies)`, their numbers, of rows and of columns."""
        return [(math.ceil(self.cutoff * size), size) for size in latent_shape[:2]]

    def __call__(self, model, step):
        """Returns the share of high frequencies, the same for each image, and the resulting loss."""
        share = self.share(step.posterior["mean"], model.latent_shape, step.mean)
        shares = ops.broadcast_to(share, ops.shape(step.posterior["mean"])[:1])
        return {"loss": self.weight * shares, "high_frequencies": shares}

    def share(self, codes, latent_shape, mean):
        """Returns the share of the variance of `codes`, `[batch, *latent]`, at high frequencies, a scalar.

        `mean` is a function that averages over the batch.
        """
        centred = codes - mean(codes)
        rows, columns = (cosines(size, count) for count, size in self.counts(latent_shape))
        low, total = (
            mean(sum_per_image(ops.square(values))) for values in (product(centred, rows, columns), centred)
        )
        return ops.divide_no_nan(total - low, total)
