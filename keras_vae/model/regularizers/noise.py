"""Noise on the decoder's input in training."""

from dataclasses import dataclass, field
from typing import ClassVar

from keras_vae.layers.densities import batch_mean
from keras_vae.model.regularizers.regularizer import Regularizer
from keras_vae.runtime.lazy import keras, ops

LEAST_VARIANCE = 1e-12  # keeps the gradient of the square root finite if all codes are equal


@dataclass(frozen=True)
class CodeNoise(Regularizer):
    """Adds Gaussian noise to the codes in training (Zheng et al. 2025).

    The decoder gets z + s d e with e from N(0, I) and s from |N(0, sigma^2)| for each image. d is the root mean square
    deviation of the batch's codes from their mean, over all dimensions. Since the noise is relative to d, the encoder
    cannot escape it with larger codes. Since d is the same for all dimensions, the encoder has to spend its variance on
    the most important content. The rate is that of the codes without noise. In evaluation and use, no noise is added.
    """

    name: ClassVar = "noise"

    sigma: float = field(default=0.5, metadata={"help": "size of the noise relative to that of the codes"})

    def __post_init__(self):
        if not self.sigma > 0:
            raise ValueError(f"regularizer.sigma is {self.sigma}: it must be above 0 (try 0.5)")

    def perturb(self, codes, seeds, weights=None):
        """Returns noisy codes, `[batch, *latent]`."""
        distances = ops.square(codes - batch_mean(codes, weights))
        deviation = ops.sqrt(ops.mean(batch_mean(distances, weights)) + LEAST_VARIANCE)
        batch, *sizes = ops.shape(codes)
        strength = ops.abs(keras.random.normal((batch, *(1 for _ in sizes)), dtype="float32", seed=seeds(0)))
        noise = keras.random.normal((batch, *sizes), dtype="float32", seed=seeds(1))
        return codes + self.sigma * deviation * strength * noise
