"""Chooses the rank and the number of components of a Gaussian mixture by the density of held-out codes.

The density is that of whole codes, which makes ranks comparable. It is evaluated at draws from the posteriors, which
are broader than the means that the mixture is fitted to. The search tries ranks with one component, then numbers of
components at the best rank, then smaller ranks. It chooses the simplest candidate whose distance to the best is at most
the standard error of the difference over the held-out codes (Breiman et al. 1984, section 3.4.3).
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

CODES_PER_COMPONENT = 2  # least number of codes for each dimension of each component
HELD_OUT = 5  # one code in five is held out
MOST_HELD_OUT = 2000  # the most held-out codes; fewer codes get several draws each, up to this number
MOST_NUMBERS = 2**24  # the most numbers in these draws
FEWEST_CODES = 20  # with fewer codes there is no search and one component
MOST_FITTED = 10_000  # the most codes that a candidate is fitted to
REGULARISED = 1e-3  # added to the variance of each component, in units of the mean variance per dimension
LEAST_RANK = 4
NUMBERS = (1, 3, 10, 20)  # numbers of components that are tried, followed by doublings of the last
# The search does not stop before this number, because few components may not gain while more do.
LEAST_TRIED = 10
# The number of steps of a fit depends on its multiplications. With 10,000 codes, 40 components and 128 dimensions it is
# `FEWEST_STEPS`, about 10 seconds on one core. Small fits converge.
WORK, FEWEST_STEPS, MOST_STEPS = 2e10, 10, 100


class Candidates(NamedTuple):
    """The candidates, best first.

    Attributes:
        ranks, components: Rank and number of components, `[c]`, int64.
        nats: Mean log density of the held-out codes, `[c]`, float64.
        nats_se: Its standard error, `[c]`.
        behind: Its distance to the best, `[c]`, not negative.
        behind_se: Standard error of the distance, `[c]`. It is smaller than `nats_se`, because the codes are the same.
        num_codes: Number of held-out codes.
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
        """Returns the number of parameters of the density of codes of `dim` dimensions."""
        return self.components * (1 + self.rank + self.rank**2) + dim * self.rank


class Search:
    """Fits candidates to some of the codes and measures the density of the others."""

    def __init__(self, mean, log_var, rank, seed):
        """Holds codes out and finds the subspace of the rest.

        Args:
            mean, log_var: The codes, `[n, d]`, at least `FEWEST_CODES`.
            rank: The largest rank.
            seed: The seed of the draws and of the mixtures' initialization.
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
        """Adds codes, `[n, d]`, that the mixtures are fitted to. They are not used for the noise or the density."""
        self.all_coordinates = np.concatenate([self.all_coordinates, self.project(mean)])

    @property
    def ranks(self):
        """The ranks to try: powers of two, the rank that explains 98% of the variance, and the largest rank."""
        most = self.components.directions.shape[1]
        powers = [2**power for power in range(most.bit_length()) if 2**power >= LEAST_RANK]
        return sorted({*powers, min(count_for_share(self.components.eigenvalues, SHARE), most), most})

    def choose(self, most):
        """Returns the chosen `MixtureSize`, with at most `most` components."""
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
        """Tries more and more components at the rank of `chosen`, until the gain is within its standard error."""
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
        """Stores the log densities of the held-out codes under the candidate, `[n]`, as means over their draws."""
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
        """Returns the `MixtureSize` with the highest density of the held-out codes."""
        return max(self.measured, key=lambda choice: self.measured[choice].mean())

    def simplest(self):
        """Returns the smallest `MixtureSize` whose distance to the best is within its standard error."""
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
    """Returns draws from the posteriors of codes, `[n, draws, d]`: more draws for fewer codes."""
    count = min(MOST_HELD_OUT // len(mean), MOST_NUMBERS // mean.size)
    return posterior_draws(mean, log_var, seed, max(count, 1))


def numbers(most):
    """Returns the numbers of components to try; the last is `most`."""
    tried = list(NUMBERS)
    while tried[-1] < most:
        tried.append(2 * tried[-1])
    return [number for number in tried if number < most] + [most]


def affordable(num_codes, rank, most):
    """Returns how many components `num_codes` codes allow in `rank` dimensions, at most `most`."""
    if rank == 0:
        return 1
    return min(most, max(num_codes // (CODES_PER_COMPONENT * rank), 1))


def fit_mixture(coordinates, number, seed):
    """Returns weights `[k]`, means `[k, r]` and factors `[k, r, r]` of a mixture fitted to `coordinates`, `[n, r]`.

    The regularization of the variances is relative to the mean variance per dimension. The result therefore does not
    depend on the scale of the codes, which is arbitrary in a plain autoencoder.
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
        # It is also a valid density if it has not converged or has fewer distinct codes than components.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # float32 takes half of the time and gives the same result to seven digits.
        model.fit((coordinates / scale).astype("float32"))
    factors = [scale * square_root(covariance.astype("float64")) for covariance in model.covariances_]
    return model.weights_, scale * model.means_.astype("float64"), factors
