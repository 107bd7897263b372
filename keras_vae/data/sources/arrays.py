"""Images in a NumPy file, checked before they are used."""

import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from keras_vae.data import rules
from keras_vae.data.classes import describe_classes, number_classes
from keras_vae.data.dataset import Annotations, in_memory
from keras_vae.data.splits import SPLITS
from keras_vae.data.value_range import (
    BYTES,
    describe_asked,
    describe_bytes,
    describe_found,
    describe_unit,
    found_range,
    scaled,
)
from keras_vae.errors import DatasetError

# Names of the image and label arrays, for all splits together or for each split.
IMAGE_KEYS = ("images", "x", "imgs", "data", "arr_0")
LABEL_KEYS = ("labels", "label", "y", "targets")
SPLIT_IMAGE_KEYS = {
    "train": ("x_train", "train_images"),
    "validation": ("x_val", "x_valid", "x_validation", "val_images"),
    "test": ("x_test", "test_images"),
}
SPLIT_LABEL_KEYS = {
    "train": ("y_train", "train_labels"),
    "validation": ("y_val", "y_valid", "y_validation", "val_labels"),
    "test": ("y_test", "test_labels"),
}
CHUNK = 2048
MOST_CLASSES = 100_000  # larger numbers are not class numbers


@dataclass(frozen=True)
class Arrays:
    """An .npy file of images, or an .npz file of images and optional labels, for all splits together or for each."""

    path: str = field(default="", metadata={"help": ".npy or .npz file of numbers or bool, [n, h, w(, c)]"})

    def read(self, path):
        """Returns ({split: (key, images)}, {split: labels}) of the file; without splits, all images are "train"."""
        return _read(path)

    def load(self, options):
        """Returns the `Dataset`, by default with the size and channels of the file."""
        path = Path(os.path.expanduser(self.path))
        parts, labels = self.read(path)
        named = [(array, f"{path}, {key}" if key else str(path)) for key, array in parts.values()]
        if options.rules == rules.FIRST:
            images, chosen, notes = [check_images(*pair) for pair in named], None, ()
        else:
            images, chosen, notes = scale_arrays(named, str(path), options.value_range)
        shapes = {part.shape[1:] for part in images}
        if len(shapes) > 1:
            raise DatasetError(f"{path}: the splits' images have different shapes: {sorted(shapes)}")
        if len({part.dtype for part in images}) > 1:
            images = [part / np.float32(255) if part.dtype == np.uint8 else part for part in images]
        given = np.repeat([SPLITS.index(split) for split in parts], [len(part) for part in images])
        counts = {split: len(part) for split, part in zip(parts, images)}
        classes, names = _check_labels(path, labels, counts, options.rules)
        if names and options.rules != rules.FIRST:
            notes += (describe_classes(names),)
        known = Annotations(classes, names, given_splits=given, value_range=chosen, notes=notes)
        return in_memory(path.stem, images[0] if len(images) == 1 else np.concatenate(images), options, known)


def scale_arrays(named, where, asked):
    """Returns (images, range, notes): every array as uint8, or as float32 in [0, 1] if uint8 would lose precision.

    Bytes and floats in 0 to 1 stay as they are. All other values are scaled by one range for all arrays, `asked` or
    found; the range is None if no values were scaled.

    Args:
      named: Pairs of an array and its name for error messages.
      where: Name of the dataset for error messages.
      asked: The requested (low, high), which also applies to bytes if there are only bytes; or None.

    Raises:
      DatasetError: The arrays are not images.
    """
    arrays = [_four_axes(*pair) for pair in named]
    deep = [array for array in arrays if array.dtype not in (bool, np.uint8)]
    if asked and not deep:
        deep = [array for array in arrays if array.dtype == np.uint8]
    for array, (_, name) in zip(arrays, named):
        if array.dtype.kind == "f":
            _check_finite(array, name)
        elif array.dtype == np.uint8 and not asked:
            _check_bytes(array, name)
    chosen, notes = _choose_range(deep, where, asked)
    if not deep:
        notes = describe_bytes([part.max() for array in arrays for part in _chunks(array)])
    used = {id(array) for array in deep}
    images = [_as_images(array, chosen if id(array) in used else None) for array in arrays]
    return images, chosen, notes


def _choose_range(arrays, where, asked):
    """Returns (range or None, notes) of the arrays whose type does not define black and white."""
    if not arrays:
        return None, ()
    lows, highs = (
        np.concatenate(
            [ends(part.reshape(len(part), -1), axis=1) for array in arrays for part in _chunks(array)]
        )
        for ends in (np.min, np.max)
    )
    if asked:
        return asked, describe_asked(lows, highs, asked, where)
    all_floats = all(array.dtype.kind == "f" for array in arrays)
    if all_floats and lows.min() >= 0 and highs.max() <= 1:
        return None, describe_unit(highs)
    whole = all(np.all(part == np.rint(part)) for array in arrays for part in _chunks(array))
    chosen = found_range(lows, highs, whole)
    if chosen:
        return chosen, describe_found(lows, highs, chosen)
    raise DatasetError(
        f"{where}: all values are {lows.min():g}, so black and white are unknown (try --range 0,"
        f"{max(1, abs(lows.min())):g})"
    )


