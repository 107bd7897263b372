"""Any image dataset of TensorFlow Datasets, decoded once and stored as an array in the user's cache."""

import contextlib
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from keras_vae.data import rules
from keras_vae.data.dataset import Annotations, annotated_digests, make_dataset
from keras_vae.data.image_size import describe_fit
from keras_vae.data.preparing import image_feature, is_writable, prepared_builder, quiet
from keras_vae.data.progress import progress
from keras_vae.data.resize import cover, with_channels
from keras_vae.data.splits import SPLITS, combined_digest, content_digests
from keras_vae.data.stores import MappedImages, MemoryImages
from keras_vae.errors import Damaged, DatasetError
from keras_vae.runtime.checksums import check_sealed, seal
from keras_vae.runtime.devices import say
from keras_vae.runtime.files import cache_folder, rename, unfinished, why
from keras_vae.runtime.lazy import tf

DEFAULT_SIZE = (64, 64)  # for images of different sizes, and for datasets that are large at their own size
LARGE = 2**30  # bytes; larger datasets are read from disk
BATCH = 256


@dataclass(frozen=True)
class TensorFlowDatasets:
    """A dataset from the catalogue of TensorFlow Datasets, such as mnist, fashion_mnist, cifar10 or celeb_a."""

    name: str = field(
        default="mnist", metadata={"help": "name in TensorFlow Datasets, such as celeb_a or name/config"}
    )

    def load(self, options):
        """Returns the `Dataset`, by default with the images' own size and channels.

        Images of different sizes, or of more than 1 GiB in total, are scaled to 64x64 by default.
        """
        builder = prepared_builder(self.name, options.data_dir, options.download)
        shape = _image_shape(self.name, builder, options)
        counts = _split_sizes(builder)
        label = _label_feature(builder)
        first = options.rules == rules.FIRST
        key = _key(builder, counts, shape, options.rules)
        images, labels = _arrays(self.name, builder, counts, shape, label is not None, key)
        mapped = isinstance(images, np.memmap)
        given = None
        if "train" in counts:
            given = np.repeat([SPLITS.index(split) for split in counts], list(counts.values()))
        if mapped and first:  # hashed, so the order differs from that of the file
            digests = [hashlib.sha256(b"%d" % place).digest() for place in range(len(images))]
        else:
            digests = content_digests(images)
        names = tuple(label.names) if label is not None else None
        known = Annotations(labels, names, given_splits=given, notes=() if first else _notes(builder, shape))
        fingerprint = key if first else combined_digest(annotated_digests(digests, known), *shape)
        store = (MappedImages if mapped else MemoryImages)(images)
        return make_dataset(self.name, store, digests, fingerprint, known, options.rules)


def _notes(builder, shape):
    """Returns the notes on the size of the images."""
    own = builder.info.features["image"].shape[:2]
    if None in own:
        return (
            f"the images, of different sizes, are scaled to cover {shape[0]}x{shape[1]} and cropped at the centre",
        )
    return describe_fit({tuple(own)}, shape[:2])


def _image_shape(name, builder, options):
    """Returns (height, width, channels) of the array to create."""
    image = image_feature(name, builder)
    *size, channels = image.shape
    fixed = None not in size
    if options.image_size:
        size = options.image_size
    elif not fixed or sum(_split_sizes(builder).values()) * np.prod(image.shape) > LARGE:
        size = DEFAULT_SIZE
    return (*size, options.channels or channels or 3)


def _split_sizes(builder):
    """Returns {split: number of images} in the order of `SPLITS`; without training images, only the first split."""
    sizes = {split: info.num_examples for split, info in builder.info.splits.items() if info.num_examples}
    if not sizes:
        raise DatasetError(
            f"{builder.info.full_name}: the prepared data contain no images: remove {builder.data_dir}"
        )
    if "train" in sizes:
        return {split: sizes[split] for split in SPLITS if split in sizes}
    return dict([next(iter(sizes.items()))])


def _label_feature(builder):
    import tensorflow_datasets as tfds

    feature = dict(builder.info.features.items()).get("label")
    return feature if isinstance(feature, tfds.features.ClassLabel) else None


