"""A subspace for a density of any shape, and Gaussian noise in the other directions.

    z = center + scale * (axes (spread * t) + (I - axes axes') e),   e ~ N(0, I)

The `axes` are orthonormal, so t, `[r]`, and e are independent. The density of z is exact if that of t is:

    log p(z) = log p(t) - sum log spread - sum log scale + log N(the rest of (z - center) / scale; 0, I) in d - r

It takes memory for d r numbers. If r = d, there are no axes, t is (z - center) / scale, and there is no rest.
"""

from typing import NamedTuple

import numpy as np

from keras_vae.layers.densities import LOG_2_PI
from keras_vae.runtime.lazy import tf
from keras_vae.samplers.low_rank import few_components, least_noise, noise_variances
from keras_vae.samplers.principal import column_blocks, project


class Subspace(NamedTuple):
    """The parameters of the map between t and codes.

    Attributes:
        center: `[d]`, float32.
        scale: Standard deviation of the noise, or of the whole code if r = d, `[d]`, float32.
        axes: Orthonormal columns, `[d, r]`, float32; `[d, 0]` if r = d.
        spread: Standard deviation of the codes along the axes, in units of `scale`, `[r]`, float32.
    """

    center: np.ndarray
    scale: np.ndarray
    axes: np.ndarray
    spread: np.ndarray

    @property
    def is_whole(self):
        """Whether t is the whole code."""
        return len(self.spread) == len(self.center)

    def coordinates(self, codes, deviations=None, generator=None):
        """Returns the coordinates t, `[n, r]`, and the squared length of the rest, `[n]`, both float64.

        Args:
            codes: Flat codes, `[n, d]`.
            deviations: The log standard deviation of noise that is added to the codes first, `[n, d]`, or None.
            generator: The NumPy generator of that noise, or None for no noise.
        """
        inner, squared = np.zeros((len(codes), len(self.spread))), np.zeros(len(codes))
        for block in column_blocks(*codes.shape):
            away = codes[:, block] - self.center[block].astype("float64")
            if generator is not None:
                away += np.exp(deviations[:, block]) * generator.standard_normal(away.shape, "float32")
            away /= self.scale[block]
            squared += np.square(away).sum(axis=1)
            if self.is_whole:
                inner[:, block] = away
            else:
                inner += away @ self.axes[block]
        return inner / self.spread, squared - np.square(inner).sum(axis=1)

    def log_density_around(self, squared):
        """Returns log p(z) - log p(t), `[n]`; `squared` is the squared length of the rest, `[n]`."""
        log_volume = np.log(self.scale, dtype="float64").sum() + np.log(self.spread, dtype="float64").sum()
        rest = len(self.center) - len(self.spread)
        return -log_volume - 0.5 * (rest * LOG_2_PI + (squared if rest else 0.0))

    def embed(self, coordinates, noise):
        """Returns the codes, float32 `[n, d]`, for t, `[n, r]`, and normal `noise`, `[n, d]`, or None if r = d."""
        inner = coordinates * self.spread
        if not self.is_whole:
            inner = noise + tf.matmul(inner - tf.matmul(noise, self.axes), self.axes, transpose_b=True)
        return self.center + self.scale * inner


def whole(size):
    """Returns the identity: the subspace that is the whole code of `size` dimensions, with center 0 and scale 1."""
    ones = np.ones(size, "float32")
    return Subspace(0 * ones, ones, np.zeros((size, 0), "float32"), ones)


def find_subspace(mean, log_var, rank, components=None):
    """Returns the `Subspace` of codes: the whole code if d <= `rank`, and principal directions otherwise.

    The axes span the first principal directions of the means, in units of the noise. They are rotated so that t is
    uncorrelated with variance 1 over draws from the posteriors.

    Args:
        mean, log_var: The codes, `[n, d]`.
        rank: The most directions.
        components: The `PrincipalComponents` of the means, or None to compute them.
    """
    if mean.shape[1] <= rank:
        center = mean.mean(axis=0, dtype="float64")
        variance = mean.var(axis=0, dtype="float64") + np.exp(log_var, dtype="float64").mean(axis=0)
        variance = np.maximum(variance, least_noise(variance.mean()))
        return whole(mean.shape[1])._replace(
            center=center.astype("float32"), scale=np.sqrt(variance).astype("float32")
        )
    found = few_components(mean, rank, components)
    if not found.directions.shape[1]:  # the model encodes all images alike
        found = found._replace(directions=np.eye(mean.shape[1], 1, dtype="float32"))
    noise = noise_variances(mean, log_var, found, project(mean, found.center, found.directions))
    scale = np.sqrt(noise)
    axes, _ = np.linalg.qr(found.directions / scale[:, None])
    subspace = Subspace(
        found.center.astype("float32"),
        scale.astype("float32"),
        axes.astype("float32"),
        np.ones(axes.shape[1], "float32"),
    )
    along, _ = subspace.coordinates(mean)
    posterior = np.exp(log_var, dtype="float64").mean(axis=0) / noise
    axes, spread = uncorrelated(axes, along.T @ along / len(along) + (axes.T * posterior) @ axes)
    return subspace._replace(axes=axes, spread=spread)


def uncorrelated(axes, covariance):
    """Rotates `axes`, `[d, r]`, to uncorrelated coordinates, and returns them with the standard deviations, `[r]`.

    Args:
        axes: Orthonormal columns, `[d, r]`.
        covariance: The covariance of the coordinates along them, `[r, r]`.
    """
    eigenvalues, turn = np.linalg.eigh(covariance)
    spread = np.sqrt(np.maximum(eigenvalues[::-1], 1e-6 * eigenvalues[-1]))
    return (axes @ turn[:, ::-1]).astype("float32"), spread.astype("float32")