def _as_images(images, chosen):
    """Returns `[n, h, w, c]` images as uint8 if all values are multiples of 1/255, else as float32 in [0, 1]."""
    if images.dtype == bool:
        return images.astype(np.uint8) * np.uint8(255)
    if chosen is None or (images.dtype == np.uint8 and chosen == BYTES):
        return images if images.dtype == np.uint8 else _small(images, np.asarray)
    return _small(images, lambda part: scaled(part, chosen))


def _small(images, in_unit_range):
    """Returns uint8 if every value of `in_unit_range(part)` is a multiple of 1/255, else float32."""
    if all(_is_whole(in_unit_range(part)) for part in _chunks(images)):
        parts = [np.rint(in_unit_range(part).astype(np.float32) * 255) for part in _chunks(images)]
        return np.concatenate([part.astype(np.uint8) for part in parts])
    return np.concatenate([in_unit_range(part).astype(np.float32) for part in _chunks(images)])


def check_images(images, where):
    """Returns `images`, `[n, h, w, c]`, as uint8, or float32 in [0, 1] if uint8 loses precision (data rules 1).

    Args:
      images: The array from the file.
      where: Its name for error messages.
    """
    images = _four_axes(images, where)
    if images.dtype == bool:
        return images.astype(np.uint8) * np.uint8(255)
    if images.dtype == np.uint8:
        return _check_bytes(images, where)
    if images.dtype.kind == "f":
        return _check_floats(images, where)
    raise DatasetError(
        f"{where}: the type is {images.dtype}: expected uint8 in 0 to 255, floats in 0 to 1, or bool"
        " (--data_rules 2 accepts any numbers)"
    )


def _four_axes(images, where):
    """Returns `images` as `[n, h, w, c]`; raises a `DatasetError` if the shape or type is not that of images."""
    if images.ndim not in (3, 4):
        raise DatasetError(
            f"{where}: the shape is {images.shape}: "
            "expected [n, height, width] or [n, height, width, channels]"
        )
    images = images[..., None] if images.ndim == 3 else images
    count, height, width, channels = images.shape
    if not count:
        raise DatasetError(f"{where}: there are 0 images: at least 1 is needed")
    if not height or not width:
        raise DatasetError(f"{where}: the images have {height}x{width} pixels: at least 1x1 is needed")
    if not 1 <= channels <= 4:
        hint = " (channels come last: use np.moveaxis(images, 1, -1))" if images.shape[1] in (1, 3) else ""
        raise DatasetError(
            f"{where}: the shape is {images.shape}: expected 1 to 4 channels on the last axis{hint}"
        )
    if images.dtype.kind not in "biuf":
        raise DatasetError(f"{where}: the type is {images.dtype}: expected numbers or bool")
    return images


def _check_bytes(images, where):
    # Zeros and ones are a mask, which would be black as bytes of 0 to 255.
    if max(int(part.max()) for part in _chunks(images)) == 1:
        raise DatasetError(
            f"{where}: all uint8 values are 0 or 1, but 255 is white: give --range 0,1, or store them as bool"
        )
    return images


def _check_finite(images, where):
    """Raises a `DatasetError` if a value is NaN or infinite."""
    bad, first, start = 0, None, 0
    for part in _chunks(images):
        finite = np.isfinite(part)
        if not finite.all():
            bad += finite.size - int(finite.sum())
            if first is None:
                place = np.argwhere(~finite)[0].tolist()
                first = [place[0] + start, *place[1:]]
        start += len(part)
    if bad:
        raise DatasetError(
            f"{where}: {bad} values are NaN or infinite, the first at {first}: remove or replace them"
        )


def _check_floats(images, where):
    """Returns uint8 if every value is a multiple of 1/255, else float32."""
    _check_finite(images, where)
    low = min(float(part.min()) for part in _chunks(images))
    high = max(float(part.max()) for part in _chunks(images))
    if low < 0 or high > 1:
        way = (
            "(images + 1) / 2"
            if low >= -1 and high <= 1
            else "images / 255"
            if low >= 0 and high <= 255
            else None
        )
        hint = f"store {way}" if way else "scale them before storing them"
        raise DatasetError(
            f"{where}: the values run from {low:g} to {high:g}: expected floats in 0 to 1 ({hint})"
        )
    return _small(images, np.asarray)


def _is_whole(part):
    part = part.astype(np.float32)
    return bool((np.rint(part * 255).astype(np.float32) / np.float32(255) == part).all())


