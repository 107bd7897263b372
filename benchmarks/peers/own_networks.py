"""The two networks as networks of keras_vae; they run on every backend of Keras.

Its own options make neither of them exactly: the decoder of `--network convolutional --network.widths 32,64
--network.dense 16` has 32 channels at 14x14 where keras.io's has 64, a dense layer of 16 units before the code is made a
map, and ends in a convolution that is not transposed; and its encoder stops halving 28 pixels at 4x4, where Pythae's
goes on to 1x1.
"""

from dataclasses import dataclass

import keras
from peers.keras_networks import features_of, logits_of
from peers.networks import IMAGE_SHAPE, NETWORKS
from peers.task import LEARNING_RATE

from keras_vae.layers.kernels import layers as faster
from keras_vae.model.likelihoods import Bernoulli
from keras_vae.model.networks import ends


@dataclass(frozen=True)
class Peer:
    """One of the two networks, as keras_vae takes them."""

    name: str

    def encoder(self, image_shape, latent_shape, latent, policy):
        """Returns the model that maps images to a posterior."""
        images = keras.Input(image_shape, name="image")
        features = features_of(NETWORKS[self.name], images, policy, faster)
        return keras.Model(images, ends.posterior(features, latent_shape, latent), name="encoder")

    def decoder(self, image_shape, latent_shape, likelihood, policy):
        """Returns the model that maps codes to what the likelihood reads."""
        del image_shape
        codes = keras.Input(latent_shape, name="latent")
        logits = logits_of(NETWORKS[self.name], codes, policy, faster)
        return keras.Model(codes, ends.parameters(logits, likelihood), name="decoder")


def build(name, precision):
    """Returns the model with the network `name`, compiled."""
    import keras_vae

    keras_vae.NETWORKS["peer"] = Peer  # the name that it is saved under
    model = keras_vae.VAE(
        IMAGE_SHAPE, NETWORKS[name].latent, "vae", Bernoulli(binarize="none"), Peer(name), dtype=precision
    )
    model.compile(keras.optimizers.Adam(LEARNING_RATE))
    return model
