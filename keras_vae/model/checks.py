"""Checks of a model's arguments: the shape of its images, and the classes of a conditional model."""

import warnings

from keras_vae.model.posteriors import whole

USUAL_CHANNELS = (1, 2, 3, 4)  # grey or colour, with or without alpha


def check_classes(num_classes, conditional):
    """Returns the number of labels that the networks take as input; 0 if the model is not conditional."""
    if not conditional:
        return 0
    if num_classes is None or num_classes < 2:
        raise ValueError(
            f"num_classes is {num_classes}: a conditional objective needs two classes or more (use a dataset with labels)"
        )
    return num_classes


def check_label_names(names, num_classes):
    """Returns the class names as a tuple, () without names; raises a ValueError if their number is wrong."""
    names = tuple(names) if names and num_classes else ()
    if names and len(names) != num_classes:
        raise ValueError(f"label_names has {len(names)} names: expected {num_classes}, one for each class")
    return names


def widened(shape, channels):
    """Returns `shape` with `channels` additional channels."""
    return (*shape[:-1], shape[-1] + channels)


def check_image_shape(shape):
    """Returns `shape` as a tuple of three positive integers.

    Warns:
        UserWarning: The channels seem to come first.
    """
    wanted = "expected (height, width, channels), such as (28, 28, 1)"
    try:
        sizes = whole(tuple(shape), "image_shape")
    except (TypeError, ValueError):  # a TypeError for a single number
        raise ValueError(f"image_shape is {shape!r}: {wanted}") from None
    if len(sizes) != 3 or min(sizes) < 1:
        raise ValueError(f"image_shape is {sizes}: {wanted}")
    if sizes[0] in USUAL_CHANNELS and min(sizes[1:]) > max(USUAL_CHANNELS):
        height, width, channels = sizes
        warnings.warn(
            f"image_shape is {sizes}, {channels} channels of {height}x{width} pixels: if the channels come first, move them"
            f" to the end, image_shape {(width, channels, height)} and np.moveaxis(images, 1, -1)",
            stacklevel=3,
        )
    return sizes
