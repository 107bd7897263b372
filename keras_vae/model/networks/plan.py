"""From an image's size to a latent's, by halves."""

import math

# Height and width that a dense layer is put on: at 32x32x128 it would have 33 million weights.
MOST_AT_BOTTOM = 8


class Plan:
    """What strides and padding lead from an image to a latent and back.

    Attributes:
        stages: `(width, strides)` of each size on the way down.
        ascent: The same for the way up.
        padding: Rows and columns of zeros around the image, `((top, bottom), (left, right))`.
        bottom: Shape of the features where the stages end, `(height, width, channels)`.
    """

    def __init__(self, image_shape, latent_shape, widths):
        sizes = image_shape[:2]
        spatial = len(latent_shape) == 3
        if spatial:
            halvings = [math.ceil(math.log2(size / small)) for size, small in zip(sizes, latent_shape)]
            bottom = latent_shape[:2]
        else:
            halvings = [min(max(len(widths), to_bottom(size)), from_top(size)) for size in sizes]
            bottom = [math.ceil(size / 2**halving) for size, halving in zip(sizes, halvings)]
        count = max(len(widths), *halvings)
        widths = [widths[min(index, len(widths) - 1)] for index in range(count)]
        strides = [tuple(2 if index < halving else 1 for halving in halvings) for index in range(count)]
        self.stages = list(zip(widths, strides))
        # On the way up each stage undoes the stride of its twin and ends at the width of the size above it.
        self.ascent = list(zip([*widths[-2::-1], widths[0]], strides[::-1]))
        self.padding = tuple(
            split(small * 2**halving - size) for size, small, halving in zip(sizes, bottom, halvings)
        )
        self.bottom = (*bottom, widths[-1])


def to_bottom(size):
    """Returns how many halvings bring `size` down to what a dense layer can take, whatever the widths."""
    return max(0, math.ceil(math.log2(size / MOST_AT_BOTTOM)))


def from_top(size):
    """Returns how many halvings leave at least 2 of `size`: a single position would hold no picture."""
    return max(0, int(math.log2(size)) - 1)


def split(extra):
    """Returns `extra` as two whole numbers, the first no larger than the second."""
    return extra // 2, extra - extra // 2
