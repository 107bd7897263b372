"""The size that images get: their own where they all have one, and what is said where they are scaled or cut."""

import math

DEFAULT_SIZE = (64, 64)  # of images that differ in size
MOST_PIXELS = 2**14  # 128x128 or 64x256: larger images are scaled down unless a size is asked for
MULTIPLE = 8  # networks halve sizes


def own_size(shape):
    """Returns the (height, width) that images of one size keep by default.

    Images of more than `MOST_PIXELS` are scaled down to at most that many, in their aspect ratio.
    """
    height, width = shape
    if height * width <= MOST_PIXELS:
        return (height, width)
    scale = math.sqrt(MOST_PIXELS / (height * width))
    return tuple(max(1, _rounded(int(side * scale))) for side in shape)


def _rounded(side):
    """Returns `side` rounded down to what can be halved three times; small sides as they are."""
    return side // MULTIPLE * MULTIPLE if side > MULTIPLE else side


def default_size(shapes):
    """Returns the default (height, width) for images of these sizes, a set of (height, width)."""
    return own_size(next(iter(shapes))) if len(shapes) == 1 else DEFAULT_SIZE


def describe_fit(shapes, size, asked=True):
    """Returns a note on what is scaled and cut where images of `shapes` become images of `size`; () for nothing.

    Args:
      shapes: Set of the images' (height, width) in pixels.
      size: (height, width) in pixels.
      asked: Whether the user asked for this size.
    """
    size = tuple(int(side) for side in size)
    if not shapes or set(shapes) == {size}:
        return ()
    cut = max(cut_off(shape, size) for shape in shapes)
    text = f"the images, {_sizes(shapes)} pixels, are scaled to {_show(size)}"
    if cut >= 0.005:
        text += f" and cropped to their middle, which cuts off up to {cut:.0%} of an image"
    if not asked:
        text += " (--image_size HEIGHTxWIDTH for another size)"
    return (text,)


def cut_off(shape, size):
    """Returns the share of an image of `shape` that is lost where it is scaled to cover `size` and cropped."""
    scale = max(target / side for target, side in zip(size, shape))
    return 1 - math.prod(size) / (scale * scale * math.prod(shape))


def _sizes(shapes):
    """Returns "30x40", or "30x40 to 300x200" of the smallest and the largest of several."""
    ends = sorted(shapes, key=lambda shape: (math.prod(shape), shape))
    return _show(ends[0]) if len(ends) == 1 else f"{_show(ends[0])} to {_show(ends[-1])}"


def _show(shape):
    return f"{shape[0]}x{shape[1]}"