def _chunks(images):
    return (images[start : start + CHUNK] for start in range(0, len(images), CHUNK))


def _read(path):
    """Returns ({split: (key, images)}, {split: labels}) of a file; without splits, all images are "train"."""
    if not os.path.isfile(path):
        raise DatasetError(f"{path}: there is no such file")
    try:
        if zipfile.is_zipfile(path):
            with np.load(path, allow_pickle=False) as file:
                return _choose(path, file)
        # Only the pages that are read take memory.
        return {"train": ("", np.load(path, mmap_mode="r", allow_pickle=False))}, {}
    except DatasetError:
        raise
    except MemoryError as error:
        raise DatasetError(f"{path}: not enough memory: {str(error) or 'the file is too large'}") from error
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zipfile.zlib.error) as error:
        if "Object arrays" in str(error) or "Python objects" in str(error):
            reason = "it contains Python objects, which are not loaded: store one uint8 or float array"
        else:
            reason = "it is damaged, or was not written by numpy.save or numpy.savez: write it again"
        raise DatasetError(f"{path}: {reason}") from error


def _choose(path, file):
    """Returns the result of `_read` from an open .npz file."""
    images = {split: key for split, keys in SPLIT_IMAGE_KEYS.items() if (key := _first(keys, file))}
    if "train" in images:
        labels = {split: file[key] for split in images if (key := _first(SPLIT_LABEL_KEYS[split], file))}
        return {split: (key, file[key]) for split, key in images.items()}, labels
    key = _first(IMAGE_KEYS, file) or _only_images(path, file)
    label = _first(LABEL_KEYS, file)
    return {"train": (key, file[key])}, {"train": file[label]} if label and label != key else {}


def _first(keys, file):
    return next((key for key in keys if key in file.files), None)


def _only_images(path, file):
    arrays = {key: file[key] for key in file.files}
    candidates = [key for key, array in arrays.items() if array.ndim in (3, 4)]
    if len(candidates) == 1:
        return candidates[0]
    held = ", ".join(f"{key} {list(array.shape)}" for key, array in arrays.items()) or "nothing"
    raise DatasetError(
        f"{path}: it is not clear which array contains the images: "
        f"expected images, or x_train and x_test; found {held}"
    )


def _check_labels(path, labels, counts, version):
    """Returns (int64 `[n]`, names) of the labels of all splits, or (None, None) if there are no labels.

    Args:
      path: Path of the file, for error messages.
      labels: Arrays by split.
      counts: Number of images by split.
      version: Version of the data rules.
    """
    if not labels:
        return None, None
    if missing := [split for split in counts if split not in labels]:
        raise DatasetError(
            f"{path}: the {missing[0]} images have no labels, but the {next(iter(labels))} images do: give labels for"
            f" all ({', '.join(SPLIT_LABEL_KEYS[missing[0]])}) or for none"
        )
    parts = []
    for split, count in counts.items():
        array = labels[split]
        if array.ndim and len(array) != count:
            raise DatasetError(
                f"{path}: there are {len(array)} labels for {count} images: expected one per image"
            )
        parts.append(array.reshape(count) if array.size == count else array)
    if version == rules.FIRST:
        return _as_numbered(path, parts)
    if len({part.ndim for part in parts}) > 1 or (
        parts[0].ndim > 1 and len({part.shape[1:] for part in parts}) > 1
    ):
        shapes = [list(part.shape) for part in parts]
        raise DatasetError(
            f"{path}: the splits' labels have the shapes {shapes}: expected the same form for all"
        )
    return number_classes(np.concatenate(parts), path)


def _as_numbered(path, parts):
    """Returns the result of `_check_labels` by data rules 1: whole numbers are class numbers."""
    if any(part.ndim != 1 for part in parts):
        if all(part.ndim == 2 and ((part == 0) | (part == 1)).all() for part in parts):  # one-hot
            return np.concatenate([part.argmax(axis=1) for part in parts]).astype(np.int64), None
        raise DatasetError(
            f"{path}: the labels have the shape {list(parts[0].shape)}: expected one integer per image"
        )
    classes = np.concatenate(parts)
    if classes.dtype.kind in "US":
        names, classes = np.unique(classes.astype(str), return_inverse=True)
        return classes.astype(np.int64), tuple(str(name) for name in names)
    if classes.dtype.kind not in "biuf" or not np.all(np.isfinite(classes) & (classes == np.floor(classes))):
        raise DatasetError(
            f"{path}: some labels ({classes.dtype}) are not whole numbers: expected numbers or names, one per image"
        )
    if classes.min() < 0 or classes.max() >= MOST_CLASSES:
        raise DatasetError(
            f"{path}: the labels run from {classes.min()} to {classes.max()}: expected class numbers from 0 on"
            " (leave out images without a label, or all labels; np.unique(labels, return_inverse=True) converts any)"
        )
    return classes.astype(np.int64), None
