"""Converts the labels of a file to the numbers 0 to k - 1 that a model is trained with."""

import numpy as np

from keras_vae.errors import DatasetError

MOST_CLASSES = 100_000  # more distinct labels are identifiers, not classes


def number_classes(labels, where):
    """Converts labels of any kind; returns (int64 `[n]` from 0 to k - 1, class names or None).

    Every class has at least one image. Names are returned if the numbers differ from the labels: `("3", "7")` for the
    labels 3 and 7. Classes are in the order of their values, or in alphabetical order.

    Args:
      labels: `[n]` or `[n, 1]` of whole numbers of any type, bool or text; or one-hot rows, `[n, classes]`.
      where: Name of the source for error messages.

    Raises:
      DatasetError: The labels are not classes.
    """
    values = _one_value_each(np.asarray(labels), where)
    if values.dtype.kind in "US":
        values = values.astype(str)
    elif values.dtype.kind != "b":
        values = _whole(values, where)
    classes, numbers = np.unique(values, return_inverse=True)
    if len(classes) > MOST_CLASSES:
        raise DatasetError(
            f"{where}: there are {len(classes):,} different labels: at most {MOST_CLASSES:,} classes are expected"
            " (leave the labels out if they are identifiers)"
        )
    numbers = numbers.reshape(-1).astype(np.int64)
    if values.dtype.kind in "iu" and np.array_equal(classes, np.arange(len(classes))):
        return numbers, None
    return numbers, tuple(str(name) for name in classes)


def _one_value_each(labels, where):
    """Returns `[n]` labels from `[n]`, `[n, 1]` or one-hot rows."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 1:
        return labels
    if labels.ndim == 2 and labels.dtype.kind in "biuf" and _is_one_hot(labels):
        return labels.argmax(axis=1)
    raise DatasetError(
        f"{where}: the labels have the shape {list(labels.shape)}: expected one whole number or name per image, or"
        " one-hot rows"
    )


def _is_one_hot(rows):
    return bool(((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) == 1).all())


def _whole(values, where):
    """Returns `values` as int64; rejects fractions, NaN and markers of missing labels."""
    if values.dtype.kind not in "iuf" or not np.all(np.isfinite(values) & (values == np.floor(values))):
        raise DatasetError(
            f"{where}: some labels ({values.dtype}) are not whole numbers: expected whole numbers or names, one per"
            " image"
        )
    # -1 and 1 are two classes; -1 beside 0 marks images without a label.
    if values.size and values.min() < 0 and (values == 0).any():
        raise DatasetError(
            f"{where}: the labels run from {values.min():g} to {values.max():g}: a negative number beside 0 usually"
            " marks a missing label (leave those images or all labels out, or give names)"
        )
    return values.astype(np.int64)


def in_order_of(classes, names, labels):
    """Returns `labels` renumbered by the positions of their names in `classes`.

    Args:
      classes: Class names in the model's order.
      names: Names of the labels 0, 1, ... in this set; `classes` contains all of them.
      labels: int64 `[n]`.
    """
    place = {name: number for number, name in enumerate(classes)}
    return np.array([place[name] for name in names], np.int64)[labels]


def names_of(label_names, count):
    """Returns the names of `count` classes, or their numbers if they have no names."""
    return tuple(label_names) if label_names is not None else tuple(str(number) for number in range(count))


def describe_classes(names, most=10):
    """Returns a note on the names of the classes 0, 1, ..."""
    rest = f" and {len(names) - most} more" if names[most:] else ""
    return f"{len(names)} classes, numbered from 0: {', '.join(names[:most])}{rest}"
