"""Half precision in files. It halves a file and changes a number by at most 0.05%; nothing is computed in it."""

import numpy as np

LARGE = 4096  # arrays of fewer numbers are kept


def halved(array):
    """Returns a large float32 array as float16 if all its numbers fit; other values unchanged."""
    if getattr(array, "dtype", None) != np.float32 or array.size < LARGE:
        return array
    return array.astype("float16") if np.abs(array).max() <= np.finfo("float16").max else array


def widened(array):
    """Returns a float16 array as float32; others unchanged."""
    return array.astype("float32") if array.dtype == np.float16 else array


def halve_weights(source, path):
    """Copies a weights file of Keras from `source` to `path` with large arrays in half precision.

    Keras reads them into variables of float32.
    """
    import h5py

    with h5py.File(source) as old, h5py.File(path, "w") as new:

        def copy(name, item):
            if isinstance(item, h5py.Group):
                kept = new.require_group(name)
            else:
                kept = new.create_dataset(name, data=halved(item[()]))
            kept.attrs.update(item.attrs)

        old.visititems(copy)
