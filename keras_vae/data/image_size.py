"""The default size of images, and the notes on scaling and cropping."""

import math

DEFAULT_SIZE = (64, 64)  # for images of different sizes
MOST_PIXELS = 2**14  # 128x128 or 64x256: larger images are scaled down unless a size is asked for
MULTIPLE = 8  # networks halve the sides


def own_size(shape):
    """Returns the default (height, width) for images that all have the size `shape`.

    Larger images than `MOST_PIXELS` are scaled down to at most that many pixels, with about the same aspect ratio.
    """
    height, width = shape
    if height * width <= MOST_PIXELS:
        return (height, width)
    scale = math.sqrt(MOST_PIXELS / (height * width))
    return tuple(max(1, _rounded(int(side * scale))) for side in shape)


def _rounded(side):
    """Returns `side` rounded down to a number that can be halved three times; small sides stay unchanged."""
    return side // MULTIPLE * MULTIPLE if side > MULTIPLE else side


def default_size(shapes):
    """Returns the default (height, width) for images of these sizes, a set of (height, width)."""
    return own_size(next(iter(shapes))) if len(shapes) == 1 else DEFAULT_SIZE


def describe_fit(shapes, size, asked=True):
    """Returns a note on the scaling and cropping of images of `shapes` to `size`; () if nothing changes.

    Args:
      shapes: Set of the images' (height, width) in pixels.
      size: (height, width) in pixels.
      asked: Whether the user chose this size.
    """
    size = tuple(int(side) for side in size)
    if not shapes or set(shapes) == {size}:
        return ()
    cut = max(cut_off(shape, size) for shape in shapes)
    text = f"the images, {_sizes(shapes)} pixels, are scaled to {_show(size)}"
    if cut >= 0.005:
        text += f" and cropped at the centre, which cuts off up to {cut:.0%} of an image"
    if not asked:
        text += " (--image_size HEIGHTxWIDTH for another size)"
    return (text,)


def cut_off(shape, size):
    """Returns the fraction of an image of `shape` that is lost when it is scaled to cover `size` and cropped."""
    scale = max(target / side for target, side in zip(size, shape))
    return 1 - math.prod(size) / (scale * scale * math.prod(shape))


def _sizes(shapes):
    """Returns "30x40" for one size, "30x40 to 300x200" (smallest to largest) for several."""
    ends = sorted(shapes, key=lambda shape: (math.prod(shape), shape))
    return _show(ends[0]) if len(ends) == 1 else f"{_show(ends[0])} to {_show(ends[-1])}"


def _show(shape):
    return f"{shape[0]}x{shape[1]}"
