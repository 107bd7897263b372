"""Converts images of any size and number of channels to the requested ones."""

import numpy as np

from keras_vae.runtime.lazy import tf

# ITU-R 601 luma, as in JPEG, Pillow and tf.image.rgb_to_grayscale.
LUMA = (0.299, 0.587, 0.114)
CHUNK = 512


def cover(images, size):
    """Returns float32 `[n, *size, c]`: each image scaled to cover `size`, then cropped centrally.

    The aspect ratio is kept. Shrinking is antialiased. The scale of the values does not change.

    Args:
      images: `[n, h, w, c]`, of any numeric type.
      size: (height, width) in pixels.
    """
    shape = tf.cast(tf.shape(images)[1:3], tf.float32)
    target = tf.constant(size, tf.float32)
    scale = tf.reduce_max(target / shape)
    return tf.raw_ops.ScaleAndTranslate(
        images=images,
        size=tf.constant(size, tf.int32),
        scale=tf.stack([scale, scale]),
        translation=(target - scale * shape) / 2,
        kernel_type="triangle",
        antialias=True,
    )


def with_channels(images, channels):
    """Converts images of 1 to 4 channels to a NumPy array `[..., channels]` (1 grey, 3 colour, 4 with alpha).

    Alpha is removed by compositing on white; two channels are grey and alpha.

    Args:
      images: uint8, or float32 in [0, 1], `[..., 1 to 4]`.
      channels: 1, 3 or 4.
    """
    if images.shape[-1] == channels:
        return images
    white = 255 if images.dtype == np.uint8 else 1
    values = images.astype(np.float32)
    if values.shape[-1] in (2, 4):
        alpha = values[..., -1:] / white
        values = values[..., :-1] * alpha + white * (1 - alpha)
    if values.shape[-1] == 1 and channels >= 3:
        values = np.repeat(values, 3, axis=-1)
    if values.shape[-1] == 3 and channels == 1:
        values = values @ np.array(LUMA, np.float32)[:, None]
    if channels == 4:
        values = np.concatenate([values, np.full_like(values[..., :1], white)], axis=-1)
    return as_type(values, images.dtype)


def as_type(values, dtype):
    """Returns float `values` as `dtype`, rounded and clipped for uint8."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8) if dtype == np.uint8 else values.astype(dtype)


def fit(images, size=None, channels=None):
    """Returns `images` resized to `size` and converted to `channels`, in their own type; None changes nothing.

    Args:
      images: uint8, or float32 in [0, 1], `[n, h, w, c]`.
      size: (height, width) in pixels, or None.
      channels: 1, 3, 4, or None.
    """
    size = tuple(size or images.shape[1:3])
    channels = channels or images.shape[-1]
    if (*size, channels) == images.shape[1:]:
        return images
    fitted = np.empty((len(images), *size, channels), images.dtype)
    for start in range(0, len(images), CHUNK):
        part = with_channels(images[start : start + CHUNK], channels)
        if part.shape[1:3] != size:
            with tf.device("CPU:0"):
                part = as_type(cover(part, size).numpy(), images.dtype)
        fitted[start : start + CHUNK] = part
    return fitted
