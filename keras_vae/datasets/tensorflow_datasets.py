"""Any image dataset of TensorFlow Datasets, decoded once and kept as an array in the user's cache."""

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass, field

import numpy as np

from keras_vae.datasets.dataset import Annotations, make_dataset
from keras_vae.datasets.errors import DatasetError
from keras_vae.datasets.fitting import cover, with_channels
from keras_vae.datasets.preparing import cache_folder, image_feature, is_writable, prepared_builder, quiet
from keras_vae.datasets.progress import progress
from keras_vae.datasets.splits import SPLITS, content_digests
from keras_vae.datasets.stores import MappedImages, MemoryImages
from keras_vae.lazy import tf

DEFAULT_SIZE = (64, 64)  # of images of all sizes, and of sets that are large at their own size
LARGE = 2**30  # bytes; what is larger is read from disk
BATCH = 256


@dataclass(frozen=True)
class TensorFlowDatasets:
    """A dataset from the catalogue of TensorFlow Datasets, as mnist, fashion_mnist, cifar10 or celeb_a."""

    name: str = field(
        default="mnist", metadata={"help": "name in TensorFlow Datasets, as celeb_a or name/config"}
    )

    def load(self, options):
        """Returns the `Dataset`, of the images' own size and channels unless asked otherwise.

        Where they differ in size, or take more than 1 GiB, they become 64x64 unless asked otherwise.
        """
        builder = prepared_builder(self.name, options.data_dir, options.download)
        shape = _image_shape(self.name, builder, options)
        counts = _split_sizes(builder)
        label = _label_feature(builder)
        key = _key(builder, counts, shape)
        images, labels = _arrays(self.name, builder, counts, shape, label is not None, key)
        mapped = isinstance(images, np.memmap)
        given = None
        if "train" in counts:
            given = np.repeat([SPLITS.index(split) for split in counts], list(counts.values()))
        digests = [b"%d" % place for place in range(len(images))] if mapped else content_digests(images)
        if mapped:  # hashed, so that the order is not that of the file
            digests = [hashlib.sha256(digest).digest() for digest in digests]
        names = tuple(label.names) if label is not None else None
        known = Annotations(labels, names, given_splits=given)
        return make_dataset(
            self.name, (MappedImages if mapped else MemoryImages)(images), digests, key, known
        )


def _image_shape(name, builder, options):
    """Returns (height, width, channels) of the array to be made."""
    image = image_feature(name, builder)
    *size, channels = image.shape
    fixed = None not in size
    if options.image_size:
        size = options.image_size
    elif not fixed or sum(_split_sizes(builder).values()) * np.prod(image.shape) > LARGE:
        size = DEFAULT_SIZE
    return (*size, options.channels or channels or 3)


def _split_sizes(builder):
    """Returns {split: images}, in the order of `SPLITS`; without training images, of another split."""
    sizes = {split: info.num_examples for split, info in builder.info.splits.items() if info.num_examples}
    if not sizes:
        raise DatasetError(
            f"{builder.info.full_name}: the prepared data hold no images: remove {builder.data_dir}"
        )
    if "train" in sizes:
        return {split: sizes[split] for split in SPLITS if split in sizes}
    return dict([next(iter(sizes.items()))])


def _label_feature(builder):
    import tensorflow_datasets as tfds

    feature = dict(builder.info.features.items()).get("label")
    return feature if isinstance(feature, tfds.features.ClassLabel) else None


def _key(builder, counts, shape):
    facts = repr((builder.info.full_name, int(builder.info.dataset_size), counts, [int(n) for n in shape]))
    return hashlib.sha256(facts.encode()).hexdigest()[:32]


def _arrays(name, builder, counts, shape, has_labels, key):
    """Returns uint8 images `[n, *shape]`, mapped from disk if large, and int64 labels `[n]` or None."""
    folder = (
        cache_folder() / f"{builder.info.full_name.replace('/', '-')}-{'x'.join(map(str, shape))}-{key[:12]}"
    )
    large = sum(counts.values()) * int(np.prod(shape)) > LARGE
    if not folder.is_dir():
        if not is_writable(folder.parent):
            if large:
                raise DatasetError(
                    f"{name}: {folder.parent} cannot be written to: set XDG_CACHE_HOME to a folder that can"
                )
            images = np.empty((sum(counts.values()), *shape), np.uint8)
            return images, _decode(builder, counts, images, has_labels)
        _write(name, folder, builder, counts, shape, has_labels)
    images = np.load(folder / "images.npy", mmap_mode="r" if large else None)
    return images, np.load(folder / "labels.npy") if has_labels else None


def _write(name, folder, builder, counts, shape, has_labels):
    """Writes the decoded arrays into `folder`, whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent)
    try:
        size = (sum(counts.values()), *shape)
        images = np.lib.format.open_memmap(os.path.join(temporary, "images.npy"), "w+", np.uint8, size)
        labels = _decode(builder, counts, images, has_labels)
        images.flush()
        if has_labels:
            np.save(os.path.join(temporary, "labels.npy"), labels)
        os.rename(temporary, folder)
    except OSError as error:
        if not folder.is_dir():  # else another process was first
            raise DatasetError(
                f"{name}: the decoded images cannot be written to {folder.parent}: {error}"
            ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _decode(builder, counts, images, has_labels):
    """Fills `images`, uint8 `[n, *shape]`, split after split, and returns the labels, int64 `[n]` or None."""
    import tensorflow_datasets as tfds

    *size, channels = images.shape[1:]
    wanted = {"image": True, **({"label": True} if has_labels else {})}
    labels = np.empty(len(images), np.int64) if has_labels else None

    def fitted(example):
        image = example["image"]
        if image.shape[:2] != size:
            image = tf.cast(tf.clip_by_value(tf.round(cover(image[None], size)[0]), 0.0, 255.0), tf.uint8)
        return {**example, "image": image}

    start = 0
    for split, count in counts.items():
        decoders = tfds.decode.PartialDecoding(wanted)
        with quiet():
            examples = builder.as_dataset(split=split, decoders=decoders, shuffle_files=False)
        batches = examples.map(fitted, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH).prefetch(2)
        for batch in progress(batches.as_numpy_iterator(), -(-count // BATCH), f"Reading {split} images"):
            stop = start + len(batch["image"])
            images[start:stop] = with_channels(batch["image"], channels)
            if has_labels:
                labels[start:stop] = batch["label"]
            start = stop
    return labels
