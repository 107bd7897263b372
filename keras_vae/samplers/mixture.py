"""A mixture of Gaussians over the codes, fitted after training (Ghosh et al. 2020, ex-post density estimation)."""

import dataclasses
import warnings
from dataclasses import dataclass, field

import numpy as np

from keras_vae.samplers.choosing import FEWEST_CODES, Candidates, MixtureSize, Search, affordable, fit_mixture
from keras_vae.samplers.low_rank import LowRank, few_components, make_density, noise_variances
from keras_vae.samplers.principal import first_components, principal_components, project


@dataclass(frozen=True, eq=False)
class Mixture(LowRank):
    """A Gaussian mixture with full covariances on the principal components of the codes' means, plus noise.

    The density of held-out codes determines the number of components and the rank (`keras_vae.samplers.choosing`). The
    mixture is then fitted to all codes. A component on a handful of codes would draw copies of their images, so few
    codes get fewer components than requested, with a warning.

    Attributes:
        components: The most components.
        rank: The most principal components.
        seed: The seed of the initialization by k-means and of the held-out draws.
        candidates: The `Candidates` of the search, after `fit`. None with too few codes and in files of older versions.
    """

    components: int = 10
    rank: int = 32
    seed: int = 0
    candidates: Candidates | None = field(default=None, kw_only=True, repr=False)

    @property
    def settings(self):
        """The settings of the fit, a dict of numbers; `candidates` is a list of such dicts, best first.

        `held_out_nats` is the mean log density of `held_out_codes` codes under the chosen candidate, fitted to the
        others.
        """
        weights, axes = self.fitted().weights, self.fitted().axes
        settings = {"components": len(weights), "rank": axes.shape[1], "seed": self.seed}
        if self.candidates is None:
            return settings
        tried = rows(self.candidates)
        (own,) = (row for row in tried if all(row[key] == settings[key] for key in ("components", "rank")))
        return {
            **settings,
            "held_out_codes": int(self.candidates.num_codes),
            "held_out_nats": own["nats"],
            "held_out_nats_se": own["nats_se"],
            "candidates": tried,
        }

    def fit(self, codes, components=None, further=()):
        """Returns the sampler fitted to `codes`. Takes 5 to 30 seconds for thousands of codes.

        Args:
            codes: `Codes` that determine the subspace and the noise and include the held-out codes.
            components: The `PrincipalComponents` of the means with at least `rank` directions, or None to compute them.
            further: Batches of means of other images, `[n, *latent]`, read one at a time. Only their coordinates in the
                subspace are kept, because a mixture may need more large codes than fit into memory.

        Warns:
            UserWarning: There are too few codes for the requested number of components.
        """
        mean, log_var = self.flat(codes)
        found = first_components(components or principal_components(mean, self.rank), self.rank)
        search, known = self.search(mean, log_var, found), project(mean, found.center, found.directions)
        coordinates = known
        for batch in further:
            flat = batch.reshape(len(batch), -1)
            coordinates = np.concatenate([coordinates, project(flat, found.center, found.directions)])
            if search:
                search.add(flat)
        choice = (
            search.choose(self.components) if search else MixtureSize(few_rank(mean, self.rank, found), 1)
        )
        self.warn_of_few(len(coordinates), choice)
        found, kept = first_components(found, choice.rank), slice(choice.rank)
        mixture = fit_mixture(coordinates[:, kept], choice.components, self.seed)
        noise = noise_variances(mean, log_var, found, known[:, kept])
        return dataclasses.replace(
            self,
            density=make_density(noise, found, *mixture),
            candidates=search.candidates() if search else None,
        )

    def search(self, mean, log_var, found):
        """Returns the `Search`, or None if the codes are too few or all the same."""
        if len(mean) < FEWEST_CODES or not found.directions.shape[1]:
            return None
        return Search(mean, log_var, self.rank, self.seed)

    def warn_of_few(self, num_codes, choice):
        """Warns if there are too few codes for the requested number of components at the chosen rank."""
        number = affordable(num_codes, choice.rank, self.components)
        if choice.rank > 0 and number < self.components:
            warnings.warn(
                f"the mixture has {choice.components} of the {self.components} components in {choice.rank}"
                f" dimensions: {num_codes} codes allow at most {number} (fit it to more images)",
                stacklevel=3,
            )


def few_rank(mean, rank, found):
    """Returns the rank for codes that are too few for a search."""
    return few_components(mean, rank, found).directions.shape[1]


def rows(candidates):
    """Returns `Candidates` as a list of dicts of numbers."""
    names = ("rank", "components", "nats", "nats_se", "behind", "behind_se")
    return [dict(zip(names, row)) for row in zip(*(column.tolist() for column in candidates[:-1]))]
