"""The multi-scale sliced Wasserstein distance between two sets of images, which compares patches at several scales.

Karras, Aila, Laine and Lehtinen 2018 ("Progressive Growing of GANs", section 5) compare the patches of a Laplacian
pyramid. No network has to be trained. But a patch contains little of an image's content, so the distance must be tested
before it is used (sections.spaces).
"""

import math

import numpy as np

from keras_vae.evaluation.metrics.estimate import Estimate

SMALLEST_SIDE = 8  # images are halved until a side is smaller
PATCH = 7  # side of a patch in pixels; smaller in smaller images
PATCHES = 16  # per image and scale
DIRECTIONS = 64  # for the projections of patches
GROUPS = 10  # groups of images for the standard error
LEAST_IMAGES = 2 * GROUPS
LEAST_DEVIATION = 1 / 255  # of a channel: smaller differences are rounding
NUMBERS_AT_ONCE = 2**24


def sliced_wasserstein(images, reference, seed=0):
    """Returns the multi-scale sliced Wasserstein distance of two sets of images, an `Estimate`.

    Args:
        images: `[n, height, width, channels]` in [0, 1], n at least 20.
        reference: `[m, height, width, channels]`, m at least 20. Both sets are truncated to the smaller size.
        seed: Seed for the places and directions, which are the same for both sets.
    """
    return Slices(reference, seed).distance(images)


class Slices:
    """A set of images that others are compared with: its patches are extracted and projected once.

    At each scale, `PATCHES` patches of each image are extracted at random places, which are the same for the i-th image
    of either set. They are divided by the reference's standard deviation of each channel and projected onto random unit
    vectors. The distance at a scale is the mean over directions of the Wasserstein-1 distance between projections; the
    distance of the sets is the mean over scales. The coarsest scale is a blurred image, the others are differences
    between neighbouring scales.
    """

    def __init__(self, reference, seed=0):
        """Extracts and projects the patches.

        Args:
            reference: `[m, height, width, channels]` in [0, 1].
            seed: Integer.
        """
        reference = np.asarray(reference)
        if reference.ndim != 4 or len(reference) < LEAST_IMAGES:
            raise ValueError(
                f"the reference has shape {reference.shape}: expected [n, height, width, channels] with n at least"
                f" {LEAST_IMAGES}"
            )
        self.image_shape, self.seed = reference.shape[1:], seed
        self.deviations = deviations(reference)
        self.projections = self.project(reference)

    def distance(self, images):
        """Returns the distance of a set of images, an `Estimate`.

        The error comes from `GROUPS` disjoint groups of images: each group of one set is compared with a group of the
        other, and the standard deviation of these distances is divided by the root of `GROUPS`. The mean of these
        distances is too large, because groups are smaller than the sets, so only their spread is used.

        Args:
            images: `[n, height, width, channels]` in [0, 1].
        """
        images = np.asarray(images)
        if images.shape[1:] != self.image_shape or len(images) < LEAST_IMAGES:
            raise ValueError(
                f"the images have shape {images.shape}: expected [n, {', '.join(map(str, self.image_shape))}] with n at least"
                f" {LEAST_IMAGES}"
            )
        count = min(len(images), len(self.projections[0]))
        values, grouped = [], []
        for mine, theirs in zip(self.project(images[:count]), self.projections):
            whole, groups = distances(mine, theirs[:count])
            values.append(whole)
            grouped.append(groups)
        error = np.mean(grouped, axis=0).std(ddof=1) / math.sqrt(GROUPS)
        return Estimate(float(np.mean(values)), float(error))

    def project(self, images):
        """Returns the projected patches of images, a list by scale of float32 `[n, patches, directions]`."""
        directions, places = self.directions(), self.places(len(images))
        size = batch_size(self.image_shape)
        parts = [[] for _ in directions]
        for start in range(0, len(images), size):
            levels = pyramid(images[start : start + size])
            for part, level, place, deviation, direction in zip(
                parts, levels, places, self.deviations, directions
            ):
                patches = cut_out(level / deviation, place[:, start : start + size], direction.shape[1])
                part.append(patches @ direction.reshape(-1, DIRECTIONS))
        return [np.concatenate(part) for part in parts]

    def directions(self):
        """Returns unit vectors in the space of patches, a list by scale of `[channels, side, side, directions]`."""
        generator, found = np.random.default_rng([self.seed, 1]), []
        for height, width in scales(self.image_shape):
            side = min(PATCH, height, width)
            vectors = generator.standard_normal((self.image_shape[2] * side**2, DIRECTIONS))
            vectors /= np.linalg.norm(vectors, axis=0)
            shape = (self.image_shape[2], side, side, DIRECTIONS)
            found.append(vectors.reshape(shape).astype("float32"))
        return found

    def places(self, count):
        """Returns the upper left corners of patches, a list by scale of int `[2, count, patches]`."""
        generator, found = np.random.default_rng([self.seed, 2]), []
        for height, width in scales(self.image_shape):
            side = min(PATCH, height, width)
            # Drawn image by image: the first images have the same places in sets of any size.
            drawn = generator.random((count, PATCHES, 2)) * [height - side + 1, width - side + 1]
            found.append(np.moveaxis(drawn.astype(int), 2, 0))
            generator = np.random.default_rng([self.seed, 2, len(found)])
        return found


