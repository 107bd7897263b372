"""Stores for the images of a dataset: in memory, or in an array on disk. (Folders: `image_files.py`, `packed.py`.)

Every store has `image_shape`, `read` for NumPy and `read_batch` for a tf.data graph. Both map int64 indices `[n]` to
float32 images `[n, height, width, channels]` in [0, 1].
"""

import contextlib
from functools import cached_property

import numpy as np

from keras_vae.errors import DatasetError
from keras_vae.runtime.lazy import tf

RAISED: list[DatasetError] = []  # `DatasetError`s raised within graphs since `dataset_errors` was entered


def as_float(images):
    """Returns float32 images in [0, 1] from an array or tensor of uint8, or of floats in [0, 1]."""
    if isinstance(images, np.ndarray):
        return (
            images.astype(np.float32) / np.float32(255)
            if images.dtype == np.uint8
            else images.astype(np.float32)
        )
    # Converting the whole batch at once is 20 times faster than image by image.
    return tf.cast(images, tf.float32) / 255.0 if images.dtype == tf.uint8 else images


class MemoryImages:
    """Images in memory, as uint8 if possible.

    Args:
      images: uint8, or float32 in [0, 1], `[n, height, width, channels]`.
    """

    def __init__(self, images):
        self.images = images
        self.image_shape = images.shape[1:]

    @cached_property
    def _tensor(self):
        with tf.device("CPU:0"):  # a GPU's memory is for the model
            return tf.constant(self.images)

    def read(self, indices):
        """Returns the images at `indices`."""
        return as_float(self.images[indices])

    def prepare(self):
        """Creates the tensors that `read_batch` captures; called outside its graph."""
        return self._tensor

    def read_batch(self, indices):
        """Returns the images at `indices`, without Python at run time."""
        return as_float(tf.gather(self._tensor, indices))


@contextlib.contextmanager
def dataset_errors():
    """Raises a store's own `DatasetError` if TensorFlow has wrapped it in an error of its own."""
    RAISED.clear()
    try:
        yield
    except tf.errors.OpError as error:
        if not RAISED:
            raise
        raise RAISED[0] from error


class ReadInPython:
    """A store that a tf.data graph reads through one Python call per batch."""

    def prepare(self):
        """Does nothing: `read_batch` captures no tensor."""

    def read_batch(self, indices):
        """Returns the images at `indices`."""
        images = tf.numpy_function(self.read_in_graph, [indices], tf.float32, stateful=False)
        return tf.ensure_shape(images, [None, *self.image_shape])

    def read_in_graph(self, indices):
        """Returns the images at `indices`; keeps a `DatasetError` for `dataset_errors`."""
        try:
            return self.read(indices)
        except DatasetError as error:
            RAISED.append(error)
            raise


class MappedImages(ReadInPython):
    """Images in a memory-mapped array: only the pages that are read take memory.

    Args:
      images: `np.memmap`, otherwise as in `MemoryImages`.
    """

    def __init__(self, images):
        self.images = images
        self.image_shape = images.shape[1:]

    def read(self, indices):
        """Returns the images at `indices`."""
        order = np.argsort(indices)  # the disk is read in one direction
        images = np.empty((len(indices), *self.image_shape), self.images.dtype)
        images[order] = self.images[np.asarray(indices)[order]]
        return as_float(images)
