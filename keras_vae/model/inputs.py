"""The inputs of a model: images, labels and weights, their layouts, and the checks of their values.

All inputs of a model are checked by an `InputSpec`: arrays once, before they are used, and the batches of a stream as
they arrive (`keras_vae.model.streams`).
"""

import dataclasses
import math
import operator
import sys

import numpy as np

from keras_vae.runtime.lazy import keras, ops, tf

ROUNDING = 1e-3  # resized or float16 images may lie this far outside [0, 1]

# The names of the entries of a dict, in lower case. TFDS has `image` and `label`.
IMAGES = ("images", "image", "x", "inputs", "input", "img", "pixels", "pixel_values")
LABELS = ("labels", "label", "y", "class", "classes", "targets", "target")
TARGETS = ("targets", "target", "y", "clean")
WEIGHTS = ("weights", "weight", "sample_weights", "sample_weight")


def as_images(values, image_shape):
    """Returns `values` as float32; raises a ValueError if they are not images, or are bytes from 0 to 255."""
    check_image_type(values, image_shape)
    return ops.cast(values, "float32")


def check_image_type(values, image_shape):
    """Raises a ValueError if the type of `values`, or their shape as far as it is known, is not that of images.

    Other shapes would be broadcast: `fit(images, labels)` would take the labels for grey values.
    """
    known = getattr(values.shape, "rank", 0) is not None
    given = tuple(values.shape[1:]) if known else image_shape
    if len(given) != 3 or any(size not in (None, expected) for size, expected in zip(given, image_shape)):
        raise ValueError(
            f"the images are {show_batch(given)}: the model takes {show_batch(image_shape)}, alone or in pairs (labels"
            " need a conditional objective)"
        )
    dtype = keras.backend.standardize_dtype(values.dtype)
    if dtype == "uint8":
        raise ValueError("the images are uint8: expected floats in [0, 1] (divide by 255)")
    if dtype == "string" or dtype.startswith("complex"):
        raise ValueError(f"the images are {dtype}: expected floats in [0, 1]")


def show_batch(shape):
    """Returns `(28, 28, 1)` as `[batch, 28, 28, 1]`."""
    return f"[{', '.join(map(str, ('batch', *shape)))}]"


def as_numbers(labels, names):
    """Returns class names as numbers, their positions in `names`. Other labels are returned unchanged.

    Raises:
        ValueError: A name is unknown.
    """
    if not isinstance(labels, str | list | tuple | np.ndarray) or np.asarray(labels).dtype.kind not in "US":
        return labels
    place = {name: number for number, name in enumerate(names)}
    asked = np.asarray(labels).astype(str)
    if strange := [name for name in asked.flat if name not in place]:
        known = ", ".join(names) or "no names: use numbers"
        raise ValueError(f"the label {str(strange[0])!r} is unknown: the model knows {known}")
    return np.vectorize(place.get, otypes=["int32"])(asked)


def as_labels(labels, num_classes, count):
    """Returns `labels` as int32, `[count]`, or `[1]` for one label for all; `count` is None if it is not known yet.

    Raises:
        ValueError: A label is not an integer from 0 to `num_classes` - 1. (Within a graph such a label cannot be
            detected; its one-hot code is all zeros.)
    """
    if isinstance(labels, int | list | tuple | np.ndarray | np.generic) and np.size(labels):
        check_label_values(np.asarray(labels), num_classes)
    labels = ops.convert_to_tensor(labels)
    check_label_shape(labels, count)
    return ops.cast(ops.reshape(labels, (-1,)), "int32")


def check_label_shape(labels, count=None):
    """Raises a ValueError unless there are `count` labels, or one for all, as far as the shape is known."""
    # In a graph traced for both `[batch]` and `[batch, 1]` the rank is unknown.
    given = (
        (None,)
        if rank(labels) is None
        else np.shape(labels)
        if isinstance(labels, list | int)
        else tuple(labels.shape)
    )
    number = given[0] if given else 1
    if given[1:] not in ((), (1,)) or (number != 1 and None not in (number, count) and number != count):
        raise ValueError(
            f"the labels have the shape {list(given)}: expected one whole number per image,"
            f" [{'batch' if count is None else count}]"
        )


def check_label_values(labels, num_classes):
    """Raises a ValueError if an array of `labels` has values other than 0 to `num_classes` - 1."""
    if labels.dtype.kind not in "biuf":
        raise ValueError(f"the labels are {labels.dtype}: expected whole numbers from 0 to {num_classes - 1}")
    if not np.all(np.equal(np.mod(labels, 1), 0)):  # also fails for NaN and infinity
        raise ValueError("some labels are not whole numbers: expected one whole number per image")
    lowest, highest = np.min(labels), np.max(labels)
    if lowest < 0 or highest >= num_classes:
        raise ValueError(f"the labels are {lowest} to {highest}: expected 0 to {num_classes - 1}")


