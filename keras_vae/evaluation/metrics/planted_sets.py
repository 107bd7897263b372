"""Sets of images of known quality, made from real images, to test whether a measure of distance ranks them correctly.

To the eye, other real images are best, slightly blurred images are nearly as good, shuffled blocks and fog show no
recognisable objects, and noise is worst.
"""

import math

import numpy as np

SHARPNESS, LEAST_BLUR = 45, 0.5  # the blur's sigma is 1/45 of the shorter side, and at least half a pixel
GRID = 4  # blocks across and down
NUMBERS_OF_FOG = 2**23  # values in the images to which fog is fitted: 2,700 of 32x32x3, 170 of 128x128x3
LEAST_FITTED = 60


def planted_sets(images, seed=0):
    """Returns sets of the same number of images, by name, rounded to 8 bits.

    Args:
        images: Real images, `[n, height, width, channels]` in [0, 1].
        seed: Seed for the random sets.

    Returns:
        {"blurred", "shuffled_blocks", "fog", "noise"}, float32 arrays of the images' shape.
    """
    images = np.asarray(images, "float32")
    generators = np.random.default_rng(seed).spawn(3)
    return {
        "blurred": rounded(blurred(images)),
        "shuffled_blocks": rounded(shuffled_blocks(images, generators[0])),
        "fog": rounded(fog(images, generators[1])),
        "noise": rounded(noise(images, generators[2])),
    }


def rounded(images):
    """Returns images clipped to [0, 1] and rounded to multiples of 1/255."""
    return np.rint(np.clip(images, 0, 1) * 255).astype("float32") / np.float32(255)


def blurred(images):
    """Returns images with a slight Gaussian blur that scales with their size."""
    from scipy.ndimage import gaussian_filter

    sigma = max(min(images.shape[1:3]) / SHARPNESS, LEAST_BLUR)
    return gaussian_filter(images, (0, sigma, sigma, 0), mode="nearest")


def shuffled_blocks(images, generator):
    """Returns images cut into a 4x4 grid of blocks, which are put together in random order.

    The number of blocks is fixed, so a block shows the same share of an object at any image size, and even 8x8 pixels
    have 16 blocks with 20 trillion orders, which are unlikely to restore the image. Remaining rows and columns at the
    lower and right edges stay in place.
    """
    count, height, width, channels = images.shape
    across, down = max(1, width // GRID), max(1, height // GRID)
    rows, columns = height // down * down, width // across * across
    grid = images[:, :rows, :columns].reshape(count, rows // down, down, columns // across, across, channels)
    blocks = grid.swapaxes(2, 3).reshape(count, -1, down, across, channels)
    order = generator.random(blocks.shape[:2]).argsort(axis=1)
    blocks = np.take_along_axis(blocks, order[:, :, None, None, None], axis=1)
    joined = blocks.reshape(count, rows // down, columns // across, down, across, channels).swapaxes(2, 3)
    found = images.copy()
    found[:, :rows, :columns] = joined.reshape(count, rows, columns, channels)
    return found


def fog(images, generator):
    """Returns draws of a Gaussian with the mean and the covariance of the images' pixels.

    They are random sums of the centred images, which have exactly this covariance. No covariance matrix is needed, and
    there may be fewer images than pixels.
    """
    rows = images.reshape(len(images), -1)
    fitted = rows[: max(LEAST_FITTED, NUMBERS_OF_FOG // rows.shape[1])]
    mean = fitted.mean(axis=0)
    weights = generator.standard_normal((len(rows), len(fitted)), "float32")
    drawn = mean + weights @ (fitted - mean) / np.float32(math.sqrt(max(len(fitted) - 1, 1)))
    return drawn.reshape(images.shape)


def noise(images, generator):
    """Returns images of pixels drawn independently from all images: white noise with the right histogram."""
    pixels = images.reshape(-1, images.shape[-1])
    drawn = pixels[generator.integers(len(pixels), size=math.prod(images.shape[:3]))]
    return drawn.reshape(images.shape)
