"""A mixture of Gaussians over the codes, fitted after training (Ghosh et al. 2020, ex-post density estimation)."""

import dataclasses
import warnings
from dataclasses import dataclass

import numpy as np

from keras_vae.principal import project
from keras_vae.runtime.threads import one_thread
from keras_vae.samplers.low_rank import LowRank, few_components, make_density, square_root

CODES_PER_COMPONENT = 2  # fewer codes than this for each dimension in each component: fewer components


@dataclass(frozen=True, eq=False)
class Mixture(LowRank):
    """A Gaussian mixture of full covariances on the principal components of the codes' means, plus noise.

    Few codes get fewer components in fewer dimensions, and a warning: a component on a handful of codes draws
    copies of their images.

    Attributes:
        components: The most components.
        rank: The most principal components; those that hold 98% of the means' variance are enough.
        seed: Of the mixture's start, by k-means.
    """

    components: int = 10
    rank: int = 32
    seed: int = 0

    @property
    def settings(self):
        """What it was made with, a dict of numbers."""
        return {
            "components": len(self.fitted().weights),
            "rank": self.fitted().axes.shape[1],
            "seed": self.seed,
        }

    def fit(self, codes, components=None, further=()):
        """Returns the sampler fitted to `codes`, a `Codes`; seconds.

        Args:
            codes: What the subspace and the noise are taken from.
            components: The `PrincipalComponents` of the means, `rank` directions at least, where they are known.
            further: Batches of means of other images, `[n, *latent]`, taken one at a time: only their
                coordinates in the subspace are kept. A mixture wants more codes than fit into memory where
                they are large.

        Warns:
            UserWarning: There are fewer components than asked for.
        """
        mean, log_var = self.flat(codes)
        found = few_components(mean, self.rank, components)
        rank = found.directions.shape[1]
        coordinates = project(mean, found.center, found.directions)
        others = [project(batch.reshape(len(batch), -1), found.center, found.directions) for batch in further]
        coordinates = np.concatenate([coordinates, *others])
        number = self.affordable(len(coordinates), rank)
        if rank > 0 and number < self.components:
            warnings.warn(
                f"the mixture has {number} of the {self.components} components, in {rank} dimensions:"
                f" {len(coordinates)} codes carry no more (fit it to more images)",
                stacklevel=2,
            )
        mixture = fit_mixture(coordinates, number, self.seed)
        return dataclasses.replace(self, density=make_density(mean, log_var, found, coordinates, *mixture))

    def affordable(self, num_codes, rank):
        """Returns how many components `num_codes` carry in `rank` dimensions."""
        if rank == 0:
            return 1
        return min(self.components, max(num_codes // (CODES_PER_COMPONENT * rank), 1))


def fit_mixture(coordinates, number, seed):
    """Returns weights `[k]`, means `[k, r]` and factors `[k, r, r]` of a mixture on `coordinates`, `[n, r]`.

    Variances are regularised by a thousandth of the mean variance a dimension, so that the unit of the codes,
    which a plain autoencoder is free to choose, makes no difference.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    if coordinates.shape[1] == 0:
        return np.ones(1), np.zeros((1, 0)), np.zeros((1, 0, 0))
    scale = np.sqrt(np.square(coordinates).mean())
    model = GaussianMixture(number, covariance_type="full", reg_covar=1e-3, random_state=seed)
    with one_thread(), warnings.catch_warnings():
        # Stopped after 100 steps or started with fewer distinct codes than components: a density all the same.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(coordinates / scale)
    factors = [scale * square_root(covariance) for covariance in model.covariances_]
    return model.weights_, scale * model.means_, factors
