"""A folder of images: lists, checks and splits them; `image_files.py` reads them."""

import hashlib
import itertools
import os
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from keras_vae.data import rules
from keras_vae.data.dataset import Annotations, annotated_digests, make_dataset
from keras_vae.data.image_files import (
    EXTENSIONS,
    FileImages,
    Listing,
    check_files,
    header_facts,
    is_image_name,
)
from keras_vae.data.image_size import DEFAULT_SIZE, default_size, describe_fit
from keras_vae.data.packed import packed, remembered
from keras_vae.data.progress import progress
from keras_vae.data.split_folders import find_splits
from keras_vae.data.splits import SPLITS, combined_digest
from keras_vae.data.value_range import BYTES, describe_asked, describe_bytes, describe_found, found_range
from keras_vae.errors import DatasetError, UnreadableImageError

LOOKED_AT = 64  # files whose size is checked before all files are read
COLOURS = 3  # channels
CHECKED_TOGETHER = 64  # files per task; each task that waits for a thread takes more than a kilobyte
DEEPEST_WHITE = 65535.0  # white if all values of a dataset are equal: 16 bits are assumed
# Of data rules 1.
SPLIT_FOLDERS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}


@dataclass(frozen=True)
class ImageFolder:
    """Images in a folder and the folders in it: JPEG, PNG, GIF (first frame), BMP, WebP and TIFF.

    Images are streamed from disk, or from the `cache` if one is given (`packed.py`). The folders directly in `path` are
    the labels if there are at least two and they contain all images. Folders named like splits, such as train and test,
    in `path` or one level below, are splits and not labels (`keras_vae.data.split_folders`).
    """

    path: str = field(default="", metadata={"help": "folder of images, or one image file"})
    cache: str = field(
        default="",
        metadata={"help": "folder for a cache of the decoded images in ArrayRecord files; none: no cache"},
    )

    def load(self, options):
        """Returns the `Dataset`.

        By default, images keep their size if all have the same size, and are scaled to 64x64 otherwise. They have
        1 channel if all are grey, else 3.
        """
        root, names, closed = _find(self.path, options.rules)
        size, channels = self._defaults(root, names, options)
        found = self._read(root, names, size, channels, options.rules)
        # If later files differ from the first ones, all are read again.
        again = (
            DEFAULT_SIZE if options.image_size is None and len(found.shapes) > 1 else size,
            COLOURS if options.channels is None and not all(found.grey) else channels,
        )
        if again != (size, channels):
            size, channels = again
            found = self._read(root, names, size, channels, options.rules)
        if not found.names:
            raise DatasetError(
                f"{self.path}: none of the {len(names)} images can be read; the first is {found.skipped[0]}"
            )
        if options.rules == rules.FIRST:
            return _by_first_rules(self.path, root, found, closed, size, channels)
        splits, below, notes = find_splits(self.path, found.names)
        labels, label_names = _labels(below)
        store, value_range, range_notes = _scale(found, self.path, options.value_range)
        fit_notes = describe_fit(set(found.shapes), size, options.image_size is not None)
        known = Annotations(
            labels,
            label_names,
            given_splits=None if splits is None else np.array([SPLITS.index(split) for split in splits]),
            skipped=(*closed, *found.skipped),
            value_range=value_range,
            notes=notes + fit_notes + _describe_channels(found, channels, options.channels) + range_notes,
        )
        facts = [os.fsencode(name) + b"\0%d" % digest for name, digest in zip(found.names, found.digests)]
        return make_dataset(
            root.name or "images",
            store,
            [hashlib.sha256(b"%d" % digest).digest() for digest in found.digests],
            combined_digest(annotated_digests(facts, known), *size, channels),
            known,
        )

    def _defaults(self, root, names, options):
        """Returns the (height, width) and number of channels: those requested, or else those of the files."""
        size, channels = options.image_size, options.channels
        if options.rules == rules.FIRST:
            return size or DEFAULT_SIZE, channels or COLOURS
        if size and channels:
            return size, channels
        if self.cache:
            shapes, grey = remembered(self.cache, root, names, lambda: _look_at_headers(root, names))
        else:
            # Reading all headers takes half as long as checking the files, which finds the same facts anyway.
            shapes, grey = _look_at_headers(root, names[:: max(1, len(names) // LOOKED_AT)])
        return size or default_size({tuple(shape) for shape in shapes}), channels or (1 if grey else COLOURS)

    def _read(self, root, names, size, channels, version):
        """Returns the `Listing` of `names`, from the cache if there is one."""

        def check(some):
            return _check(root, some, size, channels, version)

        if not self.cache:
            return check(names)
        return packed(self.cache, root, names, (*size, channels), check, version)


def _look_at_headers(root, names):
    """Returns the distinct (height, width) of the files, at most two, and whether all files are grey."""
    found, grey = [], []
    for name in progress(names, len(names), "Looking at sizes"):
        facts = header_facts(os.path.join(root, name))
        if facts is not None:
            found += [facts[0]] if facts[0] not in found and len(found) < 2 else []
            grey.append(facts[1])
        if len(found) == 2 and not all(grey):
            break
    return found, bool(grey) and all(grey)


def _describe_channels(found, channels, asked):
    """Returns a note on the channels of a `Listing` if their number is not obvious."""
    if asked is None and channels == 1:
        return ("all images are grey: 1 channel (--channels 3 for three)",)
    if asked is None and any(found.grey) and not all(found.grey):
        return (
            f"{sum(found.grey):,} of {len(found.grey):,} images are grey: they get 3 channels like the others",
        )
    return ()


def _scale(found, where, asked):
    """Returns (store, range, notes): the images of a `Listing`, scaled by the requested or found range.

    If a dataset has 8-bit and deeper files, the range is that of the deeper files; 8-bit files keep 0 to 255.
    """
    deep = np.array(found.deep, bool)
    if not deep.any() and not asked:
        return found.store, None, describe_bytes(found.highs)
    used = deep if deep.any() else np.ones(len(deep), bool)
    lows, highs = np.array(found.lows, np.float64)[used], np.array(found.highs, np.float64)[used]
    if asked:
        chosen, notes = asked, describe_asked(lows, highs, asked, where)
    else:
        whole = bool(np.all(lows == np.rint(lows)) and np.all(highs == np.rint(highs)))
        chosen = found_range(lows, highs, whole) or (0.0, max(DEEPEST_WHITE, float(highs.max())))
        notes = describe_found(lows, highs, chosen)
    if not used.all():
        notes += (f"{int((~used).sum()):,} images have 8 bits per value: their range is 0 to 255",)
    ranges = np.where(used[:, None], chosen, BYTES).astype(np.float32)
    return found.store.scaled(ranges), chosen, notes


def _by_first_rules(path, root, found, closed, size, channels):
    """Returns the `Dataset` by data rules 1."""
    given, labelled = _given_splits(path, found.names)
    labels, label_names = _labels(labelled)
    facts = [
        hashlib.sha256(os.fsencode(name) + b"\0%d" % size_of_file).digest()
        for name, size_of_file in zip(found.names, found.sizes)
    ]
    return make_dataset(
        root.name or "images",
        found.store,
        [hashlib.sha256(b"%d" % digest).digest() for digest in found.digests],
        combined_digest(facts, size, channels),
        Annotations(labels, label_names, given_splits=given, skipped=(*closed, *found.skipped)),
        rules.FIRST,
    )


def holds_images(path):
    """Whether there is a file with an image extension in the folder `path` or below it."""
    return next(_walk(os.fspath(path)), None) is not None


def read_files(paths, prepared):
    """Returns the `Listing` of all images of folders and files, with their paths as names, and the notes on them.

    No image is left out as a copy of another. Every file that cannot be read is in `skipped`, whatever its name.

    Args:
      paths: Texts.
      prepared: The size, channels and ranges to prepare them with, `keras_vae.data.listed.Prepared`.
    """
    names, closed = [], []
    for text in paths:
        below, refused = _paths_of(text, prepared.rules)
        names += below
        closed += refused
    *size, channels = prepared.image_shape
    found = _check("", list(dict.fromkeys(names)), size, channels, prepared.rules)
    found.skipped[:0] = closed
    if not found.names:
        return found, ()
    notes = describe_fit(set(found.shapes), size)
    if channels == 1 and not all(found.grey):
        notes += (
            f"{found.grey.count(False):,} of {len(found.grey):,} images have colours: they become grey",
        )
    asked = prepared.asked or (prepared.found if any(found.deep) else None)
    store, _, range_notes = _scale(found, paths[0], asked)
    names = [_shown(name) for name in found.names]
    return replace(found, store=store, names=names), notes + range_notes


def _paths_of(text, version):
    """Returns the paths of the images in a folder and below it, or of one file, and "path: reason" of closed folders."""
    start = os.path.expanduser(text)
    _, names, closed = _find(start, version)
    if not os.path.isdir(start):
        return [start], []
    return [os.path.join(start, name) for name in names], [os.path.join(start, place) for place in closed]


def _find(text, version):
    """Returns the folder, the sorted relative paths of its image files, and "path: reason" of unreadable folders."""
    path = Path(os.path.expanduser(text))
    if not text or not os.path.exists(path):
        raise DatasetError(
            f"{text or 'folder'}: there is no such folder: give the path of a folder of images"
        )
    path = path.resolve()
    if not path.is_dir():
        return path.parent, [path.name], []
    closed = []
    names = sorted(_walk(os.fspath(path), closed.append, version))
    closed = [f"{_shown(os.path.relpath(error.filename, path))}: {error.strerror}" for error in closed]
    if not names:
        raise DatasetError(
            f"{text}: there are no images in this folder or below it: looked for {', '.join(EXTENSIONS)}"
            + "".join(f" ({place})" for place in closed[:1])
        )
    return path, names, closed


def _shown(name):
    """Returns a file's name in printable form, even if it is not UTF-8."""
    return os.fsencode(name).decode(errors="replace")


def _walk(root, refused=None, version=rules.NEWEST):
    """Yields the relative path of every file named like an image, except hidden ones; visits no folder twice.

    `refused` is called with the error of each folder that cannot be read.
    """
    seen = set()
    for folder, below, names in os.walk(root, onerror=refused, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:  # a link to a parent folder would never end
            below.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in names:
            if is_image_name(name, version):
                yield os.path.relpath(os.path.join(folder, name), root)


def _check(root, names, size, channels, version):
    """Returns the `Listing` of `names`; reads and decodes each file once."""
    from PIL import Image

    def check(some):
        return check_files([os.path.join(root, name) for name in some], size, channels, version)

    parts = [names[start : start + CHECKED_TOGETHER] for start in range(0, len(names), CHECKED_TOGETHER)]
    used, files, skipped = [], [], []
    with ThreadPoolExecutor() as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)  # about unusual metadata
        results = itertools.chain.from_iterable(pool.map(check, parts))
        for name, result in zip(names, progress(results, len(names), "Checking images")):
            if isinstance(result, UnreadableImageError):
                skipped.append(f"{_shown(name)}: {result}")
            else:
                used.append(name)
                files.append(result)
    columns = {
        "sizes": "size",
        "digests": "digest",
        "lows": "low",
        "highs": "high",
        "deep": "deep",
        "grey": "grey",
    }
    return Listing(
        names=used,
        skipped=skipped,
        store=FileImages(files, size, channels) if files else None,
        shapes=sorted({file.shape for file in files}),
        **{key: [getattr(file, name) for file in files] for key, name in columns.items()},
    )


def _given_splits(path, names):
    """Returns the splits given by the folders' names, or None, and the paths below these folders (data rules 1)."""
    first = [_first_folder(name) for name in names]
    splits = {SPLIT_FOLDERS.get(part) for part in first}
    if not {"train"} < splits - {None}:
        return None, names
    if None in splits:
        stray = names[[SPLIT_FOLDERS.get(part) for part in first].index(None)]
        raise DatasetError(f"{path}: {stray} lies outside the folders train, validation and test: move it")
    given = np.array([SPLITS.index(SPLIT_FOLDERS[part]) for part in first])
    return given, [name.partition(os.sep)[2] for name in names]


def _labels(names):
    """Returns int64 labels and their names from the first folder of each path, or (None, None)."""
    first = [_first_folder(name) for name in names]
    classes = set(first)
    if len(classes) < 2 or None in classes:
        return None, None
    classes = tuple(sorted(classes))
    number = {name: label for label, name in enumerate(classes)}
    return np.array([number[name] for name in first], np.int64), classes


def _first_folder(name):
    """Returns the first folder of the relative path `name`, interned to save memory; None for a file in no folder."""
    folder, inside, _ = name.partition(os.sep)
    return sys.intern(folder) if inside else None
