"""What samplers are fitted to, and what all fitted ones share."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Codes(NamedTuple):
    """What an encoder says of n images.

    Attributes:
        mean: `[n, *latent]`.
        log_var: The log-variance of the posterior, `[n, *latent]`; -100 for a plain autoencoder, as good as none.
    """

    mean: np.ndarray
    log_var: np.ndarray


@dataclass(frozen=True, eq=False)
class Fitted:
    """A sampler that has to be fitted: what it has found is the field `density` of those that derive from it."""

    latent_shape: tuple[int, ...]

    def fitted(self):
        """Returns the density.

        Raises:
            ValueError: The sampler has not been fitted.
        """
        if self.density is None:
            raise ValueError(
                f"{type(self).__name__} has no density yet: call fit(codes) and use what it returns"
            )
        return self.density

    def flat(self, codes):
        """Returns mean and log-variance of `codes` as `[n, d]` each.

        Raises:
            ValueError: There are none, or their shape is another.
        """
        mean, log_var = (np.asarray(part, "float32") for part in codes)
        expected = (len(mean), *self.latent_shape)
        if not len(mean) or mean.shape != expected or log_var.shape != expected:
            raise ValueError(
                f"the codes' mean is {list(mean.shape)} and their log_var {list(log_var.shape)}: both must be"
                f" [n, {', '.join(map(str, self.latent_shape))}], and n at least 1"
            )
        return mean.reshape(len(mean), -1), log_var.reshape(len(mean), -1)


def posterior_draws(mean, log_var, seed, count=1):
    """Returns `count` draws from each posterior of mean and log-variance `[n, d]`: float32 `[n, count, d]`."""
    noise = np.random.default_rng(seed).standard_normal((len(mean), count, mean.shape[1]), "float32")
    noise *= np.exp(0.5 * log_var)[:, None]
    noise += mean[:, None]
    return noise


def difference(first, second):
    """Returns the mean of `first` - `second`, `[n]` each, of the same codes, and its standard error."""
    differences = first - second
    return differences.mean(), differences.std(ddof=1) / np.sqrt(len(differences))
