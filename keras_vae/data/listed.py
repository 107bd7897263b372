"""Images with the names of their files, all in the order of their names: none is left out as a copy, none held out."""

import dataclasses
import functools
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from keras_vae.data import rules
from keras_vae.data.classes import names_of
from keras_vae.data.dataset import LoadOptions
from keras_vae.data.image_size import describe_fit
from keras_vae.data.resize import fit
from keras_vae.data.sources.arrays import Arrays, scale_arrays
from keras_vae.data.sources.folder import read_files
from keras_vae.data.stores import MappedImages, MemoryImages
from keras_vae.errors import DatasetError

ARRAYS = (".npy", ".npz")


@dataclass(frozen=True)
class Prepared:
    """How a model was given its images, so that others are prepared in the same way.

    Attributes:
      image_shape: (height, width, channels).
      asked: The range (low, high) that was asked for, which also applies to bytes, or None.
      found: The range that was found in the files; it applies to deeper files than those of 8 bits. Or None.
      rules: Version of the data rules.
    """

    image_shape: tuple[int, int, int]
    asked: tuple[float, float] | None = None
    found: tuple[float, float] | None = None
    rules: int = rules.NEWEST


@dataclass(frozen=True)
class Listed:
    """Images of some files, at the size and with the channels of a model.

    Attributes:
      names: The path of each image; in an array with its place, `new.npy[12]`.
      words: For each image the words among which the name of its class is looked for: the folders of its path, outermost
        first, or its label in an .npz file.
      stores: The stores that read the images (`stores.py`) in the order of `names`, with the number of images of each.
      skipped: "path: reason" of each file that cannot be read.
      notes: Sentences for the user on how the images were prepared.
    """

    names: list[str] = field(default_factory=list)
    words: list[tuple[str, ...]] = field(default_factory=list)
    stores: list[tuple] = field(default_factory=list)
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def chunks(self, size, rows=None):
        """Yields pairs of places, at most `size` of the slice `rows` of `names` (all by default), and these images in [0, 1]."""
        rows, begin = rows or slice(0, len(self.names)), 0
        for store, count in self.stores:
            first, last = max(rows.start, begin), min(rows.stop, begin + count)
            for start in range(first, last, size):
                places = slice(start, min(last, start + size))
                yield places, store.read(np.arange(places.start, places.stop) - begin)
            begin += count

    def labels_for(self, model):
        """Returns the class of each image for a conditional model, int64 `[n]`, or None for another one."""
        if not model.conditional:
            return None
        return self.classes(names_of(model.label_names or None, model.num_classes))

    def classes(self, known):
        """Returns the class of each image, int64 `[n]`: the innermost of its words that is one of the names `known`.

        Raises:
          DatasetError: An image has none.
        """
        number = {name: place for place, name in enumerate(known)}
        found = [
            next((number[word] for word in reversed(words) if word in number), None) for words in self.words
        ]
        if None in found:
            raise DatasetError(
                f"{self.names[found.index(None)]}: its class is unknown, and the model needs it: put the images into"
                f" folders named like the classes ({', '.join(known[:10])}{', ...' if known[10:] else ''})"
            )
        return np.array(found, np.int64)


def listed(paths, prepared):
    """Returns the `Listed` images of folders, image files and .npy or .npz files.

    Args:
      paths: Texts; of a folder, all images in it and below it are taken.
      prepared: The `Prepared` of the model.

    Raises:
      DatasetError: A path does not exist, or no file can be read as an image.
    """
    *size, channels = prepared.image_shape
    LoadOptions(image_size=tuple(size), channels=channels)  # refuses models of 2 channels
    paths = list(dict.fromkeys(map(os.fspath, paths)))
    arrays = [path for path in paths if path.lower().endswith(ARRAYS) and not os.path.isdir(path)]
    files = [path for path in paths if path not in arrays]
    parts = ([_of_files(files, prepared)] if files else []) + [_of_array(path, prepared) for path in arrays]
    together = functools.reduce(_joined, parts, Listed())
    if not together.names:
        skipped = together.skipped
        raise DatasetError(
            f"none of the {len(skipped)} files can be read as an image; the first is {skipped[0]}"
        )
    return together


def _joined(first, second):
    """Returns the images of two `Listed`, one after the other."""
    fields = [field.name for field in dataclasses.fields(Listed)]
    return Listed(*(getattr(first, name) + getattr(second, name) for name in fields))


def _of_files(paths, prepared):
    """Returns the `Listed` images of folders and image files."""
    found, notes = read_files(paths, prepared)
    stores = [(found.store, len(found.names))] if found.names else []
    return Listed(
        found.names, [Path(name).parts[:-1] for name in found.names], stores, tuple(found.skipped), notes
    )


def _of_array(path, prepared):
    """Returns the `Listed` images of an .npy or .npz file."""
    parts, labels = Arrays(path).read(Path(os.path.expanduser(path)))
    named = [(array, path) for _, array in parts.values()]
    is_deep = any(array.dtype not in (bool, np.uint8) for array, _ in named)
    arrays, _, notes = scale_arrays(named, path, prepared.asked or (prepared.found if is_deep else None))
    *size, channels = prepared.image_shape
    names, words, stores = [], [], []
    for (split, (key, _)), images in zip(parts.items(), arrays):
        place = path if len(parts) == 1 else f"{path}, {key}"
        names += [f"{place}[{number}]" for number in range(len(images))]
        words += _words(labels.get(split), len(images))
        fitted = fit(images, tuple(size), channels)
        stores.append(
            ((MappedImages if isinstance(fitted, np.memmap) else MemoryImages)(fitted), len(images))
        )
    shapes = {array.shape[1:3] for array in arrays}
    return Listed(names, words, stores, (), notes + describe_fit(shapes, size))


def _words(labels, count):
    """Returns the label of each image as text, `[count]` tuples, which are empty without labels."""
    flat = np.asarray([] if labels is None else labels).reshape(-1)
    return [(str(label),) for label in flat] if len(flat) == count else [()] * count
