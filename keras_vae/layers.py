"""The layers that Keras lacks."""

from keras_vae.densities import soft_bounds
from keras_vae.lazy import keras, ops

PACKAGE = "keras_vae"  # the name that our classes are registered under with Keras


class GivenSeed(keras.random.SeedGenerator):
    """A seed that is a pure function of numbers that the caller has, such as the optimizer's step counter.

    Keras' own generator counts in a variable that is saved in no file, so a resumed run would see other
    noise, and an evaluation between two epochs would shift the training's. This one has no state.
    """

    def __init__(self, stream, counter):
        self.value = ops.stack([ops.cast(stream, "int32"), ops.cast(counter, "int32")])

    def next(self, ordered=True):
        """Returns the seed, always the same."""
        del ordered
        return self.value


@keras.saving.register_keras_serializable(PACKAGE)
class Sampling(keras.layers.Layer):
    """Draws codes from N(mean, exp(log_var)) by the reparameterisation trick (Kingma and Welling 2014).

    Called on `[mean, log_var]`, each `[batch, *latent]`, it returns codes of that shape, in float32. Noise
    comes from `seed` where the call gives one (as `keras.random` takes it), else from the layer's own
    generator.
    """

    def __init__(self, seed=None, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, seed=None):
        mean, log_var = inputs
        seed = self.seed_generator if seed is None else seed
        noise = keras.random.normal(ops.shape(mean), dtype="float32", seed=seed)
        return mean + ops.exp(0.5 * log_var) * noise

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable(PACKAGE)
class SoftBounds(keras.layers.Layer):
    """Keeps values between `low` and `high` smoothly (`keras_vae.densities.soft_bounds`)."""

    def __init__(self, low, high, **kwargs):
        super().__init__(**kwargs)
        self.low, self.high = low, high

    def call(self, inputs):
        return soft_bounds(inputs, self.low, self.high)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "low": self.low, "high": self.high}


@keras.saving.register_keras_serializable(PACKAGE)
class AppendLogSigma(keras.layers.Layer):
    """Appends a channel that holds one learned number, the log of a scale (a standard deviation), never below `low`."""

    def __init__(self, low, **kwargs):
        super().__init__(**kwargs)
        self.low = low

    def build(self, input_shape):
        self.log_sigma = self.add_weight(shape=(), initializer="zeros", name="log_sigma")

    def call(self, inputs):
        value = self.low + ops.softplus(self.log_sigma - self.low)
        return ops.concatenate([inputs, ops.zeros_like(inputs[..., :1]) + value], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] + 1)

    def get_config(self):
        return {**super().get_config(), "low": self.low}


def frozen(network, inputs, training=False):
    """Returns what `network` makes of `inputs`, with gradients that reach the inputs and not the network.

    The networks' running statistics, where it has any, stay as they are.
    """
    weights = [ops.stop_gradient(variable.value) for variable in network.trainable_variables]
    others = [variable.value for variable in network.non_trainable_variables]
    return network.stateless_call(weights, others, inputs, training=training)[0]
