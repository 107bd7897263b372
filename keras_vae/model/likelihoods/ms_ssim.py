"""Multi-scale structural similarity (MS-SSIM) as a distortion."""

import math
from dataclasses import dataclass, field

from keras_vae.model.likelihoods.likelihood import Likelihood, check_scale
from keras_vae.runtime.lazy import ops

WINDOW = 11  # side of SSIM's Gaussian window in pixels, and its standard deviation (Wang et al. 2004)
WINDOW_SIGMA = 1.5
SSIM_CONSTANTS = (0.01**2, 0.03**2)  # C1 and C2 for a value range of 1
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003, section 3.2
STRAIGHT_BELOW = 0.01


@dataclass(frozen=True)
class MultiScaleSimilarity(Likelihood):
    """A distortion of `weight` * (1 - MS-SSIM) per pixel value (Wang, Simoncelli and Bovik 2003, equation 7).

    This is not a likelihood: it does not integrate to one, and an "ELBO" computed from it is not a bound. The decoder
    outputs logits. `multi_scale_similarity` describes how small images are treated.
    """

    weight: float = field(default=1.0, metadata={"help": "nats per pixel value at a similarity of 0"})

    bin_width = None

    def __post_init__(self):
        check_scale("weight", self.weight)

    def log_prob(self, images, decoded):
        """Returns minus the distortion, `[batch]`; 0 for identical images."""
        similarity = multi_scale_similarity(images, self.mean(decoded))
        return self.weight * math.prod(images.shape[1:]) * (similarity - 1)

    def mean(self, decoded):
        """Returns the decoded images."""
        return ops.sigmoid(decoded)


def multi_scale_similarity(first, second):
    """Returns the MS-SSIM of two batches of images, `[batch]`; 1 for identical images.

    The window is SSIM's, or the largest odd size that fits images smaller than 11 pixels. Images are halved at most
    four times, as long as the window of 11 fits, and the weights of the scales are normalised to a sum of one. Values
    are therefore only comparable between images of the same size. Channels are compared separately and averaged.

    Inverted contrasts have a negative similarity, whose logarithm does not exist. Below 0.01 the logarithm is continued
    by a straight line of slope 1, which gives them a gradient.

    Args:
        first: `[batch, height, width, channels]` in [0, 1].
        second: The same shape.
    """
    first, second = (ops.transpose(images, (0, 3, 1, 2)) for images in (first, second))
    weights = SCALE_WEIGHTS[: num_scales(min(first.shape[2:]))]
    logarithm = 0.0
    for index, weight in enumerate(weights):
        if index:
            first, second = halve(first), halve(second)
        luminance, contrast = similarity_maps(first, second)
        similarity = contrast if index < len(weights) - 1 else luminance * contrast
        logarithm += weight / sum(weights) * extended_log(ops.mean(similarity, axis=(2, 3)))
    return ops.mean(ops.exp(logarithm), axis=1)


def num_scales(side):
    """Returns the number of scales for images whose smaller side is `side`."""
    return 1 + min(len(SCALE_WEIGHTS) - 1, max(0, int(math.log2(side / WINDOW))))


def similarity_maps(first, second):
    """Returns the two factors of SSIM (Wang et al. 2004, equation 13) at all positions where the window fits."""
    c1, c2 = SSIM_CONSTANTS
    mean_first, mean_second = smooth(first), smooth(second)
    products, squares = mean_first * mean_second, ops.square(mean_first) + ops.square(mean_second)
    covariance = smooth(first * second) - products
    variances = smooth(ops.square(first) + ops.square(second)) - squares
    return (2 * products + c1) / (squares + c1), (2 * covariance + c2) / (variances + c2)


def smooth(images):
    """Returns the windowed means of `[..., height, width]`, computed as a product with a band matrix on each side."""
    height, width = images.shape[2:]
    window = gaussian_window(min(height, width))
    rows, columns = (ops.convert_to_tensor(band(window, size), "float32") for size in (height, width))
    return ops.matmul(ops.matmul(rows, images), ops.transpose(columns))


def gaussian_window(side):
    """Returns the window of SSIM along one axis, `[size]`, for images whose smaller side is `side`."""
    size = min(WINDOW, side - 1 + side % 2)
    weights = [math.exp(-0.5 * ((place - size // 2) / WINDOW_SIGMA) ** 2) for place in range(size)]
    return [weight / sum(weights) for weight in weights]


def band(window, size):
    """Returns the matrix that computes the windowed means of `size` values at all positions where `window` fits."""
    edge = size - len(window)
    return [[0.0] * place + window + [0.0] * (edge - place) for place in range(edge + 1)]


def halve(images):
    """Returns the means over 2x2 pixels of `[batch, channels, height, width]`; an odd last row or column is dropped."""
    channels, height, width = images.shape[1:]
    images = images[..., : height // 2 * 2, : width // 2 * 2]
    return ops.mean(ops.reshape(images, (-1, channels, height // 2, 2, width // 2, 2)), axis=(3, 5))


def extended_log(values):
    """Returns the logarithm, continued below 0.01 by a straight line of slope 1."""
    return ops.log(ops.maximum(values, STRAIGHT_BELOW)) + ops.minimum(values - STRAIGHT_BELOW, 0.0)
