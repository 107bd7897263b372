"""A `Dataset` of three `Split`s, which every source returns."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from keras_vae.data import rules
from keras_vae.data.augment import augment_batch, check_augmentations
from keras_vae.data.classes import names_of
from keras_vae.data.image_size import describe_fit
from keras_vae.data.resize import fit
from keras_vae.data.sharding import WHOLE
from keras_vae.data.splits import SPLITS, combined_digest, content_digests, split_indices
from keras_vae.data.stores import MappedImages, MemoryImages
from keras_vae.errors import DatasetError
from keras_vae.runtime.figures import captioned, grid, png
from keras_vae.runtime.lazy import tf

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from keras_vae.data.sharding import Share

SHOWN = 16  # images of a dataset in a notebook


@dataclass(frozen=True, eq=False)
class Split:
    """Some images of a set, in a fixed order that does not depend on how they were listed.

    Attributes:
      store: The store that reads the images (`stores.py`).
      indices: int64 `[n]`, the images' positions in the store.
      labels: int64 `[n]`, or None.
      factors: int64 `[n, factors]`, or None.
    """

    store: Any
    indices: np.ndarray
    labels: np.ndarray | None = None
    factors: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.indices)

    def __repr__(self) -> str:
        labels = "" if self.labels is None else ", with labels"
        return f"<Split: {len(self):,} images of {'x'.join(map(str, self.image_shape))}{labels}>"

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of each image."""
        return tuple(self.store.image_shape)

    def take(self, count: int) -> Split:
        """Returns the split of the first `count` images, or of all if there are fewer."""
        if count < 1:
            raise DatasetError(f"{count} images were requested: at least 1 is needed")
        first = [None if rows is None else rows[:count] for rows in (self.labels, self.factors)]
        return Split(self.store, self.indices[:count], *first)

    def images(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Returns the images `start` to `stop`, float32 `[n, height, width, channels]`; reads no others."""
        return self.store.read(self.indices[start:stop])

    def batches(self, batch_size: int, labels: bool = False, share: Share = WHOLE) -> tf.data.Dataset:
        """Returns one pass over the images in order as a tf.data.Dataset; the last batch may be smaller.

        Args:
          batch_size: Images in a batch.
          labels: Whether to return (images, labels) instead of images; labels are int64 `[batch]`.
          share: The replicas that receive the batches. With several replicas, an element is one replica's part of a
            batch: a dict of `images`, `weights` and, if requested, `labels`.
        """
        read = self._reader(batch_size, labels)
        count = len(self)

        def batch(element: Any) -> Any:
            number, replica = share.turn(element)
            places, weights = share.places(number, replica, batch_size, count)
            return weighted(read(places), weights)

        numbers = tf.data.Dataset.range(math.ceil(count / batch_size) * share.count)
        return numbers.map(batch, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)

    def training_batches(
        self,
        batch_size: int,
        seed: int,
        first_epoch: int = 0,
        augment: Sequence[str] = (),
        labels: bool = False,
        share: Share = WHOLE,
    ) -> tf.data.Dataset:
        """Returns endless batches; each epoch has all images once, newly shuffled, in `ceil(n / batch_size)` batches.

        Order and augmentation depend only on the seed, the epoch and the batch's number in it, so a stream that starts
        at `first_epoch` equals the rest of a stream that started at 0, bit for bit.

        Args:
          batch_size: Images in a batch; the last of an epoch may be smaller.
          seed: Integer.
          first_epoch: Number of epochs to skip.
          augment: Names from `augment.AUGMENTATIONS`.
          labels, share: As in `batches`. All replicas together receive the images in the order of a single replica.
        """
        names = check_augmentations(augment)
        if not len(self):
            raise DatasetError("there are no images to train on: the split is empty")
        read = self._reader(batch_size, labels)
        count, steps = len(self), math.ceil(len(self) / batch_size)

        def batch(element: Any) -> Any:
            step, replica = share.turn(element)
            epoch, number = step // steps, step % steps
            places, weights = share.places(number, replica, batch_size, count)
            shuffle_seed = tf.stack([tf.constant(seed, tf.int64), epoch])
            shuffled = read(tf.random.experimental.index_shuffle(places, shuffle_seed, count - 1))
            if names:
                augment_seed = tf.stack([tf.constant(seed, tf.int64), step * share.replicas + replica])
                images = augment_batch(shuffled[0] if labels else shuffled, names, augment_seed)
                shuffled = (images, shuffled[1]) if labels else images
            return weighted(shuffled, weights)

        first = first_epoch * steps * share.count
        steps_to_come = tf.data.Dataset.range(first, np.iinfo(np.int64).max)
        endless = steps_to_come.map(batch, num_parallel_calls=tf.data.AUTOTUNE)
        endless = endless.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
        return endless.prefetch(tf.data.AUTOTUNE)

    def _reader(self, batch_size: int, labels: bool) -> Callable[[Any], Any]:
        """Returns the graph function from positions in this split, int64 `[batch]`, to the contents of a batch."""
        if batch_size < 1:
            raise DatasetError(f"batch_size is {batch_size}: it must be at least 1")
        if labels and self.labels is None:
            raise DatasetError("labels were requested, but this dataset has none")
        self.store.prepare()
        with tf.device("CPU:0"):
            indices = tf.constant(self.indices)
            classes = tf.constant(self.labels) if labels else None

        def read(places: Any) -> Any:
            images = self.store.read_batch(tf.gather(indices, places))
            return (images, tf.gather(classes, places)) if labels else images

        return read


def weighted(batch: Any, weights: Any) -> Any:
    """Returns `batch`, images or (images, labels), as a dict with `weights`; unchanged if the weights are None."""
    if weights is None:
        return batch
    parts = batch if isinstance(batch, tuple) else (batch,)
    return {**dict(zip(("images", "labels"), parts)), "weights": weights}


@dataclass(frozen=True, eq=False)
class Dataset:
    """A set of images in three splits that never overlap.

    Attributes:
      name: A short name that is valid as a folder's name.
      image_shape: (height, width, channels).
      train: The images for training.
      validation: The images for model selection; may be empty.
      test: The images for the final report; may be empty.
      label_names: The names of the labels 0, 1, ..., or None.
      factor_names: The names of the columns of `factors`, or None.
      factor_sizes: The number of values of each factor, or None.
      skipped: "path: reason" of each file that could not be used.
      fingerprint: Hex digest that changes when the data do.
      value_range: The values that became 0 and 1, (low, high), if they differ from those of the data type.
      notes: Sentences for the user on how images were found, split and scaled, and labels numbered.
    """

    name: str
    image_shape: tuple[int, int, int]
    train: Split
    validation: Split
    test: Split
    label_names: tuple[str, ...] | None = None
    factor_names: tuple[str, ...] | None = None
    factor_sizes: tuple[int, ...] | None = None
    skipped: tuple[str, ...] = ()
    fingerprint: str = ""
    value_range: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        splits = ("train", "validation", "test")
        sizes = ", ".join(f"{len(getattr(self, split)):,} {split}" for split in splits)
        return f"<Dataset {self.name}: {sizes} images of {'x'.join(map(str, self.image_shape))}>"

    def _repr_html_(self) -> str:
        return captioned(repr(self), png(grid([self.train.images(0, SHOWN)])))

    @property
    def num_classes(self) -> int:
        """The number of classes, 0 if the images have no labels."""
        if self.label_names is not None:
            return len(self.label_names)
        labels = [
            split.labels for split in (self.train, self.validation, self.test) if split.labels is not None
        ]
        return max((int(part.max()) + 1 for part in labels if len(part)), default=0)

    def limited(self, count: int) -> Dataset:
        """Returns this dataset with only the first `count` training images; the other splits stay unchanged."""
        if count < 1:
            raise DatasetError(f"limit is {count}: at least 1 training image is needed")
        return replace(self, train=self.train.take(count))


@dataclass(frozen=True)
class LoadOptions:
    """The options of every source.

    Attributes:
      data_dir: Folder with prepared or downloaded data, or None for the source's default.
      download: Whether the network may be used if nothing local is found.
      image_size: (height, width) in pixels, or None for the source's default.
      channels: 1 (grey), 3 (colour), 4 (colour and alpha), or None for the source's default.
      value_range: (low, high), the values that become 0 and 1; None to determine them from the data.
      rules: Version of the data rules (`keras_vae.data.rules`).
    """

    data_dir: str | None = None
    download: bool = True
    image_size: tuple[int, int] | None = None
    channels: int | None = None
    value_range: tuple[float, float] | None = None
    rules: int = rules.NEWEST

    def __post_init__(self) -> None:
        size = self.image_size
        if size is not None and (len(size) != 2 or min(size) < 1):
            raise DatasetError(
                f"image_size is {size}: expected height and width of at least 1 pixel, as 64 or 48x64"
            )
        if self.channels not in (None, 1, 3, 4):
            raise DatasetError(
                f"channels is {self.channels}: must be 1 (grey), 3 (colour) or 4 (colour and alpha)"
            )


class ImageSource(Protocol):
    """A set of images that can be loaded."""

    def load(self, options: LoadOptions) -> Dataset:
        """Returns the images; raises a `DatasetError` if they are missing or unusable."""


@dataclass(frozen=True)
class Annotations:
    """Facts that a source knows about its images, in the store's order; see `Dataset` and `Split`."""

    labels: np.ndarray | None = None
    label_names: tuple[str, ...] | None = None
    factors: np.ndarray | None = None
    factor_names: tuple[str, ...] | None = None
    factor_sizes: tuple[int, ...] | None = None
    given_splits: np.ndarray | None = None
    skipped: tuple[str, ...] = field(default=())
    value_range: tuple[float, float] | None = None
    notes: tuple[str, ...] = field(default=())


def make_dataset(
    name: str,
    store: Any,
    digests: Sequence[bytes],
    fingerprint: str,
    annotations: Annotations,
    version: int = rules.NEWEST,
) -> Dataset:
    """Returns the `Dataset` of the images in `store`.

    Args:
      name: Becomes `Dataset.name`; characters that a folder's name cannot contain are replaced.
      store: The store that reads the images.
      digests: One `bytes` per image, which determines its split (see `split_indices`).
      fingerprint: Becomes `Dataset.fingerprint`.
      annotations: `Annotations`.
      version: Version of the data rules; from version 2 on, the splits are stratified by label.
    """
    height, width, channels = (int(n) for n in store.image_shape)
    strata = None if version == rules.FIRST else annotations.labels
    parts = {}
    for split, indices in zip(SPLITS, split_indices(digests, annotations.given_splits, strata)):
        rows = [None if a is None else a[indices] for a in (annotations.labels, annotations.factors)]
        parts[split] = Split(store, indices, *rows)
    return Dataset(
        name="".join(c if c.isalnum() or c in "._-" else "-" for c in name).strip(".-") or "images",
        image_shape=(height, width, channels),
        label_names=annotations.label_names,
        factor_names=annotations.factor_names,
        factor_sizes=annotations.factor_sizes,
        skipped=annotations.skipped,
        fingerprint=fingerprint,
        value_range=annotations.value_range,
        notes=annotations.notes + copies_across(digests, parts, annotations.given_splits),
        **parts,
    )


def copies_across(digests: Sequence[bytes], parts: dict[str, Split], given: object) -> tuple[str, ...]:
    """Returns a note on training images that are also among the held-out images of given splits."""
    if given is None:
        return ()
    held_out = {digests[index] for split in ("validation", "test") for index in parts[split].indices}
    copies = sum(digests[index] in held_out for index in parts["train"].indices)
    return (f"{copies:,} training images are copies of held-out images",) if copies else ()


def in_memory(
    name: str, images: np.ndarray, options: LoadOptions, annotations: Annotations = Annotations()
) -> Dataset:
    """Returns the `Dataset` of an array, fitted to the size and channels of `options`.

    Args:
      name: As in `make_dataset`.
      images: uint8, or float32 in [0, 1], `[n, height, width, channels]`.
      options: `LoadOptions`.
      annotations: `Annotations`; none by default.
    """
    digests, found = content_digests(images), images.shape[1:3]
    if options.rules == rules.FIRST:
        fingerprint = combined_digest(digests, options.image_size, options.channels)
    images = fit(images, options.image_size, options.channels)
    if options.rules != rules.FIRST:
        shape = [int(size) for size in images.shape[1:]]
        fingerprint = combined_digest(annotated_digests(digests, annotations), *shape)
        notes = annotations.notes + describe_fit({found}, images.shape[1:3])
        annotations = replace(annotations, notes=notes)
    store = MappedImages(images) if isinstance(images, np.memmap) else MemoryImages(images)
    return make_dataset(name, store, digests, fingerprint, annotations, options.rules)


def annotated_digests(digests: Sequence[bytes], annotations: Annotations) -> list[bytes]:
    """Returns one digest per image, from its content, its label's name and its given split."""
    labels, given = annotations.labels, annotations.given_splits
    if labels is not None:
        names = names_of(annotations.label_names, int(labels.max(initial=0)) + 1)
    return [
        hashlib.sha256(
            digest
            + (b"" if labels is None else b"\0" + names[labels[place]].encode(errors="surrogateescape"))
            + (b"" if given is None else b"\0%d" % given[place])
        ).digest()
        for place, digest in enumerate(digests)
    ]
