"""Dense layers alone."""

import math
from dataclasses import dataclass, field

from keras_vae.model.networks import ends
from keras_vae.model.networks.fields import check_activation, check_sizes
from keras_vae.runtime.lazy import keras


@dataclass(frozen=True)
class Perceptron:
    """Two hidden layers of 200 tanh units each way, as in Burda, Grosse and Salakhutdinov 2016, section 5.

    The decoder has the same layers in reverse. The latent is a vector: in a dense layer no unit has a place.
    """

    hidden: tuple[int, ...] = field(
        default=(200, 200), metadata={"help": "units of the encoder's dense layers, from images to codes"}
    )
    activation: str = field(default="tanh", metadata={"help": "any activation that Keras knows by name"})

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
        """Returns the model that maps codes to what the likelihood reads."""
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
            f"latent is {shown}: the network mlp has no height and width to put it on (try --latent"
            f" {min(math.prod(latent_shape), 32)}, or --network convolutional)"
        )
