"""Gaussian posteriors that a flow bends."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keras_vae.layers.densities import gaussian_log_density, sum_per_image
from keras_vae.model.posteriors.gaussian import DiagonalGaussian
from keras_vae.model.posteriors.latent import Draw
from keras_vae.model.posteriors.shapes import show_shape
from keras_vae.runtime.lazy import ops

# The steps' networks have matrices of latent x width, and `moments` takes twice as many passes as dimensions.
MOST_DIMS = 512
# Of the variances that `moments` gives: what a map that is flat around the mean has.
LEAST_VARIANCE = 1e-12


@dataclass(frozen=True)
class FlowedGaussian(DiagonalGaussian):
    """z = f(u; h), u ~ N(mean, diag exp(log_var)), with a flow f and a `context` h from the encoder too.

    log q(z|x) = log N(u; mean, exp(log_var)) - log |det df/du| is exact at the codes that are drawn; the rate is a
    Monte-Carlo estimate from it (Rezende and Mohamed 2015, equation 15). A spatial latent is taken flat.

    Attributes:
        kind: A name in `keras_vae.layers.flows.STEPS`.
        depth: Steps of the flow.
        width: Of their networks, where they have some.
    """

    is_gaussian: ClassVar = False

    kind: str = "iaf"
    depth: int = 2
    width: int = 320

    def check(self, latent_shape):
        """Raises a ValueError where the latent is too large."""
        if math.prod(latent_shape) > MOST_DIMS:
            raise ValueError(
                f"latent is {show_shape(latent_shape)}, {math.prod(latent_shape):,} numbers: a posterior with a flow"
                f" has {MOST_DIMS} at most (try --latent 64)"
            )

    def heads(self):
        """Returns the encoder's outputs."""
        return {**super().heads(), "context": "glorot_uniform"}

    def bound(self, posterior):
        """Returns the posterior with its log-variance kept within bounds."""
        return {**super().bound(posterior), "context": posterior["context"]}

    def new_layer(self, latent_shape):
        """Returns the layer that draws codes and holds the flow."""
        from keras_vae.layers.flows import FlowSampling

        return FlowSampling(math.prod(latent_shape), self.kind, self.depth, self.width, name="sampling")

    def draw(self, posterior, seed, training=False, weights=None, noise=None):
        """Returns f(u), and its log density."""
        del training, weights
        mean, log_var = posterior["mean"], posterior["log_var"]
        base, codes, log_det = self.layer([mean, log_var, posterior["context"]], seed=seed, noise=noise)
        return Draw(codes, sum_per_image(gaussian_log_density(base, mean, log_var)) - log_det)

    def rate(self, posterior):
        """Returns None: there is no closed form."""
        del posterior

    def moments(self, posterior):
        """Returns the code of the base's mean, f(mean), and a log-variance for each dimension of the code.

        The variances are those of f(u) where u takes the corners mean + S sd of a set of signs S, half the difference
        of opposite corners squared: exact where f is linear over a standard deviation, however it mixes dimensions,
        since the signs are the rows of a Hadamard matrix. They say nothing of covariances or of a bent shape.
        """
        flat = [ops.reshape(value, (-1, math.prod(value.shape[1:]))) for value in posterior.values()]
        mean, log_var, context = flat
        deviation = ops.exp(0.5 * log_var)
        signs = ops.convert_to_tensor(hadamard(mean.shape[1]))

        def add(index, total):
            step = signs[index] * deviation
            ahead, _ = self.layer.flow(mean + step, context)
            behind, _ = self.layer.flow(mean - step, context)
            return total + ops.square(0.5 * (ahead - behind))

        variance = ops.fori_loop(0, signs.shape[0], add, ops.zeros_like(mean)) / signs.shape[0]
        shape = ops.shape(posterior["mean"])
        code, _ = self.layer.flow(mean, context)
        return ops.reshape(code, shape), ops.reshape(ops.log(variance + LEAST_VARIANCE), shape)


def hadamard(size):
    """Returns the first `size` columns, orthogonal, of the Hadamard matrix that is large enough, float32 of 1 and -1."""
    matrix = np.ones((1, 1), "float32")
    while len(matrix) < size:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix[:, :size]
