"""Which mixture of Gaussians: its rank and its number of components, by the density of codes held out from its fit.

The density is that of the whole code, so that ranks can be compared, and of draws from the posteriors, which are
broader than the means that the mixture is fitted to. First comes the rank, with one component, then the number of
components at that rank, then smaller ranks. Of all that was tried the simplest is taken that is behind the best by no
more than the standard error of the difference, over the held-out codes (Breiman et al. 1984, section 3.4.3).
"""

import warnings
from typing import NamedTuple

import numpy as np

from keras_vae.runtime.threads import one_thread
from keras_vae.samplers.codes import difference, posterior_draws
from keras_vae.samplers.low_rank import (
    CODES_PER_RANK,
    SHARE,
    LowRank,
    code_variances,
    left_over,
    make_density,
    square_root,
)
from keras_vae.samplers.principal import (
    count_for_share,
    evenly,
    first_components,
    principal_components,
    project,
)

CODES_PER_COMPONENT = 2  # fewer codes than this for each dimension in each component: fewer components
HELD_OUT = 5  # one code in so many is held out, and no more than
MOST_HELD_OUT = 2000  # codes, or draws from fewer; where they are large of fewer numbers than these
MOST_NUMBERS = 2**24
FEWEST_CODES = 20  # with fewer nothing is tried: one component
MOST_FITTED = 10_000  # codes that a candidate is fitted to
REGULARISED = 1e-3  # of the mean variance a dimension, added to that of each component
LEAST_RANK = 4
NUMBERS = (1, 3, 10, 20)  # of components that are tried, and doubled from the last on
LEAST_TRIED = 10  # components; fewer may not gain where more do
# The multiplications of a fit decide its steps. With 10,000 codes, 40 components and 128 dimensions it takes
# `FEWEST_STEPS`, about 10 seconds on a core. Small fits converge.
WORK, FEWEST_STEPS, MOST_STEPS = 2e10, 10, 100


class Candidates(NamedTuple):
    """What was tried, the most likely first.

    Attributes:
        ranks, components: Of each candidate, `[c]`, int64.
        nats: The mean log density of held-out codes by each, `[c]`, float64.
        nats_se: Its standard error, `[c]`.
        behind: Its distance to that of the first, `[c]`, from 0 on.
        behind_se: The standard error of the distance, `[c]`; smaller than `nats_se`, for the codes are the same.
        num_codes: How many were held out.
    """

    ranks: np.ndarray
    components: np.ndarray
    nats: np.ndarray
    nats_se: np.ndarray
    behind: np.ndarray
    behind_se: np.ndarray
    num_codes: int


class MixtureSize(NamedTuple):
    """A rank and a number of components."""

    rank: int
    components: int

    def size(self, dim):
        """Returns how many numbers the density of codes of `dim` numbers holds."""
        return self.components * (1 + self.rank + self.rank**2) + dim * self.rank


