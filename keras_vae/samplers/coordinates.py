"""Coordinates of codes with mean 0 and variance 1, and the noise around them.

A vector has the coordinates of a `Subspace`; one of few numbers is kept whole. A map, `[height, width, channels]`, has the
same few principal channels at all positions (places), so a network can learn the same function at all of them:

    z_p = center_p + scale * (axes (spread * t_p) + (I - axes axes') e_p),   e_p ~ N(0, I), at each place p
"""

from typing import NamedTuple

import numpy as np

from keras_vae.runtime.lazy import tf
from keras_vae.samplers.low_rank import least_noise
from keras_vae.samplers.subspace import Subspace, find_subspace, uncorrelated, whole

LEAST_SIDE = 4  # smaller maps are treated as vectors
FEW_COORDINATES = 32  # vectors of at most so many numbers are kept whole, and so many need no wide network
SHARE = 0.99  # share of the channels' information, sum log(1 + signal / noise), that is kept
AT_ONCE = 2**22  # numbers in a block of codes
LEAST_CORRELATED = 1e-6  # added to the diagonal of the noise's correlations, which may be singular


class Rows(NamedTuple):
    """Posteriors in coordinates: mean + deviation * (factor e), e ~ N(0, I).

    Attributes:
        mean: `[n, *shape]`, float16.
        deviation: Standard deviation of the noise, `[n, *shape]`, float16.
        factor: A square root of the noise's mean correlations, `[r, r]`, float32.
    """

    mean: np.ndarray
    deviation: np.ndarray
    factor: np.ndarray

    def __len__(self):
        return len(self.mean)


