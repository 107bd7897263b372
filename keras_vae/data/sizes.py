"""The size of images, as text or as values."""

import operator

import numpy as np

from keras_vae.errors import DatasetError

LARGEST_SIDE = 2**15  # pixels


def parse_image_size(text):
    """Parses `64` or `48x64` into `(height, width)`."""
    try:
        sizes = tuple(int(size) for size in text.lower().split("x"))
    except ValueError:
        sizes = ()
    if len(sizes) not in (1, 2) or min(sizes) < 1:
        raise ValueError("expected one size or height x width, at least 1 (try --image_size 64)")
    if max(sizes) > LARGEST_SIDE:
        raise ValueError(f"each side must be at most {LARGEST_SIDE} pixels (try --image_size 64)")
    return sizes * 2 if len(sizes) == 1 else sizes


def as_image_size(value):
    """Returns `(height, width)` from `64`, `"48x64"` or a pair, and None from None.

    Raises:
        DatasetError: `value` is something else.
    """
    if value is None:
        return None
    try:
        sizes = [value] if np.ndim(value) == 0 else value
        return parse_image_size(value if isinstance(value, str) else "x".join(map(str, sizes)))
    except ValueError as error:
        raise DatasetError(f"image_size is {value!r}: {error}") from error


def check_whole(name, value):
    """Returns `value` as an int, or None for None; raises a `DatasetError` with `name` for anything else."""
    try:
        return None if value is None else operator.index(value)
    except TypeError:
        raise DatasetError(f"{name} is {value!r}: expected a whole number") from None
