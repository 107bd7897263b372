"""Image files: checks single files, and reads and decodes many in parallel during training.

TensorFlow's decoders are fast, and decode the most common files: JPEG and PNG, grey or colour, 8 bits. Everything else
(GIF, BMP, WebP, TIFF, alpha, palettes, CMYK, EXIF orientation) goes through Pillow, because TensorFlow's decoders get
it wrong: they return palette indices instead of colours, and show pixels that alpha hides. Files with more than 8 bits
per value (`deep_images.py`) are decoded as float32 in the file's own units and scaled by the range of the dataset.
"""

import contextlib
import functools
import io
import os
import stat
import threading
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from keras_vae.data import rules
from keras_vae.data.deep_images import decode_deep, is_deep
from keras_vae.data.resize import as_type, cover, with_channels
from keras_vae.data.stores import as_float
from keras_vae.errors import DatasetError, UnreadableImageError
from keras_vae.runtime.lazy import tf

FIRST_EXTENSIONS = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")
EXTENSIONS = (*FIRST_EXTENSIONS, ".tif", ".tiff")
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")
LARGEST = 178_956_970  # pixels; Pillow's limit against decompression bombs
WITH_PILLOW, AS_PNG, AS_JPEG = 0, 1, 2  # AS_JPEG + k shrinks by 2**k while decoding
SHRINKINGS = (1, 2, 4, 8)
DEEP = AS_JPEG + len(SHRINKINGS)
EXIF_ORIENTATION = 0x0112
SIDEWAYS = 5  # from this orientation on, height and width are swapped
HELD_AT_ONCE = 2**23  # bytes of files that TensorFlow decodes in one call


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file that has been decoded once.

    Attributes:
      path: Path as the operating system stores it.
      size: Size in bytes.
      decoder: How to decode the file.
      fits: Whether the decoder returns the image at the requested size.
      digest: TensorFlow's 64-bit fingerprint of the file's bytes.
      shape: (height, width) in pixels, before scaling.
      low: The lowest value, in the file's own units (0 to 255 for 8 bits).
      high: The highest value.
      grey: Whether the file has grey values instead of colours.
    """

    path: bytes
    size: int
    decoder: int
    fits: bool
    digest: int
    shape: tuple
    low: float
    high: float
    grey: bool

    @property
    def deep(self):
        """Whether the file has more than 8 bits per value."""
        return self.decoder == DEEP


@dataclass(frozen=True)
class Listing:
    """Facts about some files of a folder; those with images are in the order of their names.

    Attributes:
      names: Paths of the files with images, relative to the folder.
      sizes: Sizes of these files in bytes.
      digests, lows, highs, deep, grey: As in `CheckedFile`, one per file with an image.
      shapes: The distinct (height, width) of these files.
      skipped: "name: reason" of each other file.
      store: The store that reads the images in that order; None without images.
    """

    names: list
    sizes: list
    digests: list
    skipped: list
    store: Any
    lows: list = field(default_factory=list)
    highs: list = field(default_factory=list)
    deep: list = field(default_factory=list)
    grey: list = field(default_factory=list)
    shapes: list = field(default_factory=list)


def is_image_name(name, version=rules.NEWEST):
    """Whether a file of this name is expected to be an image; hidden files are not."""
    extensions = FIRST_EXTENSIONS if version == rules.FIRST else EXTENSIONS
    return name.lower().endswith(extensions) and not os.path.basename(name).startswith(".")


def header_facts(path):
    """Returns the upright (height, width) from a file's header and whether the image is grey; None if unreadable."""
    from PIL import Image

    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        with Image.open(path, formats=FORMATS) as image:
            return upright_size(image), is_grey(image)
    except Exception:  # Pillow's readers raise nearly anything; `check_files` reports the reason
        return None


