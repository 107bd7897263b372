"""Plans the sizes between an image and a latent."""

import math

# The largest height and width for a dense layer. At 32x32x128 it would have 33 million weights.
MOST_AT_BOTTOM = 8


class Plan:
    """The widths, strides and padding of the stages from an image to a latent and back.

    Attributes:
        stages: `(width, strides)` of each stage of the encoder.
        ascent: `(width, strides)` of each stage of the decoder.
        padding: Rows and columns of zeros around the image, `((top, bottom), (left, right))`.
        bottom: Shape of the features after the encoder's stages, `(height, width, channels)`.
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
        # Each stage of the decoder undoes the strides of an encoder stage and has the width of the next larger size.
        self.ascent = list(zip([*widths[-2::-1], widths[0]], strides[::-1]))
        self.padding = tuple(
            split(small * 2**halving - size) for size, small, halving in zip(sizes, bottom, halvings)
        )
        self.bottom = (*bottom, widths[-1])


def to_bottom(size):
    """Returns the least number of halvings of `size` before a dense layer."""
    return max(0, math.ceil(math.log2(size / MOST_AT_BOTTOM)))


def from_top(size):
    """Returns the largest number of halvings that leaves a size of at least 2."""
    return max(0, int(math.log2(size)) - 1)


def split(extra):
    """Splits `extra` into two integers, the first not larger than the second."""
    return extra // 2, extra - extra // 2