@dataclasses.dataclass(frozen=True)
class Bounds:
    """Bounds of images: `low` and `high` for each value, `least_mean` and `most_mean` for the mean of a batch."""

    low: float
    high: float
    least_mean: float = -math.inf
    most_mean: float = math.inf

    def hold(self, images):
        """Returns whether the bounds hold for a tensor in a graph; NaN is always outside."""
        if math.isinf(self.low):
            mean = tf.reduce_mean(images)  # infinite or NaN if a value is
            return (mean >= self.least_mean) & (mean <= self.most_mean)
        return (tf.reduce_min(images) >= self.low) & (tf.reduce_max(images) <= self.high)

    def contain(self, images):
        """Returns whether all values of an array are within `low` and `high`."""
        images = to_numpy(images)
        return bool(images.min() >= self.low and images.max() <= self.high)


CLEAN = Bounds(-ROUNDING, 1 + ROUNDING)
# Noise may reach any value but keeps the mean. Bytes that were not scaled to [0, 1] have a mean of about 100.
NOISY = Bounds(-math.inf, math.inf, -4, 5)


@dataclasses.dataclass(frozen=True)
class Batch:
    """Images with their labels, targets and weights, each an array, a tensor or None.

    Attributes:
        images: `[n, height, width, channels]`.
        labels: Labels for a conditional model, `[n]`.
        targets: The decoder's targets if they differ from the images.
        weights: The weight of each image, `[n]`.
    """

    images: object
    labels: object = None
    targets: object = None
    weights: object = None

    def pack(self):
        """Returns the batch as data for a step of Keras: `images`, a tuple, or a dict if there are only weights."""
        y = self.labels if self.targets is None else self.targets
        if y is None and self.weights is not None:
            return {"images": self.images, "weights": self.weights}  # Keras drops weights without targets
        return keras.utils.pack_x_y_sample_weight(self.images, y, self.weights)

    def is_noisy(self):
        """Returns whether the images, as arrays, are noisy and have clean targets."""
        return self.targets is not None and not CLEAN.contain(self.images)

    def inputs(self):
        """Returns the inputs of a call of the model: images, or `(images, labels)`."""
        return self.images if self.labels is None else (self.images, self.labels)


def unpack(data, conditional):
    """Returns `data` as a `Batch`, from any layout of Keras and TFDS.

    Args:
        data: Images, `(images, y)`, `(images, y, weights)`, a dict with the names above, or `(dict, y, weights)`. `y`
            are the labels of a conditional model, else the decoder's targets.
        conditional: Whether the model takes labels. Otherwise labels in a dict are ignored.

    Raises:
        ValueError: There are no images, or labels, targets or weights are given twice.
    """
    images, y, weights = keras.utils.unpack_x_y_sample_weight(data)
    y, weights = known(y), known(weights)
    outer = Batch(None, y if conditional else None, None if conditional else y, weights)
    if isinstance(images, dict):
        inner = by_names(images, conditional)
    elif isinstance(images, tuple | list):
        inner = unpack(tuple(images), conditional)
    else:
        inner = Batch(images)
    if inner.images is None:
        raise ValueError("x is None: expected images")
    return Batch(inner.images, *(either(name, inner, outer) for name in ("labels", "targets", "weights")))


def either(name, inner, outer):
    """Returns a field of one of two batches; raises a ValueError if both have it."""
    values = [getattr(batch, name) for batch in (inner, outer) if getattr(batch, name) is not None]
    if len(values) > 1:
        raise ValueError(f"the {name} are given twice, in x and beside it: leave one of them out")
    return values[0] if values else None


def known(value):
    """Returns `value`, or None for the empty `tf.experimental.Optional` that replaces None in a stream of Keras."""
    is_optional = "tensorflow" in sys.modules and isinstance(value, tf.experimental.Optional)
    return None if is_optional else value


def by_names(entries, conditional):
    """Returns the dict `entries` as a `Batch`, by name. Images may have any name if no other entry has rank 4."""
    lower = {str(name).lower(): known(value) for name, value in entries.items()}

    def first(names):
        return next((lower[name] for name in names if lower.get(name) is not None), None)

    images = first(IMAGES)
    if images is None:
        of_rank = [value for value in lower.values() if value is not None and rank(value) == 4]
        if len(of_rank) != 1:
            raise ValueError(
                f"the batch has {', '.join(map(repr, entries)) or 'no entries'}: expected the images under 'image' (labels"
                " under 'label', weights under 'sample_weight')"
            )
        images = of_rank[0]
    labels, targets = (first(LABELS), None) if conditional else (None, first(TARGETS))
    if targets is not None and rank(targets) not in (4, None):
        targets = None  # labels under the name "target"
    return Batch(images, labels, targets, first(WEIGHTS))


