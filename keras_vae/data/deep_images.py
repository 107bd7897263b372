"""Image files with more than 8 bits per value: 16-bit PNG, and TIFF of 16 or 32 bits or floats."""

import numpy as np

from keras_vae.data.resize import LUMA
from keras_vae.errors import UnreadableImageError
from keras_vae.runtime.lazy import tf

BITS_PER_SAMPLE = 258  # TIFF's tag
PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_BIT_DEPTH = 24  # offset of the byte in a PNG file


def is_deep(image, contents):
    """Returns whether a Pillow image, opened from `contents`, has more than 8 bits per value.

    Raises:
      UnreadableImageError: Pillow would cut off the extra bits, or the file has several pages.
    """
    if image.format == "TIFF" and getattr(image, "n_frames", 1) > 1:
        raise UnreadableImageError(f"it has {image.n_frames} pages: save each page as its own file")
    if image.mode[0] in "IF":
        return True
    if image.format == "TIFF" and max(image.tag_v2.get(BITS_PER_SAMPLE, (8,))) > 8:
        raise UnreadableImageError(
            "it is a TIFF of more than 8 bits and several channels: save it as a 16-bit PNG"
        )
    return _is_16_bit_png(contents)


def decode_deep(contents, channels, opened):
    """Returns an upright image, float32 `[h, w, channels]` in the units of the file.

    A PNG's alpha is composited on white, 65,535.

    Args:
      contents: Bytes of the file.
      channels: 1, 3 or 4.
      opened: Context manager that opens `contents` with Pillow.

    Raises:
      UnreadableImageError: The file cannot be decoded, or contains NaN or infinity.
    """
    from PIL import ImageOps

    if _is_16_bit_png(contents):
        values = _png_values(contents)
    else:
        with opened(contents) as image:
            image.load()
            values = np.asarray(ImageOps.exif_transpose(image)).astype(np.float32)[..., None]
    if not np.isfinite(values).all():
        raise UnreadableImageError("it contains NaN or infinity")
    return _in_channels(values, channels)


def _is_16_bit_png(contents):
    return contents[: len(PNG_START)] == PNG_START and contents[PNG_BIT_DEPTH] == 16


def _png_values(contents):
    """Returns float32 `[h, w, 1 or 3]` of a 16-bit PNG, alpha composited on white. (Pillow cuts colours to 8 bits.)"""
    try:
        values = tf.io.decode_png(contents, channels=0, dtype=tf.uint16).numpy().astype(np.float32)
    except tf.errors.InvalidArgumentError as error:
        raise UnreadableImageError("the PNG cannot be decoded") from error
    if values.shape[-1] in (2, 4):
        alpha = values[..., -1:] / 65535
        values = values[..., :-1] * alpha + 65535 * (1 - alpha)
    return values


def _in_channels(values, channels):
    """Returns `[h, w, channels]` of `[h, w, 1 or 3]`; a fourth channel, alpha, is the highest value."""
    if values.shape[-1] == 3 and channels == 1:
        return values @ np.array(LUMA, np.float32)[:, None]
    if values.shape[-1] == 1 and channels >= 3:
        values = np.repeat(values, 3, axis=-1)
    if channels == 4:
        values = np.concatenate([values, np.full_like(values[..., :1], values.max())], axis=-1)
    return np.ascontiguousarray(values)
