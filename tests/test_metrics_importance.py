"""The importance-weighted bound, on a model whose likelihood is known."""

import numpy as np
import pytest
from scipy.stats import norm

from keras_vae.evaluation.metrics.importance import (
    TOLERANCE,
    importance_weighted,
    movements_of,
    prior_over_posterior,
)


def log_weights(num_images, samples, spread):
    """x = z + e with z, e ~ N(0, 1), so that p(x) = N(0, 2) and p(z|x) = N(x/2, 1/2); q has `spread` times its sd."""
    generator = np.random.default_rng(0)
    observed = generator.normal(scale=np.sqrt(2), size=(num_images, 1))
    deviation = spread * np.sqrt(0.5)
    noise = generator.normal(size=(num_images, samples))
    codes = observed / 2 + deviation * noise
    joint = norm.logpdf(observed, codes) + norm.logpdf(codes)
    return observed[:, 0], joint - norm.logpdf(codes, observed / 2, deviation)


def test_the_exact_posterior_gives_the_exact_likelihood_from_any_number_of_samples():
    observed, weights = log_weights(50, 7, spread=1)
    found = importance_weighted(weights)
    np.testing.assert_allclose(found.per_image, -norm.logpdf(observed, scale=np.sqrt(2)), rtol=1e-12)
    assert found.nats == pytest.approx(found.per_image.mean())
    assert found.nats_se == pytest.approx(found.per_image.std(ddof=1) / np.sqrt(50))
    assert found.effective_sample_size == pytest.approx(7)
    assert found.accepted


def test_the_bound_falls_with_samples_from_the_elbo_to_the_likelihood():
    # For q of variance s^2 v around the exact posterior N(m, v): the ELBO is short of log p(x) by
    # KL(q || p(z|x)) = (s^2 - 1 - log s^2) / 2 = 0.807 for s = 2.
    observed, weights = log_weights(4000, 256, spread=2)
    exact = -norm.logpdf(observed, scale=np.sqrt(2)).mean()
    gaps = [importance_weighted(weights[:, :samples]).nats - exact for samples in (1, 4, 16, 256)]
    assert gaps[0] == pytest.approx((3 - np.log(4)) / 2, abs=0.1)  # standard error 0.033
    assert gaps == sorted(gaps, reverse=True)
    assert abs(gaps[-1]) < 0.02


def test_a_bound_and_an_effective_sample_size_by_hand():
    # Weights 1 and 3: mean 2; (1 + 3)^2 / (1 + 9) = 1.6.
    found = importance_weighted(np.log([[1.0, 3.0]]))
    assert found.nats == pytest.approx(-np.log(2))
    assert found.effective_sample_size == pytest.approx(1.6)
    assert np.isnan(found.nats_se)


@pytest.mark.parametrize("shift", [-1e5, 1e5])
def test_weights_of_any_size_neither_overflow_nor_vanish(shift):
    found = importance_weighted(np.log([[1.0, 3.0]]) + shift)
    assert found.nats == pytest.approx(-np.log(2) - shift, rel=1e-12)


def spread_weights(deviation, samples):
    return np.random.default_rng(1).normal(scale=deviation, size=(20, samples))


@pytest.mark.parametrize(
    ("deviation", "samples", "accepted"),
    [
        (0.5, 256, True),
        (1, 256, True),
        (29, 256, False),  # what 65,536 dimensions gave: one draw counts
        (29, 40, False),  # an effective size of 1 is above 40 / 50, and still no likelihood
        (0, 1, False),  # the ELBO
        (0, 2, True),
    ],
)
def test_a_bound_that_few_draws_carry_is_refused(deviation, samples, accepted):
    assert importance_weighted(spread_weights(deviation, samples)).accepted is accepted


def test_prior_over_posterior_is_the_difference_of_the_log_densities_in_float64():
    generator = np.random.default_rng(0)
    mean, log_var, noise = generator.standard_normal((3, 4, 5000))
    codes = mean + np.exp(log_var / 2) * noise
    expected = (norm.logpdf(codes) - norm.logpdf(codes, mean, np.exp(log_var / 2))).sum(axis=1)
    np.testing.assert_allclose(prior_over_posterior(codes, noise, log_var), expected, rtol=1e-10)
    rounded = [array.astype("float32") for array in (codes, noise, log_var)]
    assert prior_over_posterior(*rounded).dtype == "float64"