def distances(projected, others):
    """Returns the mean distance over directions between two sets, and that between their groups, `[groups]`.

    Args:
        projected: `[n, patches, directions]`.
        others: The same for the other set.
    """
    size = len(projected) // GROUPS
    # Sorting is several times faster along the last axis.
    rows, other_rows = (np.ascontiguousarray(np.moveaxis(part, 2, 0)) for part in (projected, others))
    groups = [
        np.sort(part[:, : size * GROUPS].reshape(len(part), GROUPS, -1), axis=2)
        for part in (rows, other_rows)
    ]
    whole = [np.sort(part.reshape(len(part), -1), axis=1) for part in (rows, other_rows)]
    return float(np.abs(whole[0] - whole[1]).mean()), np.abs(groups[0] - groups[1]).mean(axis=(0, 2))


def scales(image_shape):
    """Returns the (height, width) of each level of the pyramid, the full size first."""
    sizes = [tuple(image_shape[:2])]
    while min(sizes[-1]) >= SMALLEST_SIDE:
        sizes.append(tuple(-(-side // 2) for side in sizes[-1]))
    return sizes


def pyramid(images):
    """Returns the Laplacian pyramid of images, a list of float32 `[n, height, width, channels]`, finest first."""
    level, levels = np.asarray(images, "float32"), []
    for _ in scales(level.shape[1:])[1:]:
        lower = halve(level)
        levels.append(level - double(lower)[:, : level.shape[1], : level.shape[2]])
        level = lower
    return [*levels, level]


def halve(images):
    """Returns the means over blocks of 2x2 pixels; an odd last row or column is repeated."""
    odd = [(0, side % 2) for side in images.shape[1:3]]
    images = np.pad(images, [(0, 0), *odd, (0, 0)], mode="edge")
    images = images[:, ::2] + images[:, 1::2]
    return (images[:, :, ::2] + images[:, :, 1::2]) / 4


def double(images):
    """Returns images of twice the height and width, by linear interpolation between pixel centres."""
    for axis in (1, 2):
        count = images.shape[axis]
        before = np.take(images, np.maximum(np.arange(count) - 1, 0), axis)
        after = np.take(images, np.minimum(np.arange(count) + 1, count - 1), axis)
        pairs = np.stack([0.75 * images + 0.25 * before, 0.75 * images + 0.25 * after], axis + 1)
        images = pairs.reshape(*images.shape[:axis], 2 * count, *images.shape[axis + 1 :])
    return images


def cut_out(images, places, side):
    """Returns patches, `[n, patches, channels * side * side]`.

    Args:
        images: `[n, height, width, channels]`.
        places: Upper left corners, int `[2, n, patches]`.
        side: The side of a patch.
    """
    windows = np.lib.stride_tricks.sliding_window_view(images, (side, side), axis=(1, 2))
    found = windows[np.arange(len(images))[:, None], places[0], places[1]]
    return found.reshape(*found.shape[:2], -1)


def deviations(images):
    """Returns the standard deviation of each channel at each scale, a list of `[channels]`."""
    sums = None
    size = batch_size(images.shape[1:])
    for start in range(0, len(images), size):
        levels = pyramid(images[start : start + size])
        found = np.array([moments(level) for level in levels])  # [scales, 3, channels]
        sums = found if sums is None else sums + found
    counts, totals, squares = np.moveaxis(sums, 1, 0)
    variances = np.maximum(squares / counts - np.square(totals / counts), 0)
    return list(np.maximum(np.sqrt(variances), LEAST_DEVIATION).astype("float32"))


def moments(images):
    """Returns the number, the sum and the sum of squares of the pixels of each channel, float64 `[3, channels]`."""
    rows = images.reshape(-1, images.shape[-1]).astype("float64")
    return np.stack([np.full(rows.shape[1], len(rows)), rows.sum(axis=0), np.square(rows).sum(axis=0)])


def batch_size(image_shape):
    """Returns the number of images in a batch."""
    return max(1, NUMBERS_AT_ONCE // math.prod(image_shape))
