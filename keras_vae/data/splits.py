"""Assigns images to splits by their content, independently of where or when they were found."""

import hashlib
import itertools

import numpy as np

SPLITS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = range(3)
HELD_OUT_FRACTION = 0.1
# Images taken from the training images if the dataset has held-out images of its own.
LARGEST_VALIDATION = 5000


def content_digests(images):
    """Returns the SHA-256 digest of every image of `[n, ...]`."""
    return [hashlib.sha256(np.ascontiguousarray(image).data).digest() for image in images]


def combined_digest(digests, *further):
    """Returns one hex digest of all `digests`, whatever their order, and of the text of `further`."""
    total = hashlib.sha256(repr(further).encode())
    for digest in sorted(digests):
        total.update(digest)
    return total.hexdigest()[:32]


def split_indices(digests, given=None, labels=None):
    """Returns the indices of the training, validation and test images, each an int64 array.

    The digests determine the order within a split and which images are held out. If there are labels, each class
    contributes in proportion to its size. Images with equal digests stay together, so no copy of a training image is
    held out. A single image is not held out; of two images, one becomes a test image and none a validation image.

    Args:
      digests: One `bytes` per image.
      given: Int array `[n]` of 0 (train), 1 (validation) and 2 (test) for a set that comes with splits. They are kept;
        missing validation and test images are taken from the training images.
      labels: Int array `[n]` by which the held-out images are stratified, or None.
    """
    given = np.zeros(len(digests), int) if given is None else np.asarray(given)
    by_digest = sorted(range(len(digests)), key=lambda index: (digests[index], index))
    ordered = {split: [i for i in by_digest if given[i] == split] for split in (TRAIN, VALIDATION, TEST)}
    held_out = max(1, round(HELD_OUT_FRACTION * len(ordered[TRAIN])))
    if ordered[TEST] or ordered[VALIDATION]:
        held_out = min(held_out, LARGEST_VALIDATION)
    for split in (TEST, VALIDATION):
        if not ordered[split]:
            ordered[TRAIN], ordered[split] = _hold_out_by_label(ordered[TRAIN], digests, held_out, labels)
    return tuple(np.array(ordered[split], np.int64) for split in (TRAIN, VALIDATION, TEST))


def _hold_out_by_label(indices, digests, count, labels):
    """Divides `indices` into (rest, held out): `count` images, from each class in proportion to its size.

    Every class keeps an image. If more than half of the labels are distinct, they are not classes and are ignored.
    """
    if labels is None or 2 * len(set(labels[indices])) > len(indices):
        return _hold_out(indices, digests, count)
    classes = {}
    for group in _equal_images(indices, digests):
        # Equal images may have different labels; the smallest is used, so the order of listing does not matter.
        classes.setdefault(min(int(labels[index]) for index in group), []).append(group)
    sizes = {label: sum(map(len, groups)) for label, groups in sorted(classes.items())}
    held = set()
    for label, share in _shares(count, sizes).items():
        groups = classes[label]
        largest = max(groups, key=len)
        for group in groups:
            if group is not largest and len(group) <= share:
                held.update(group)
                share -= len(group)
    if not held:
        return _hold_out(indices, digests, count)
    return [i for i in indices if i not in held], [i for i in indices if i in held]


def _shares(count, sizes):
    """Divides `count` images among the classes by the largest remainder method; each class keeps one image.

    Args:
      count: Number of images to hold out in total.
      sizes: {label: images}, in order.
    """
    total = sum(sizes.values())
    exact = {label: count * size / total for label, size in sizes.items()}
    shares = {label: min(int(exact[label]), size - 1) for label, size in sizes.items()}
    by_remainder = sorted(sizes, key=lambda label: (int(exact[label]) - exact[label], label))
    for label in by_remainder[: count - sum(map(int, exact.values()))]:
        shares[label] = min(shares[label] + 1, sizes[label] - 1)
    return shares


def _equal_images(indices, digests):
    """Returns the groups of equal images, which are neighbours in `indices`."""
    return [list(group) for _, group in itertools.groupby(indices, key=digests.__getitem__)]


def _hold_out(indices, digests, count):
    """Divides `indices` into (rest, held out): whole groups of equal images, never the largest group.

    At most `count` images are held out, but at least one group. Equal images are neighbours in `indices`.
    """
    groups = _equal_images(indices, digests)
    if len(groups) < 2:
        return indices, []
    largest = max(groups, key=len)
    others = [group for group in groups if group is not largest]
    taken = []
    for group in others:
        if len(taken) + len(group) <= count:
            taken += group
    taken = taken or min(others, key=len)
    held = set(taken)
    return [index for index in indices if index not in held], taken
