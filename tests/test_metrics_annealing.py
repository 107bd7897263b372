"""Annealed importance sampling against the marginal likelihood of linear-Gaussian models."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from keras_vae.evaluation.metrics.annealing import Annealing, ladder, score_ratio, transition
from keras_vae.evaluation.metrics.importance import importance_weighted

NOISE = 0.3
MATRIX = np.array([[1.0, 0.4, 0.0], [0.0, 0.8, -0.5], [0.3, 0.0, 1.2], [0.6, -0.7, 0.2]])  # x = W z + noise


def images(n=6):
    generator = np.random.default_rng(0)
    return generator.normal(size=(n, 3)) @ MATRIX.T + NOISE * generator.normal(size=(n, 4))


def score(observed, codes):
    """log N(x; W z, noise^2 I) and its gradient by z."""
    away = observed - codes @ MATRIX.T
    value = -0.5 * np.square(away / NOISE).sum(axis=1) - 4 * np.log(NOISE * np.sqrt(2 * np.pi))
    return value, away @ MATRIX / NOISE**2


def log_likelihood(observed):
    return multivariate_normal.logpdf(observed, np.zeros(4), MATRIX @ MATRIX.T + NOISE**2 * np.eye(4))


def start(n, shift, log_var):
    return np.full((n, 3), shift), np.full((n, 3), log_var)


@pytest.mark.parametrize(
    ("shift", "log_var"), [(0, 0), (0.7, -1.0)], ids=["from the prior", "from a wrong posterior"]
)
def test_chains_find_the_marginal_likelihood_of_a_linear_model(shift, log_var):
    observed = images()
    plan = Annealing(chains=60, temperatures=400)
    found = plan.run(score, observed, *start(6, shift, log_var), np.random.default_rng(1))
    weights = np.exp(found.log_weights - found.log_weights.max(axis=1, keepdims=True))
    errors = weights.std(axis=1, ddof=1) / weights.mean(axis=1) / np.sqrt(plan.chains)
    difference = -importance_weighted(found.log_weights).per_image - log_likelihood(observed)
    assert (errors < 0.2).all()
    assert (np.abs(difference) < 4 * errors).all(), (difference, errors)
    assert found.acceptance == pytest.approx(0.65, abs=0.2)


def test_chains_find_what_as_many_samples_do_not():
    # Far off and too narrow: importance sampling sees nothing of the posterior.
    observed = images()
    posterior = start(6, 2.0, -2.5)
    plan = Annealing(chains=20, temperatures=400)
    annealed = plan.run(score, observed, *posterior, np.random.default_rng(1))
    plain = Annealing(chains=20 * 400 * 5, temperatures=1).run(
        score, observed, *posterior, np.random.default_rng(1)
    )
    exact = log_likelihood(observed).mean()
    short = [exact + importance_weighted(found.log_weights).nats for found in (annealed, plain)]
    assert abs(short[0]) < 0.5
    assert short[1] > 10


def test_one_temperature_is_importance_sampling():
    observed = images(2)
    mean, log_var = start(2, 0.2, -0.5)
    found = Annealing(chains=5, temperatures=1).run(score, observed, mean, log_var, np.random.default_rng(3))
    generator = np.random.default_rng(3)
    generator.standard_normal((2, 3))  # of the first run
    noise = generator.standard_normal((10, 3))
    codes = (mean[0] + np.exp(0.5 * log_var[0]) * noise).astype("float32")
    log_joint = score(np.repeat(observed, 5, axis=0), codes)[0] + norm.logpdf(codes).sum(axis=1)
    log_start = norm.logpdf(codes, mean[0], np.exp(0.5 * log_var[0])).sum(axis=1)
    np.testing.assert_allclose(found.log_weights.ravel(), log_joint - log_start, atol=1e-4)


def test_transitions_leave_the_annealed_density_as_it_is():
    # Of a linear model f_b is Gaussian: with precision (1 - b) I + b A for q = N(0, I), A = I + W'W / noise^2.
    observed = np.repeat(images(1), 20_000, axis=0)
    beta, generator = 0.3, np.random.default_rng(0)
    precision = (1 - beta) * np.eye(3) + beta * (np.eye(3) + MATRIX.T @ MATRIX / NOISE**2)
    covariance = np.linalg.inv(precision)
    mean = covariance @ (beta * MATRIX.T @ observed[0] / NOISE**2)
    place = generator.multivariate_normal(mean, covariance, len(observed))
    ratio = score_ratio(score, observed, *start(len(observed), 0, 0))
    state = place, *ratio(place)
    (moved, *_), share = transition(ratio, state, beta, 0.3, 5, generator)
    assert 0.4 < share < 0.95
    assert np.abs(moved - place).mean() > 0.1
    np.testing.assert_allclose(moved.mean(axis=0), mean, atol=4 * np.sqrt(covariance.max() / 20_000))
    np.testing.assert_allclose(np.cov(moved.T), covariance, atol=0.03 * covariance.max())


def test_the_ratio_has_the_slope_of_its_value():
    observed, (mean, log_var) = images(2), start(2, 0.4, -0.8)
    ratio = score_ratio(score, observed, mean, log_var)
    noise = np.random.default_rng(0).normal(size=(2, 3))
    slope = ratio(noise)[1]
    for unit in np.eye(3):
        rise = (ratio(noise + 0.01 * unit)[0] - ratio(noise - 0.01 * unit)[0]) / 0.02
        np.testing.assert_allclose(rise, slope @ unit, rtol=1e-3, atol=1e-3)


def test_temperatures_rise_from_0_to_1():
    assert ladder(1).tolist() == [0, 1]
    betas = ladder(50)
    assert betas[0] == 0
    assert betas[-1] == 1
    assert (np.diff(betas) > 0).all()
    assert np.diff(betas)[0] < 0.2 * np.diff(betas)[25]
