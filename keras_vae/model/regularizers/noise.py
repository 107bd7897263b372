"""Noise in the codes that the decoder sees in training."""

from dataclasses import dataclass, field
from typing import ClassVar

from keras_vae.layers.densities import batch_mean
from keras_vae.model.regularizers.regularizer import Regularizer
from keras_vae.runtime.lazy import keras, ops

LEAST_VARIANCE = 1e-12  # keeps the root's gradient finite where all codes are equal


@dataclass(frozen=True)
class CodeNoise(Regularizer):
    """In training the decoder sees the codes with Gaussian noise (Zheng et al. 2025).

    It decodes z + s d e, e of N(0, I), s of |N(0, sigma^2)| for each image. d is the root mean square distance of a
    batch's codes from their mean, by number. In these units an encoder cannot escape the noise by larger codes, as it
    can with noise of a fixed size. As d is one number for the whole code, the encoder has to spend its variance on what
    the image needs most. Nothing is added when the model is evaluated or used, and the rate is that of the codes without
    the noise.
    """

    name: ClassVar = "noise"

    sigma: float = field(default=0.5, metadata={"help": "size of the noise, in deviations of the codes"})

    def __post_init__(self):
        if not self.sigma > 0:
            raise ValueError(f"regularizer.sigma is {self.sigma}: it must be above 0 (try 0.5)")

    def perturb(self, codes, seeds, weights=None):
        """Returns the codes with noise, `[batch, *latent]`."""
        distances = ops.square(codes - batch_mean(codes, weights))
        deviation = ops.sqrt(ops.mean(batch_mean(distances, weights)) + LEAST_VARIANCE)
        batch, *sizes = ops.shape(codes)
        strength = ops.abs(keras.random.normal((batch, *(1 for _ in sizes)), dtype="float32", seed=seeds(0)))
        noise = keras.random.normal((batch, *sizes), dtype="float32", seed=seeds(1))
        return codes + self.sigma * deviation * strength * noise
