"""Images and their codes, computed once in batches for all sections."""

import dataclasses
from collections.abc import Callable

import numpy as np

from keras_vae.errors import UsageError
from keras_vae.evaluation.subject import POINT, check_codes
from keras_vae.samplers import Codes

CODE_BUDGET = 6.4e7  # values in an array of codes, a quarter of a GB in float32
FEWEST_CODES, MOST_CODES = 500, 10_000
FEWEST_IMAGES = 6  # training, measured and reference images each; a neighbourhood has five neighbours
BATCH = 250


@dataclasses.dataclass
class Encoded:
    """Images and their codes.

    Attributes:
        images: The unchanged images, `[n, height, width, channels]`.
        observed: The model's inputs (binarised if it was trained on binarised images).
        mean, log_var: `[n, d]`, float32.
        labels: `[n]` or None.
        drawn: (generator, count) -> codes drawn from the posteriors of the first `count` images, `[count, d]`, and
            their log densities there, `[count]`, if these posteriors are not Gaussian; else None.
    """

    images: np.ndarray
    observed: np.ndarray
    mean: np.ndarray
    log_var: np.ndarray
    labels: np.ndarray | None
    latent_shape: tuple
    drawn: Callable | None = None

    def __len__(self):
        return len(self.images)

    def draw(self, generator, count=None):
        """Returns codes drawn from the posteriors of the first `count` images, `[n, d]`."""
        if self.drawn is not None:
            return self.drawn(generator, count)[0]
        codes = generator.standard_normal(self.mean[:count].shape, "float32")
        deviations = 0.5 * self.log_var[:count]
        codes *= np.exp(deviations, out=deviations)  # in place, to save memory
        codes += self.mean[:count]
        return codes

    def labels_of(self, rows):
        """Returns the labels of `rows`, a slice or a number of first rows; None without labels."""
        return some(self.labels, rows)

    def shaped(self):
        """Returns the codes in the shape that samplers expect."""
        shape = (len(self), *self.latent_shape)
        return Codes(self.mean.reshape(shape), self.log_var.reshape(shape))


def some(labels, rows):
    """Returns the `labels` of `rows`, a slice or a number of first rows; None for None."""
    return None if labels is None else labels[rows if isinstance(rows, slice) else slice(rows)]


def in_batches(function, *arrays, size=BATCH):
    """Returns `function` of `arrays`, computed in batches of `size` rows; entries of tuples are concatenated."""
    count, joined = len(arrays[0]), None
    for start in range(0, count, size):
        found = function(*(array[start : start + size] for array in arrays))
        parts = found if isinstance(found, tuple) else (found,)
        if joined is None:
            joined = tuple(np.empty((count, *part.shape[1:]), part.dtype) for part in parts)
        for whole, part in zip(joined, parts):
            whole[start : start + size] = part
    return joined if isinstance(found, tuple) else joined[0]


def encode_split(subject, split, count, seed):
    """Returns the first `count` images of a split as `Encoded`."""
    images = split.images(0, count)
    observed = subject.observe(images, seed)
    labels = None if split.labels is None else np.asarray(split.labels[: len(images)])
    inputs = (observed, labels) if subject.num_classes else (observed,)
    mean, log_var = in_batches(subject.encode, *inputs)
    check_codes(mean, log_var)
    if subject.is_variational:
        log_var = np.maximum(log_var, POINT)  # smaller noise vanishes in float32, and precisions overflow
    latent_shape = mean.shape[1:]

    def drawn(generator, count):
        def draw(images, *labels):
            return subject.draw(images, generator.integers(2**31), *labels)

        codes, log_density = in_batches(draw, *(rows[:count] for rows in inputs))
        return codes.reshape(len(codes), -1), log_density

    flat = mean.reshape(len(images), -1), log_var.reshape(len(images), -1)
    return Encoded(images, observed, *flat, labels, latent_shape, drawn if subject.draw else None)


def number_of_codes(size):
    """Returns how many codes of `size` dimensions are kept in memory."""
    return int(min(max(CODE_BUDGET / size, FEWEST_CODES), MOST_CODES))


def held_out(dataset, count, most):
    """Returns the number of test images to measure, at most `count`, and the reference images with their labels.

    The reference consists of at most `most` validation images. If there are fewer, the last test images are added to it
    and not measured; the reference is then at most half of all held-out images. No classifier is trained on the
    reference.
    """
    reference, labels = dataset.validation.images(0, most), labels_of(dataset.validation, 0, most)
    lacking = min(most, (len(dataset.test) + len(dataset.validation)) // 2) - len(reference)
    if lacking > 0:
        last = dataset.test.images(len(dataset.test) - lacking, len(dataset.test))
        reference = np.concatenate([reference, last])
        further = labels_of(dataset.test, len(dataset.test) - lacking, len(dataset.test))
        labels = None if labels is None or further is None else np.concatenate([labels, further])
    measured = min(count, len(dataset.test) - max(lacking, 0))
    if min(measured, len(reference), len(dataset.train)) < FEWEST_IMAGES:
        raise UsageError(
            f"{dataset.name} has {len(dataset.train)} training, {len(dataset.validation)} validation and"
            f" {len(dataset.test)} test images: at least {FEWEST_IMAGES} training images and"
            f" {2 * FEWEST_IMAGES} held-out images are needed (add images)"
        )
    shown = min(most, measured, len(reference))
    return measured, reference[:shown], None if labels is None else labels[:shown]


def labels_of(split, start, stop):
    """Returns the labels of some images of a split, or None."""
    return None if split.labels is None else np.asarray(split.labels[start:stop])
