"""The rate and what follows from the moments of codes."""

import numpy as np
import pytest

from keras_vae.evaluation.metrics import rate
from keras_vae.samplers import principal


def signal(num_codes, dims, variance=1.0, seed=0):
    return (
        np.random.default_rng(seed).normal(scale=np.sqrt(variance), size=(num_codes, dims)).astype("float32")
    )


def test_rate_of_unit_mean_is_half_the_dim():
    found = rate.measure_rate(np.ones((5, 12), "float32"), np.zeros((5, 12), "float32"))
    np.testing.assert_allclose(found.per_image, np.full(5, 6.0))
    np.testing.assert_allclose(found.per_dim, np.full(12, 0.5))


def test_rate_is_the_divergence_of_two_gaussians():
    # KL(N(m, v) || N(0, 1)) = (m^2 + v - 1 - log v) / 2: m = 1/2, v = 4: (0.25 + 3 - log 4) / 2.
    found = rate.measure_rate(np.full((1, 1), 0.5, "float32"), np.full((1, 1), np.log(4), "float32"))
    np.testing.assert_allclose(found.per_image, [(3.25 - np.log(4)) / 2], rtol=1e-6)


@pytest.mark.parametrize("log_var", [1e-2, 1e-4, -1e-5])
def test_rates_that_float32_rounds_away_are_seen(log_var):
    # exp(l) - 1 - l = l^2 / 2 + l^3 / 6 + l^4 / 24 + ...
    stored = np.float32(log_var)
    exact = float(stored) ** 2 / 4 + float(stored) ** 3 / 12 + float(stored) ** 4 / 48
    found = rate.measure_rate(np.zeros((3, 2), "float32"), np.full((3, 2), stored))
    np.testing.assert_allclose(found.per_dim, exact, rtol=1e-5)
    if abs(log_var) < 1e-3:
        plain = 0.5 * (np.exp(stored) - np.float32(1) - stored)
        assert abs(plain / exact - 1) > 0.5


def test_a_rate_that_looks_collapsed_by_its_mean_over_dimensions_is_hundreds_of_nats_in_all():
    found = rate.measure_rate(
        np.full((20, 65_536), np.sqrt(0.014), "float32"), np.zeros((20, 65_536), "float32")
    )
    assert found.per_dim.max() < 0.00701
    np.testing.assert_allclose(found.per_image, 0.007 * 65_536, rtol=1e-6)
    assert found.collapsed.all()


def test_images_and_dimensions_share_the_same_rate_however_the_columns_are_blocked(monkeypatch):
    mean, log_var = signal(30, 50), signal(30, 50, 0.1, seed=1)
    whole = rate.measure_rate(mean, log_var)
    moments, active = rate.second_moments(mean, log_var), rate.active_units(mean)
    np.testing.assert_allclose(whole.per_image.mean(), whole.per_dim.sum())
    monkeypatch.setattr(principal, "BLOCK", 7 * 30)
    for part, other in zip(whole, rate.measure_rate(mean, log_var)):
        np.testing.assert_allclose(part, other)
    np.testing.assert_allclose(moments, rate.second_moments(mean, log_var))
    assert active == rate.active_units(mean) > 0


def test_the_spectrum_is_sorted_and_90_percent_of_ten_equal_dimensions_are_nine():
    per_dim = np.zeros(100)
    per_dim[5:95:9] = 0.3
    assert rate.spectrum(per_dim)[:11].tolist() == [0.3] * 10 + [0.0]
    assert rate.dims90(per_dim) == 9


@pytest.mark.parametrize(
    ("per_dim", "expected"), [([0.0, 0.0], 0), ([5.0], 1), ([1.0, 98.0, 1.0], 1), ([4, 3, 3], 3)]
)
def test_dims90(per_dim, expected):
    assert rate.dims90(np.array(per_dim)) == expected


def test_second_moments_of_codes_that_obey_the_law_are_one_in_every_dimension():
    # Means of +a and -a, variance 1 - a^2: E mean^2 + E var = 1 exactly.
    amplitudes = np.linspace(0, 0.9, 200)
    mean = np.outer(np.tile([1, -1], 10), amplitudes)
    log_var = np.tile(np.log1p(-(amplitudes**2)), (20, 1))
    np.testing.assert_allclose(rate.second_moments(mean, log_var), (1, 1, 1))


def test_second_moments_show_the_spread_over_dimensions():
    # 0 to 100 in steps of 1, as variances of means that are 0 on average over dimensions alone.
    found = rate.second_moments(np.sqrt(np.arange(101.0))[None], np.full((1, 101), -100.0))
    np.testing.assert_allclose(found, (50, 5, 95))


def test_units_that_carry_a_signal_are_active_and_others_are_not():
    mean = np.concatenate([signal(500, 3), signal(500, 20, 0.001), np.full((500, 4), 7, "float32")], axis=1)
    assert rate.active_units(mean) == 3


def test_active_units_do_not_survive_a_rotation_as_documented():
    # The variance of 3, spread over 1,000 axes, is 0.003 in each: below 0.01, though nothing was lost.
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(1000, 3)))[0].T
    assert rate.active_units(signal(500, 3)) == 3
    assert rate.active_units(signal(500, 3) @ rotation) < 10
    assert rate.active_units(np.tile(signal(500, 3), (1, 4))) == 12  # the same signal four times over


@pytest.mark.parametrize(("informative", "collapsed"), [(0, True), (1, True), (8, False), (400, False)])
def test_a_dimension_is_collapsed_where_its_rate_is_nothing_for_99_percent_of_images(informative, collapsed):
    mean = np.zeros((400, 1), "float32")
    mean[:informative] = 2
    assert rate.measure_rate(mean, np.zeros_like(mean)).collapsed.tolist() == [collapsed]
