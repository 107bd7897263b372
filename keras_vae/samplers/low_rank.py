"""A mixture of Gaussians in a subspace of the codes, plus independent noise on every dimension.

    z = center + axes s + noise,  s ~ sum_k weights_k N(means_k, factors_k factors_k'),  noise ~ N(0, diag)

This is a density over all d dimensions that takes memory for d r numbers. With one component it is a Gaussian.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from keras_vae.runtime.lazy import tf
from keras_vae.samplers.codes import Fitted
from keras_vae.samplers.noise import standard_normal
from keras_vae.samplers.principal import (
    column_blocks,
    count_for_share,
    first_components,
    principal_components,
)

# The least variance of the noise, as a share of the codes' mean variance: its standard deviation is a thousandth of the
# codes'. Without it, the codes of a plain autoencoder, which have no variance, would not have a density.
LEAST_NOISE = 1e-6
SHARE = 0.98  # share of the means' variance that the subspace explains, if `rank` allows it
CODES_PER_RANK = 4  # least number of codes for each dimension of the subspace


class Density(NamedTuple):
    """The arrays of the density: k components in r of d dimensions.

    Attributes:
        weights: Weights of the components, `[k]`, float64.
        means: Means of the components, `[k, r]`, float64.
        factors: Factors L of the components' covariances L L', `[k, r, r]`, float64.
        center: `[d]`, float32.
        axes: `[d, r]`, float32.
        noise: Variance of the noise, `[d]`, float32.
    """

    weights: np.ndarray
    means: np.ndarray
    factors: np.ndarray
    center: np.ndarray
    axes: np.ndarray
    noise: np.ndarray


@dataclass(frozen=True, eq=False)
class LowRank(Fitted):
    """Base class of samplers with a `Density`. Subclasses fit it.

    Samples have the codes' own variance in every dimension: the variance of means and posteriors that the subspace does
    not explain becomes noise.
    """

    density: Density | None = field(default=None, kw_only=True, repr=False)

    def sample(self, seeds):
        """Returns codes, float32 `[n, *latent]`. Row i depends only on `seeds[i]`, up to float32 rounding.

        The noise is the one that `PriorSampler` draws for the same seed.
        """
        weights, means, factors, center, axes, noise = self.fitted()
        normal = standard_normal(seeds, (1 + axes.shape[1],), stream=1)
        # The first number of a row chooses the component, the number of quantiles below it.
        component = tf.reduce_sum(tf.cast(normal[:, :1] > quantiles(weights), "int32"), axis=1)
        inner = tf.gather(means.astype("float32"), component) + tf.linalg.matvec(
            tf.gather(factors.astype("float32"), component), normal[:, 1:]
        )
        wide = tf.reshape(standard_normal(seeds, self.latent_shape), (-1, len(center)))
        flat = center + tf.matmul(inner, axes, transpose_b=True) + np.sqrt(noise) * wide
        return tf.reshape(flat, (-1, *self.latent_shape))

    def log_prob(self, codes):
        """Returns the exact log density of `codes`, `[n, *latent]`, in nats, float64 `[n]`.

        With S = L L', the axes U, the noise N and M = U' N^-1 U, each component has

            (U S U' + N)^-1 = N^-1 - N^-1 U L (I + L' M L)^-1 L' U' N^-1  (Woodbury)
            log det (U S U' + N) = log det N + log det (I + L' M L)

        The sums over d dimensions are therefore the same for all components.
        """
        weights, means, factors, center, axes, noise = self.fitted()
        codes = np.asarray(codes).reshape(-1, len(center))
        squared, inner = np.zeros(len(codes)), np.zeros((len(codes), axes.shape[1]))
        gram = np.zeros((axes.shape[1],) * 2)
        for block in column_blocks(*codes.shape):
            away, precision = (
                codes[:, block] - center[block].astype("float64"),
                1 / noise[block].astype("float64"),
            )
            scaled = precision[:, None] * axes[block]
            squared += np.square(away) @ precision
            inner += away @ scaled
            gram += axes[block].T @ scaled
        constant = len(center) * np.log(2 * np.pi) + np.log(noise, dtype="float64").sum()
        terms = [
            np.log(weight) - 0.5 * (constant + quadratic_and_log_det(squared, inner, gram, mean, factor))
            for weight, mean, factor in zip(weights, means, factors)
        ]
        return np.logaddexp.reduce(terms, axis=0)


def quadratic_and_log_det(squared, inner, gram, mean, factor):
    """Returns the sum of the squared Mahalanobis length of codes and the subspace's part of the log-determinant, `[n]`.

    Args:
        squared: (z - center)' N^-1 (z - center), `[n]`.
        inner: U' N^-1 (z - center), `[n, r]`.
        gram: U' N^-1 U, `[r, r]`.
        mean, factor: The component, `[r]` and `[r, r]`.
    """
    triangle = np.linalg.cholesky(np.eye(len(mean)) + factor.T @ gram @ factor)
    within = np.linalg.solve(triangle, ((inner - gram @ mean) @ factor).T)
    quadratic = squared - 2 * inner @ mean + mean @ gram @ mean - np.square(within).sum(axis=0)
    return quadratic + 2 * np.log(np.diag(triangle)).sum()


def quantiles(weights):
    """Returns the standard normal quantiles between the components of `weights`, float32 `[k - 1]`."""
    from scipy.special import ndtri

    return ndtri(np.minimum(np.cumsum(weights)[:-1], 1)).astype("float32")


def make_density(noise, components, weights, means, factors):
    """Returns the `Density`.

    Args:
        noise: Variances of the noise, `[d]`.
        components: The codes' `PrincipalComponents`.
        weights, means, factors: The mixture in the subspace.
    """
    arrays = (np.asarray(array, "float64") for array in (weights, means, factors))
    return Density(
        *arrays, components.center.astype("float32"), components.directions, noise.astype("float32")
    )


def few_components(mean, rank, components=None):
    """Returns the first `PrincipalComponents`, which explain 98% of the variance, or fewer if there are too few codes.

    Args:
        mean: The means of the codes, `[n, d]`.
        rank: The most directions.
        components: The principal components with at least `rank` directions, or None to compute them.
    """
    most = min(rank, max(len(mean) // CODES_PER_RANK, 1))
    found = components or principal_components(mean, most)
    return first_components(found, min(count_for_share(found.eigenvalues, SHARE), most))


class Variances(NamedTuple):
    """The two parts of the codes' variance in each dimension.

    Attributes:
        posterior: The mean variance of the posteriors, `[d]`, float64.
        spread: The variance of the means, `[d]`, float64.
    """

    posterior: np.ndarray
    spread: np.ndarray


def code_variances(mean, log_var, center, rows=slice(None)):
    """Returns the `Variances` about `center` of codes of mean `[n, d]` and the log-variances `log_var[rows]`."""
    posterior, spread = np.empty(mean.shape[1]), np.empty(mean.shape[1])
    for block in column_blocks(*mean.shape):
        posterior[block] = np.exp(log_var[rows, block], dtype="float64").mean(axis=0)
        spread[block] = np.square(mean[:, block] - center[block]).mean(axis=0)
    return Variances(posterior, spread)


def left_over(variances, axes, coordinates):
    """Returns the variance that a subspace does not explain, including that of the posteriors, `[d]`.

    Args:
        variances: The `Variances` of the codes.
        axes: The axes of the subspace, orthonormal columns, `[d, r]`.
        coordinates: The means in the subspace, `[n, r]`.
    """
    second = coordinates.T @ coordinates / len(coordinates)
    noise = np.empty(len(axes))
    for block in column_blocks(max(len(second), 1), len(axes)):
        explained = np.einsum("ji,ik,jk->j", axes[block], second, axes[block], optimize=True)
        noise[block] = variances.posterior[block] + np.maximum(variances.spread[block] - explained, 0)
    return np.maximum(noise, least_noise(sum(part.mean() for part in variances)))


def noise_variances(mean, log_var, components, coordinates):
    """Returns the variance of the codes that the subspace of `components` does not explain, `[d]`."""
    variances = code_variances(mean, log_var, components.center)
    return left_over(variances, components.directions, coordinates)


def least_noise(variance):
    """Returns the least variance of the noise for codes with the mean variance `variance`."""
    return max(LEAST_NOISE * variance, 1e-12)


def square_root(covariance):
    """Returns L, `[r, r]`, with L L' = `covariance`, a matrix that may be singular."""
    eigenvalues, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(eigenvalues, 0))
