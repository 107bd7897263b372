"""Layers and constraints that Keras does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras_vae.layers import backends
from keras_vae.layers.densities import soft_bounds
from keras_vae.runtime.lazy import keras, ops

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keras_vae.runtime.tensor import Tensor

PACKAGE = "keras_vae"  # the package name of our classes in Keras' registry
SQUARINGS = 8
SMALLEST_NORM = 1e-30  # prevents divisions by zero
SMALLEST_MEAN_SQUARE = 1e-6  # bounds the gradient of a normalization at 0


class GivenSeed(keras.random.SeedGenerator):
    """A stateless seed: a function of numbers of the caller, such as the optimizer's step counter.

    Keras' own generator counts in a variable that is not saved: a resumed run would get different noise, and an
    evaluation between two epochs would change the noise of training.
    """

    def __init__(self, stream, counter):
        self.value = ops.stack([ops.cast(number, backends.SEED_DTYPE) for number in (stream, counter)])

    def next(self, ordered=True):
        """Returns the seed, which is always the same."""
        del ordered
        return self.value


@keras.saving.register_keras_serializable(PACKAGE)
class Sampling(keras.layers.Layer):
    """Draws codes from N(mean, exp(log_var)) by the reparameterisation trick (Kingma and Welling 2014).

    Called on `[mean, log_var]`, each `[batch, *latent]`, it returns float32 codes of the same shape. The noise is the
    argument `noise` if it is given, and otherwise drawn from the argument `seed` (as in `keras.random`) or the layer's
    own generator.
    """

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(
        self,
        inputs: Sequence[Tensor],
        seed: int | keras.random.SeedGenerator | None = None,
        noise: Tensor | None = None,
    ) -> Tensor:
        mean, log_var = inputs
        if noise is None:
            seed = self.seed_generator if seed is None else seed
            noise = keras.random.normal(ops.shape(mean), dtype="float32", seed=seed)
        return mean + ops.exp(0.5 * log_var) * noise

    def compute_output_shape(self, input_shape: Sequence[tuple]) -> tuple:
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable(PACKAGE)
class SoftBounds(keras.layers.Layer):
    """Bounds values between `low` and `high` smoothly (`keras_vae.layers.densities.soft_bounds`)."""

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
class UnitRootMeanSquare(keras.layers.Layer):
    """Scales the last axis to a root mean square of 1. Zero vectors stay zero."""

    def call(self, inputs):
        mean_square = ops.mean(ops.square(inputs), axis=-1, keepdims=True)
        return inputs * ops.rsqrt(mean_square + SMALLEST_MEAN_SQUARE)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable(PACKAGE)
class AppendLogSigma(keras.layers.Layer):
    """Appends a channel with one learned number, the log of a scale such as a standard deviation, bounded by `low`."""

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


class UnitSpectralNorm(keras.constraints.Constraint):
    """Divides a kernel by its largest singular value, as a matrix of its last axis against all others.

    The Gram matrix G of the shorter side is squared `SQUARINGS` times, which equals 2**SQUARINGS power iterations from
    all starts at once. With P = G**(2**SQUARINGS), tr(G P) / tr(P) is the mean of the eigenvalues of G, weighted by
    their powers. It is at most 1% below the largest eigenvalue for a kernel of 512 outputs.
    """

    def __call__(self, kernel):
        return kernel / ops.maximum(spectral_norm(kernel), SMALLEST_NORM)


class Between(keras.constraints.Constraint):
    """Clips weights to the range from `low` to `high`."""

    def __init__(self, low, high):
        self.low, self.high = low, high

    def __call__(self, values):
        return ops.clip(values, self.low, self.high)


def spectral_norm(kernel):
    """Returns the largest singular value of `kernel`, `[..., outputs]`, as a matrix of its last axis and all others."""
    matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
    if matrix.shape[0] < matrix.shape[1]:
        matrix = ops.transpose(matrix)
    gram = ops.matmul(ops.transpose(matrix), matrix)
    power = gram
    for _ in range(SQUARINGS):
        power = power / ops.maximum(ops.norm(power), SMALLEST_NORM)
        power = ops.matmul(power, power)
    return ops.sqrt(ops.sum(gram * power) / ops.maximum(ops.trace(power), SMALLEST_NORM))


class Weights(keras.layers.Layer):
    """Holds the weights of a model outside its networks as attributes, in float32 for every dtype policy.

    Args:
        name: The name of the layer.
        **weights: The `(shape, initializer)` of each weight, by name.
    """

    def __init__(self, name, **weights):
        super().__init__(dtype="float32", name=name)
        for key, (shape, initializer) in weights.items():
            setattr(self, key, self.add_weight(shape, initializer, name=key, autocast=False))
        self.built = True


class PixelVariance(keras.layers.Layer):
    """Holds the mean squared error per pixel in training, averaged over about the last hundred steps.

    It is an exponential moving average with bias correction (Kingma and Ba 2015, section 3): two sums with the same
    decay, of the errors and of 1.
    """

    decay = 0.99

    def __init__(self, name):
        super().__init__(dtype="float32", name=name)
        # All replicas compute the same values.
        self.sums = self.add_weight(
            (2,),
            "zeros",
            name="sums",
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
        )
        self.built = True

    def follow(self, error, total=None):
        """Adds the mean squared error of a batch, a scalar. `total` is the sum of its images' weights, None for 1."""
        error, total = ops.stop_gradient(error), ops.cast(1.0 if total is None else total, "float32")
        error, total = backends.mean_over_replicas([error * total, total])
        entered = ops.stack([ops.divide_no_nan(error, total), 1.0])
        sums = ops.convert_to_tensor(self.sums)
        moved = self.decay * sums + (1 - self.decay) * entered
        self.sums.assign(ops.where(total > 0, moved, sums))

    def is_known(self):
        """Returns whether a batch has been added."""
        return float(ops.convert_to_numpy(self.sums)[1]) > 0

    def variance(self):
        """Returns the mean squared error, a scalar."""
        return self.sums[0] / self.sums[1]

    def load_own_variables(self, store):
        """Loads the sums. Files of older versions do not have them; they then stay unknown."""
        if len(store.keys()):
            super().load_own_variables(store)
