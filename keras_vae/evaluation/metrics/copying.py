"""Counts copies of training images among samples, in pixels: exact, nearly exact, or slightly shifted.

The z-score and the authenticity of `memorisation` detect that the samples as a whole are close to training images. They
miss copies among one fifth of the samples, which the others outweigh, and copies shifted by one pixel, whose features
are farther away than those of real images. Here each sample is compared with the training images separately.
"""

import dataclasses
import math

import numpy as np

from keras_vae.evaluation.metrics.neighbours import VALUES_AT_ONCE

LARGEST_SIDE = 32  # pixels; larger images are averaged over blocks
DESCRIBED_SIDE = 8  # side of the small images that are searched for candidates
CANDIDATES = 8  # training images with which each sample is compared in all shifts
KEPT = 3  # candidates at most for each of 9 shifts of a sample
READ_AT_ONCE = 1000  # training images
NEAR = 0.2  # of the held-out images' median distance to a training image, and of the image's contrast
ROUNDING = 1 / 255  # root mean square difference of copies that were rounded to 8 bits
CONFIDENCE = 0.95
LEAST_IMAGES = 100  # with fewer, the limits are not informative


@dataclasses.dataclass(frozen=True)
class PixelCopies:
    """The number of copies of training images in a set of samples.

    Attributes:
        count: Number of copies.
        num_images: Number of samples.
        share: count / num_images.
        low, high: The 95% interval of the share (Clopper and Pearson 1934).
        chance: The share of held-out real images that also count as copies.
        chance_high: The upper end of its 95% interval.
        tolerance: Root mean square difference of pixels up to which an image is a copy.
        shift: Pixels by which a copy may be shifted.
        copies: True, False, or None if undecided.
        sentence: The meaning of this verdict, and what it excludes.
    """

    count: int
    num_images: int
    share: float
    low: float
    high: float
    chance: float
    chance_high: float
    tolerance: float
    shift: int
    copies: bool | None
    sentence: str


