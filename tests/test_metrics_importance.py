"""The importance-weighted bound, on a model whose likelihood is known."""

import numpy as np
import pytest
from scipy.stats import norm

from keras_vae.evaluation.metrics.importance import importance_weighted, prior_over_posterior


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
