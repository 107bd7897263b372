"""The second autoencoder of Dai and Wipf (2019): layers on flat codes, in float32."""

from keras_vae.layers.basic import GivenSeed, SoftBounds
from keras_vae.layers.densities import (
    MAX_LOG_VAR,
    MIN_LOG_VAR,
    gaussian_log_density,
    kl_to_standard_normal,
    sum_per_image,
)
from keras_vae.runtime.lazy import keras, ops

HIDDEN = 3  # hidden layers
# Factor from the weight to log gamma: with Adam's step of 0.002, a weight needs 500 updates to reach 1.
GAIN = 10.0


class SecondStagePerceptron(keras.layers.Layer):
    """Hidden layers, and an output layer that gets their output and the input, as in the authors' code."""

    def __init__(self, dim_in, dim_out, width, seed):
        super().__init__(dtype="float32")
        sizes = [width] * HIDDEN + [dim_out]
        self.layers = [
            keras.layers.Dense(
                size,
                "relu" if index < HIDDEN else None,
                kernel_initializer=keras.initializers.GlorotUniform(seed=seed + index),
                dtype="float32",
            )
            for index, size in enumerate(sizes)
        ]
        self.build((None, dim_in))

    def build(self, input_shape):
        size = input_shape[-1]
        for layer in self.layers[:-1]:
            layer.build((None, size))
            size = layer.units
        self.layers[-1].build((None, size + input_shape[-1]))

    def call(self, inputs):
        values = inputs
        for layer in self.layers[:-1]:
            values = layer(values)
        return self.layers[-1](ops.concatenate([inputs, values], axis=-1))


class Decoder(SecondStagePerceptron):
    """Maps u to the mean of z, `[n, dim]`, and log gamma, one learned number."""

    def __init__(self, dim, width, seed):
        super().__init__(dim, dim, width, seed)

    def build(self, input_shape):
        super().build(input_shape)
        self.gamma_weight = self.add_weight(shape=(), initializer="zeros", name="gamma_weight")

    def call(self, inputs):
        return super().call(inputs), GAIN * self.gamma_weight


class SecondStage(keras.layers.Layer):
    """Encoder and decoder between codes and u, both of `dim` dimensions."""

    def __init__(self, dim, width, seed):
        super().__init__(dtype="float32")
        self.encoder = SecondStagePerceptron(dim, 2 * dim, width, seed)
        self.bounds = SoftBounds(MIN_LOG_VAR, MAX_LOG_VAR, dtype="float32")
        self.decoder = Decoder(dim, width, seed + HIDDEN + 1)

    def loss(self, codes, seed):
        """Returns the negative evidence lower bound of `codes`, `[n]`, with one draw of u; `seed` is two numbers."""
        mean, log_var = ops.split(self.encoder(codes), 2, axis=1)
        log_var = self.bounds(log_var)
        noise = keras.random.normal(ops.shape(mean), dtype="float32", seed=GivenSeed(*seed))
        decoded, log_gamma = self.decoder(mean + ops.exp(0.5 * log_var) * noise)
        rate = sum_per_image(kl_to_standard_normal(mean, log_var))
        return rate - sum_per_image(gaussian_log_density(codes, decoded, 2 * log_gamma))
