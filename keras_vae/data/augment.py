"""Random augmentation of training images, reproducible bit for bit from the images and the seed."""

import difflib
import math

from keras_vae.errors import DatasetError
from keras_vae.runtime.lazy import tf

# Each geometric function returns float32 matrices [count, 3, 3] that map a point (x, y, 1) of the result to the point
# of the image that it is read from. Coordinates are in half sides from the centre, so they do not depend on the size;
# only the rotation needs the aspect ratio.


def flip(count, seed, aspect):
    """Mirrors left and right, in half of the images."""
    return _affine(count, x_scale=_sign(count, seed))


def flip_vertical(count, seed, aspect):
    """Mirrors top and bottom, in half of the images."""
    return _affine(count, y_scale=_sign(count, seed))


def crop(count, seed, aspect):
    """Shows a window of 80 to 100% of each side, anywhere in the image, at full size."""
    side = _uniform([count], seed, 0, 0.8, 1.0)
    room = 1.0 - side
    x = room * _uniform([count], seed, 1, -1.0, 1.0)
    y = room * _uniform([count], seed, 2, -1.0, 1.0)
    return _affine(count, x_scale=side, y_scale=side, x=x, y=y)


def rotate(count, seed, aspect):
    """Turns about the centre by up to 15 degrees either way."""
    angle = _uniform([count], seed, 0, -math.pi / 12, math.pi / 12)
    sine = tf.sin(angle)
    return _affine(
        count, x_scale=tf.cos(angle), y_scale=tf.cos(angle), x_from_y=-sine / aspect, y_from_x=sine * aspect
    )


def shift(count, seed, aspect):
    """Moves by up to 10% of each side."""
    return _affine(count, x=_uniform([count], seed, 0, -0.2, 0.2), y=_uniform([count], seed, 1, -0.2, 0.2))


def zoom(count, seed, aspect):
    """Scales about the centre by a factor of 0.8 to 1.25."""
    scale = tf.exp(_uniform([count], seed, 0, math.log(0.8), math.log(1.25)))
    return _affine(count, x_scale=scale, y_scale=scale)


# Each photometric function maps (images, seed) to images.


def brightness(images, seed):
    """Adds a constant of -0.1 to 0.1 to each image."""
    return images + _uniform([tf.shape(images)[0], 1, 1, 1], seed, 0, -0.1, 0.1)


def contrast(images, seed):
    """Multiplies the distance from the image's mean by 0.8 to 1.25."""
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    factor = tf.exp(_uniform([tf.shape(images)[0], 1, 1, 1], seed, 0, math.log(0.8), math.log(1.25)))
    return mean + (images - mean) * factor


def noise(images, seed):
    """Adds Gaussian noise of standard deviation 0.05 to each value."""
    return images + tf.random.stateless_normal(tf.shape(images), seed, stddev=0.05, alg="philox")


GEOMETRIC = {
    "flip": flip,
    "flip_vertical": flip_vertical,
    "crop": crop,
    "rotate": rotate,
    "shift": shift,
    "zoom": zoom,
}
PHOTOMETRIC = {"brightness": brightness, "contrast": contrast, "noise": noise}
AUGMENTATIONS = {**GEOMETRIC, **PHOTOMETRIC}


def check_augmentations(names):
    """Returns `names`, a sequence or comma-separated text, as a tuple; raises `DatasetError` for unknown names."""
    names = tuple(names.split(",")) if isinstance(names, str) else tuple(names or ())
    names = tuple(stripped for name in names if (stripped := name.strip()))
    for name in names:
        if name not in AUGMENTATIONS:
            close = difflib.get_close_matches(name, AUGMENTATIONS, 1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise DatasetError(f"augment: {name!r} is unknown{hint}: choose from {', '.join(AUGMENTATIONS)}")
    return names


def augment_batch(images, names, seed):
    """Returns augmented images in [0, 1].

    Geometric changes come first, combined in one interpolation, so images are blurred at most once. The area outside an
    image is filled with its reflection. Photometric changes follow in the order of `names`.

    Args:
      images: float32 `[batch, height, width, channels]` in [0, 1].
      names: Names from `AUGMENTATIONS`.
      seed: int64 `[2]`; every image and every name draws its own numbers from it.
    """
    seeds = {
        name: tf.random.experimental.stateless_fold_in(seed, place)
        for place, name in enumerate(AUGMENTATIONS)
    }
    geometric = [name for name in names if name in GEOMETRIC]
    if geometric:
        images = _move(images, geometric, seeds)
    for name in names:
        if name in PHOTOMETRIC:
            images = PHOTOMETRIC[name](images, seeds[name])
    return tf.clip_by_value(images, 0.0, 1.0)


def _move(images, names, seeds):
    """Resamples `[batch, height, width, channels]` once, by the product of the matrices of `names`."""
    count = tf.shape(images)[0]
    height, width = images.shape[1], images.shape[2]
    matrix = tf.eye(3, batch_shape=[count])
    for name in names:
        matrix = GEOMETRIC[name](count, seeds[name], width / height) @ matrix
    to_pixels = tf.constant(
        [[width / 2, 0, (width - 1) / 2], [0, height / 2, (height - 1) / 2], [0, 0, 1]], tf.float32
    )
    matrix = to_pixels @ matrix @ tf.linalg.inv(to_pixels)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.reshape(matrix, [-1, 9])[:, :8],
        output_shape=tf.constant([height, width]),
        interpolation="BILINEAR",
        fill_mode="REFLECT",
        fill_value=0.0,
    )
    return tf.ensure_shape(moved, images.shape)


def _affine(count, x_scale=1.0, y_scale=1.0, x_from_y=0.0, y_from_x=0.0, x=0.0, y=0.0):
    """Returns `[count, 3, 3]`; each argument is a number or `[count]`."""
    rows = [x_scale, x_from_y, x, y_from_x, y_scale, y, 0.0, 0.0, 1.0]
    columns = [tf.broadcast_to(tf.cast(value, tf.float32), [count]) for value in rows]
    return tf.reshape(tf.stack(columns, axis=-1), [-1, 3, 3])


def _uniform(shape, seed, draw, low, high):
    seed = tf.random.experimental.stateless_fold_in(seed, draw)
    return tf.random.stateless_uniform(shape, seed, low, high, alg="philox")


def _sign(count, seed):
    return tf.sign(_uniform([count], seed, 0, -1.0, 1.0) + 1e-12)
