"""Networks of dense layers."""

import math
from dataclasses import dataclass, field

from keras_vae.model.networks import ends
from keras_vae.model.networks.fields import check_activation, check_sizes
from keras_vae.runtime.lazy import keras


@dataclass(frozen=True)
class Perceptron:
    """Dense layers; by default two of 200 tanh units, as in Burda, Grosse and Salakhutdinov 2016, section 5.

    The decoder has the same layers in reverse order. The latent must be a vector.
    """

    hidden: tuple[int, ...] = field(
        default=(200, 200), metadata={"help": "units of the encoder's dense layers, from images to codes"}
    )
    activation: str = field(default="tanh", metadata={"help": "activation, by its name in Keras"})

    def __post_init__(self):
        check_sizes("hidden", self.hidden, "200,200")
        check_activation(self.activation)

    def encoder(self, image_shape, latent_shape, latent, policy):
        """Returns the model that maps images to a posterior."""
        check_vector(latent_shape)
        inputs = keras.Input(image_shape, name="image")
        features = keras.layers.Flatten(data_format="channels_last", dtype=policy, name="flatten")(inputs)
        features = self.stack(features, self.hidden, "down", policy)
        return keras.Model(inputs, ends.posterior(features, latent_shape, latent), name="encoder")

    def decoder(self, image_shape, latent_shape, likelihood, policy, first=None):
        """Returns the model that maps codes to the parameters of the likelihood."""
        check_vector(latent_shape)
        shape = (*image_shape[:2], likelihood.num_parameters(image_shape[-1]))
        inputs, features = ends.codes(latent_shape, first)
        features = self.stack(features, self.hidden[::-1], "up", policy)
        decoded = keras.layers.Dense(math.prod(shape), dtype=policy, name="parameters")(features)
        decoded = keras.layers.Reshape(shape, dtype=policy, name="reshape")(decoded)
        return keras.Model(inputs, ends.parameters(decoded, likelihood), name="decoder")

    def stack(self, features, sizes, name, policy):
        """Returns `features` after dense layers of `sizes`."""
        for index, size in enumerate(sizes):
            features = keras.layers.Dense(
                size, activation=self.activation, dtype=policy, name=f"{name}_{index}"
            )(features)
        return features


def check_vector(latent_shape):
    """Raises a ValueError for a spatial latent."""
    if len(latent_shape) != 1:
        shown = "x".join(map(str, latent_shape))
        raise ValueError(
            f"latent is {shown}: the network mlp does not support spatial latents (try --latent"
            f" {min(math.prod(latent_shape), 32)}, or --network convolutional)"
        )