class Search:
    """The candidates, fitted to some of the codes, and the densities of the others."""

    def __init__(self, mean, log_var, rank, seed):
        """Holds codes out and finds the subspace of the rest.

        Args:
            mean, log_var: The codes, `[n, d]`; `FEWEST_CODES` or more.
            rank: The most dimensions.
            seed: Of the draws, and of the mixtures' start.
        """
        every = max(HELD_OUT, len(mean) // MOST_HELD_OUT)
        held_out = np.arange(len(mean)) % every == every - 1
        known = mean[~held_out]
        self.seed, self.measured = seed, {}
        self.components = principal_components(known, max(min(rank, len(known) // CODES_PER_RANK), 1))
        self.variances = code_variances(known, log_var, self.components.center, ~held_out)
        self.coordinates = self.all_coordinates = self.project(known)
        self.new = draws(mean[held_out], log_var[held_out], seed)

    def project(self, mean):
        """Returns the coordinates of `mean`, `[n, d]`, in the subspace."""
        return project(mean, self.components.center, self.components.directions)

    def add(self, mean):
        """Lets the mixtures be fitted to `mean`, `[n, d]`, too: no noise is taken from them, nor density."""
        self.all_coordinates = np.concatenate([self.all_coordinates, self.project(mean)])

    @property
    def ranks(self):
        """The ranks that are tried: powers of two, that which holds 98% of the variance, and the most."""
        most = self.components.directions.shape[1]
        powers = [2**power for power in range(most.bit_length()) if 2**power >= LEAST_RANK]
        return sorted({*powers, min(count_for_share(self.components.eigenvalues, SHARE), most), most})

    def choose(self, most):
        """Returns the `MixtureSize`, with `most` components at most."""
        for rank in self.ranks:
            self.measure(MixtureSize(rank, 1))
        chosen = self.simplest()
        while True:
            self.grow(chosen, most)
            rank, number = self.simplest()
            smaller = [other for other in self.ranks if other < rank]
            if smaller:
                self.measure(MixtureSize(smaller[-1], number))
            if self.simplest().rank in (rank, chosen.rank) or not smaller:
                return self.simplest()
            chosen = self.simplest()

    def grow(self, chosen, most):
        """Tries more and more components at the rank of `chosen`, until they gain no more than the error."""
        last = chosen
        for number in numbers(affordable(len(self.all_coordinates), chosen.rank, most)):
            if number > chosen.components:
                more = MixtureSize(chosen.rank, number)
                self.measure(more)
                gain, error = difference(self.measured[more], self.measured[last])
                if number >= LEAST_TRIED and gain <= error:
                    break
                last = more

    def measure(self, choice):
        """Keeps the log densities of the held-out codes by the candidate, `[n]`, means over their draws."""
        if choice in self.measured:
            return
        components = first_components(self.components, choice.rank)
        fitted_to = evenly(self.all_coordinates, MOST_FITTED)[:, : choice.rank]
        mixture = fit_mixture(fitted_to, choice.components, self.seed)
        noise = left_over(self.variances, components.directions, self.coordinates[:, : choice.rank])
        density = make_density(noise, components, *mixture)
        densities = LowRank((len(noise),), density=density).log_prob(self.new)
        self.measured[choice] = densities.reshape(len(self.new), -1).mean(axis=1)

    def best(self):
        """Returns the `MixtureSize` under which the held-out codes are most likely."""
        return max(self.measured, key=lambda choice: self.measured[choice].mean())

    def simplest(self):
        """Returns the smallest `MixtureSize` that is behind the best by no more than the standard error."""
        best, near = self.measured[self.best()], []
        for choice, densities in self.measured.items():
            behind, error = difference(best, densities)
            if behind <= error:
                near.append(choice)
        return min(near, key=lambda choice: choice.size(self.new.shape[2]))

    def candidates(self):
        """Returns the `Candidates`."""
        order = sorted(self.measured, key=lambda choice: -self.measured[choice].mean())
        tried = np.array([self.measured[choice] for choice in order])
        behind = np.array([difference(tried[0], densities) for densities in tried])
        errors = tried.std(axis=1, ddof=1) / np.sqrt(tried.shape[1])
        return Candidates(*np.array(order, "int64").T, tried.mean(axis=1), errors, *behind.T, tried.shape[1])


def draws(mean, log_var, seed):
    """Returns draws from the posteriors of codes, `[n, draws, d]`: the more, the fewer codes there are."""
    count = min(MOST_HELD_OUT // len(mean), MOST_NUMBERS // mean.size)
    return posterior_draws(mean, log_var, seed, max(count, 1))


def numbers(most):
    """Returns the numbers of components that are tried, up to `most`, which is the last."""
    tried = list(NUMBERS)
    while tried[-1] < most:
        tried.append(2 * tried[-1])
    return [number for number in tried if number < most] + [most]


def affordable(num_codes, rank, most):
    """Returns how many components, `most` at most, `num_codes` carry in `rank` dimensions."""
    if rank == 0:
        return 1
    return min(most, max(num_codes // (CODES_PER_COMPONENT * rank), 1))


def fit_mixture(coordinates, number, seed):
    """Returns weights `[k]`, means `[k, r]` and factors `[k, r, r]` of a mixture on `coordinates`, `[n, r]`.

    Variances are regularised by a share of the mean variance a dimension, so that the unit of the codes, which a
    plain autoencoder is free to choose, makes no difference.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    rank = coordinates.shape[1]
    if rank == 0:
        return np.ones(1), np.zeros((1, 0)), np.zeros((1, 0, 0))
    scale = np.sqrt(np.square(coordinates).mean())
    steps = int(np.clip(WORK / (len(coordinates) * number * rank**2), FEWEST_STEPS, MOST_STEPS))
    model = GaussianMixture(
        number, covariance_type="full", reg_covar=REGULARISED, random_state=seed, max_iter=steps
    )
    with one_thread(), warnings.catch_warnings():
        # Stopped before it converged or started with fewer distinct codes than components: a density all the same.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # In float32 it takes half of the time and is the same to seven digits.
        model.fit((coordinates / scale).astype("float32"))
    factors = [scale * square_root(covariance.astype("float64")) for covariance in model.covariances_]
    return model.weights_, scale * model.means_.astype("float64"), factors
