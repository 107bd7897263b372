import numpy as np
import pytest
import scipy.linalg

from keras_vae.evaluation.metrics.frechet import frechet_distance, gaussian_frechet_distance


def gaussian(count, width, seed, mean=0.0, mix=None):
    rows = np.random.default_rng(seed).standard_normal((count, width))
    return (rows if mix is None else rows @ mix) + mean


def random_mix(width, seed):
    return np.random.default_rng(seed).standard_normal((width, width)) / np.sqrt(width)


def test_distance_of_gaussians_with_diagonal_covariances_is_the_closed_form():
    # S1 S2 commute: tr(S1 + S2 - 2 (S1 S2)^1/2) = sum (s1 - s2)^2 of the standard deviations
    first, second = np.array([1.0, 2.0, 0.5]), np.array([3.0, 2.0, 0.0])
    mean = np.array([1.0, -1.0, 2.0])
    expected = np.square(mean).sum() + np.square(first - second).sum()
    distance = gaussian_frechet_distance(mean, np.diag(first**2), np.zeros(3), np.diag(second**2))
    assert distance == pytest.approx(expected, rel=1e-12)


def test_distance_of_full_covariances_is_that_with_scipys_matrix_root():
    first, second = gaussian(300, 12, 0, 0.3, random_mix(12, 5)), gaussian(250, 12, 1, 0.0, random_mix(12, 6))
    covariances = np.cov(first.T), np.cov(second.T)
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    expected = np.square(first.mean(0) - second.mean(0)).sum() + np.trace(sum(covariances) - 2 * root)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-8)
    moments = first.mean(0), covariances[0], second.mean(0), covariances[1]
    assert gaussian_frechet_distance(*moments) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("n", "m"), [(20, 30), (20, 200), (200, 20), (2, 2)])
def test_fewer_images_than_features_agree_with_the_moments(n, m):
    first, second = gaussian(n, 64, 0, 0.1), gaussian(m, 64, 1)
    moments = first.mean(0), np.cov(first.T), second.mean(0), np.cov(second.T)
    assert frechet_distance(first, second) == pytest.approx(gaussian_frechet_distance(*moments), rel=1e-5)


def test_a_set_is_at_distance_zero_from_itself_and_a_shift_is_its_square():
    features = gaussian(100, 16, 0).astype("float32")
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(features + np.float32(0.5), features) == pytest.approx(16 * 0.25, rel=1e-5)


def test_distance_is_symmetric_and_does_not_change_under_rotation():
    first, second = gaussian(80, 10, 0, 0.2, random_mix(10, 3)), gaussian(90, 10, 1)
    rotation = np.linalg.qr(random_mix(10, 4))[0]
    distance = frechet_distance(first, second)
    assert frechet_distance(second, first) == pytest.approx(distance, rel=1e-9)
    assert frechet_distance(first @ rotation, second @ rotation) == pytest.approx(distance, rel=1e-9)


def test_bias_for_equal_distributions_falls_as_one_over_n():
    width = 16
    means = [
        np.mean([frechet_distance(gaussian(n, width, s), gaussian(n, width, 99 + s)) for s in range(8)])
        for n in (250, 500, 1000)
    ]
    # The means alone give tr(S) (1/n + 1/m) = 2 F / n; the covariances add to it.
    assert means[0] > 2 * width / 250
    np.testing.assert_allclose(np.array(means) * [250, 500, 1000], means[0] * 250, rtol=0.15)


def test_it_is_blind_to_what_mean_and_covariance_do_not_hold():
    # Tricky: +-1 coins and a Gaussian have the same first two moments.
    coins = np.sign(gaussian(4000, 4, 0))
    assert frechet_distance(coins, gaussian(4000, 4, 1)) < 0.02


@pytest.mark.parametrize("bad", [np.zeros((1, 4)), np.zeros((5, 3)), np.zeros(4), np.full((5, 4), np.nan)])
def test_what_is_no_set_of_features_is_refused(bad):
    with pytest.raises(ValueError, match="features"):
        frechet_distance(bad, np.zeros((5, 4)))
