"""A network of one dense layer each way: with a Gaussian likelihood, a model whose log p(x) is known."""

import dataclasses
import math

from keras_vae.runtime.lazy import keras


@dataclasses.dataclass(frozen=True)
class Linear:
    """An encoder and a decoder of one dense layer each; the decoder's is called `kernel`."""

    def encoder(self, image_shape, latent_shape, latent, policy):
        inputs = keras.Input(image_shape)
        flat = keras.layers.Flatten()(inputs)
        heads = {name: keras.layers.Dense(*latent_shape, name=name)(flat) for name in latent.heads()}
        return keras.Model(inputs, latent.bound(heads))

    def decoder(self, image_shape, latent_shape, likelihood, policy):
        inputs = keras.Input(latent_shape)
        pixels = keras.layers.Dense(math.prod(image_shape), name="kernel")(inputs)
        return keras.Model(inputs, keras.layers.Reshape(image_shape)(pixels))
