import math

import numpy as np
import pytest
import scipy.stats

from keras_vae.model.corruptions import CORRUPTIONS, GaussianNoise, Mask, NoCorruption, SaltAndPepper
from keras_vae.runtime.lazy import tf

SHAPE = (40, 25, 20, 3)
PIXELS = math.prod(SHAPE[:3])
every_corruption = pytest.mark.parametrize("name", CORRUPTIONS)


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(0.1, 0.9, SHAPE).astype("float32")


@every_corruption
def test_corrupted_images_have_the_shape_and_range_of_images(name, images):
    corrupted = CORRUPTIONS[name]()(tf.constant(images), 1)
    assert corrupted.shape == SHAPE
    assert corrupted.dtype == tf.float32
    assert 0 <= np.min(corrupted) <= np.max(corrupted) <= 1


@every_corruption
def test_a_corruption_is_a_function_of_the_seed(name, images):
    first, again, other = (np.asarray(CORRUPTIONS[name]()(images, seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first == other).all() == (name == "none")


@every_corruption
def test_a_corruption_runs_in_a_graph_on_batches_of_any_size_with_the_seed_of_a_step(name, images):
    from keras_vae.layers.basic import GivenSeed

    @tf.function(input_signature=[tf.TensorSpec((None, *SHAPE[1:])), tf.TensorSpec((), "int32")])
    def graph(images, step):
        return CORRUPTIONS[name]()(images, GivenSeed(0, step))

    assert graph(images[:1], 3).shape == (1, *SHAPE[1:])
    first, again, later = (np.asarray(graph(images, step)) for step in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first == later).all() == (name == "none")


def test_no_corruption_is_none(images):
    np.testing.assert_array_equal(NoCorruption()(images, 0), images)


def test_gaussian_noise_has_its_standard_deviation_where_nothing_is_clipped():
    noise = (
        np.asarray(GaussianNoise(0.05)(np.full(SHAPE, 0.5, "float32"), 3)) - 0.5
    )  # the ends are 10 sigma away
    assert scipy.stats.kstest(noise.ravel() / 0.05, "norm").pvalue > 1e-3
    assert noise.std() == pytest.approx(0.05, rel=0.01)


def test_gaussian_noise_on_black_is_clipped_in_half_of_the_pixels():
    noisy = np.asarray(GaussianNoise(0.1)(np.zeros(SHAPE, "float32"), 3))
    assert (noisy == 0).mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(3 * PIXELS))


def share_of(pixels):
    """How many of the pixels are as asked, all of their channels alike."""
    np.testing.assert_array_equal(pixels.any(axis=-1), pixels.all(axis=-1))
    return pixels.all(axis=-1).mean()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_mask_blackens_its_share_of_whole_pixels_and_leaves_the_rest(share, images):
    masked = np.asarray(Mask(share)(images, 5))
    error = 4 * np.sqrt(share * (1 - share) / PIXELS)
    assert share_of(masked == 0) == pytest.approx(share, abs=error)
    np.testing.assert_array_equal(masked[masked != 0], images[masked != 0])


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_salt_and_pepper_are_as_many(share, images):
    speckled = np.asarray(SaltAndPepper(share)(images, 5))
    half = share / 2
    error = 4 * np.sqrt(half * (1 - half) / PIXELS)
    assert share_of(speckled == 0) == pytest.approx(half, abs=error)
    assert share_of(speckled == 1) == pytest.approx(half, abs=error)
    rest = (speckled != 0) & (speckled != 1)
    np.testing.assert_array_equal(speckled[rest], images[rest])


def test_each_pixel_of_a_batch_is_hit_on_its_own():
    holes = np.asarray(Mask(0.5)(np.ones(SHAPE, "float32"), 6))[..., 0] == 0
    both = (holes[0] & holes[1]).mean(), (holes[:, 0] & holes[:, 1]).mean()
    assert both == pytest.approx((0.25, 0.25), abs=0.1)


@pytest.mark.parametrize(
    ("corruption", "value", "message"),
    [
        (GaussianNoise, 0.0, r"corruption\.sigma is 0.0: it must be above 0 \(try 0.3\)"),
        (Mask, 1.0, r"corruption\.share is 1.0: it must lie between 0 and 1 \(try 0.25\)"),
        (SaltAndPepper, -0.1, r"corruption\.share is -0.1"),
        (Mask, float("nan"), r"corruption\.share is nan"),
    ],
)
def test_a_field_out_of_range_is_refused_by_name(corruption, value, message):
    with pytest.raises(ValueError, match=message):
        corruption(value)