class Originals:
    """The training images to search, with the copies found among held-out images, which are due to chance."""

    def __init__(self, training, held_out):
        """Reads the images.

        Args:
            training: `[m, height, width, channels]` in [0, 1], m at least 2: an array, or a `Split`.
            held_out: `[n, height, width, channels]`, images that the model was not trained on.
        """
        held_out = np.asarray(held_out, "float32")
        if len(training) < 2 or not len(held_out):
            raise ValueError(
                f"got {len(training)} training and {len(held_out)} held-out images: expected at least 2 and 1"
            )
        self.block = -(-max(held_out.shape[1:3]) // LARGEST_SIDE)
        self.shift = 1 if min(held_out.shape[1:3]) < 16 else 2
        self.images = np.concatenate([self.small(part) for part in parts_of(training)])
        self.contrast = deviations(self.images)
        self.described = describe(self.images)
        own = self.look_up(held_out)
        self.tolerance = max(NEAR * float(np.median(own.distances)), ROUNDING)
        self.chance = int(self.are_copies(own).sum()), len(held_out)

    def find(self, samples):
        """Returns the `PixelCopies` among samples, `[n, height, width, channels]` in [0, 1].

        A sample is a copy if, after a shift of up to `shift` pixels, it differs from a training image by at most a
        fifth of the median distance of held-out images to training images, and by at most a fifth of that image's own
        contrast (equal plain grey images are not copies). Training images that occur several times are ignored.
        """
        count = int(self.are_copies(self.look_up(np.asarray(samples, "float32"))).sum())
        number = len(samples)
        low, high = share_limits(count, number)
        chance_high = share_limits(*self.chance)[1]
        flag = decide(count, number, *self.chance)
        return PixelCopies(
            count,
            number,
            count / number,
            low,
            high,
            self.chance[0] / self.chance[1],
            chance_high,
            self.tolerance,
            self.shift,
            flag,
            self.sentence(flag, count, number),
        )

    def sentence(self, flag, count, number):
        """Returns a sentence about the verdict on `count` copies among `number` samples, and what it excludes."""
        low, high = share_limits(count, number)
        chance, held_out = self.chance
        what = (
            f"a copy differs from one of {len(self.images):,} training images by at most {self.tolerance:.2g} (root"
            f" mean square), after a shift of up to {self.shift} pixel{'s' if self.shift > 1 else ''}"
        )
        if flag:
            return (
                f"{count:,} of {number:,} samples are copies of training images, at least {low:.1%}, compared with"
                f" {chance:,} of {held_out:,} held-out images ({what})"
            )
        if flag is None and chance > held_out / 2:
            return (
                f"{chance:,} of {held_out:,} held-out images are as close to training images as copies would be:"
                " copies cannot be recognised among such images"
            )
        if flag is None:
            return (
                f"{number:,} samples are too few to distinguish copies from chance: {LEAST_IMAGES} are needed"
            )
        return f"fewer than {high:.1%} of the samples are copies, with 95% confidence ({what})"

    def are_copies(self, found):
        """Returns which of the images in `found` are copies, bool `[n]`."""
        limits = np.minimum(self.tolerance, NEAR * self.contrast[found.indices])
        near = np.flatnonzero(found.distances <= np.maximum(limits, 0) + 1e-7)
        near = near[self.contrast[found.indices[near]] > ROUNDING]
        unique, places = np.unique(found.indices[near], return_inverse=True)
        flags = np.zeros(len(found.distances), bool)
        if len(unique):
            flags[near] = ~self.repeated(unique)[places]
        return flags

    def repeated(self, rows):
        """Returns which of the training images `rows` occur several times within the tolerance, bool `[k]`."""
        others = self.look_up_small(self.images[rows], own=rows)
        return others.distances <= np.minimum(self.tolerance, NEAR * self.contrast[rows])

    def look_up(self, images):
        """Returns the `Nearest` training images of `images`, `[n, height, width, channels]`."""
        moved = (shifted(images, step) for step in steps(self.shift))
        variants = np.stack([self.small(one) for one in moved])
        return self.closest(variants)

    def look_up_small(self, images, own):
        """Returns the `Nearest` of images that are already small, excluding the training images `own`, `[n]`."""
        return self.closest(np.stack([shifted(images, step) for step in steps(self.shift)]), own)

    def closest(self, variants, own=None):
        """Returns the `Nearest` of images given in all shifts, `[shifts, n, height, width, channels]`."""
        moves = steps(self.shift)
        tried = self.candidates([variants[moves.index(move)] for move in steps(1)], own)
        best, indices = np.full(tried.shape[0], np.inf), np.zeros(tried.shape[0], int)
        border = -(-self.shift // self.block)
        for column in range(tried.shape[1]):
            others = self.images[tried[:, column]]
            for index, move in enumerate(moves):
                # Repeated edges of shifted images are excluded.
                inside = slice(border, -border) if any(move) else slice(None)
                apart = variants[index][:, inside, inside] - others[:, inside, inside]
                distance = np.sqrt(np.square(apart).mean(axis=(1, 2, 3)))
                closer = distance < best
                best[closer], indices[closer] = distance[closer], tried[closer, column]
        return Nearest(indices, best)

    def candidates(self, variants, own):
        """Returns the training images nearest in description to shifted images, `[n, CANDIDATES]`; some occur twice."""
        found = [self.described_nearest(describe(images), own) for images in variants]
        indices, distances = (np.concatenate(parts, axis=1) for parts in zip(*found, strict=True))
        order = np.argsort(distances, axis=1)[:, :CANDIDATES]
        return np.take_along_axis(indices, order, axis=1)

    def described_nearest(self, points, own):
        """Returns the training images whose descriptions are nearest to `points`, `[n, F]`, and their distances."""
        lengths = np.square(self.described).sum(axis=1)
        count = min(KEPT, len(lengths) - (own is not None))
        indices, distances = np.empty((len(points), count), int), np.empty((len(points), count))
        rows = max(1, VALUES_AT_ONCE // len(lengths))
        for start in range(0, len(points), rows):
            part = slice(start, start + rows)
            squared = lengths - 2 * points[part] @ self.described.T
            if own is not None:
                squared[np.arange(len(squared)), own[part]] = np.inf
            indices[part] = np.argpartition(squared, count - 1, axis=1)[:, :count]
            distances[part] = np.take_along_axis(squared, indices[part], axis=1)
            distances[part] += np.square(points[part]).sum(axis=1)[:, None]
        return indices, distances

    def small(self, images):
        """Returns `images`, averaged over blocks if they are large."""
        return averaged(np.asarray(images, "float32"), self.block)


@dataclasses.dataclass(frozen=True)
class Nearest:
    """The `indices` `[n]` of the nearest training images, and the root mean square `distances` `[n]` in pixels."""

    indices: np.ndarray
    distances: np.ndarray


def decide(count, number, chance, held_out):
    """Returns whether `count` copies among `number` samples exceed chance, or None if undecided.

    They do if the 95% intervals of both shares do not overlap. A single copy among a thousand samples is not enough,
    even if no held-out image is a copy.
    """
    if share_limits(count, number)[0] > share_limits(chance, held_out)[1]:
        return True
    if number < LEAST_IMAGES or chance > held_out / 2:
        return None
    return False


def share_limits(count, number):
    """Returns the 95% interval of a share, observed as `count` of `number` (Clopper and Pearson 1934).

    If `count` is 0, the lower end is 0 and the upper end is one-sided, about 3 / number (the rule of three).
    """
    from scipy.stats import beta

    if count == 0:
        return 0.0, 1 - (1 - CONFIDENCE) ** (1 / number)
    if count == number:
        return (1 - CONFIDENCE) ** (1 / number), 1.0
    tail = (1 - CONFIDENCE) / 2
    return (
        float(beta.ppf(tail, count, number - count + 1)),
        float(beta.ppf(1 - tail, count + 1, number - count)),
    )


def judge_copies(pixels, flag, sentence):
    """Returns (True, False or None; a sentence) from `PixelCopies` and from the result of `memorisation.copies`.

    One positive test is enough for True. False means that the pixels show no copies and the features do not contradict
    this; the sentence says what this excludes.
    """
    if pixels.copies:
        return True, pixels.sentence
    if flag:
        return True, sentence
    if pixels.copies is False and flag is None:
        return False, f"{pixels.sentence}; other similarities to training images are unknown: {sentence}"
    if pixels.copies is None:
        return flag, pixels.sentence if flag is None else f"{sentence}; {pixels.sentence}"
    return False, f"{pixels.sentence}; {sentence}"


def steps(shift):
    """Returns all moves (down, right) of up to `shift` pixels, (0, 0) first."""
    moves = [(down, right) for down in range(-shift, shift + 1) for right in range(-shift, shift + 1)]
    return sorted(moves, key=lambda move: (move[0] ** 2 + move[1] ** 2, move))


def shifted(images, move):
    """Returns `images` moved by `move`, (down, right), in pixels, with repeated edges."""
    down, right = move
    height, width = images.shape[1:3]
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return images[:, rows][:, :, columns]


def averaged(images, block):
    """Returns the means over blocks of `block` by `block` pixels; incomplete blocks are dropped."""
    if block == 1:
        return images
    number, height, width, channels = images.shape
    height, width = height // block, width // block
    cut = images[:, : height * block, : width * block]
    return cut.reshape(number, height, block, width, block, channels).mean(axis=(2, 4))


def describe(images):
    """Returns images averaged to about 8 by 8 pixels, as rows, float32 `[n, F]`."""
    block = math.ceil(max(images.shape[1:3]) / DESCRIBED_SIDE)
    return averaged(images, min(block, *images.shape[1:3])).reshape(len(images), -1)


def deviations(images):
    """Returns the standard deviation of each image around its mean colour, `[n]`."""
    away = images - images.mean(axis=(1, 2), keepdims=True)
    return np.sqrt(np.square(away).mean(axis=(1, 2, 3)))


def parts_of(images):
    """Yields `images`, an array or a `Split`, in parts."""
    read = images.images if hasattr(images, "images") else lambda start, stop: images[start:stop]
    for start in range(0, len(images), READ_AT_ONCE):
        yield read(start, min(start + READ_AT_ONCE, len(images)))
