"""Mixtures of diagonal Gaussians as priors: learned directly, or the posteriors of learned images."""

import math
from dataclasses import dataclass, field

import numpy as np

from keras_vae.layers.densities import LOG_2_PI, MAX_LOG_VAR, MIN_LOG_VAR
from keras_vae.model.priors.prior import Prior
from keras_vae.runtime.lazy import keras, ops

# Initial spread of the components' means, in standard deviations of the prior. Equal components would stay equal.
START_SPREAD = 0.5
# Pseudo-inputs are sigmoids of learned logits, so pixels are initially clipped to this distance from 0 and 1.
DARKEST = 0.01


class MixtureOfGaussians(Prior):
    """The base class. `gaussians()` returns log weights `[k]`, and means and log-variances, `[k, *latent]`."""

    def __post_init__(self):
        if self.components < 1:
            raise ValueError(f"prior.components is {self.components}: it must be at least 1")

    def log_prob(self, codes):
        """Returns log sum_k weight_k N(codes; mean_k, var_k), `[batch]`."""
        return mixture_log_density(codes, *self.gaussians())

    def draw(self, count, seed):
        """Returns codes drawn from the mixture, `[count, *latent]`."""
        log_weights, means, log_vars = self.gaussians()
        noise = keras.random.normal((count, 1 + math.prod(self.latent_shape)), dtype="float32", seed=seed)
        # The first number of each row, mapped to a uniform number by the normal cdf, selects the component.
        number = place_in(log_weights, 0.5 + 0.5 * ops.erf(noise[:, 0] / math.sqrt(2)))
        noise = ops.reshape(noise[:, 1:], (-1, *self.latent_shape))
        return ops.take(means, number, axis=0) + ops.exp(0.5 * ops.take(log_vars, number, axis=0)) * noise

    def sampler(self):
        """Returns the mixture as a sampler, with its current components."""
        from keras_vae import samplers

        log_weights, means, log_vars = map(ops.convert_to_numpy, self.gaussians())
        return samplers.Vamp.from_arrays(np.exp(log_weights), means, log_vars)


@dataclass(frozen=True)
class MixturePrior(MixtureOfGaussians):
    """A mixture of diagonal Gaussians whose means, variances and weights are learned with the model.

    Initially the components' means have a standard deviation of one half, and the components are so wide that the
    mixture is about N(0, I). The log-variances are clipped to the posteriors' bounds, -14 and 6, after each training
    step. Otherwise a component on a single code would shrink without limit and its density would become infinite.
    """

    components: int = field(default=50, metadata={"help": "number of Gaussians in the mixture"})

    def new_layer(self, image_shape, latent_shape):
        """Returns the layer of `[components, *latent]` means and log-variances, and `[components]` log weights."""
        from keras_vae.layers.basic import Between, Weights

        del image_shape
        shape = (self.components, *latent_shape)
        spread = START_SPREAD if self.components > 1 else 0.0
        layer = Weights(
            "prior",
            means=(shape, keras.initializers.RandomNormal(stddev=spread)),
            log_vars=(shape, keras.initializers.Constant(math.log(1 - spread**2))),
            logits=((self.components,), keras.initializers.Zeros()),
        )
        layer.log_vars.constraint = Between(MIN_LOG_VAR, MAX_LOG_VAR)
        return layer

    def gaussians(self):
        """Returns the log weights and the Gaussians."""
        layer = self.layer
        log_weights = ops.log_softmax(ops.convert_to_tensor(layer.logits))
        # Weights from a file may be outside the bounds.
        log_vars = ops.clip(ops.convert_to_tensor(layer.log_vars), MIN_LOG_VAR, MAX_LOG_VAR)
        return log_weights, ops.convert_to_tensor(layer.means), log_vars


@dataclass(frozen=True)
class VampPrior(MixtureOfGaussians):
    """A mixture of the posteriors of learned images, the pseudo-inputs (Tomczak and Welling 2018, equation 9).

        p(z) = 1/k sum_i q(z | u_i)

    The encoder processes the pseudo-inputs with each batch. With 500 of them, as in the paper, and batches of 64, a
    step takes about five times as long. `train.py` initialises them with training images (`use_training_data_init` in
    the authors' code); in a program, call `model.adapt(images)`. Otherwise they are random.
    """

    components: int = field(default=100, metadata={"help": "number of pseudo-inputs (500 in the paper)"})

    def new_layer(self, image_shape, latent_shape):
        """Returns the layer of the pseudo-inputs' logits, `[components, *image]`."""
        from keras_vae.layers.basic import Weights

        del latent_shape
        start = keras.initializers.RandomNormal(-1.0)
        return Weights("prior", pseudo_inputs=((self.components, *image_shape), start))

    def adapt(self, images):
        """Initialises the pseudo-inputs with the first of `images`, `[n, height, width, channels]`."""
        pseudo_inputs = self.layer.pseudo_inputs
        values = ops.convert_to_numpy(pseudo_inputs).copy()
        grey = np.clip(images[: self.components], DARKEST, 1 - DARKEST)
        values[: len(grey)] = np.log(grey / (1 - grey))
        pseudo_inputs.assign(values)

    def gaussians(self):
        """Returns equal log weights and the posteriors at the pseudo-inputs."""
        images = ops.sigmoid(ops.convert_to_tensor(self.layer.pseudo_inputs))
        means, log_vars = self.encode(images)
        return ops.zeros((self.components,)) - math.log(self.components), means, log_vars


def mixture_log_density(codes, log_weights, means, log_vars):
    """Returns log sum_k weight_k N(codes; mean_k, exp(log_var_k)), `[n]`, in nats.

        (z - m)' P (z - m) = z^2 . P - 2 z . (P m) + m^2 . P,  P = exp(-log_var)

    This takes two matrix products instead of an n x k x d array. All values are centred on the mean of the means, since
    the differences of large terms would be inaccurate in float32.

    Args:
        codes: `[n, *latent]`.
        log_weights: `[k]`.
        means, log_vars: `[k, *latent]`.
    """
    size = math.prod(means.shape[1:])
    codes, means, log_vars = (ops.reshape(values, (-1, size)) for values in (codes, means, log_vars))
    center = ops.mean(means, axis=0)
    codes, means, precision = codes - center, means - center, ops.exp(-log_vars)
    squared = (
        ops.matmul(ops.square(codes), ops.transpose(precision))
        - 2 * ops.matmul(codes, ops.transpose(means * precision))
        + ops.sum(ops.square(means) * precision, axis=1)
    )
    log_densities = -0.5 * (size * LOG_2_PI + ops.sum(log_vars, axis=1) + squared)
    return ops.logsumexp(log_densities + log_weights, axis=1)


def place_in(log_weights, uniform):
    """Returns the component, int32 `[n]`, that each of the `uniform` numbers from 0 to 1, `[n]`, selects."""
    ends = ops.cumsum(ops.exp(log_weights))[:-1]
    return ops.sum(ops.cast(uniform[:, None] > ends, "int32"), axis=1)