def _key(builder, counts, shape, version):
    """Returns hex digits that change with the prepared data and, from data rules 2 on, with its files."""
    facts = (builder.info.full_name, int(builder.info.dataset_size), counts, [int(n) for n in shape])
    if version != rules.FIRST:
        files = sorted(path for path in Path(builder.data_dir).iterdir() if path.is_file())
        stats = [(path.name, path.stat()) for path in files]
        facts += ([(name, status.st_size, status.st_mtime_ns) for name, status in stats],)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def _arrays(name, builder, counts, shape, has_labels, key):
    """Returns uint8 images `[n, *shape]`, mapped from disk if large, and int64 labels `[n]` or None."""
    folder = (
        cache_folder() / f"{builder.info.full_name.replace('/', '-')}-{'x'.join(map(str, shape))}-{key[:12]}"
    )
    large = sum(counts.values()) * int(np.prod(shape)) > LARGE
    if not is_whole(folder):
        if not is_writable(folder.parent):
            if large:
                raise DatasetError(
                    f"{name}: {folder.parent} cannot be written to: set XDG_CACHE_HOME to a writable folder"
                )
            images = np.empty((sum(counts.values()), *shape), np.uint8)
            return images, _decode(builder, counts, images, has_labels)
        _write(name, folder, builder, counts, shape, has_labels)
    images = np.load(folder / "images.npy", mmap_mode="r" if large else None, allow_pickle=False)
    return images, np.load(folder / "labels.npy", allow_pickle=False) if has_labels else None


def is_whole(folder):
    """Returns whether `folder` contains intact decoded images; warns if they are damaged."""
    try:
        check_sealed(folder)
    except Damaged as damage:
        say(f"warning: {damage}; the images will be decoded again")
        return False
    return folder.is_dir()


def _write(name, folder, builder, counts, shape, has_labels):
    """Writes the decoded arrays into `folder`, completely or not at all; replaces damaged ones."""
    try:
        with unfinished(folder.parent) as room:
            new = room / "new"
            new.mkdir()
            _write_arrays(new, builder, counts, shape, has_labels)
            seal(new)
            if folder.is_dir():
                folder.rename(room / "old")
            rename(new, folder)  # does nothing if another process was first
    except OSError as error:
        raise DatasetError(
            f"{name}: the decoded images cannot be written to {folder.parent}: {why(error)}"
        ) from error


def _write_arrays(folder, builder, counts, shape, has_labels):
    """Writes `images.npy` and, if there are labels, `labels.npy` into `folder`."""
    size = (sum(counts.values()), *shape)
    file = folder / "images.npy"
    images = np.lib.format.open_memmap(file, "w+", np.uint8, size)
    if hasattr(os, "posix_fallocate"):  # writing to mapped memory on a full disk would kill the process
        with open(file, "r+b") as opened:
            os.posix_fallocate(opened.fileno(), 0, os.path.getsize(file))
    labels = _decode(builder, counts, images, has_labels)
    images.flush()
    if has_labels:
        np.save(folder / "labels.npy", labels)


def _decode(builder, counts, images, has_labels):
    """Fills `images`, uint8 `[n, *shape]`, split by split, and returns the labels, int64 `[n]` or None."""
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
        with _damage(builder):
            for batch in progress(batches.as_numpy_iterator(), -(-count // BATCH), f"Reading {split} images"):
                place = slice(start, start + len(batch["image"]))
                images[place] = with_channels(batch["image"], channels)
                if has_labels:
                    labels[place] = batch["label"]
                start = place.stop
    return labels


@contextlib.contextmanager
def _damage(builder):
    """Raises a `DatasetError` that names the damaged file, found by the checksums of its records."""
    try:
        yield
    except tf.errors.OpError as error:
        for path in sorted(Path(builder.data_dir).glob("*tfrecord*")):
            try:
                for _ in tf.data.TFRecordDataset(os.fspath(path)):
                    pass
            except tf.errors.DataLossError as damage:
                raise _damaged(builder, f"{path.name}: {why(damage)}") from error
        raise _damaged(builder, why(error)) from error


def _damaged(builder, what):
    return DatasetError(f"{builder.data_dir} is damaged: {what} (remove it to prepare it again)")