def missing_weights(samples, scale, shift, seed=0, num_images=24, dims=4):
    """Log weights of N(shift, scale^2 I) for a posterior N(0, I), of images with log p(x) = 0."""
    noise = np.random.default_rng(seed).standard_normal((num_images, samples, dims))
    codes = shift + scale * noise
    return (0.5 * np.square(noise) - 0.5 * np.square(codes) + np.log(scale)).sum(axis=2)


def test_accepted_bounds_are_as_near_to_the_truth_as_is_claimed():
    mismatches = [(scale, shift) for scale in (0.7, 0.9, 1.3, 2) for shift in (0, 0.5, 1)]
    found = [
        importance_weighted(missing_weights(samples, *mismatch, seed=seed))
        for mismatch in mismatches
        for samples in (16, 256)
        for seed in range(3)
    ]
    accepted = [one.nats for one in found if one.accepted]  # the truth is 0
    assert 15 < len(accepted) < len(found) - 15
    assert np.mean(np.array(accepted) > TOLERANCE) <= 0.1


def test_a_bound_is_accepted_once_it_has_stopped_falling_and_stays_so():
    weights = missing_weights(4096, 1.5, 0.8, dims=6)
    found = [importance_weighted(weights[:, :samples]) for samples in (16, 64, 256, 1024, 4096)]
    flags = [one.accepted for one in found]
    assert flags == sorted(flags)
    assert not flags[0]
    assert flags[-1]
    assert abs(found[-1].nats) < TOLERANCE
    assert [one.bias for one in found] == sorted((one.bias for one in found), reverse=True)


def test_a_bound_is_refused_by_what_is_left_and_not_by_the_share_of_the_draws_that_counts():
    # 16 draws of which 4 count were a likelihood, 1,000 of which 15 count were none, 1.4 nats better.
    weights = np.random.default_rng(0).normal(scale=2.5, size=(24, 1000))
    few, many = importance_weighted(weights[:, :16]), importance_weighted(weights)
    truth = -(2.5**2) / 2
    assert few.effective_sample_size > 16 / 50
    for found in (few, many):
        assert not found.accepted
        assert found.bias_limit > found.nats - truth - 3 * found.nats_se
    assert "still falls" in few.reason
    assert many.bias < few.bias


def test_the_bias_of_many_samples_is_what_the_last_doubling_moved():
    # Var(w) / (2 k E[w]^2) = (e^(s^2) - 1) / (2 k); from k / 2 to k it moves by as much as it is at k.
    weights = np.random.default_rng(2).normal(scale=0.5, size=(3000, 64))
    found = importance_weighted(weights)
    exact = np.expm1(0.25) / 128
    assert found.moved == pytest.approx(exact, rel=0.15)
    assert found.bias == pytest.approx(exact, rel=0.35)
    assert found.moved_se < 0.1 * exact
    assert found.accepted


def test_movements_by_hand():
    # Weights 1, 3, 5, 7: means 1, 3, 5, 7, then 2, 6, then 4.
    (last, before) = movements_of(np.log([[1.0, 3, 5, 7]]))
    assert last[0] == pytest.approx(np.log(4) - np.log(12) / 2)
    assert before[0] == pytest.approx(np.log(12) / 2 - np.log(105) / 4)


def test_an_annealed_bound_that_is_lower_refuses_and_one_that_is_higher_changes_nothing():
    found = importance_weighted(weights := missing_weights(256, 1.1, 0))
    assert found.accepted
    noise = 0.01 * np.random.default_rng(3).standard_normal(12)
    lower = importance_weighted(weights, annealed=found.per_image[:12] - 0.7 + noise)
    assert not lower.accepted
    assert lower.bias == pytest.approx(0.7, abs=0.02)
    higher = importance_weighted(weights, annealed=found.per_image[:12] + 0.7 + noise)
    assert higher.accepted
    assert higher.bias == found.bias


def test_one_sample_and_one_image_say_why_they_are_refused():
    assert "the ELBO" in importance_weighted(np.zeros((5, 1))).reason
    assert "one image" in importance_weighted(np.zeros((1, 8))).reason
