"""What training may do, beside the objective, to make codes easy to sample.

A regularizer is a frozen dataclass, derived from `Regularizer`, and goes with any objective: it may add to the loss,
change what the decoder sees in training, or bound the codes. `docs/easy_latents.md` measures them.
"""

from keras_vae.model.regularizers.equivariance import Equivariance
from keras_vae.model.regularizers.noise import CodeNoise
from keras_vae.model.regularizers.normalized import NormalizedCodes
from keras_vae.model.regularizers.regularizer import NoRegularizer
from keras_vae.model.regularizers.spectral import SpectralPenalty

REGULARIZERS = {
    "equivariance": Equivariance,
    "noise": CodeNoise,
    "none": NoRegularizer,
    "normalized": NormalizedCodes,
    "spectral": SpectralPenalty,
}
