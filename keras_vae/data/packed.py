"""A cache of a folder's decoded images in ArrayRecord files, which can be read in any order.

Reading a million small images takes longer than training on them, and so does checking them at every start. The cache
contains the pixels that `image_files.py` reads and the facts that determine the splits, so a run can continue with or
without it. Files of more than 8 bits per value are stored as float32 in their own units.
"""

import contextlib
import hashlib
import json
import math
import os
from pathlib import Path

import numpy as np

from keras_vae.data import rules
from keras_vae.data.image_files import Listing
from keras_vae.data.stores import ReadInPython, as_float
from keras_vae.errors import DatasetError
from keras_vae.runtime.files import locked, whole, why, write_json, writing

SHARD_BYTES = 2**28  # pixels per file; at most one file is lost if preparation is interrupted
READ_AT_ONCE = 512
# The facts about the images in a file, besides their names.
FACTS = ("sizes", "digests", "skipped", "lows", "highs", "deep", "grey", "shapes")
# One uncompressed record per chunk: reading an image is one short read.
LAYOUT = "group_size:1,uncompressed"


class PackedImages(ReadInPython):
    """Images in ArrayRecord files, one record per image: uint8, or float32 for deep files. See `stores.py`.

    Args:
      paths: The files, in order, except those without images.
      image_shape: (height, width, channels).
      ranges: As in `FileImages`.
    """

    def __init__(self, paths, image_shape, ranges=None):
        from array_record.python.array_record_data_source import ArrayRecordDataSource

        self.image_shape = tuple(image_shape)
        self._ranges = ranges
        with _damage(paths):
            self._records = ArrayRecordDataSource([os.fspath(path) for path in paths])
        self._paths = paths

    def read(self, indices):
        """Returns the images at `indices`."""
        if not len(indices):
            return np.zeros((0, *self.image_shape), np.float32)
        with _damage(self._paths):
            records = self._records.__getitems__(np.asarray(indices).tolist())
        if self._ranges is None:
            return as_float(np.frombuffer(b"".join(records), np.uint8).reshape(-1, *self.image_shape))
        images = np.stack([self._in_units(record) for record in records])
        low, high = (self._ranges[indices, end, None, None, None] for end in (0, 1))
        return np.clip((images - low) / (high - low), 0, 1)

    def _in_units(self, record):
        """Returns a record as float32 `image_shape`; its length determines its data type."""
        dtype = np.uint8 if len(record) == math.prod(self.image_shape) else np.float32
        return np.frombuffer(record, dtype).reshape(self.image_shape).astype(np.float32)

    def scaled(self, ranges):
        """Returns the same images, scaled by `ranges`, `[n, 2]`."""
        return PackedImages(self._paths, self.image_shape, ranges)


@contextlib.contextmanager
def _damage(paths):
    """Raises a `DatasetError` for errors from reading `paths`, whose chunks have checksums."""
    try:
        yield
    except (RuntimeError, ValueError, OSError) as error:
        raise DatasetError(
            f"{paths[0].parent}: the cache is damaged: remove it and start again ({error})"
        ) from error


def packed(folder, root, names, image_shape, check, version=rules.NEWEST):
    """Returns the `Listing` of `names` from the cache; missing images are written first.

    Args:
      folder: The cache, shared by any folders and sizes; created if it does not exist.
      root: Folder that `names` are relative to.
      names: Paths of files, sorted.
      image_shape: (height, width, channels).
      check: Function that reads the files of some `names` and returns their `Listing`.
      version: Version of the data rules that `check` uses.

    Raises:
      DatasetError: The cache cannot be written to.
    """
    count = max(1, SHARD_BYTES // int(np.prod(image_shape)))
    known = {"names": [], **{key: [] for key in FACTS}}
    paths = []
    try:
        folder = Path(folder).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder, wait=True):
            for start in range(0, len(names), count):
                part = names[start : start + count]
                path = folder / f"{_key(root, part, (*image_shape, *versioned(version)))}.array_record"
                kept = _facts(path)
                if kept is None:
                    _write(path, part, check(part))
                    kept = _facts(path)
                kept["names"] = [part[place] for place in kept.pop("places")]
                paths += [path] if kept["names"] else []
                for key, values in known.items():
                    values += kept.get(key, [])
    except OSError as error:
        raise DatasetError(f"{folder}: images cannot be cached there: {why(error)}") from error
    known["shapes"] = sorted({tuple(shape) for shape in known["shapes"]})
    return Listing(**known, store=PackedImages(paths, image_shape) if paths else None)


def remembered(folder, root, names, find):
    """Returns `find()`, a JSON value determined by the headers of `names`; later calls read it from `folder`."""
    folder = Path(folder).expanduser()
    path = folder / f"{_key(root, names, ('headers',))}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        facts = _facts(path)
        if facts is None:
            facts = {"found": find()}
            write_json(path, {**facts, "sha256": _checksum(facts)})
    except OSError as error:
        raise DatasetError(f"{folder}: images cannot be cached there: {why(error)}") from error
    return facts["found"]


def versioned(version):
    """Returns the rules' part of a cache key: empty for version 1, so that its caches stay valid."""
    return () if version == rules.FIRST else (version,)


def _key(root, names, facts):
    """Returns a name that changes when one of the files or `facts` changes."""
    digest = hashlib.sha256(repr(tuple(facts)).encode())
    for name in names:
        path = os.path.join(root, name)
        digest.update(os.fsencode(path) + b"\0")
        with contextlib.suppress(OSError):  # a broken link is skipped later
            status = os.stat(path)
            digest.update(b"%d %d" % (status.st_size, status.st_mtime_ns))
    return digest.hexdigest()[:24]


def _facts(path):
    """Returns the facts about the images in `path`, or None if they are missing or damaged."""
    try:
        facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        return facts if facts.pop("sha256") == _checksum(facts) else None
    except (FileNotFoundError, ValueError, AttributeError, KeyError, TypeError, RecursionError):
        return None


def _checksum(facts):
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _write(path, names, listing):
    """Writes the images of `listing` to `path`, then the facts about them to a JSON file beside it."""
    from array_record.python.array_record_module import ArrayRecordWriter

    if listing.names:
        with writing(path, RuntimeError), whole(path) as temporary:
            writer = ArrayRecordWriter(os.fspath(temporary), LAYOUT)
            for start in range(0, len(listing.names), READ_AT_ONCE):
                places = np.arange(start, min(start + READ_AT_ONCE, len(listing.names)))
                for image in listing.store.stored(places):
                    writer.write(image.tobytes())
            writer.close()
    place = {name: number for number, name in enumerate(names)}
    known = {key: list(getattr(listing, key)) for key in FACTS}
    facts = {"places": [place[name] for name in listing.names], **known}
    write_json(path.with_suffix(".json"), {**facts, "sha256": _checksum(facts)})