def rank(value):
    """Returns the number of axes of a tensor or an array; None if it is unknown."""
    shape = np.shape(value) if isinstance(value, list | int | float) else value.shape
    return shape.rank if hasattr(shape, "rank") else len(shape)


def class_of(entries):
    """Returns the labels in a dict, which an unconditional model uses only for `class_weight`, or None."""
    lower = {str(name).lower(): value for name, value in entries.items()} if isinstance(entries, dict) else {}
    return next((lower[name] for name in LABELS if name in lower), None)


@dataclasses.dataclass(frozen=True)
class InputSpec:
    """The inputs that a model accepts.

    Attributes:
        image_shape: `(height, width, channels)`.
        num_classes: The number of labels; 0 if the model takes none.
        noisy: Whether images without targets may be noisy, as in a call of a model that removes noise.
        class_weight: The weight of each label's images, a dict, or None.
        inputs_alone: Whether targets and weights are ignored, as in `predict`.
    """

    image_shape: tuple
    num_classes: int = 0
    noisy: bool = False
    class_weight: dict | None = None
    inputs_alone: bool = False

    def bounds(self, batch):
        """Returns the `Bounds` of a batch's images, which may be noisy if there are targets."""
        return NOISY if batch.targets is not None else self.bounds_of_images

    @property
    def bounds_of_images(self):
        """The `Bounds` of images without targets."""
        return NOISY if self.noisy else CLEAN

    def unpack(self, data):
        """Returns `data` as a `Batch`, with the weights of its classes.

        Raises:
            ValueError: The model does not accept the layout, or a shape or type in it.
        """
        batch = unpack(data, bool(self.num_classes))
        if self.inputs_alone:
            batch = Batch(batch.images, batch.labels)
        check_image_type(batch.images, self.image_shape)
        if batch.targets is not None:
            check_image_type(batch.targets, self.image_shape)
        if batch.labels is not None:
            check_label_shape(batch.labels)
        if batch.weights is not None:
            check_weight_shape(batch.weights)
        return batch if self.class_weight is None else self.with_class_weights(batch, data)

    def with_class_weights(self, batch, data):
        """Returns `batch` with each label's weight."""
        entries = data[0] if isinstance(data, tuple) and data else data
        labels = class_of(entries) if batch.labels is None else batch.labels
        if labels is None:
            raise ValueError(
                "class_weight needs labels, and there are none (try sample_weight, one number per image)"
            )
        if batch.weights is not None:
            raise ValueError(
                "class_weight and sample_weight are both given: multiply them into sample_weight"
            )
        return dataclasses.replace(batch, weights=class_weights(labels, self.class_weight))

    def examine(self, data):
        """Checks the values of the arrays in `data` and returns them as a `Batch`.

        Raises:
            ValueError: Images are outside [0, 1] or not finite, labels are not classes, weights are negative, or there
                are no images.
        """
        batch = self.unpack(data)
        self.check_values(batch)
        return batch

    def check_values(self, batch, which=""):
        """Raises a ValueError if the model does not accept the values; messages begin with "the images" + `which`."""
        check_values(batch.images, self.bounds(batch), which)
        if batch.targets is not None:
            check_values(batch.targets, CLEAN, which)
        if batch.labels is not None and np.size(batch.labels):
            check_label_values(to_numpy(batch.labels), self.num_classes)
        if batch.weights is not None:
            check_weights(to_numpy(batch.weights), len(batch.images))


def check_class_weight(class_weight, num_classes):
    """Raises a ValueError unless `class_weight` is a dict from labels to numbers of at least 0.

    Args:
        class_weight: As in `fit`.
        num_classes: The number of labels; 0 if the model takes none, so that it is unknown.
    """
    wanted = "expected a dict from labels, whole numbers from 0, to numbers of at least 0"
    try:
        labels = [operator.index(label) for label in class_weight]
        weights = np.array([float(class_weight[label]) for label in class_weight])
    except (TypeError, ValueError, IndexError):
        raise ValueError(f"class_weight is {class_weight}: {wanted} (try {{0: 1.0, 1: 2.0}})") from None
    if not (np.isfinite(weights).all() and (weights >= 0).all() and min(labels, default=0) >= 0):
        raise ValueError(f"class_weight is {class_weight}: {wanted} (try {{0: 1.0, 1: 2.0}})")
    if num_classes and max(labels, default=0) >= num_classes:
        raise ValueError(
            f"class_weight has the label {max(labels)}: the model knows 0 to {num_classes - 1} (leave it out)"
        )


