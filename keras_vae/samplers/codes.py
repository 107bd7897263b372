"""The codes that samplers are fitted to, and the base class of fitted samplers."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Codes(NamedTuple):
    """The posteriors of n images.

    Attributes:
        mean: `[n, *latent]`.
        log_var: The log-variance, `[n, *latent]`. It is -100 for a plain autoencoder, which is practically no variance.
    """

    mean: np.ndarray
    log_var: np.ndarray


@dataclass(frozen=True, eq=False)
class Fitted:
    """A sampler that is fitted to codes. Subclasses have the fitted density in a field `density`."""

    latent_shape: tuple[int, ...]

    def fitted(self):
        """Returns the density.

        Raises:
            ValueError: The sampler has not been fitted.
        """
        if self.density is None:
            raise ValueError(
                f"{type(self).__name__} is not fitted: call fit(codes) and use the returned sampler"
            )
        return self.density

    def flat(self, codes):
        """Returns mean and log-variance of `codes`, `[n, d]` each.

        Raises:
            ValueError: There are no codes, or their shape is wrong.
        """
        mean, log_var = (np.asarray(part, "float32") for part in codes)
        expected = (len(mean), *self.latent_shape)
        if not len(mean) or mean.shape != expected or log_var.shape != expected:
            raise ValueError(
                f"the codes have a mean of shape {list(mean.shape)} and a log_var of shape {list(log_var.shape)}:"
                f" expected [n, {', '.join(map(str, self.latent_shape))}] with n at least 1"
            )
        return mean.reshape(len(mean), -1), log_var.reshape(len(mean), -1)


def posterior_draws(mean, log_var, seed, count=1):
    """Returns `count` draws from each posterior, float32 `[n, count, d]`; `mean` and `log_var` are `[n, d]`."""
    noise = np.random.default_rng(seed).standard_normal((len(mean), count, mean.shape[1]), "float32")
    noise *= np.exp(0.5 * log_var)[:, None]
    noise += mean[:, None]
    return noise


def difference(first, second):
    """Returns the mean of `first` - `second`, `[n]` each for the same codes, and its standard error."""
    differences = first - second
    return differences.mean(), differences.std(ddof=1) / np.sqrt(len(differences))
