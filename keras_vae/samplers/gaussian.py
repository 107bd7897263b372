"""One Gaussian over the codes, fitted after training."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from keras_vae.samplers.low_rank import LowRank, make_density, noise_variances, square_root
from keras_vae.samplers.principal import first_components, principal_components, project


@dataclass(frozen=True, eq=False)
class Gaussian(LowRank):
    """A Gaussian with the codes' mean, their covariance in the principal subspace and their variances elsewhere.

    Where the latent has no more than `rank` dimensions, this is the aggregated posterior's own covariance but
    for correlations between the posteriors' variances, which a diagonal posterior does not have. Its gain over
    the prior is what `keras_vae.evaluation.metrics.mismatch` measures.

    Attributes:
        rank: The most principal components that are kept. The decoder's SavedModel grows by 4 d `rank` bytes,
            17 MB at 64 of 65,536.
    """

    rank: int = 64

    @property
    def settings(self):
        """What it was made with, a dict of numbers."""
        return {"rank": self.fitted().axes.shape[1]}

    def fit(self, codes, components=None):
        """Returns the sampler fitted to `codes`, a `Codes`; a second at 1,000 of 65,536 numbers.

        Args:
            codes: What it is fitted to.
            components: The `PrincipalComponents` of the means, `rank` directions at least, where they are known.
        """
        mean, log_var = self.flat(codes)
        components = first_components(components or principal_components(mean, self.rank), self.rank)
        coordinates = project(mean, components.center, components.directions)
        factor = square_root(coordinates.T @ coordinates / len(coordinates))
        noise = noise_variances(mean, log_var, components, coordinates)
        density = make_density(noise, components, [1.0], np.zeros((1, len(factor))), [factor])
        return dataclasses.replace(self, density=density)
