"""The errors of the data sources; `DatasetError` lives in `keras_vae.data`, which `datasets` builds on."""

from keras_vae.data.errors import DatasetError

__all__ = ["DatasetError", "UnreadableImageError"]


class UnreadableImageError(Exception):
    """A file is not a usable image; the message says why, without the file's name."""
