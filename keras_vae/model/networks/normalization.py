"""Normalization layers."""

import math

from keras_vae.runtime.lazy import keras


def groups(width, most=8):
    """Returns the number of groups for `width` channels: at most `most`, with at least 4 channels each.

    On a 1x1 map, a group of one channel would set the features and their gradients to zero.
    """
    return max(1, math.gcd(width, 4 * most) // 4)


def batch_normalization(**names):
    """Returns a layer for any width."""
    from keras_vae.layers.kernels.layers import BatchNormalization

    return BatchNormalization(**names)


NORMALIZATIONS = {
    "batch": lambda width: batch_normalization,
    "layer": lambda width: lambda **names: keras.layers.LayerNormalization(**names),
    "group": lambda width: lambda **names: keras.layers.GroupNormalization(groups(width), **names),
}
