"""Images to train on: one interface to built-in sets, folders, arrays and TensorFlow Datasets.

`load_dataset("mnist")` gives a `Dataset` of three `Split`s. A new source is a frozen dataclass, whose fields
become flags and JSON, with one method `load(options) -> Dataset`, and here its import and its line in `DATASETS`.

Imports: `runtime`. Begin with `dataset.py`, and with a short source: `sources/digits.py`.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
from pathlib import Path
from typing import TYPE_CHECKING

from keras_vae.data import rules
from keras_vae.data.augment import AUGMENTATIONS, check_augmentations
from keras_vae.data.classes import in_order_of, names_of
from keras_vae.data.dataset import (
    Annotations,
    Dataset,
    ImageSource,
    LoadOptions,
    Split,
    in_memory,
    make_dataset,
)
from keras_vae.data.image_files import is_image_name
from keras_vae.data.sharding import spread
from keras_vae.data.sizes import as_image_size, check_whole, parse_image_size
from keras_vae.data.sources.arrays import Arrays
from keras_vae.data.sources.digits import Digits
from keras_vae.data.sources.folder import ImageFolder, holds_images
from keras_vae.data.sources.sprites import Sprites
from keras_vae.data.sources.tensorflow_datasets import TensorFlowDatasets
from keras_vae.data.stores import dataset_errors
from keras_vae.data.value_range import check_range, parse_range, show_range
from keras_vae.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "load_dataset",
    "find_source",
    "built_in",
    "DATASETS",
    "Digits",
    "Sprites",
    "ImageFolder",
    "Arrays",
    "TensorFlowDatasets",
    "Dataset",
    "Split",
    "spread",
    "dataset_errors",
    "DatasetError",
    "AUGMENTATIONS",
    "check_augmentations",
    "LoadOptions",
    "Annotations",
    "in_memory",
    "make_dataset",
    "parse_image_size",
]

DATASETS: dict[str, type[ImageSource]] = {
    "digits": Digits,
    "sprites": Sprites,
    "folder": ImageFolder,
    "arrays": Arrays,
    "tfds": TensorFlowDatasets,
}


def built_in() -> list[str]:
    """Returns the names of the sources that need no data of the user's: those without the fields `path` and `name`."""
    return [
        name
        for name, kind in DATASETS.items()
        if not {"path", "name"} & set(inspect.signature(kind).parameters)
    ]


def find_source(text: str) -> ImageSource:
    """Returns the source that `text` names.

    The text is a name from `DATASETS`, else an existing folder or image, else a path that ends in .npz or .npy, else a
    name in TensorFlow Datasets. A bare word that is also the name of a folder means the folder only if it contains
    images: the folder `mnist` may contain the downloads of the dataset `mnist`.
    """
    if text in DATASETS:
        return DATASETS[text]()
    path = Path(os.path.expanduser(text))
    if os.path.isdir(path):
        if os.path.basename(text) != text or text in (".", "..") or holds_images(path):
            return ImageFolder(path=text)
    elif path.suffix.lower() in (".npz", ".npy"):
        return Arrays(path=text)
    elif is_image_name(text) and os.path.exists(path):
        return ImageFolder(path=text)
    return TensorFlowDatasets(name=text)


def load_dataset(
    source: str | os.PathLike[str] | ImageSource,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool | None = None,
    image_size: int | str | Sequence[int] | None = None,
    channels: int | None = None,
    range: str | Sequence[float] | None = None,
    classes: Sequence[str] = (),
    limit: int | None = None,
    data_rules: int = rules.NEWEST,
    seed: int = 0,
) -> Dataset:
    """Returns the `Dataset` of `source`: images in three splits that never overlap.

    Args:
      source: A source from `DATASETS`, or text as `find_source` reads it.
      data_dir: Folder with prepared or downloaded data of TensorFlow Datasets; None for its default.
      download: False forbids the network; None and True allow it if nothing local is found.
      image_size: (height, width) in pixels, a number for squares, text such as "48x64", or None for the source's own.
      channels: 1 (grey), 3 (colour), 4 (colour and alpha), or None for the source's own.
      range: (low, high), the values that become 0 and 1, such as (0, 4095); values outside are clipped. None for the
        range of the data type (0 to 255 for bytes, 0 to 1 for floats), or else the range of the dataset's values.
      classes: Class names in label order, as a trained model knows them; () for the dataset's own order.
      limit: Number of training images to use, the first ones; None for all.
      data_rules: Version of the rules for splits, sizes, ranges and labels (`keras_vae.data.rules`).
      seed: Ignored, and accepted only so that all settings of a run can be passed. The splits do not depend on it.

    Raises:
      DatasetError: The data are missing or unusable; the message says why and what to do.
    """
    limit = check_whole("limit", limit)
    source = find_source(os.fspath(source)) if isinstance(source, str | os.PathLike) else source
    options = LoadOptions(
        data_dir=None if data_dir is None else os.fspath(data_dir),
        download=download is None or bool(download),
        image_size=as_image_size(image_size),
        channels=check_whole("channels", channels),
        value_range=_range(range),
        rules=data_rules,
    )
    if limit is not None and limit < 1:
        raise DatasetError(f"limit is {limit}: at least 1 training image is needed")
    dataset = source.load(options)
    if options.value_range and dataset.value_range is None:
        raise DatasetError(
            f"range is {show_range(options.value_range)}: it does not apply to {dataset.name}, whose black and white"
            " are known (use --range none)"
        )
    dataset = numbered_by(dataset, tuple(classes))
    return dataset if limit is None else dataset.limited(limit)


def _range(values: str | Sequence[float] | None) -> tuple[float, float] | None:
    """Returns (low, high) as floats, or None."""
    try:
        return (
            None
            if values is None
            else parse_range(values)
            if isinstance(values, str)
            else check_range(values)
        )
    except ValueError as error:
        raise DatasetError(error) from error


def numbered_by(dataset: Dataset, classes: tuple[str, ...]) -> Dataset:
    """Returns `dataset` with its labels numbered in the order of the names `classes`.

    A dataset without labels, or with a class that is not in `classes`, is returned unchanged.
    """
    if not classes or not dataset.num_classes:
        return dataset
    names = names_of(dataset.label_names, dataset.num_classes)
    if names == classes:
        return dataset
    if strange := [name for name in names if name not in classes]:
        note = f"the labels keep their own numbers: the model does not know the class {strange[0]}"
        return dataclasses.replace(dataset, notes=(*dataset.notes, note))
    splits = {}
    for name in ("train", "validation", "test"):
        split = getattr(dataset, name)
        splits[name] = dataclasses.replace(split, labels=in_order_of(classes, names, split.labels))
    return dataclasses.replace(dataset, label_names=classes, **splits)