def class_weights(labels, class_weight):
    """Returns the weight of each label, float32 `[n]`; 1 for labels that are not in `class_weight`."""
    table = np.ones(max((int(label) for label in class_weight), default=0) + 2, "float32")
    for label, weight in class_weight.items():
        table[int(label)] = weight
    if not in_graph(labels):
        places = np.clip(to_numpy(labels).reshape(-1), -1, len(table) - 1).astype("int64")
        return table[places]  # the last entry is 1
    places = tf.clip_by_value(tf.cast(tf.reshape(labels, (-1,)), "int64"), 0, len(table) - 1)
    return tf.gather(tf.constant(table), places)


def in_graph(values):
    """Returns whether `values` is a tensor in a TensorFlow graph, which has no values yet."""
    return "tensorflow" in sys.modules and tf.is_tensor(values) and not tf.executing_eagerly()


def as_arrays(x):
    """Returns a list of numbers or of single images as an array, and anything else unchanged."""
    if not isinstance(x, list) or not x:
        return x
    single = hasattr(x[0], "shape") and len(x[0].shape) == 3
    nested = isinstance(x[0], list) and all(
        isinstance(value, int | float) for value in keras.tree.flatten(x[0])
    )
    return np.asarray(x) if single or nested else x


def to_numpy(values):
    """Returns any array or tensor as a NumPy array."""
    return values if isinstance(values, np.ndarray) else np.asarray(values)


def check_values(images, bounds, which=""):
    """Raises a ValueError if an array of images is empty, or has values outside the `bounds` or not finite."""
    images = to_numpy(images)
    if not images.size:
        raise ValueError(
            "a batch has no images: leave it out"
            if which
            else f"there are no images in an array of shape {list(images.shape)}: at least one is needed"
        )
    lowest, highest = float(images.min()), float(images.max())  # NaN if a value is
    finite = math.isfinite(lowest) and math.isfinite(highest)
    if not finite and not which:
        place = np.argwhere(~np.isfinite(images))[0].tolist()
        raise ValueError(
            f"the images contain NaN or infinity, first at {place}: remove or replace these values"
        )
    means = math.isfinite(bounds.least_mean) and not (
        bounds.least_mean <= images.mean(dtype="float64") <= bounds.most_mean
    )
    if not finite or lowest < bounds.low or highest > bounds.high or means:
        raise ValueError(f"the images{which} run from {outside(lowest, highest)}")


def outside(lowest, highest):
    """Returns the end of a message about images whose values are outside [0, 1]."""
    if not (math.isfinite(lowest) and math.isfinite(highest)):
        way = "remove or replace NaN and infinity"
    elif -1 - ROUNDING <= lowest < 0 and highest <= 1 + ROUNDING:
        way = "try (images + 1) / 2"
    elif lowest >= -ROUNDING and 2 < highest <= 65535:
        way = "try images / 255" if highest <= 255 else "try images / 65535, or divide by the largest value"
    elif lowest >= -0.5 and highest <= 1.5:
        way = "try np.clip(images, 0, 1)"
    else:
        way = "subtract the smallest value of the whole set and divide by its range"
    return f"{lowest:g} to {highest:g}: expected numbers from 0 to 1 ({way})"


def check_weight_shape(weights):
    """Raises a ValueError unless `weights` have one number per image, as far as their shape is known."""
    axes = rank(weights)
    shape = np.shape(weights) if axes is not None and not hasattr(weights.shape, "rank") else weights.shape
    if axes is not None and not (axes == 1 or (axes == 2 and shape[1] in (1, None))):
        sizes = ", ".join(
            "n" if place == 0 or size is None else str(size) for place, size in enumerate(shape)
        )
        raise ValueError(
            f"sample_weight has the shape [{sizes}]: expected one number per image, [n] (parts of an image cannot be"
            " weighted: fill them with a constant grey value instead)"
        )


def check_some_count(weights):
    """Raises a ValueError if all weights of the training images are 0; those of a batch may be."""
    if weights is not None and np.size(weights) and not np.any(to_numpy(weights)):
        raise ValueError("the weights of all images are 0: there is nothing to learn from")


def check_weights(weights, count):
    """Raises a ValueError unless `weights` is an array of `count` finite numbers of at least 0."""
    if weights.dtype.kind not in "biuf" or not (np.isfinite(weights).all() and (weights >= 0).all()):
        shown = f"{weights.min()} to {weights.max()}" if weights.dtype.kind in "iuf" else str(weights.dtype)
        raise ValueError(f"sample_weight is {shown}: expected finite numbers of at least 0")
    if weights.size != count:
        raise ValueError(
            f"sample_weight has the shape {list(weights.shape)}: expected one number per image, [{count}]"
        )
