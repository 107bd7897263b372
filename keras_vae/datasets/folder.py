"""A folder of images, found, checked and divided; `files.py` reads them."""

import hashlib
import itertools
import os
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from keras_vae.datasets.dataset import Annotations, make_dataset
from keras_vae.datasets.errors import DatasetError
from keras_vae.datasets.files import (
    EXTENSIONS,
    FileImages,
    Listing,
    UnreadableImageError,
    check_files,
    is_image_name,
)
from keras_vae.datasets.packed import packed
from keras_vae.datasets.progress import progress
from keras_vae.datasets.splits import SPLITS, combined_digest

DEFAULT_SIZE = (64, 64)
CHECKED_TOGETHER = 64  # files by one thread; what waits in a pool takes more than a kilobyte
SPLIT_FOLDERS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}


@dataclass(frozen=True)
class ImageFolder:
    """Images in a folder and the folders in it: JPEG, PNG, GIF (first frame), BMP and WebP.

    They are streamed, not held in memory; with a `cache`, from there (`packed.py`). Labels are the folders directly
    in `path`, where all images lie in at least two of them. The folders train, validation (or val) and test are
    splits.
    """

    path: str = field(default="", metadata={"help": "folder of images, or one image file"})
    cache: str = field(
        default="",
        metadata={"help": "folder to keep the decoded images in, in ArrayRecord files; none: not kept"},
    )

    def load(self, options):
        """Returns the `Dataset`; 64x64x3 unless asked otherwise."""
        root, names, closed = _find(self.path)
        size, channels = options.image_size or DEFAULT_SIZE, options.channels or 3

        def check(some):
            return _check(root, some, size, channels)

        found = packed(self.cache, root, names, (*size, channels), check) if self.cache else check(names)
        if not found.names:
            raise DatasetError(
                f"{self.path}: none of the {len(names)} images can be read; the first is {found.skipped[0]}"
            )
        given, labelled = _given_splits(self.path, found.names)
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
        )


def holds_images(path):
    """Whether there is a file with an image's extension in the folder `path` or in one below it."""
    return next(_walk(os.fspath(path)), None) is not None


def _find(text):
    """Returns the folder, the sorted paths, relative to it, of the files that are to be images, and what is closed.

    That is "path: reason" of each folder that cannot be looked into.
    """
    path = Path(os.path.expanduser(text))
    if not text or not os.path.exists(path):
        raise DatasetError(
            f"{text or 'folder'}: there is no such folder: give the path of a folder of images"
        )
    path = path.resolve()
    if not path.is_dir():
        return path.parent, [path.name], []
    closed = []
    names = sorted(_walk(os.fspath(path), closed.append))
    closed = [f"{_shown(os.path.relpath(error.filename, path))}: {error.strerror}" for error in closed]
    if not names:
        raise DatasetError(
            f"{text}: there are no images in this folder or below it: looked for {', '.join(EXTENSIONS)}"
            + "".join(f" ({place})" for place in closed[:1])
        )
    return path, names, closed


def _shown(name):
    """Returns a file's name as it can be printed, also where it is no UTF-8."""
    return os.fsencode(name).decode(errors="replace")


def _walk(root, refused=None):
    """Yields the relative path of every file named like an image, but for hidden ones; no folder twice.

    `refused` is called with the error of each folder that cannot be looked into.
    """
    seen = set()
    for folder, below, names in os.walk(root, onerror=refused, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:  # a link back to a folder above would never end
            below.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in names:
            if is_image_name(name):
                yield os.path.relpath(os.path.join(folder, name), root)


def _check(root, names, size, channels):
    """Returns the `Listing` of `names`: each file is read and decoded once."""
    from PIL import Image

    def check(some):
        return check_files([os.path.join(root, name) for name in some], size, channels)

    parts = [names[start : start + CHECKED_TOGETHER] for start in range(0, len(names), CHECKED_TOGETHER)]
    used, files, skipped = [], [], []
    with ThreadPoolExecutor() as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)  # on odd metadata
        results = itertools.chain.from_iterable(pool.map(check, parts))
        for name, result in zip(names, progress(results, len(names), "Checking images")):
            if isinstance(result, UnreadableImageError):
                skipped.append(f"{_shown(name)}: {result}")
            else:
                used.append(name)
                files.append(result)
    sizes, digests = [file.size for file in files], [file.digest for file in files]
    return Listing(used, sizes, digests, skipped, FileImages(files, size, channels) if files else None)


def _given_splits(path, names):
    """Returns the splits that the folders' names give, or None, and the paths below these folders."""
    first = [_first_folder(name) for name in names]
    splits = {SPLIT_FOLDERS.get(part) for part in first}
    if not {"train"} < splits - {None}:
        return None, names
    if None in splits:
        stray = names[[SPLIT_FOLDERS.get(part) for part in first].index(None)]
        raise DatasetError(f"{path}: {stray} lies outside of the folders train, validation and test: move it")
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
    """Returns the first folder of the relative path `name`, one object a folder; None for a file outside of them."""
    folder, inside, _ = name.partition(os.sep)
    return sys.intern(folder) if inside else None
