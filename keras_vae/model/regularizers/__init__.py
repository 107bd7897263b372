"""Regularizers, which make codes easier to sample.

A regularizer is a frozen dataclass, derived from `Regularizer`. In addition to the objective, it may add a term to the
loss, change the decoder's input in training, or bound the codes. `docs/easy_latents.md` compares them.
"""

from keras_vae.model.regularizers.equivariance import Equivariance
from keras_vae.model.regularizers.noise import CodeNoise
from keras_vae.model.regularizers.normalized import NormalizedCodes
from keras_vae.model.regularizers.regularizer import NoRegularizer, Regularizer
from keras_vae.model.regularizers.spectral import SpectralPenalty

REGULARIZERS: dict[str, type[Regularizer]] = {
    "equivariance": Equivariance,
    "noise": CodeNoise,
    "none": NoRegularizer,
    "normalized": NormalizedCodes,
    "spectral": SpectralPenalty,
}