def check_files(paths, size, channels, version=rules.NEWEST):
    """Returns each path's `CheckedFile`, or the `UnreadableImageError` that says why it cannot be read.

    Reads and decodes each file as training will. Pillow comes first because its errors say what is wrong; TensorFlow's
    decoders log to standard error.

    Args:
      paths: `bytes` or `str`.
      size: The requested (height, width).
      channels: 1, 3 or 4.
      version: Version of the data rules; version 1 reads all files with 8 bits per value.
    """
    checked, group, held = [], [], 0
    for path in paths:
        try:
            group.append(_look_at(path, size, channels, version))
            held += len(group[-1].contents)
        except UnreadableImageError as error:
            group.append(error)
        if held > HELD_AT_ONCE:
            checked += _with_errors(group, size, channels)
            group, held = [], 0
    return checked + _with_errors(group, size, channels)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A file decoded by Pillow: its contents, its decoder, and (height, width) according to Pillow.

    `whole` is the (height, width) of the file itself, `low` and `high` are its extremes.
    """

    path: bytes
    contents: bytes
    decoder: int
    shape: tuple
    whole: tuple
    low: float
    high: float
    grey: bool


def _look_at(path, size, channels, version):
    """Returns the `_Seen` of a file, or raises an `UnreadableImageError`."""
    contents = _read(path)
    with _opened(contents) as image:
        whole, grey = upright_size(image), is_grey(image)
        decoder = _choose_decoder(image, size, channels)
        if version != rules.FIRST and is_deep(image, contents):
            decoder, pixels = DEEP, decode_deep(contents, channels, _opened)
            low, high = float(pixels.min()), float(pixels.max())
        else:
            pixels = _decoded(image, size, channels)
            low, high = int(pixels.min()), int(pixels.max())
    return _Seen(os.fsencode(path), contents, decoder, pixels.shape[:2], whole, low, high, grey)


def upright_size(image):
    """Returns the (height, width) of a Pillow image after its EXIF orientation is applied."""
    turned = "exif" in image.info and image.getexif().get(EXIF_ORIENTATION, 1) >= SIDEWAYS
    return (image.width, image.height) if turned else (image.height, image.width)


def is_grey(image):
    """Returns whether a Pillow image is grey, of any depth, with or without alpha; palettes count as colours."""
    return image.mode in ("1", "L", "LA", "La") or image.mode[0] in "IF"


def _with_errors(group, size, channels):
    """Returns `group`, of `_Seen`s and errors, with each `_Seen` replaced by its `CheckedFile`."""
    seen = [one for one in group if isinstance(one, _Seen)]
    checked = iter(_checked(seen, size, channels) if seen else ())
    return [next(checked) if isinstance(one, _Seen) else one for one in group]


def _checked(seen, size, channels):
    """Returns the `CheckedFile`s of `seen`; files that TensorFlow cannot decode are left to Pillow."""
    columns = [[getattr(one, name) for one in seen] for name in ("contents", "decoder", "shape")]
    try:
        digests, shapes = (found.numpy() for found in _shapes_of(columns, tuple(size), channels))
    except tf.errors.InvalidArgumentError:
        if len(seen) > 1:
            return [checked for one in seen for checked in _checked([one], size, channels)]
        if seen[0].decoder in (WITH_PILLOW, DEEP):
            raise
        return _checked([replace(seen[0], decoder=WITH_PILLOW)], size, channels)
    fits = (shapes == np.asarray(size)).all(axis=1)
    return [
        CheckedFile(
            one.path,
            len(one.contents),
            one.decoder,
            bool(fit),
            int(digest),
            _shared(one.whole),
            one.low,
            one.high,
            one.grey,
        )
        for one, fit, digest in zip(seen, fits, digests)
    ]


@functools.lru_cache(maxsize=4096)
def _shared(shape):
    """Returns the same object for equal shapes: a folder may have millions of images."""
    return shape


def _shapes_of(columns, size, channels):
    """Returns the digests and the decoders' shapes of files, from contents, decoders and Pillow's shapes.

    Threads that come together wait for the first: TensorFlow would count each as another tracing and warn.
    """
    with _tracing:
        decode = _decode_to_shapes(size, channels)
    with tf.device("CPU:0"):
        return decode(*map(tf.constant, columns, (tf.string, tf.int32, tf.int32)))


_tracing = threading.Lock()


@functools.cache
def _decode_to_shapes(size, channels):
    """Returns the graph from contents, decoders and Pillow's shapes to digests and the decoders' shapes."""

    def decode(contents, decoder, shape):
        decoders = _decoders(contents, size, channels)
        branches = [lambda one=one: tf.shape(one())[:2] for one in decoders]
        branches[WITH_PILLOW] = branches[DEEP] = lambda: shape
        return tf.switch_case(decoder, branches)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None, 2], tf.int32),
        ]
    )
    def shapes_of(*columns):
        with tf.device("CPU:0"):
            signature = tf.TensorSpec([2], tf.int32)
            shapes = tf.map_fn(lambda row: decode(*row), columns, fn_output_signature=signature)
            return _digest(columns[0]), shapes

    return shapes_of.get_concrete_function()


class FileImages:
    """Images in files, read and decoded on demand; only paths are kept in memory. See `stores.py`.

    Args:
      files: `CheckedFile`s.
      size: (height, width); images are scaled to cover it and cropped at the centre.
      channels: 1, 3 or 4.
      ranges: None if all files have 8 bits per value, 0 to 255; else float32 `[n, 2]`, the values of each file that
        become 0 and 1.
    """

    def __init__(self, files, size, channels, ranges=None):
        self.image_shape = (*size, channels)
        self._files = files
        self._ranges = ranges
        self._columns = None
        # Only the decoders in use become branches: if all files are alike, the stream is twice as fast.
        self._decoders = sorted({file.decoder for file in files})
        self._all_fit = all(file.fits for file in files)

    def scaled(self, ranges):
        """Returns the same images, scaled by `ranges`, `[n, 2]`."""
        return FileImages(self._files, self.image_shape[:2], self.image_shape[2], ranges)

    def stored(self, indices):
        """Returns the images at `indices` as a cache stores them: uint8, or float32 in a deep file's units."""
        units = np.tile(np.array([[0, 1]], np.float32), (len(self._files), 1))
        images = self.scaled(units).in_units(indices)
        deep = [self._files[index].deep for index in indices]
        return [image if one else image.astype(np.uint8) for image, one in zip(images, deep)]

    def prepare(self):
        """Creates the tensors that `read_batch` captures; called outside its graph."""
        if self._columns is None:
            with tf.device("CPU:0"):
                self._columns = (
                    tf.constant([file.path for file in self._files], tf.string),
                    tf.constant([self._decoders.index(file.decoder) for file in self._files], tf.int32),
                    tf.constant([file.digest for file in self._files], tf.int64),
                )
                self._range_columns = None if self._ranges is None else tf.constant(self._ranges, tf.float32)
        return self._columns

    def read(self, indices):
        """Returns the images at `indices`."""
        return self._read_with(self.read_batch, indices)

    def in_units(self, indices):
        """Returns the images at `indices`, before they are scaled by their ranges."""
        return self._read_with(self._decode_batch, indices)

    def _read_with(self, decode, indices):
        if not len(indices):
            return np.zeros((0, *self.image_shape), np.float32)
        self.prepare()
        batches = tf.data.Dataset.from_tensor_slices(np.asarray(indices, np.int64)).batch(64)
        batches = batches.map(decode, num_parallel_calls=tf.data.AUTOTUNE)
        try:
            return np.concatenate(list(batches.as_numpy_iterator()))
        except tf.errors.OpError as error:
            raise DatasetError(
                f"a file that could be read before cannot be read now: {error.message}"
            ) from error

    def read_batch(self, indices):
        """Returns the images at `indices`; the files of several batches are decoded at the same time."""
        images = self._decode_batch(indices)
        if self._ranges is None:
            return as_float(images)
        low, high = (tf.gather(self._range_columns, indices)[:, end, None, None, None] for end in (0, 1))
        return tf.clip_by_value((images - low) / (high - low), 0.0, 1.0)

    def _decode_batch(self, indices):
        """Returns the images at `indices` as uint8; with ranges, as float32 in the units of the files."""
        columns = tuple(tf.gather(column, indices) for column in self._columns)
        dtype = tf.uint8 if self._ranges is None else tf.float32
        return tf.map_fn(
            lambda file: self._decode(*file),
            columns,
            fn_output_signature=tf.TensorSpec(self.image_shape, dtype),
        )

    def _decode(self, path, decoder, digest):
        """Returns one image, `[height, width, channels]`, of the same type as in `_decode_batch`."""
        contents = tf.io.read_file(path)
        unchanged = tf.debugging.Assert(
            tf.equal(_digest(contents), digest),
            ["An image file was changed or cut short after it had been checked (start again):", path],
        )
        *size, channels = self.image_shape
        with tf.control_dependencies([unchanged]):
            contents = tf.identity(contents)
        branches = _decoders(contents, size, channels)
        branches = [branches[used] for used in self._decoders]
        if self._ranges is None:
            image = branches[0]() if len(branches) == 1 else tf.switch_case(decoder, branches)
            return tf.ensure_shape(image if self._all_fit else _fitted(image, size), self.image_shape)
        branches = [lambda branch=branch: _fitted_float(branch(), size) for branch in branches]
        image = branches[0]() if len(branches) == 1 else tf.switch_case(decoder, branches)
        return tf.ensure_shape(image, self.image_shape)


