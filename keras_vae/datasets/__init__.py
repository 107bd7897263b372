"""Images to train on: one interface over embedded sets, folders, arrays and TensorFlow Datasets.

`load_dataset("mnist")` gives a `Dataset` of three `Split`s. A new source is a frozen dataclass, whose fields
become flags and JSON, with one method `load(options) -> Dataset`, and a line in `DATASETS`.
"""

import os
from pathlib import Path

from keras_vae.datasets.arrays import Arrays
from keras_vae.datasets.augment import AUGMENTATIONS, check_augmentations
from keras_vae.datasets.dataset import Annotations, Dataset, LoadOptions, Split, in_memory, make_dataset
from keras_vae.datasets.digits import Digits
from keras_vae.datasets.errors import DatasetError
from keras_vae.datasets.files import is_image_name
from keras_vae.datasets.folder import ImageFolder, holds_images
from keras_vae.datasets.shares import spread
from keras_vae.datasets.sizes import as_image_size, check_whole, parse_image_size
from keras_vae.datasets.sprites import Sprites
from keras_vae.datasets.stores import spoken
from keras_vae.datasets.tensorflow_datasets import TensorFlowDatasets

__all__ = [
    "load_dataset",
    "find_source",
    "DATASETS",
    "Digits",
    "Sprites",
    "ImageFolder",
    "Arrays",
    "TensorFlowDatasets",
    "Dataset",
    "Split",
    "spread",
    "spoken",
    "DatasetError",
    "AUGMENTATIONS",
    "check_augmentations",
    "LoadOptions",
    "Annotations",
    "in_memory",
    "make_dataset",
    "parse_image_size",
]

DATASETS = {
    "digits": Digits,
    "sprites": Sprites,
    "folder": ImageFolder,
    "arrays": Arrays,
    "tfds": TensorFlowDatasets,
}


def find_source(text):
    """Returns the source that `text` stands for.

    A name from `DATASETS`, else a folder or picture that exists, else a path that ends in .npz or .npy, else
    a name in TensorFlow Datasets. A bare word that is also the name of a folder means the folder only if
    there are pictures in it: the folder `mnist` may well hold what was downloaded for the dataset `mnist`.
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


def load_dataset(source, *, data_dir=None, download=None, image_size=None, channels=None, limit=None, seed=0):
    """Returns the `Dataset` of `source`: images in three splits that never overlap.

    Args:
      source: A source from `DATASETS`, or text as `find_source` reads it.
      data_dir: Folder with prepared or downloaded data of TensorFlow Datasets; None for its default.
      download: False forbids the network; None and True allow it where nothing local is found.
      image_size: (height, width) in pixels, a number for squares, text such as "48x64", or None for the source's own.
      channels: 1 (grey), 3 (colour), 4 (colour and alpha), or None for the source's own.
      limit: Number of training images to use, the first ones; None for all.
      seed: Taken so that all of a run's settings can be passed on. What is in a split does not depend on it.

    Raises:
      DatasetError: The data cannot be had or used; one sentence says why, and what to do.
    """
    limit = check_whole("limit", limit)
    source = find_source(os.fspath(source)) if isinstance(source, str | os.PathLike) else source
    options = LoadOptions(
        data_dir=None if data_dir is None else os.fspath(data_dir),
        download=download is None or bool(download),
        image_size=as_image_size(image_size),
        channels=check_whole("channels", channels),
    )
    if limit is not None and limit < 1:
        raise DatasetError(f"limit is {limit}: at least 1 training image is needed")
    dataset = source.load(options)
    return dataset if limit is None else dataset.limited(limit)
