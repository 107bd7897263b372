"""Principal components, effective dimensions, and lengths of codes."""

import numpy as np
import pytest
from scipy.stats import norm

from keras_vae.evaluation.metrics import spectrum
from keras_vae.samplers import principal
from keras_vae.samplers.principal import principal_components, project


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, "float32")


def rotation(size, seed=5):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0].astype("float32")


def no_variance(*shape):
    return np.full(shape, -100, "float32")


@pytest.mark.parametrize("shape", [(200, 12), (30, 70), (40, 40)])
@pytest.mark.parametrize("block", [2**22, 100])
def test_eigenvalues_and_directions_are_those_of_the_covariance(shape, block, monkeypatch):
    monkeypatch.setattr(principal, "BLOCK", block)
    codes = 3 + normal(*shape) * np.linspace(0.5, 2, shape[1], dtype="float32")
    found = principal_components(codes, 5)
    covariance = np.cov(codes.astype("float64"), rowvar=False)
    expected = np.linalg.eigvalsh(covariance)[::-1][: min(shape[0] - 1, shape[1])]
    np.testing.assert_allclose(found.eigenvalues, expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.center, codes.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found.directions.T @ found.directions, np.eye(5), atol=1e-5)
    np.testing.assert_allclose(covariance @ found.directions, found.directions * expected[:5], atol=1e-4)
    coordinates = project(codes, found.center, found.directions)
    np.testing.assert_allclose(np.cov(coordinates, rowvar=False), np.diag(expected[:5]), atol=1e-4)


def test_directions_without_variance_are_left_out():
    codes = normal(50, 3) @ normal(3, 400, seed=1)
    assert principal_components(codes).directions.shape == (400, 3)
    assert principal_components(codes[:, :20]).directions.shape == (20, 3)
    assert principal_components(np.ones((50, 400), "float32")).directions.shape == (400, 0)


def test_many_codes_of_many_dimensions_are_thinned_out_evenly(monkeypatch):
    monkeypatch.setattr(principal, "MOST", 64)
    codes = normal(1000, 4) @ normal(4, 100, seed=1)
    found = principal_components(codes)
    every = np.linalg.svd(codes - codes.mean(axis=0), full_matrices=False)[2][:4].T
    assert found.eigenvalues.shape == (63,)
    # The same four-dimensional space: the cosines of the angles between them are 1.
    np.testing.assert_allclose(np.linalg.svd(every.T @ found.directions)[1], 1, atol=1e-5)


@pytest.mark.parametrize(
    ("eigenvalues", "expected"),
    [([1.0] * 7 + [0.0] * 5, 7), ([3.0], 1), ([0.0, 0.0], 0), ([2.0, 1.0], 9 / 5)],
)
def test_participation_ratio(eigenvalues, expected):
    assert spectrum.participation_ratio(eigenvalues) == pytest.approx(expected)


def test_participation_ratio_and_components_do_not_change_when_codes_are_rotated_or_scaled():
    codes = normal(300, 20) * np.linspace(0.1, 3, 20, dtype="float32")
    for changed in (codes @ rotation(20), 7 * codes, codes + 5):
        before, after = (principal_components(some).eigenvalues for some in (codes, changed))
        assert spectrum.participation_ratio(after) == pytest.approx(
            spectrum.participation_ratio(before), rel=1e-5
        )
        assert spectrum.pc95(after) == spectrum.pc95(before)


@pytest.mark.parametrize(("num_codes", "size"), [(51, 400), (101, 2000), (400, 100)])
def test_participation_ratio_of_few_codes_is_limited_as_documented(num_codes, size):
    # Isotropic: 1 / PR_n = 1 / d + 1 / (n - 1). Relative standard deviation of the sum of squares: about 2 / n.
    found = spectrum.participation_ratio(principal_components(normal(num_codes, size)).eigenvalues)
    assert 1 / found == pytest.approx(1 / size + 1 / (num_codes - 1), rel=0.03)


def test_pc90_and_pc95_count_the_largest():
    eigenvalues = [80, 10, 5, 2, 1, 1, 1]
    assert (spectrum.pc90(eigenvalues), spectrum.pc95(eigenvalues)) == (2, 3)
    assert spectrum.pc90([0.0, 0.0]) == 0


def test_signal_radius_in_closed_form():
    # Means of variance 9 in 3 of 40 dimensions, noise of 1/4 in all, around a center of 2 in the first dimension:
    # prior sqrt(3 + 4), posterior sqrt(3 * (9 + 1/4)).
    train, test = (np.zeros((4000, 40), "float32") for _ in range(2))
    for codes, seed in ((train, 0), (test, 1)):
        codes[:, :3] = 3 * normal(4000, 3, seed=seed)
        codes[:, 0] += 2
    found = spectrum.signal_radius(principal_components(train), test, np.full_like(test, np.log(0.25)))
    assert found.dims == 3
    assert found.prior == pytest.approx(np.sqrt(7), rel=0.02)
    assert found.posterior == pytest.approx(np.sqrt(3 * 9.25), rel=0.02)
    assert found.ratio == pytest.approx(np.sqrt(7 / 27.75), rel=0.03)


def test_signal_radius_does_not_change_when_codes_are_rotated():
    train, test = normal(300, 3) @ normal(3, 50, seed=1), normal(300, 3, seed=2) @ normal(3, 50, seed=1)
    log_var = np.full_like(test, -1)
    turned = spectrum.signal_radius(principal_components(train @ rotation(50)), test @ rotation(50), log_var)
    np.testing.assert_allclose(
        turned, spectrum.signal_radius(principal_components(train), test, log_var), rtol=1e-4
    )


