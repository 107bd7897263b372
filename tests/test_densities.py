import numpy as np
import pytest
import scipy.special
import scipy.stats

from keras_vae.layers.densities import (
    bernoulli_log_density,
    gaussian_log_density,
    kl_to_standard_normal,
    log_mean_exp,
    standard_normal_log_density,
    sum_per_image,
)
from keras_vae.runtime.lazy import keras


def as_float32(*values):
    return [np.asarray(value, "float32") for value in values]


def test_gaussian_log_density_is_that_of_scipy():
    values, mean, log_var = as_float32([0.0, 1.5, -3.0, 0.2], [0.0, 1.0, 2.0, 0.2], [0.0, -2.0, 3.0, -9.0])
    expected = scipy.stats.norm.logpdf(
        values.astype("float64"), mean.astype("float64"), np.exp(log_var.astype("float64") / 2)
    )
    np.testing.assert_allclose(gaussian_log_density(values, mean, log_var), expected, rtol=1e-5)


def test_standard_normal_log_density_is_that_of_scipy():
    values = np.linspace(-8, 8, 33, dtype="float32")
    np.testing.assert_allclose(
        standard_normal_log_density(values), scipy.stats.norm.logpdf(values), rtol=1e-5
    )


def test_rate_of_unit_mean_is_half():
    # KL(N(m, 1) || N(0, 1)) = (m^2 + 1 - 1 - log 1) / 2 = m^2 / 2
    np.testing.assert_allclose(kl_to_standard_normal(np.float32(1), np.float32(0)), 0.5, rtol=1e-6)


@pytest.mark.parametrize("log_var", [-14.0, -2.0, -0.3, 0.3, 2.0, 6.0])
def test_rate_is_the_integral_of_the_log_ratio(log_var):
    # KL(q || p) = integral of q(z) (log q(z) - log p(z)) dz, by the trapezoid rule over 12 sigma of q
    mean, sigma = 0.7, np.exp(log_var / 2)
    codes = np.linspace(mean - 12 * sigma, mean + 12 * sigma, 20_001)
    log_q, log_p = scipy.stats.norm.logpdf(codes, mean, sigma), scipy.stats.norm.logpdf(codes)
    expected = np.trapezoid(np.exp(log_q) * (log_q - log_p), codes)
    np.testing.assert_allclose(kl_to_standard_normal(*as_float32(mean, log_var)), expected, rtol=1e-5)


@pytest.mark.parametrize("log_var", [1e-2, 1e-3, 1e-4, -1e-4, -1e-3])
def test_rate_of_a_tiny_log_var_keeps_its_digits(log_var):
    # exp(v) - 1 - v = v^2 / 2 + v^3 / 6 + ...; what is left in float32 is the rounding of expm1(v), 6e-8 of v
    rate = float(kl_to_standard_normal(np.float32(0), np.float32(log_var)))
    expected = 0.5 * (np.expm1(float(np.float32(log_var))) - float(np.float32(log_var)))
    assert rate == pytest.approx(expected, abs=6e-8 * abs(log_var))


def test_rate_is_zero_only_at_the_prior():
    mean, log_var = np.meshgrid(
        np.linspace(-2, 2, 5, dtype="float32"), np.linspace(-2, 2, 5, dtype="float32")
    )
    rate = np.asarray(kl_to_standard_normal(mean, log_var))
    assert rate[2, 2] == 0
    assert (np.delete(rate.ravel(), 12) > 0.05).all()


def test_bernoulli_log_density_is_that_of_scipy():
    logits = np.linspace(-12, 12, 25)
    for value in (0, 1):
        expected = scipy.stats.bernoulli.logpmf(value, scipy.special.expit(logits))
        density = bernoulli_log_density(*as_float32(value, logits))
        np.testing.assert_allclose(density, expected, rtol=1e-5, atol=1e-6)


def test_bernoulli_log_density_of_grey_is_the_negative_cross_entropy():
    values, logits = np.array([0.2, 0.5, 0.9]), np.array([-1.0, 3.0, 0.4])
    p = scipy.special.expit(logits)
    expected = values * np.log(p) + (1 - values) * np.log1p(-p)
    np.testing.assert_allclose(bernoulli_log_density(*as_float32(values, logits)), expected, rtol=1e-5)


def test_bernoulli_log_density_of_extreme_logits_is_finite_and_linear():
    # log(1 - sigmoid(l)) = -log(1 + exp(l)), which is -l for large l; and log sigmoid(-l) likewise
    values, logits = as_float32([0, 1, 1, 0], [1e4, -1e4, 1e4, -1e4])
    np.testing.assert_allclose(bernoulli_log_density(values, logits), [-1e4, -1e4, 0, 0])


def test_log_mean_exp_does_not_overflow_and_equals_numpy():
    values = np.random.default_rng(0).normal(0, 3, (4, 7))
    expected = np.log(np.exp(values).mean(axis=1))
    np.testing.assert_allclose(log_mean_exp(values.astype("float32"), axis=1), expected, rtol=1e-5)
    # a shift passes through: log mean exp(v + c) = c + log mean exp(v)
    shifted = log_mean_exp((values - 1000).astype("float32"), axis=1)
    np.testing.assert_allclose(shifted, expected - 1000, rtol=1e-6)


@pytest.mark.parametrize("shape", [(3,), (3, 5), (3, 2, 4), (3, 2, 4, 5)])
def test_sum_per_image_keeps_only_the_first_axis(shape):
    values = np.random.default_rng(0).normal(size=shape).astype("float32")
    total = keras.ops.convert_to_numpy(sum_per_image(values))
    np.testing.assert_allclose(total, values.reshape(3, -1).sum(axis=1), rtol=1e-4)
