"""A Gaussian over the codes, fitted after training."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from keras_vae.samplers.low_rank import LowRank, make_density, noise_variances, square_root
from keras_vae.samplers.principal import first_components, principal_components, project


@dataclass(frozen=True, eq=False)
class GaussianSampler(LowRank):
    """A Gaussian with the codes' mean, their covariance in the principal subspace and their variances elsewhere.

    If the latent has at most `rank` dimensions, this is the covariance of the aggregated posterior: a diagonal
        posterior
    adds only variances. `keras_vae.evaluation.metrics.mismatch` measures its gain over the prior.

    Attributes:
        rank: The most principal components. The decoder's SavedModel grows by 4 d `rank` bytes, which is 17 MB for a
            rank of 64 and d = 65,536.
    """

    rank: int = 64

    @property
    def settings(self):
        """The settings of the fit, a dict of numbers."""
        return {"rank": self.fitted().axes.shape[1]}

    def fit(self, codes, components=None):
        """Returns the sampler fitted to `codes`. Takes about a second for 1,000 codes of 65,536 numbers.

        Args:
            codes: The `Codes`.
            components: The `PrincipalComponents` of the means with at least `rank` directions, or None to compute them.
        """
        mean, log_var = self.flat(codes)
        components = first_components(components or principal_components(mean, self.rank), self.rank)
        coordinates = project(mean, components.center, components.directions)
        factor = square_root(coordinates.T @ coordinates / len(coordinates))
        noise = noise_variances(mean, log_var, components, coordinates)
        density = make_density(noise, components, [1.0], np.zeros((1, len(factor))), [factor])
        return dataclasses.replace(self, density=density)
