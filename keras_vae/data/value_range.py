"""The values that become 0 and 1: from the data type, the extremes of a dataset, or the user."""

import math

import numpy as np

from keras_vae.errors import DatasetError

BYTES = (0.0, 255.0)
DARK = 4  # images that reach at most a quarter of their range probably need scaling


def parse_range(text):
    """Parses `0,4095` into (low, high)."""
    try:
        values = tuple(float(value) for value in text.split(","))
    except ValueError:
        values = text
    return check_range(values)


def check_range(values):
    """Returns `values` as floats (low, high); raises `ValueError` unless both are finite and low < high."""
    try:
        low, high = (float(value) for value in values)
    except (TypeError, ValueError):
        raise ValueError(
            f"range is {values!r}: expected two numbers, LOW,HIGH (try --range 0,4095)"
        ) from None
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ValueError(
            f"range is {show_range((low, high))}: expected two finite numbers, the first below the second"
            " (try --range 0,4095)"
        )
    return low, high


def show_range(values):
    """Formats a range as `0,4095`, without rounding."""
    return ",".join(str(int(value)) if float(value).is_integer() else repr(float(value)) for value in values)


def found_range(lows, highs, whole):
    """Returns the range (low, high) of a dataset from the extremes of each image; () if all values are equal.

    All images share one range, so their brightness stays comparable. Values within 0 to 1 keep the range 0 to 1, and
    bytes stored in another type keep 0 to 255.

    Args:
      lows: `[n]`, the lowest value of each image.
      highs: `[n]`, the highest value of each image.
      whole: Whether all values are whole numbers.
    """
    low, high = float(np.min(lows)), float(np.max(highs))
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    if whole and low >= 0 and BYTES[1] / 2 < high <= BYTES[1]:
        return BYTES
    return (low, high) if low < high else ()


def describe_asked(lows, highs, chosen, where):
    """Returns notes on the requested range `chosen` and on values outside it, which are clipped.

    Raises:
      DatasetError: No image has a value inside the range.
    """
    lows, highs, (low, high) = np.asarray(lows), np.asarray(highs), chosen
    outside = int(((lows < low) | (highs > high)).sum())
    note = f"value range: {show_range(chosen)} become 0 and 1"
    if not outside:
        return (note,)
    run = f"{show_range((lows.min(), highs.max()))}"
    if ((lows >= high) | (highs <= low)).all():
        raise DatasetError(
            f"{where}: range is {show_range(chosen)}, and the values of all images lie outside it (try --range {run})"
        )
    return (
        note,
        f"{outside:,} of {len(lows):,} images have values outside {show_range(chosen)}, which are clipped"
        f" (--range {run} keeps all)",
    )


def clipped(images, chosen):
    """Returns a sentence on the images, `[n, ...]`, with values outside (low, high); "" if there are none."""
    images = np.asarray(images)
    rows = images.reshape(len(images), math.prod(images.shape[1:]))
    outside = int(((rows < chosen[0]) | (rows > chosen[1])).any(axis=1).sum())
    return (
        f"{outside:,} of {len(rows):,} images have values outside {show_range(chosen)}, which are clipped"
        if outside
        else ""
    )


def describe_found(lows, highs, chosen):
    """Returns notes on a range that was determined from the data."""
    low, high = chosen
    notes = [f"value range found: {show_range(chosen)} become 0 and 1 (--range LOW,HIGH for another)"]
    typical = float(np.median(highs))
    if DARK * (typical - low) < high - low:
        notes.append(
            f"half of the images reach no more than {typical:g}: a few high values set the range"
            f" (try --range {show_range((low, typical))})"
        )
    return tuple(notes)


def describe_bytes(highs):
    """Returns a note if the images are dark: all bytes are below a quarter of 255."""
    highest = int(np.max(highs))
    if not 0 < DARK * highest <= BYTES[1]:
        return ()
    return (f"the brightest value of all images is {highest} of 255 (--range 0,{highest} makes it white)",)


def describe_unit(highs):
    """Returns a note if the images are dark: all floats, within 0 to 1, are at most a quarter."""
    highest = float(np.max(highs))
    if not 0 < DARK * highest <= 1:
        return ()
    return (f"the brightest value of all images is {highest:g} of 1 (--range 0,{highest:g} makes it white)",)


def scaled(values, chosen):
    """Scales a NumPy array from the range (low, high) to float32 in [0, 1]; values outside are clipped."""
    low, high = chosen
    return np.clip((values.astype(np.float64) - low) / (high - low), 0, 1).astype(np.float32)
