"""Differences between images and reconstructions, one number per image."""

import math

import numpy as np

from keras_vae.model.likelihoods.ms_ssim import SSIM_CONSTANTS, gaussian_window

LARGEST_PSNR = 100.0  # decibels; the value of equal images, to keep means finite
PIXELS_AT_ONCE = 2**23  # limits the working memory to a few hundred MiB


def mse(images, reconstructions):
    """Returns the mean squared error of each image, over its pixels and channels.

    Args:
        images: `[n, height, width, channels]` in [0, 1].
        reconstructions: The same shape.

    Returns:
        float64 `[n]`.
    """
    _check_shapes(images, reconstructions)
    axes = tuple(range(1, np.ndim(images)))
    blocks = _blocks(images, reconstructions)
    return np.concatenate([np.mean(np.square(first - second), axis=axes) for first, second in blocks])


def psnr(images, reconstructions):
    """Returns the peak signal-to-noise ratio of each image, `-10 log10(MSE)`, in decibels.

    The peak is 1. Equal images, whose ratio is infinite, get 100, which other 8-bit images do not reach (rounding to 8
    bits alone gives 59).

    Args:
        images: `[n, height, width, channels]` in [0, 1].
        reconstructions: The same shape.

    Returns:
        float64 `[n]`.
    """
    smallest = 10 ** (-LARGEST_PSNR / 10)
    return -10 * np.log10(np.maximum(mse(images, reconstructions), smallest))


def ssim(images, reconstructions):
    """Returns the mean structural similarity of each image, 1 for equal images, in [-1, 1].

    Wang, Bovik, Sheikh and Simoncelli 2004, "Image Quality Assessment", equations 13 to 17: moments under a Gaussian
    window of 11x11 pixels with standard deviation 1.5, averaged over all windows inside the image and over channels.
    For images smaller than 11 pixels, the window has the largest odd size that fits, and values are comparable only
    between images of the same size.

    It is misleading for mostly empty images, because flat equal regions count as similar.

    Args:
        images: `[n, height, width, channels]` in [0, 1].
        reconstructions: The same shape.

    Returns:
        float64 `[n]`.
    """
    _check_shapes(images, reconstructions)
    window = gaussian_window(min(np.shape(images)[1:3]))
    return np.concatenate(
        [_ssim(first, second, window) for first, second in _blocks(images, reconstructions)]
    )


def bits_per_dim(nats, num_dims, bin_width=1.0):
    """Returns nats per image as bits per dimension, of the same shape.

    A density depends on the unit of the pixels, and a number of bits needs a discretisation. A bin of width w has a
    mass of about w times the density at its centre:

        bits per dim = (nats / num_dims - ln w) / ln 2

    It is misleading if the density changes within a bin (a decoder's sigma below w).

    Args:
        nats: Negative log density or log mass of whole images.
        num_dims: height x width x channels.
        bin_width: As in the likelihood (`keras_vae.model.likelihoods.likelihood`).
    """
    return (np.asarray(nats) / num_dims - math.log(bin_width)) / math.log(2)


def _ssim(first, second, window):
    c1, c2 = SSIM_CONSTANTS
    mean_first, mean_second = _smooth(first, window), _smooth(second, window)
    products, squares = mean_first * mean_second, mean_first**2 + mean_second**2
    covariance = _smooth(first * second, window) - products
    variances = _smooth(first**2, window) + _smooth(second**2, window) - squares
    similarity = (2 * products + c1) * (2 * covariance + c2) / ((squares + c1) * (variances + c2))
    return similarity.mean(axis=(1, 2, 3))


def _smooth(images, window):
    """Returns the weighted means `[n, height', width', channels]` of all windows inside the images."""
    from scipy.ndimage import correlate1d

    edge = len(window) // 2
    for axis in (1, 2):
        images = correlate1d(images, window, axis=axis, mode="constant")
        inner = slice(edge, images.shape[axis] - edge)
        images = images[:, inner] if axis == 1 else images[:, :, inner]
    return images


def _blocks(*arrays):
    """Yields blocks of rows of the arrays, in float64, within the memory limit."""
    rows = max(1, PIXELS_AT_ONCE // max(1, math.prod(np.shape(arrays[0])[1:])))
    for start in range(0, len(arrays[0]), rows):
        yield [np.asarray(array[start : start + rows], np.float64) for array in arrays]


def _check_shapes(images, reconstructions):
    shape, other = np.shape(images), np.shape(reconstructions)
    if shape != other or len(shape) != 4 or not shape[0]:
        raise ValueError(
            f"images are {shape} and reconstructions {other}: both must have the same shape"
            " [n, height, width, channels], with at least one image"
        )