def test_signal_radius_finds_no_hole_where_isotropic_codes_fill_the_prior_unless_measured_in_sample():
    train, test = (np.sqrt(0.02, dtype="float32") * normal(200, 4096, seed=seed) for seed in range(2))
    log_var = np.full_like(test, np.log(0.98))
    components = principal_components(train)
    assert spectrum.signal_radius(components, test, log_var).ratio == pytest.approx(1, abs=0.01)
    assert spectrum.signal_radius(components, train, log_var).ratio < 0.9


def test_norms_cannot_tell_codes_that_obey_the_second_moment_law_though_one_direction_can():
    size = 1024
    mean = np.zeros((3000, size), "float32")
    mean[:, 0] = 5 * np.sign(normal(3000))  # far out on one axis, less noise everywhere: E|z|^2 = d
    log_var = np.full_like(mean, np.log(1 - 25 / size))
    found = spectrum.measure_norms(mean, log_var, seed=0)
    assert found.auc == pytest.approx(0.5, abs=0.03)  # standard error 0.0075
    assert found.posterior.mean() == pytest.approx(found.prior.mean(), rel=0.002)


def test_norms_tell_unit_posteriors_by_their_shift():
    # |z| has mean sqrt(d) + |mu|^2 / (2 sqrt(d)) and standard deviation sqrt(1/2) (1 + |mu|^2 / d)^(1/2), so that
    # AUC = Phi(shift / sqrt(1/2 + ...)). With d = 1,024 and |mu|^2 = 20.48 (0.01 nats a dimension): shift 0.32.
    mean = np.full((4000, 1024), np.sqrt(0.02), "float32")
    found = spectrum.measure_norms(mean, np.zeros_like(mean), seed=1)
    assert found.auc == pytest.approx(norm.cdf(0.32 / np.sqrt(0.5 + 0.52)), abs=0.025)  # standard error 0.006
    assert found.prior.mean() == pytest.approx(np.sqrt(1024 - 0.5), abs=0.05)


def test_norms_are_the_seeds():
    mean = normal(20, 30)
    first, again, other = (spectrum.measure_norms(mean, 0 * mean, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.posterior, again.posterior)
    assert not np.array_equal(first.posterior, other.posterior)


@pytest.mark.parametrize(
    ("positive", "negative", "expected"),
    [([3, 4], [1, 2], 1), ([1, 2], [3, 4], 0), ([1, 1], [1, 1, 1], 0.5), ([1, 2], [0, 2], 0.625)],
)
def test_area_under_curve(positive, negative, expected):
    # The last: of four pairs two are won, one is lost and one is even.
    assert spectrum.area_under_curve(np.array(positive), np.array(negative)) == expected


def falling(num_codes, knee=16.0, power=2.5, size=400, seed=0):
    """Codes whose k-th variance is (1 + k / knee)^-power, and these variances."""
    variances = (1 + np.arange(size) / knee) ** -power
    return normal(num_codes, size, seed=seed) * np.sqrt(variances).astype("float32"), variances


def test_the_recommended_size_does_not_grow_with_the_number_of_codes():
    codes, variances = falling(800)
    exact = spectrum.pc95(variances)
    counts = (200, 400, 800)
    plain = [spectrum.pc95(principal_components(codes[:n], 1).eigenvalues) for n in counts]
    found = [spectrum.count_directions(codes[:n]) for n in counts]
    assert plain[-1] > 1.2 * plain[0]
    assert len({one.recommended_size for one in found}) == 1
    for one, count in zip(found, counts):
        assert one.num_codes == count
        assert one.pc95_low < exact < (one.pc95_high or np.inf)
        assert abs(one.pc95 - exact) < exact - one.pc95_low


@pytest.mark.parametrize("num_codes", [150, 400])
def test_the_participation_ratio_is_level_in_the_number_of_codes(num_codes):
    codes, variances = falling(num_codes, seed=3)
    exact = variances.sum() ** 2 / np.square(variances).sum()
    assert spectrum.count_directions(codes).participation_ratio == pytest.approx(exact, rel=0.1)


def test_isotropic_codes_of_more_dimensions_than_codes_give_no_upper_end():
    found = spectrum.count_directions(normal(100, 600))
    assert found.pc95_high is None
    assert found.recommended_high is None
    assert found.pc95_low == pytest.approx(0.95 * 99, abs=8)


def test_few_directions_are_counted_exactly_and_more_dimensions_than_there_are_never():
    plane = normal(500, 3) @ rotation(20)[:3]
    found = spectrum.count_directions(plane)
    assert (found.pc95, found.pc95_low, found.recommended_size) == (3, 3, 4)
    full = spectrum.count_directions(normal(400, 8))
    assert full.pc95 == 8
    assert (full.recommended_low, full.recommended_size, full.recommended_high) == (8, 8, 8)
    assert spectrum.count_directions(np.zeros((50, 4), "float32")).recommended_size == 1
    assert spectrum.count_directions(normal(5, 4)).pc95_low <= 4


@pytest.mark.parametrize("shape", [(60, 200), (60, 40), (60, 9)])
def test_spectra_of_subsets_are_those_of_their_covariances(shape):
    codes = normal(*shape) + 3
    levels, count = spectrum.subset_spectra(codes)
    assert [len(level) for level in levels] == [1, 2, 4]
    assert count == 60
    expected = principal_components(codes[1::4], 1).eigenvalues
    np.testing.assert_allclose(np.sort(levels[2][1])[::-1][: len(expected)], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("directions", "size"), [(0, 1), (1, 1), (2, 2), (3, 4), (9, 8), (10, 16), (132, 128), (150, 256)]
)
def test_a_size_may_be_short_by_a_little(directions, size):
    assert spectrum.power_of_two(directions) == size
