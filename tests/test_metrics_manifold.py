import math

import numpy as np
import pytest

from keras_vae.evaluation.metrics.manifold import (
    confidence_dead_zone,
    dead_zone,
    density_and_coverage,
    expected_coverage,
)
from keras_vae.evaluation.metrics.neighbours import nearest


def gaussian(count, width, seed, mean=0.0):
    return np.random.default_rng(seed).standard_normal((count, width)) + mean


def unit_rows(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def all_distances(first, second):
    return np.linalg.norm(first[:, None] - second[None], axis=2)


def test_neighbours_are_those_of_all_distances(monkeypatch):
    points, reference = gaussian(40, 5, 0), gaussian(60, 5, 1)
    monkeypatch.setattr("keras_vae.evaluation.metrics.neighbours.VALUES_AT_ONCE", 7 * 60)
    indices, distances = nearest(points, reference, 3)
    expected = all_distances(points, reference)
    np.testing.assert_array_equal(indices, np.argsort(expected, axis=1)[:, :3])
    np.testing.assert_allclose(distances, np.sort(expected, axis=1)[:, :3], rtol=1e-12)


def test_copies_are_at_distance_zero_far_from_the_origin_too():
    reference = gaussian(50, 30, 0, mean=1e4).astype("float32")
    indices, distances = nearest(reference, reference)
    np.testing.assert_array_equal(indices[:, 0], np.arange(50))
    assert (distances == 0).all()


def test_an_images_own_row_is_left_out():
    reference = gaussian(30, 4, 0)
    indices, distances = nearest(reference, reference, 2, own=np.arange(30))
    expected = np.sort(all_distances(reference, reference), axis=1)[:, 1:3]
    np.testing.assert_allclose(distances, expected, rtol=1e-9)
    assert not (indices == np.arange(30)[:, None]).any()
    assert nearest(reference[:1], reference, own=np.array([-1]))[0][0, 0] == 0


def test_density_and_coverage_are_their_definitions_by_hand():
    # Points 0, 1, 3, 7 on a line, k = 1: radii 1, 1, 2, 4. Samples 0.5 (in the balls of 0 and 1), 4.5 (of 3 and
    # 7), 100 (none): density = 4 / (1 * 3), coverage = 4 / 4.
    reference, features = np.array([[0.0], [1], [3], [7]]), np.array([[0.5], [4.5], [100]])
    scores = density_and_coverage(features, reference, k=1)
    assert scores["density"] == pytest.approx(4 / 3)
    assert scores["coverage"] == 1
    # The numbers of balls are 2, 2, 0: their standard deviation is (8/9)^1/2.
    assert scores["density_se"] == pytest.approx(math.sqrt(8 / 9) / math.sqrt(3))
    assert density_and_coverage(features[1:], reference, k=1)["coverage"] == 0.5


def test_samples_of_the_same_distribution_have_density_one_and_the_expected_coverage():
    for n, m in ((500, 500), (200, 800)):
        scores = [density_and_coverage(gaussian(n, 8, s), gaussian(m, 8, 50 + s)) for s in range(6)]
        assert np.mean([s["density"] for s in scores]) == pytest.approx(1, abs=0.05)
        coverage = np.mean([s["coverage"] for s in scores])
        assert coverage == pytest.approx(expected_coverage(n, m), abs=0.02)


def test_expected_coverage_of_equal_large_sets_is_one_less_a_half_to_the_k():
    assert expected_coverage(10**6, 10**6, 5) == pytest.approx(1 - 2**-5, abs=1e-5)
    # m = 2, k = 1, n = 1: the one other real image and the sample are nearest with equal chance
    assert expected_coverage(1, 2, 1) == 0.5


def test_samples_far_away_have_neither_density_nor_coverage():
    scores = density_and_coverage(gaussian(200, 8, 0, mean=20), gaussian(200, 8, 1))
    assert scores == {"density": 0, "density_se": 0, "coverage": 0, "coverage_se": 0}


def test_one_good_image_many_times_has_density_without_coverage():
    # Tricky: mode collapse
    reference = gaussian(500, 8, 0)
    centre = np.repeat(reference[np.argmin(np.linalg.norm(reference, axis=1))][None], 500, axis=0)
    scores = density_and_coverage(centre, reference)
    assert scores["density"] > 1
    assert scores["coverage"] < 0.3


def test_copies_of_the_reference_lie_in_every_ball_even_where_images_come_many_times():
    reference = np.repeat(gaussian(20, 8, 0), 10, axis=0)  # all radii are 0
    scores = density_and_coverage(reference, reference)
    assert scores["coverage"] == 1
    assert scores["density"] == pytest.approx(10 / 5)


def test_reconstructions_do_not_count_as_near_their_own_originals():
    # Radii are 100; each reconstruction is 10 from its original and more than 100 from all others.
    reference = np.array([[0.0, 0], [100, 0], [200, 0], [300, 0]])
    own = np.arange(4)
    assert density_and_coverage(reference, reference, k=1)["coverage"] == 1
    moved = reference + np.array([[0, 10.0]])
    assert density_and_coverage(moved, reference, k=1, own=own)["coverage"] == 0


def test_dead_zone_is_zero_for_reconstructions_and_one_for_garbage():
    reference, samples = unit_rows(gaussian(1000, 6, 0, 1.0)), unit_rows(gaussian(1000, 6, 1, 1.0))
    reconstructions = unit_rows(gaussian(1000, 6, 2, 1.0))
    good = dead_zone(samples, reference, reconstructions)
    assert abs(good["dead_zone"]) < 3 * good["dead_zone_se"] < 0.06
    garbage = dead_zone(unit_rows(gaussian(1000, 6, 3, -3.0)), reference, reconstructions)
    assert garbage["dead_zone"] > 0.99


def test_dead_zone_of_a_mixture_is_the_share_of_garbage():
    reference, reconstructions = gaussian(800, 4, 0), gaussian(800, 4, 2)
    samples = np.concatenate([gaussian(600, 4, 1), gaussian(200, 4, 3, mean=30)])
    result = dead_zone(samples, reference, reconstructions)
    # (1/4 + 3/4 0.05 - 0.05) / 0.95 = 1/4 (1 - 0.05) / 0.95
    assert result["dead_zone"] == pytest.approx(0.25, abs=3 * result["dead_zone_se"])


def test_dead_zone_ignores_the_models_own_blur():
    # Tricky: samples and reconstructions are off by the same offset, real against real are not.
    reference = gaussian(800, 4, 0)
    blurred, reconstructions = gaussian(800, 4, 1, mean=3.0), gaussian(800, 4, 2, mean=3.0)
    result = dead_zone(blurred, reference, reconstructions)
    assert abs(result["dead_zone"]) < 3 * result["dead_zone_se"]
    assert dead_zone(blurred, reference, gaussian(800, 4, 3))["dead_zone"] > 0.9


def test_a_reconstruction_is_not_measured_by_its_own_original():
    # Tricky: perfect reconstructions of the reference would put the threshold at 0 and all samples beyond it.
    reference, samples = gaussian(800, 4, 0), gaussian(800, 4, 1)
    assert dead_zone(samples, reference, reference)["dead_zone"] > 0.9
    result = dead_zone(samples, reference, reference, own=np.arange(800))
    assert abs(result["dead_zone"]) < 3 * result["dead_zone_se"]


def test_the_error_of_the_dead_zone_is_its_spread_over_repetitions():
    def once(seed):
        sets = gaussian(300, 3, seed, 1.2), gaussian(2000, 3, 7), gaussian(200, 3, 5000 + seed)
        return dead_zone(*sets)

    results = [once(seed) for seed in range(60)]
    spread = np.std([result["dead_zone"] for result in results])
    stated = np.mean([result["dead_zone_se"] for result in results])
    assert stated == pytest.approx(spread, rel=0.3)


def test_confidence_dead_zone_is_the_share_of_samples_that_are_less_sure_than_reconstructions():
    reconstructions = np.linspace(0.5, 1, 1001)  # 5% are below 0.525
    result = confidence_dead_zone(np.array([0.51] * 30 + [0.9] * 70), reconstructions)
    assert result["threshold"] == pytest.approx(0.525, abs=0.001)
    assert result["dead_zone"] == pytest.approx((0.3 - 0.05) / 0.95)
    assert confidence_dead_zone(reconstructions, reconstructions)["dead_zone"] == pytest.approx(0, abs=0.002)
    assert confidence_dead_zone(np.full(50, 0.1), reconstructions)["dead_zone"] == 1
