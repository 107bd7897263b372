"""The few directions in which codes are no Gaussian, and the many in which they are.

    z = center + scale * (axes (spread * t) + (I - axes axes') e),   e ~ N(0, I)

with orthonormal `axes`, so that t, `[r]`, and e are independent and the density of z is exact wherever that of t is:

    log p(z) = log p(t) - sum log spread - sum log scale + log N(the rest of (z - center) / scale; 0, I) in d - r

It takes memory for d r numbers. Where r = d there are no axes, t is (z - center) / scale, and nothing is left.
"""

from typing import NamedTuple

import numpy as np

from keras_vae.layers.densities import LOG_2_PI
from keras_vae.runtime.lazy import tf
from keras_vae.samplers.low_rank import few_components, least_noise, noise_variances
from keras_vae.samplers.principal import column_blocks, project


class Subspace(NamedTuple):
    """Where t lies among the codes.

    Attributes:
        center: `[d]`, float32.
        scale: The noise's standard deviation; of the whole code, where r = d. `[d]`, float32.
        axes: Orthonormal columns, `[d, r]`, float32; `[d, 0]` where r = d.
        spread: The standard deviation of the codes along the axes, in units of `scale`, `[r]`, float32.
    """

    center: np.ndarray
    scale: np.ndarray
    axes: np.ndarray
    spread: np.ndarray

    @property
    def is_whole(self):
        """Whether t is all of the code."""
        return len(self.spread) == len(self.center)

    def coordinates(self, codes, deviations=None, generator=None):
        """Returns t of flat `codes`, `[n, r]`, and the squared length of the rest, `[n]`; both float64.

        Args:
            codes: `[n, d]`.
            deviations: Of the noise that is added to the codes first, `[n, d]`, in logarithms, or None.
            generator: NumPy's, of that noise.
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
        """Returns what log p(z) has beside log p(t), `[n]`; `squared` is the squared length of the rest, `[n]`."""
        log_volume = np.log(self.scale, dtype="float64").sum() + np.log(self.spread, dtype="float64").sum()
        rest = len(self.center) - len(self.spread)
        return -log_volume - 0.5 * (rest * LOG_2_PI + (squared if rest else 0.0))

    def embed(self, coordinates, noise):
        """Returns codes, float32 `[n, d]`, of t, `[n, r]`, and standard normal `noise`, `[n, d]`; None where r = d."""
        inner = coordinates * self.spread
        if not self.is_whole:
            inner = noise + tf.matmul(inner - tf.matmul(noise, self.axes), self.axes, transpose_b=True)
        return self.center + self.scale * inner


def whole(size):
    """Returns the subspace that is all of a code of `size` numbers, as it is."""
    ones = np.ones(size, "float32")
    return Subspace(0 * ones, ones, np.zeros((size, 0), "float32"), ones)


def find_subspace(mean, log_var, rank, components=None):
    """Returns the `Subspace` of codes of mean and log-variance `[n, d]`: whole up to d = `rank`, else principal.

    The axes span the first principal directions of the means, seen in units of the noise, and are turned so that
    t is uncorrelated over draws from the posteriors, with variances of one.

    Args:
        mean, log_var: The codes, `[n, d]`.
        rank: The most directions.
        components: The `PrincipalComponents` of the means, where they are known.
    """
    if mean.shape[1] <= rank:
        center = mean.mean(axis=0, dtype="float64")
        variance = mean.var(axis=0, dtype="float64") + np.exp(log_var, dtype="float64").mean(axis=0)
        variance = np.maximum(variance, least_noise(variance.mean()))
        return whole(mean.shape[1])._replace(
            center=center.astype("float32"), scale=np.sqrt(variance).astype("float32")
        )
    found = few_components(mean, rank, components)
    if not found.directions.shape[1]:  # a model that says the same of all images
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
    """Returns `axes`, `[d, r]`, turned so that coordinates of `covariance`, `[r, r]`, are uncorrelated; and their deviations."""
    eigenvalues, turn = np.linalg.eigh(covariance)
    spread = np.sqrt(np.maximum(eigenvalues[::-1], 1e-6 * eigenvalues[-1]))
    return (axes @ turn[:, ::-1]).astype("float32"), spread.astype("float32")
