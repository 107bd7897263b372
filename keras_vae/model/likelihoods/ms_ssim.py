"""Similarity of structure in the place of a density."""

import math
from dataclasses import dataclass, field

from keras_vae.model.likelihoods.likelihood import Likelihood, check_scale
from keras_vae.runtime.lazy import ops

WINDOW = 11  # pixels across the window of SSIM, and the standard deviation of its Gaussian (Wang et al. 2004)
WINDOW_SIGMA = 1.5
SSIM_CONSTANTS = (0.01**2, 0.03**2)  # C1 and C2 for values that span 1
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003, section 3.2
STRAIGHT_BELOW = 0.01


@dataclass(frozen=True)
class MultiScaleSimilarity(Likelihood):
    """`weight` nats a pixel value times 1 - MS-SSIM (Wang, Simoncelli and Bovik 2003, equation 7).

    A distortion to train on, and no likelihood: nothing here integrates to one, and an "ELBO" made of it bounds
    nothing. The decoder puts out logits. See `multi_scale_similarity` for what becomes of small images.
    """

    weight: float = field(default=1.0, metadata={"help": "nats a pixel value that costs a similarity of 0"})

    bin_width = None

    def __post_init__(self):
        check_scale("weight", self.weight)

    def log_prob(self, images, decoded):
        """Returns minus the distortion, `[batch]`; 0 for equal images."""
        similarity = multi_scale_similarity(images, self.mean(decoded))
        return self.weight * math.prod(images.shape[1:]) * (similarity - 1)

    def mean(self, decoded):
        """Returns the images that are compared."""
        return ops.sigmoid(decoded)


def multi_scale_similarity(first, second):
    """Returns the MS-SSIM of two batches of images, `[batch]`; 1 for equal ones.

    The window is SSIM's; where an image is smaller than 11 pixels, the largest odd size that fits. An image is
    halved as long as the window of 11 fits and at most four times, and the weights of its scales are brought to a
    sum of one: values compare only among images of one size. Channels are taken one by one and averaged.

    Inverted contrasts have a negative similarity, of which no root exists. Below 0.01 its logarithm goes on as a
    straight line of slope 1, so that they have a gradient all the same.

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
    """Returns at how many scales an image of this smaller side is compared."""
    return 1 + min(len(SCALE_WEIGHTS) - 1, max(0, int(math.log2(side / WINDOW))))


def similarity_maps(first, second):
    """Returns the two factors of SSIM (Wang et al. 2004, equation 13) wherever the window fits."""
    c1, c2 = SSIM_CONSTANTS
    mean_first, mean_second = smooth(first), smooth(second)
    products, squares = mean_first * mean_second, ops.square(mean_first) + ops.square(mean_second)
    covariance = smooth(first * second) - products
    variances = smooth(ops.square(first) + ops.square(second)) - squares
    return (2 * products + c1) / (squares + c1), (2 * covariance + c2) / (variances + c2)


def smooth(images):
    """Returns the means of `[..., height, width]` under the window: a product with a band matrix on either side."""
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
    """Returns the matrix that takes the means of `size` values under `window` at each place where it fits."""
    edge = size - len(window)
    return [[0.0] * place + window + [0.0] * (edge - place) for place in range(edge + 1)]


def halve(images):
    """Returns the means over 2x2 pixels of `[batch, channels, height, width]`; an odd row or column is left out."""
    channels, height, width = images.shape[1:]
    images = images[..., : height // 2 * 2, : width // 2 * 2]
    return ops.mean(ops.reshape(images, (-1, channels, height // 2, 2, width // 2, 2)), axis=(3, 5))


def extended_log(values):
    """Returns the logarithm, below 0.01 continued by a straight line of slope 1."""
    return ops.log(ops.maximum(values, STRAIGHT_BELOW)) + ops.minimum(values - STRAIGHT_BELOW, 0.0)
