"""Numbers that forecast how well a learned sampler will do, against closed forms."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import quad

from keras_vae.evaluation.metrics import forecast
from keras_vae.evaluation.sections.forecast import forecast_sampler
from keras_vae.samplers import UniformSampler
from keras_vae.samplers.coordinates import Rows


@pytest.mark.parametrize("variance", [0.01, 0.5, 1.0, 7.0])
def test_the_velocitys_variance_is_its_integral_over_either_path(variance):
    """x = a e + b z with noise e and a code z: Var[v | x] of the velocity v = a' e + b' z, both Gaussian."""

    def left(a, b, da, db):
        of_x, of_v, both = a**2 + b**2 * variance, da**2 + db**2 * variance, a * da + b * db * variance
        return of_v - both**2 / of_x

    line = quad(lambda t: left(1 - t, t, -1, 1), 0, 1)[0]
    circle = quad(lambda s: left(np.cos(s), np.sin(s), -np.sin(s), np.cos(s)), 0, np.pi / 2)[0]
    assert forecast.velocity_variance([variance]) == pytest.approx(line, rel=1e-6)
    assert forecast.velocity_variance([variance]) == pytest.approx(circle, rel=1e-6)


def test_variances_are_within_classes():
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1], 2000)
    mean = generator.normal(0, [1.0, 0.5, 0.1], (4000, 3)) + 10.0 * labels[:, None]
    rows = Rows(mean[:, None].astype("float16"), np.zeros((4000, 1, 3), "float16"), np.eye(3))
    np.testing.assert_allclose(forecast.variances_of(rows, labels), [1, 0.25, 0.01], rtol=0.1)
    assert forecast.variances_of(rows)[0] > 70  # the distance between the classes


def test_white_maps_have_three_quarters_of_high_frequencies_and_flat_ones_have_none():
    noise = np.random.default_rng(0).standard_normal((500, 8, 8, 3)).astype("float32")
    assert forecast.high_frequencies(noise) == pytest.approx(0.75, abs=0.01)
    flat = np.broadcast_to(noise[:, :1, :1], noise.shape)
    assert forecast.high_frequencies(flat) == pytest.approx(0, abs=1e-5)


def test_a_linear_decoder_of_pixels_has_no_scale_error_and_one_that_shuffles_places_has():
    codes = np.random.default_rng(0).standard_normal((20, 4, 4, 2)).astype("float32")
    order = np.random.default_rng(1).permutation(16)

    def grow(maps):
        return np.asarray(maps).repeat(2, 1).repeat(2, 2)

    def shuffle(maps):
        return grow(np.asarray(maps).reshape(-1, 16, 2)[:, order].reshape(-1, 4, 4, 2))

    assert forecast.halved(codes)[0, :2, :2] == pytest.approx(
        np.broadcast_to(codes[0, :2, :2].mean((0, 1)), (2, 2, 2))
    )
    # An image of 8x8 halves to 4x4 again, so the decoder that repeats pixels leaves an error; one of equal size does not.
    assert forecast.scale_error(lambda maps: 3 * np.asarray(maps) + 1, codes) == pytest.approx(0, abs=1e-5)
    assert forecast.scale_error(shuffle, codes) > 0.5


def test_points_between_neighbours_of_two_clusters_stay_in_them():
    codes = np.array([[0.0, 0], [0, 1], [10, 0], [10, 2]])
    np.testing.assert_allclose(forecast.middles(codes), [[0, 0.5], [0, 0.5], [10, 1], [10, 1]])


def test_the_forecast_rises_from_chance_to_certainty():
    found = [forecast.forecast_auc(variance).value for variance in (1e-3, 5, 50, 500, 1e6)]
    assert found == sorted(found)
    assert found[0] == pytest.approx(0.5, abs=0.01)
    assert found[-1] == pytest.approx(1.0, abs=0.01)


def test_a_codebook_has_no_forecast_and_a_reason():
    prior = UniformSampler.of_codebook(np.eye(4, 2, dtype="float32"), (2, 2, 2))
    found = forecast_sampler(SimpleNamespace(prior=prior), None)
    assert found.values is None
    assert "pixel_cnn" in found.reasons["forecast"]
