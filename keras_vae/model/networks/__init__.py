"""Encoder and decoder networks.

A network is a frozen dataclass whose fields are its sizes, with two methods:

    encoder(image_shape, latent_shape, latent, policy)             a functional model, images -> posterior
    decoder(image_shape, latent_shape, likelihood, policy, first)  a functional model, codes -> decoded

`latent` is the kind of latent (`keras_vae.model.posteriors`), which names the encoder's outputs and bounds them.
`policy` is the dtype policy of the hidden layers; all outputs are float32. `first` is a layer that the codes go through
first, or None. Images may have any size.
"""

from keras_vae.model.networks.convolutional import Convolutional
from keras_vae.model.networks.fields import ACTIVATIONS
from keras_vae.model.networks.mlp import Perceptron
from keras_vae.model.networks.normalization import groups
from keras_vae.model.networks.plan import Plan
from keras_vae.model.networks.residual import Residual

__all__ = ["ACTIVATIONS", "NETWORKS", "Plan", "groups"]

NETWORKS: dict[str, type] = {"convolutional": Convolutional, "mlp": Perceptron, "residual": Residual}
