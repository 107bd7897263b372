"""Gaussian posteriors that are transformed by a flow."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keras_vae.layers.densities import gaussian_log_density, sum_per_image
from keras_vae.model.posteriors.gaussian import DiagonalGaussian
from keras_vae.model.posteriors.latent import Draw
from keras_vae.model.posteriors.shapes import show_shape
from keras_vae.runtime.lazy import ops

# The steps' networks have latent x width matrices, and `moments` takes about two passes per dimension.
MOST_DIMS = 512
# Added to the variances in `moments`, which are 0 if the flow is constant around the mean.
LEAST_VARIANCE = 1e-12


@dataclass(frozen=True)
class FlowedGaussian(DiagonalGaussian):
    """z = f(u; h) with u ~ N(mean, diag exp(log_var)), a flow f, and a `context` h that the encoder outputs too.

    log q(z|x) = log N(u; mean, exp(log_var)) - log |det df/du| is exact at the drawn codes. The rate is a Monte Carlo
    estimate from it (Rezende and Mohamed 2015, equation 15). A spatial latent is flattened.

    Attributes:
        kind: A name in `keras_vae.layers.flows.STEPS`.
        depth: Number of steps of the flow.
        width: Hidden units of the steps' networks, if they have networks.
    """

    is_gaussian: ClassVar = False

    kind: str = "iaf"
    depth: int = 2
    width: int = 320

    def check(self, latent_shape):
        """Raises a ValueError if the latent is too large."""
        if math.prod(latent_shape) > MOST_DIMS:
            raise ValueError(
                f"latent is {show_shape(latent_shape)}, {math.prod(latent_shape):,} numbers: a posterior with a flow"
                f" supports at most {MOST_DIMS} (try --latent 64)"
            )

    def heads(self):
        """Returns the encoder's outputs."""
        return {**super().heads(), "context": "glorot_uniform"}

    def bound(self, posterior):
        """Returns the posterior with a bounded log-variance."""
        return {**super().bound(posterior), "context": posterior["context"]}

    def new_layer(self, latent_shape):
        """Returns the layer that draws codes, with the flow."""
        from keras_vae.layers.flows import FlowSampling

        return FlowSampling(math.prod(latent_shape), self.kind, self.depth, self.width, name="sampling")

    def draw(self, posterior, seed, training=False, weights=None, noise=None):
        """Returns f(u) and its log density."""
        del training, weights
        mean, log_var = posterior["mean"], posterior["log_var"]
        base, codes, log_det = self.layer([mean, log_var, posterior["context"]], seed=seed, noise=noise)
        return Draw(codes, sum_per_image(gaussian_log_density(base, mean, log_var)) - log_det)

    def rate(self, posterior):
        """Returns None: there is no closed form."""
        del posterior

    def moments(self, posterior):
        """Returns the code of the base's mean, f(mean), and a log-variance for each dimension of the code.

        The variance is the mean of ((f(mean + S sd) - f(mean - S sd)) / 2)^2 over sign vectors S, the rows of a
        Hadamard matrix. It is exact if f is linear within a standard deviation, even if f mixes dimensions. Covariances
        and the shape of the posterior are not described.
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
    """Returns the first `size` columns of the smallest Hadamard matrix that has them, as float32 of 1 and -1."""
    matrix = np.ones((1, 1), "float32")
    while len(matrix) < size:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix[:, :size]
