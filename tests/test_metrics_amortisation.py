"""The amortisation gap of a linear-Gaussian model, whose best Gaussian posterior is known."""

import numpy as np
import pytest

from keras_vae.evaluation.metrics.amortisation import elbo, improve_posteriors

NOISE = 0.5
LENGTHS = np.array([1.0, 0.6])  # x = LENGTHS z + noise: the posterior is diagonal
VARIANCE = 1 / (1 + LENGTHS**2 / NOISE**2)


def images(n=400):
    generator = np.random.default_rng(0)
    return generator.normal(size=(n, 2)) * LENGTHS + NOISE * generator.normal(size=(n, 2))


def log_prob(observed, codes):
    away = (observed - LENGTHS * codes) / NOISE
    return (-0.5 * np.square(away) - np.log(NOISE * np.sqrt(2 * np.pi))).sum(axis=1)


def score(observed, codes):
    return log_prob(observed, codes), (observed - LENGTHS * codes) * LENGTHS / NOISE**2


def exact(observed):
    return observed * LENGTHS / NOISE**2 * VARIANCE, np.broadcast_to(np.log(VARIANCE), observed.shape)


def divergence(mean, log_var, observed):
    """KL(q || p(z|x)) of each image."""
    best, variance = exact(observed)[0], VARIANCE
    ratio = np.exp(log_var) / variance
    return 0.5 * (ratio + np.square(mean - best) / variance - 1 - np.log(ratio)).sum(axis=1)


def log_likelihood(observed):
    variance = LENGTHS**2 + NOISE**2
    return -0.5 * (np.square(observed) / variance + np.log(2 * np.pi * variance)).sum(axis=1)


def seeded():
    return np.random.default_rng(5)


def test_the_elbo_of_the_exact_posterior_is_the_likelihood():
    # log p(x) = ELBO + KL(q || p(z|x)), here 0; each draw's log p(x|z) varies, the mean over images does less.
    observed = images()
    found = elbo(log_prob, observed, *exact(observed), seeded())
    difference = found - log_likelihood(observed)
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(len(observed))


def test_what_is_won_is_the_divergence_of_the_encoders_posterior():
    observed = images()
    best, log_var = exact(observed)
    mean, log_var = best + 0.8, log_var - 1.0
    gap = divergence(mean, log_var, observed)
    better = improve_posteriors(score, observed, mean, log_var, np.random.default_rng(1))
    left = divergence(*better, observed)
    assert gap.mean() > 2
    assert left.mean() < 0.03 * gap.mean()
    gain = elbo(log_prob, observed, *better, seeded()) - elbo(log_prob, observed, mean, log_var, seeded())
    error = gain.std(ddof=1) / np.sqrt(len(gain))
    assert gain.mean() == pytest.approx(gap.mean() - left.mean(), abs=4 * error)


def test_nothing_is_won_from_the_exact_posterior():
    observed = images()
    better = improve_posteriors(score, observed, *exact(observed), np.random.default_rng(1))
    assert divergence(*better, observed).mean() < 0.02
