"""Encoder and decoder networks: from images to features, and from codes to what the likelihood reads.

A network is a frozen dataclass whose fields are its sizes, with two methods:

    encoder(image_shape, latent_shape, latent, policy)           a functional model, images -> posterior
    decoder(image_shape, latent_shape, likelihood, policy)       a functional model, codes -> decoded; also with
                                                                 `first`, a layer that the codes go through first

`latent` is the kind of latent (`keras_vae.model.posteriors`), which names the encoder's outputs and bounds them; `policy` is
the dtype policy of the hidden layers. What comes out of either is float32. Any image size will do.
"""

from keras_vae.model.networks.convolutional import Convolutional
from keras_vae.model.networks.fields import ACTIVATIONS
from keras_vae.model.networks.mlp import Perceptron
from keras_vae.model.networks.normalization import groups
from keras_vae.model.networks.plan import Plan
from keras_vae.model.networks.residual import Residual

__all__ = ["ACTIVATIONS", "NETWORKS", "Plan", "groups"]

NETWORKS = {"convolutional": Convolutional, "mlp": Perceptron, "residual": Residual}
