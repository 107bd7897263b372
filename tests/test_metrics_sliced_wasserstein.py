import math

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats

from keras_vae.evaluation.metrics import sliced_wasserstein as sw
from keras_vae.evaluation.metrics.planted_sets import planted_sets


def noise(count, seed, shape=(8, 8, 1), mean=0.5, sd=0.1):
    return mean + sd * np.random.default_rng(seed).standard_normal((count, *shape)).astype("float32")


def test_a_shift_has_its_closed_form():
    # Differences between scales do not see it; at the coarsest scale, 4x4 means of 2x2 pixels, every number of a patch
    # moves by shift / deviation = 0.3 / (0.1 / 2). A unit vector in D dimensions turns that into |sum of its entries|
    # times as much, and the mean of |sum| is sqrt(D) G(D/2) / (sqrt(pi) G((D+1)/2)) with D = 16.
    first, second = noise(400, 0), noise(400, 1, mean=0.8)
    expected = 6 * math.sqrt(16) * math.gamma(8) / (math.sqrt(math.pi) * math.gamma(8.5)) / 2  # of two scales
    found = [sw.sliced_wasserstein(second, first, seed=seed).value for seed in range(4)]
    assert np.mean(found) == pytest.approx(expected, rel=0.08)  # 4 x 64 directions: their own error is 4.7%
    assert np.ptp(found) > 0


def independent(images, reference, seed):
    """The same distance by loops, scipy's Wasserstein distance and scipy's interpolation."""
    slices, totals = sw.Slices(reference, seed), []
    directions, places = slices.directions(), slices.places(len(reference))
    levels = [[], []]
    for side, images_of_side in enumerate((images, reference)):
        for image in images_of_side.astype("float64"):
            small = image.reshape(4, 2, 4, 2, -1).mean(axis=(1, 3))
            at = (np.arange(8) + 0.5) / 2 - 0.5
            grid = np.meshgrid(at, at, indexing="ij")
            large = [
                scipy.ndimage.map_coordinates(small[..., c], grid, order=1, mode="nearest") for c in range(2)
            ]
            levels[side].append((image - np.stack(large, -1), small))
    for level, vectors, corners in zip((0, 1), directions, places):
        deviation = np.stack([pair[level] for pair in levels[1]]).std(axis=(0, 1, 2))
        size = vectors.shape[1]
        sets = []
        for pairs in levels:
            rows = []
            for index, pair in enumerate(pairs):
                for down, across in corners[:, index].T:
                    patch = pair[level][down : down + size, across : across + size] / deviation
                    rows.append(np.einsum("hwc,chwd->d", patch, vectors.astype("float64")))
            sets.append(np.array(rows))
        totals.append(
            np.mean(
                [
                    scipy.stats.wasserstein_distance(*(part[:, d] for part in sets))
                    for d in range(sw.DIRECTIONS)
                ]
            )
        )
    return np.mean(totals)


def test_it_is_what_loops_and_scipy_give():
    first = noise(24, 0, (8, 8, 2))
    second = scipy.ndimage.gaussian_filter(noise(24, 1, (8, 8, 2), sd=0.3), (0, 1, 1, 0))
    expected = independent(second, first, seed=3)
    assert sw.sliced_wasserstein(second, first, seed=3).value == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("shift", [0.0, 0.05])
def test_the_error_is_the_spread_over_new_images(shift):
    found = [
        sw.sliced_wasserstein(noise(60, 2 * i, mean=0.5 + shift), noise(60, 2 * i + 1)) for i in range(40)
    ]
    spread = np.std([one.value for one in found], ddof=1)
    assert np.mean([one.se for one in found]) == pytest.approx(spread, rel=0.35)


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (32, 20, 3), (9, 11, 1), (3, 5, 1)])
def test_the_pyramid_sums_up_to_the_image(shape):
    images = noise(2, 0, shape)
    levels = sw.pyramid(images)
    assert [level.shape[1:3] for level in levels] == sw.scales(shape)
    total = levels[-1]
    for level in levels[-2::-1]:
        total = level + sw.double(total)[:, : level.shape[1], : level.shape[2]]
    np.testing.assert_allclose(total, images, atol=1e-6)
    assert min(levels[-1].shape[1:3]) < 8


def test_it_depends_neither_on_the_batch_nor_on_constant_channels(monkeypatch):
    first, second = noise(40, 0, (12, 12, 2)), noise(40, 1, (12, 12, 2), sd=0.2)
    first[..., 1] = second[..., 1] = 0.25
    whole = sw.sliced_wasserstein(second, first)
    monkeypatch.setattr(sw, "NUMBERS_AT_ONCE", 7 * 12 * 12 * 2)
    parts = sw.sliced_wasserstein(second, first)
    assert np.isfinite(whole).all()
    np.testing.assert_allclose(parts, whole, rtol=1e-4)
    assert sw.sliced_wasserstein(first, first).value == 0


@pytest.mark.parametrize(("count", "shape"), [(19, (8, 8, 1)), (30, (8, 9, 1))])
def test_too_few_images_or_another_shape_are_refused(count, shape):
    with pytest.raises(ValueError, match="the images have shape"):
        sw.Slices(noise(20, 0)).distance(noise(count, 1, shape))
    with pytest.raises(ValueError, match="the reference has shape"):
        sw.Slices(noise(19, 0))


# Planted sets


def smooth(count, shape, seed=0):
    images = scipy.ndimage.gaussian_filter(noise(count, seed, shape, sd=1.0), (0, 2, 2, 0))
    return np.clip(0.5 + (images - 0.5) * 2, 0, 1)


@pytest.mark.parametrize("shape", [(8, 8, 1), (30, 21, 3), (3, 5, 1)])
def test_planted_sets_are_images_of_the_same_kind(shape):
    images = smooth(60, shape)
    for planted in planted_sets(images).values():
        assert planted.shape == images.shape
        assert planted.dtype == np.float32
        assert not np.array_equal(planted, images)
        np.testing.assert_allclose(planted * 255, np.rint(planted * 255), atol=1e-4)
        assert 0 <= planted.min() <= planted.max() <= 1


def test_shuffled_blocks_are_those_of_the_image():
    codes = np.arange(16).repeat(2).reshape(4, 8).repeat(2, 0)  # each 2x2 block has a value of its own
    images = np.broadcast_to(codes[None, :, :, None], (20, 8, 8, 1)) / 255
    shuffled = np.rint(planted_sets(images)["shuffled_blocks"] * 255)
    blocks = shuffled.reshape(20, 4, 2, 4, 2)
    assert (np.ptp(blocks, axis=(2, 4)) == 0).all()
    assert (np.sort(blocks[:, :, 0, :, 0].reshape(20, -1)) == np.arange(16)).all()
    assert len(np.unique(shuffled.reshape(20, -1), axis=0)) == 20


def test_fog_has_the_moments_of_the_images_and_noise_their_histogram():
    images = 0.5 + 0.2 * (smooth(3000, (6, 6, 1)) - 0.5)  # far from 0 and 1, so that nothing is clipped
    planted = planted_sets(images)
    real, fog = (part.reshape(3000, -1) for part in (images, planted["fog"]))
    np.testing.assert_allclose(fog.mean(0), real.mean(0), atol=0.02)
    assert np.abs(np.cov(fog.T) - np.cov(real.T)).max() < 0.15 * np.cov(real.T).max()
    pixels = planted["noise"]
    assert scipy.stats.ks_2samp(pixels.ravel(), images.ravel()).statistic < 0.02
    assert abs(np.corrcoef(pixels[:, 2, 2, 0], pixels[:, 2, 3, 0])[0, 1]) < 0.06
