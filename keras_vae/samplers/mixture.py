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
    """A Gaussian mixture of full covariances on the principal components of the codes' means, plus noise.

    How many components in how many dimensions is chosen by the density of codes that are held out from the fit
    (`keras_vae.samplers.choosing`); then all codes are fitted. Few codes carry fewer components than asked for, which is a warning: a
    component on a handful of codes draws copies of their images.

    Attributes:
        components: The most components.
        rank: The most principal components.
        seed: Of the mixture's start, by k-means, and of the held-out draws.
        candidates: What was tried, after `fit`; None with too few codes, or where an older version fitted it.
    """

    components: int = 10
    rank: int = 32
    seed: int = 0
    candidates: Candidates | None = field(default=None, kw_only=True, repr=False)

    @property
    def settings(self):
        """What it was made with, a dict of numbers; `candidates` is a list of such, the most likely first.

        `held_out_nats` is the mean log density of `held_out_codes` codes by the chosen rank and number of components,
        fitted to the others.
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
        """Returns the sampler fitted to `codes`, a `Codes`; 5 to 30 seconds for thousands of codes.

        Args:
            codes: What the subspace and the noise are taken from, and the held-out codes.
            components: The `PrincipalComponents` of the means, `rank` directions at least, where they are known.
            further: Batches of means of other images, `[n, *latent]`, taken one at a time: only their
                coordinates in the subspace are kept. A mixture wants more codes than fit into memory where
                they are large.

        Warns:
            UserWarning: The codes carry fewer components than asked for.
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
        """Returns the `Search`, or None where the codes are too few or all the same."""
        if len(mean) < FEWEST_CODES or not found.directions.shape[1]:
            return None
        return Search(mean, log_var, self.rank, self.seed)

    def warn_of_few(self, num_codes, choice):
        """Warns if the codes carry fewer components than asked for in as many dimensions as were chosen."""
        number = affordable(num_codes, choice.rank, self.components)
        if choice.rank > 0 and number < self.components:
            warnings.warn(
                f"the mixture has {choice.components} of the {self.components} components, in {choice.rank}"
                f" dimensions: {num_codes} codes carry {number} at most (fit it to more images)",
                stacklevel=3,
            )


def few_rank(mean, rank, found):
    """Returns the rank for few codes, which none can be held out from."""
    return few_components(mean, rank, found).directions.shape[1]


def rows(candidates):
    """Returns `Candidates` as a list of dicts of numbers."""
    names = ("rank", "components", "nats", "nats_se", "behind", "behind_se")
    return [dict(zip(names, row)) for row in zip(*(column.tolist() for column in candidates[:-1]))]