class Places(NamedTuple):
    """A subspace at each place of the codes. Vectors have one place.

    Attributes:
        center: The center of each place, `[places, d]`, float32.
        subspace: The `Subspace` of all places, with center 0.
    """

    center: np.ndarray
    subspace: Subspace

    @property
    def rank(self):
        """The number of coordinates per place."""
        return len(self.subspace.spread)

    @property
    def axes(self):
        """The axes, `[d, r]`; the identity if the subspace is the whole code."""
        return np.eye(self.rank, dtype="float32") if self.subspace.is_whole else self.subspace.axes

    def rows(self, mean, log_var):
        """Returns the posteriors of codes, `[n, places * d]` each, in coordinates, as `Rows` of `[n, places, r]`.

        The correlations between the coordinates of a posterior are replaced by their mean over all posteriors.
        """
        places, size = self.center.shape
        found = tuple(np.empty((len(mean), places, self.rank), "float16") for _ in range(2))
        covariance, step = np.zeros((self.rank, self.rank)), max(AT_ONCE // (places * size), 1)
        for start in range(0, len(mean), step):
            rows = slice(start, start + step)
            away = (mean[rows].reshape(-1, places, size) - self.center) / self.subspace.scale
            variance = np.exp(log_var[rows].reshape(-1, places, size)) / np.square(self.subspace.scale)
            found[0][rows] = away @ self.axes / self.subspace.spread
            found[1][rows] = np.sqrt(variance @ np.square(self.axes)) / self.subspace.spread
            covariance += (self.axes.T * variance.sum((0, 1), dtype="float64")) @ self.axes
        return Rows(*found, correlation_root(covariance))

    def coordinates(self, codes):
        """Returns the coordinates t of flat codes, `[n, places, r]`, and log p(z) - log p(t), `[n]`, both float64."""
        places, size = self.center.shape
        away = np.asarray(codes, "float64").reshape(-1, places, size) - self.center
        inner, squared = self.subspace.coordinates(away.reshape(-1, size))
        around = np.zeros(len(inner)) + self.subspace.log_density_around(squared)
        around = around.reshape(-1, places).sum(axis=1)
        return inner.reshape(-1, places, self.rank), around

    def embed(self, coordinates, noise):
        """Returns codes, float32 `[n, places * d]`, for t, `[n, places, r]`, and normal noise, `[n, places * d]`."""
        places, size = self.center.shape
        around = None if self.subspace.is_whole else tf.reshape(noise, (-1, size))
        flat = self.subspace.embed(tf.reshape(coordinates, (-1, self.rank)), around)
        return tf.reshape(tf.reshape(flat, (-1, places, size)) + self.center, (-1, places * size))


def find_places(mean, log_var, latent_shape, rank, channels, components=None):
    """Returns the `Places` of flat codes.

    Args:
        mean, log_var: The codes, `[n, d]` each.
        latent_shape: The shape of a code. It is a map if its sides are at least 4.
        rank: The most coordinates of a vector.
        channels: The most channels at a place of a map.
        components: The `PrincipalComponents` of the means, or None to compute them.
    """
    if is_map(latent_shape):
        return find_channels(mean, log_var, latent_shape, channels)
    if FEW_COORDINATES < mean.shape[1] <= rank:
        return find_channels(mean, log_var, mean.shape[1:], rank)
    subspace = find_subspace(mean, log_var, rank, components)
    return Places(subspace.center[None], subspace._replace(center=0 * subspace.center))


def is_map(latent_shape):
    """Returns whether codes are maps with sides of at least `LEAST_SIDE`."""
    return len(latent_shape) == 3 and min(latent_shape[:2]) >= LEAST_SIDE


def find_channels(mean, log_var, latent_shape, channels):
    """Returns the `Places` of maps: principal channels in units of the noise, pooled over all places.

    A vector is a map of one place: its channels are its numbers.
    """
    size = latent_shape[-1]
    center = mean.mean(axis=0, dtype="float64").reshape(-1, size)
    covariance, posterior, step = np.zeros((size, size)), np.zeros(size), max(AT_ONCE // mean.shape[1], 1)
    count = len(mean) * len(center)
    for start in range(0, len(mean), step):
        rows = slice(start, start + step)
        away = (mean[rows].reshape(-1, *center.shape) - center).reshape(-1, size)
        covariance += away.T @ away / count
        posterior += np.exp(log_var[rows].reshape(-1, size), dtype="float64").sum(axis=0) / count
    noise = np.maximum(posterior, least_noise(np.mean(posterior + np.diag(covariance))))
    eigenvalues, axes = np.linalg.eigh(covariance / np.sqrt(noise[:, None] * noise))
    kept = min(informative(eigenvalues[::-1]), channels)
    if kept == size:
        scale = np.sqrt(np.diag(covariance) + noise)
        return Places(center.astype("float32"), whole(size)._replace(scale=scale.astype("float32")))
    axes = axes[:, ::-1][:, :kept]
    along = eigenvalues[::-1][:kept]
    explained = np.square(axes) @ along * noise  # the explained variance of the means in each channel
    scale = np.sqrt(noise + np.maximum(np.diag(covariance) - explained, 0))
    axes, _ = np.linalg.qr(axes * (np.sqrt(noise) / scale)[:, None])
    inside = axes.T @ ((covariance + np.diag(posterior)) / np.outer(scale, scale)) @ axes
    subspace = Subspace(np.zeros(size, "float32"), scale.astype("float32"), *uncorrelated(axes, inside))
    return Places(center.astype("float32"), subspace)


def informative(ratios):
    """Returns how many of the sorted signal-to-noise ratios contain 99% of the information, at least 1."""
    information = np.log1p(np.maximum(ratios, 0))
    return 1 + int(np.searchsorted(np.cumsum(information), SHARE * information.sum()))


def correlation_root(covariance):
    """Returns the Cholesky factor of the correlations of `covariance`, `[r, r]`; the identity if it is 0."""
    deviations = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    correlations = covariance / np.outer(deviations, deviations)
    np.fill_diagonal(correlations, 1 + LEAST_CORRELATED)
    return np.linalg.cholesky(correlations).astype("float32")