def _fitted(image, size):
    """Returns a uint8 tensor `[h, w, c]` at `size`."""

    def resized():
        return tf.cast(tf.clip_by_value(tf.round(cover(image[None], size)[0]), 0.0, 255.0), tf.uint8)

    fits = tf.reduce_all(tf.equal(tf.shape(image)[:2], size))
    return tf.cond(fits, lambda: image, resized)


def _fitted_float(image, size):
    """Returns a tensor `[h, w, c]` at `size` as float32; bytes stay whole numbers."""
    if image.dtype == tf.uint8:
        return tf.cast(_fitted(image, size), tf.float32)
    fits = tf.reduce_all(tf.equal(tf.shape(image)[:2], size))
    return tf.cond(fits, lambda: image, lambda: cover(image[None], size)[0])


def decode_with_pillow(contents, size, channels):
    """Returns uint8 `[h, w, channels]`: the first frame, upright, composited on white unless alpha is requested.

    A large JPEG is decoded at a fraction of its size that still covers `size` in either orientation.
    """
    with _opened(contents) as image:
        return _decoded(image, size, channels)


@contextlib.contextmanager
def _opened(contents):
    """Opens an image with Pillow without decoding it; any error becomes an `UnreadableImageError`."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(contents), formats=FORMATS) as image:
            yield image
    except UnreadableImageError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        raise UnreadableImageError(_reason(error)) from error


def _decoded(image, size, channels):
    """Returns the result of `decode_with_pillow` for an open image."""
    from PIL import ImageOps

    image.draft(None, (max(size), max(size)))
    image.load()
    return _pixels(ImageOps.exif_transpose(image), channels)


def _pixels(image, channels):
    """Returns uint8 `[h, w, channels]` of a Pillow image in any mode."""
    if image.mode.startswith("I"):  # 16 bits
        return with_channels(as_type(np.asarray(image, np.float32)[..., None] / 257, np.uint8), channels)
    has_alpha = "A" in image.mode or "a" in image.mode or "transparency" in image.info
    image = image.convert("RGBA" if has_alpha else "L" if image.mode in ("1", "L") else "RGB")
    pixels = np.asarray(image)
    return with_channels(pixels if pixels.ndim == 3 else pixels[..., None], channels)


def _decoders(contents, size, channels):
    """Returns one function without arguments for each way to decode `contents`, in the order of the constants."""

    def with_pillow():
        image = tf.numpy_function(
            lambda data: decode_with_pillow(data, size, channels), [contents], tf.uint8, stateful=False
        )
        return tf.ensure_shape(image, [None, None, channels])

    jpeg = [
        lambda shrink=shrink: tf.io.decode_jpeg(contents, channels=channels, ratio=shrink)
        for shrink in SHRINKINGS
    ]

    def deep():
        image = tf.numpy_function(
            lambda data: decode_deep(data, channels, _opened), [contents], tf.float32, stateful=False
        )
        return tf.ensure_shape(image, [None, None, channels])

    return [with_pillow, lambda: tf.io.decode_png(contents, channels=channels), *jpeg, deep]


def _choose_decoder(image, size, channels):
    """Returns how to decode the file of `image`, from its header."""
    if image.width * image.height > LARGEST:
        raise UnreadableImageError(f"{image.width}x{image.height} pixels: at most {LARGEST:,} are decoded")
    plain = image.mode in ("L", "RGB") and "transparency" not in image.info
    if not plain or _is_turned(image):
        return WITH_PILLOW
    if image.format == "PNG":
        return AS_PNG
    if image.format not in ("JPEG", "MPO") or channels == 4:
        return WITH_PILLOW
    room = min(image.height / size[0], image.width / size[1])
    return AS_JPEG + sum(shrink <= room for shrink in SHRINKINGS[1:])


def _is_turned(image):
    return "exif" in image.info and image.getexif().get(EXIF_ORIENTATION, 1) != 1


def _reason(error):
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "it is not a JPEG, PNG, GIF, BMP, WebP or TIFF image, or its start is damaged"
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {LARGEST:,} pixels, which are not decoded"
    return str(error).split("\n")[0] or type(error).__name__


def _read(path):
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # reading a pipe would wait for ever
            raise UnreadableImageError("it is not a regular file")
        with open(path, "rb") as file:
            contents = file.read()
    except OSError as error:
        raise UnreadableImageError(error.strerror or str(error)) from error
    if not contents:
        raise UnreadableImageError("the file is empty")
    return contents


def _digest(contents):
    return tf.strings.to_hash_bucket_fast(contents, 2**63 - 1)
