"""What a model takes: images and labels, looked at before they are learned from."""

import contextlib
import math
import re
import sys

import numpy as np

from keras_vae.lazy import keras, ops, tf

ROUNDING = 1e-3  # so far from 0 and 1 values lie that were resized, or in float16
OUTSIDE = "the images of a batch run from"
EMPTY = "a batch holds no images: leave it out"


def as_images(values, image_shape):
    """Returns `values` as float32; raises a ValueError where they are no images, or bytes from 0 to 255.

    What has another shape would be broadcast: `fit(images, labels)` would learn grey levels of the labels.
    """
    given = tuple(values.shape[1:])
    if len(given) != 3 or any(size not in (None, expected) for size, expected in zip(given, image_shape)):
        raise ValueError(
            f"the images are {show_batch(given)}: the model takes {show_batch(image_shape)}, alone or in pairs (labels go"
            " with a conditional objective)"
        )
    if keras.backend.standardize_dtype(values.dtype) == "uint8":
        raise ValueError("the images are uint8: expected floats in [0, 1] (divide by 255)")
    return ops.cast(values, "float32")


def show_batch(shape):
    """Returns `(28, 28, 1)` as `[batch, 28, 28, 1]`."""
    return f"[{', '.join(map(str, ('batch', *shape)))}]"


def as_labels(labels, num_classes, count):
    """Returns `labels` of `count` values, None where that is not known yet, as int32 `[count]`, or `[1]` of one for all.

    Raises:
        ValueError: They are not a whole number each, or others than 0 to `num_classes` - 1. (Within a graph, where
            nothing can be read, such a label is no class.)
    """
    if isinstance(labels, int | list | tuple | np.ndarray | np.generic) and np.size(labels):
        if not np.all(np.equal(np.mod(labels, 1), 0)):  # nor NaN and infinity
            raise ValueError("some labels are no whole numbers: expected one for each image")
        lowest, highest = np.min(labels), np.max(labels)
        if lowest < 0 or highest >= num_classes:
            raise ValueError(f"the labels are {lowest} to {highest}: expected 0 to {num_classes - 1}")
    labels = ops.convert_to_tensor(labels)
    # A graph that was traced for both `[batch]` and `[batch, 1]` knows no rank.
    given = (None,) if getattr(labels.shape, "rank", 0) is None else tuple(labels.shape)
    number = given[0] if given else 1
    if given[1:] not in ((), (1,)) or (number != 1 and None not in (number, count) and number != count):
        raise ValueError(
            f"the labels are {list(given)}: expected a whole number each, [{'batch' if count is None else count}]"
        )
    return ops.cast(ops.reshape(labels, (-1,)), "int32")


def looked_at(x, y=None, num_classes=0):
    """Returns what `fit` is given, `x` and `y`, looked at: none of its steps can.

    Arrays are read once. Of a `tf.data.Dataset` each batch is, as it comes; of other streams nothing.

    Args:
        x: Images, or a dataset of them, alone or with what belongs to them.
        y: None, the images that the decoder is to give, or, where there are classes, labels.
        num_classes: Of a conditional model, else 0.

    Raises:
        ValueError: There are none, or NaN, infinity or values beyond 0 and 1 among them; or labels that are no class.
            (Images that come with others for the decoder may be noisy, and lie anywhere.)
    """
    if "tensorflow" in sys.modules and isinstance(x, tf.data.Dataset):
        if x.cardinality() == 0:
            raise ValueError("there are no images in the dataset: at least one is needed")
        # In parallel, so that no step waits for it.
        return x.map(lambda *batch: look_at_batch(batch, num_classes), tf.data.AUTOTUNE), y
    if y is None or num_classes:
        look_at_images(x)
    else:
        look_at_images(x, -np.inf, np.inf)
        look_at_images(y)
    if num_classes and isinstance(y, list | np.ndarray):
        as_labels(y, num_classes, None)
    return x, y


def is_stream(x):
    """Returns whether `x` gives batches in an order of its own, as `tf.data` and generators do."""
    if hasattr(x, "shape") or isinstance(x, list | tuple | dict | keras.utils.PyDataset):
        return False
    return hasattr(x, "__iter__")


def look_at_images(images, low=-ROUNDING, high=1 + ROUNDING):
    """Raises a ValueError where an array of `images` holds none, or what is not within `low` and `high` and finite."""
    if not (isinstance(images, np.ndarray) or ops.is_tensor(images)):
        return
    images = np.asarray(images)
    if not images.size:
        raise ValueError(f"there are no images in {list(images.shape)}: at least one is needed")
    if images.ndim != 4 or images.dtype == np.uint8:  # `as_images` says so
        return
    lowest, highest = float(images.min()), float(images.max())  # NaN where one is
    if not (math.isfinite(lowest) and math.isfinite(highest)):
        place = np.argwhere(~np.isfinite(images))[0].tolist()
        raise ValueError(f"the images hold NaN or infinity, first at {place}: remove or replace them")
    if lowest < low or highest > high:
        raise ValueError(f"the images run from {outside(lowest, highest)}")


def outside(lowest, highest):
    """Returns the end of a sentence on images whose values are not within 0 and 1."""
    if not (math.isfinite(lowest) and math.isfinite(highest)):
        way = "remove or replace what is none"
    else:
        way = "try (images + 1) / 2" if -1 <= lowest < 0 and highest <= 1 else "try images / 255"
    return f"{lowest:g} to {highest:g}: expected numbers from 0 to 1 ({way})"


def look_at_batch(batch, num_classes):
    """Returns a batch of a `tf.data.Dataset`, looked at as it is read: `refusing` says what was found."""
    whole = batch if len(batch) > 1 else batch[0]
    images, targets, _ = keras.utils.unpack_x_y_sample_weight(whole)
    shown = images if targets is None or num_classes else targets
    if not tf.is_tensor(shown) or shown.dtype == tf.uint8:  # `as_images` has a word for bytes
        return whole
    values = tf.cast(shown, "float32")
    lowest, highest = tf.reduce_min(values), tf.reduce_max(values)
    fits = (lowest >= -ROUNDING) & (highest <= 1 + ROUNDING)  # which NaN does not
    is_empty = tf.equal(tf.size(values), 0)
    checks = [tf.debugging.Assert(fits | is_empty, [OUTSIDE, lowest, highest])]
    checks.append(tf.debugging.Assert(~is_empty, [EMPTY]))
    with tf.control_dependencies(checks):
        return tf.nest.map_structure(tf.identity, whole)


@contextlib.contextmanager
def refusing():
    """Turns what `look_at_batch` finds into a ValueError."""
    try:
        yield
    except Exception as error:
        found = re.search(rf"{EMPTY}|({OUTSIDE})\] \[(\S+)\] \[(\S+)\]", str(error))
        if found is None:
            raise
        text = EMPTY if found[1] is None else f"{OUTSIDE} {outside(float(found[2]), float(found[3]))}"
        raise ValueError(text) from error
