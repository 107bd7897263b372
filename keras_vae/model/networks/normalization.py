"""What follows a convolution."""

import math

from keras_vae.runtime.lazy import keras


def groups(width, most=8):
    """Returns the number of groups for `width` channels: at most `most`, each of 4 channels or more.

    A group of one channel would make the features of a 1x1 map zero, and their gradients with them.
    """
    return max(1, math.gcd(width, 4 * most) // 4)


def batch_normalization(**names):
    """Returns the layer, of whatever width."""
    from keras_vae.layers.kernels.layers import BatchNormalization

    return BatchNormalization(**names)


NORMALIZATIONS = {
    "batch": lambda width: batch_normalization,
    "layer": lambda width: lambda **names: keras.layers.LayerNormalization(**names),
    "group": lambda width: lambda **names: keras.layers.GroupNormalization(groups(width), **names),
}
