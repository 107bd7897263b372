"""Annealed importance sampling: the likelihood of images whose posterior is not close to a single Gaussian."""

import dataclasses
import itertools
import math
from typing import NamedTuple

import numpy as np

from keras_vae.evaluation.metrics.importance import prior_over_posterior

TARGET = 0.65  # target acceptance of proposals (Wu et al. 2017, section 5)
ADAPTATION = 0.3  # change of the log step size per unit of deviation from the target
STEEPNESS = 4.0  # of the sigmoid of the temperatures: more of them are near 0 and 1


class AnnealedEstimate(NamedTuple):
    """The estimate of log p(x) from chains.

    Attributes:
        log_weights: `[n, chains]`, in nats; the log of the mean of exp(log_weights) over chains estimates log p(x).
        acceptance: The share of transitions that were accepted.
    """

    log_weights: np.ndarray
    acceptance: float


@dataclasses.dataclass(frozen=True)
class Annealing:
    """Chains from q(z|x) to p(z|x) with Hamiltonian transitions (Neal 2001; Wu et al. 2017).

        log f_b(z) = (1 - b) log q(z|x) + b log p(x, z),  b from 0 to 1
        log w = sum_t (b_t - b_{t-1}) [log p(x, z_{t-1}) - log q(z_{t-1}|x)]

    The mean of w over chains is an unbiased estimate of p(x), so its logarithm is below log p(x) in expectation, and
    closer with more temperatures. With one temperature this is importance sampling. Wu et al. start from the prior, as
    with `mean` and `log_var` 0; the path from the posterior is shorter by the rate.

    A first run with one chain per image adapts the step size of each temperature. The second run keeps these step
    sizes, so its transitions leave f_b invariant.

    Attributes:
        chains: Chains per image.
        temperatures: Number of temperatures b above 0.
        leaps: Leapfrog steps per transition.
    """

    chains: int = 8
    temperatures: int = 100
    leaps: int = 5

    def run(self, score, images, mean, log_var, generator):
        """Runs the chains and returns the `AnnealedEstimate`.

        Args:
            score: (images, codes `[m, d]`) -> log p(x|z), `[m]`, and its gradient with respect to the codes, `[m, d]`.
            images: `[n, ...]`.
            mean, log_var: Parameters of q(z|x), `[n, d]`.
            generator: A random number generator.

        Cost: `temperatures * leaps * (chains + 1)` scores per image.
        """
        betas = ladder(self.temperatures)
        steps = [mean.shape[1] ** -0.25]
        self.anneal(score_ratio(score, images, mean, log_var), betas, steps, mean.shape, generator)
        repeated = (np.repeat(array, self.chains, axis=0) for array in (images, mean, log_var))
        shape = (len(mean) * self.chains, mean.shape[1])
        found = self.anneal(score_ratio(score, *repeated), betas, steps, shape, generator)
        return found._replace(log_weights=found.log_weights.reshape(len(mean), self.chains))

    def anneal(self, ratio, betas, steps, shape, generator):
        """Returns the `AnnealedEstimate` of one chain per row; extends `steps` to a step size for each temperature."""
        noise = generator.standard_normal(shape)
        state = noise, *ratio(noise)
        log_weights, accepted = np.zeros(shape[0]), []
        for index, (before, beta) in enumerate(itertools.pairwise(betas)):
            log_weights += (beta - before) * state[1]
            if beta == 1:
                break  # the last transition would not change the weights
            state, share = transition(ratio, state, beta, steps[index], self.leaps, generator)
            accepted.append(share)
            if len(steps) == index + 1:
                steps.append(steps[-1] * math.exp(ADAPTATION * (share - TARGET)))
        return AnnealedEstimate(log_weights, float(np.mean(accepted)) if accepted else 1.0)


def ladder(temperatures):
    """Returns 0 = b_0 < ... < b_T = 1, along a sigmoid."""
    values = 1 / (1 + np.exp(-STEEPNESS * np.linspace(-1, 1, temperatures + 1)))
    betas = (values - values[0]) / (values[-1] - values[0])
    betas[-1] = 1.0
    return betas


def score_ratio(score, images, mean, log_var):
    """Returns e `[n, d]` -> log p(x, z) - log q(z|x) for z = mean + exp(log_var / 2) e, and its gradient.

    In terms of e, q is N(0, I), so one step size fits all dimensions.
    """
    deviation = np.exp(0.5 * log_var)

    def ratio(noise):
        codes = mean + deviation * noise
        log_prob, gradient = score(images, codes.astype("float32"))
        value = log_prob + prior_over_posterior(codes, noise, log_var)
        return value, deviation * (gradient - codes) + noise

    return ratio


def transition(ratio, state, beta, step, leaps, generator):
    """Returns the next state of Hamiltonian chains at f_b, and the share of accepted rows.

    A state is noise `[n, d]`, its ratio, and the ratio's gradient; log f_b = b ratio - |e|^2 / 2 + constant. The step
    size varies by up to 20%, so chains do not cycle.
    """
    place, value, slope = state
    momentum = generator.standard_normal(place.shape)
    step = step * generator.uniform(0.8, 1.2)

    def energy(place, value, momentum):
        return 0.5 * (np.square(place).sum(axis=1) + np.square(momentum).sum(axis=1)) - beta * value

    before = energy(place, value, momentum)
    momentum -= 0.5 * step * (place - beta * slope)
    for leap in range(leaps):
        place = place + step * momentum
        value, slope = ratio(place)
        momentum -= (0.5 if leap == leaps - 1 else 1) * step * (place - beta * slope)
    with np.errstate(over="ignore", invalid="ignore"):
        gain = before - energy(place, value, momentum)
    moved = np.log(generator.random(len(place))) < gain  # NaN: False
    new = (
        np.where(moved.reshape(-1, *[1] * (one.ndim - 1)), one, other)
        for one, other in zip((place, value, slope), state)
    )
    return tuple(new), float(moved.mean())
