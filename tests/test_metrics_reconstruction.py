import math

import numpy as np
import pytest

from keras_vae.evaluation.metrics.reconstruction import bits_per_dim, gaussian_window, mse, psnr, ssim


def random_images(*shape, seed=0):
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def test_mse_and_psnr_of_a_constant_offset_are_its_square_and_its_decibels():
    images = random_images(3, 8, 9, 2) * 0.5
    offsets = np.array([0.1, 0.2, 0.5])
    moved = images.astype("float64") + offsets[:, None, None, None]
    np.testing.assert_allclose(mse(images, moved), offsets**2, rtol=1e-12)
    # -10 log10(a^2) = -20 log10(a)
    np.testing.assert_allclose(psnr(images, moved), -20 * np.log10(offsets), rtol=1e-12)


def test_equal_images_have_no_error_a_finite_psnr_and_ssim_one():
    images = random_images(2, 12, 12, 3)
    assert (mse(images, images) == 0).all()
    assert (psnr(images, images) == 100).all()
    np.testing.assert_allclose(ssim(images, images), 1, rtol=1e-12)


def test_ssim_of_one_window_is_the_formula_on_weighted_moments():
    # An image of 11x11 has one place for the window: S = (2ab + C1)(2 cov + C2) / ((a^2 + b^2 + C1)(va + vb + C2))
    first, second = random_images(1, 11, 11, 1).astype("float64"), random_images(1, 11, 11, 1, seed=1)
    squares = np.add.outer(np.square(np.arange(11) - 5), np.square(np.arange(11) - 5))
    weights = np.exp(-squares / (2 * 1.5**2))
    weights /= weights.sum()
    x, y = first[0, ..., 0], second[0, ..., 0].astype("float64")
    a, b = (weights * x).sum(), (weights * y).sum()
    va, vb, cov = ((weights * p * q).sum() - m for p, q, m in ((x, x, a * a), (y, y, b * b), (x, y, a * b)))
    c1, c2 = 0.01**2, 0.03**2
    expected = (2 * a * b + c1) * (2 * cov + c2) / ((a * a + b * b + c1) * (va + vb + c2))
    np.testing.assert_allclose(ssim(first, second), expected, rtol=1e-9)


def test_ssim_of_flat_images_is_its_luminance_term():
    # No variance: S = (2ab + C1) / (a^2 + b^2 + C1) at every place
    ones = np.ones((1, 16, 20, 1))
    expected = (2 * 0.2 * 0.8 + 1e-4) / (0.2**2 + 0.8**2 + 1e-4)
    np.testing.assert_allclose(ssim(0.2 * ones, 0.8 * ones), expected, rtol=1e-9)


def test_ssim_of_colour_is_the_mean_over_channels():
    first, second = random_images(2, 14, 14, 3), random_images(2, 14, 14, 3, seed=1)
    each = [ssim(first[..., c : c + 1], second[..., c : c + 1]) for c in range(3)]
    np.testing.assert_allclose(ssim(first, second), np.mean(each, axis=0), rtol=1e-12)


def test_ssim_falls_with_blur_and_is_near_zero_for_other_noise():
    from scipy.ndimage import gaussian_filter

    images = random_images(4, 32, 32, 1)
    mild, strong = (gaussian_filter(images, (0, s, s, 0)) for s in (0.4, 1.0))
    assert (ssim(images, mild) > ssim(images, strong) + 0.1).all()
    assert np.abs(ssim(images, random_images(4, 32, 32, 1, seed=1))).max() < 0.1


@pytest.mark.parametrize(("side", "size"), [(1, 1), (4, 3), (8, 7), (11, 11), (12, 11), (200, 11)])
def test_the_window_is_the_largest_odd_size_that_fits(side, size):
    window = gaussian_window(side)
    assert len(window) == size
    assert sum(window) == pytest.approx(1)
    assert ssim(np.zeros((1, side, side + 3, 1)), np.zeros((1, side, side + 3, 1))) == pytest.approx(1)


def test_images_taken_in_blocks_give_what_they_give_at_once(monkeypatch):
    first, second = random_images(7, 12, 12, 1), random_images(7, 12, 12, 1, seed=1)
    at_once = [measure(first, second) for measure in (mse, psnr, ssim)]
    monkeypatch.setattr("keras_vae.evaluation.metrics.reconstruction.PIXELS_AT_ONCE", 2 * 144)
    for measure, expected in zip((mse, psnr, ssim), at_once):
        np.testing.assert_allclose(measure(first, second), expected, rtol=1e-12)


def test_a_uniform_density_over_8_bit_values_costs_8_bits_a_dimension():
    # Density 1 on [0, 1] has 0 nats; a bin of 1/256 has a mass of 1/256, which is 8 bits.
    assert bits_per_dim(0.0, 784, bin_width=1 / 256) == pytest.approx(8)


def test_a_fair_coin_in_each_pixel_costs_one_bit():
    assert bits_per_dim(784 * math.log(2), 784) == pytest.approx(1)


def test_bits_of_a_fine_gaussian_agree_with_the_exact_mass_of_its_bins():
    # sigma = 8 bins: -log2 of (Phi(u + 1/16) - Phi(u - 1/16)), averaged over the bins' own masses
    from scipy.stats import norm

    sigma, width = 8 / 255, 1 / 255
    centres = np.arange(-40, 41) * width
    masses = norm.cdf(centres + width / 2, scale=sigma) - norm.cdf(centres - width / 2, scale=sigma)
    nats = -(masses * norm.logpdf(centres, scale=sigma)).sum()
    assert bits_per_dim(nats, 1, width) == pytest.approx(-(masses * np.log2(masses)).sum(), abs=2e-3)


def test_shapes_that_differ_are_refused_by_name():
    with pytest.raises(ValueError, match=r"\(2, 8, 8, 1\).*\(2, 8, 8, 3\)"):
        ssim(np.zeros((2, 8, 8, 1)), np.zeros((2, 8, 8, 3)))
