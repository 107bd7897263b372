"""The two networks in Keras layers."""

import math
import time

import keras
from keras import layers


def features_of(network, images, policy, activation):
    """Returns what the heads of the encoder of `network` read.

    Args:
        network: A `Network`.
        images: A Keras tensor.
        policy: The dtype policy of the layers.
        activation: The class of the activation layers, which takes a name.
    """
    features = images
    for layer in network.encoder_layers:
        same = layer.outputs[0] == math.ceil(
            layer.inputs[0] / 2
        )  # else Keras' own padding would give one more
        if not same:
            features = layers.ZeroPadding2D(1, dtype=policy)(features)
        padding = "same" if same else "valid"
        features = layers.Conv2D(layer.outputs[1], layer.kernel, 2, padding, dtype=policy)(features)
        features = followed(network, features, policy, activation)
    features = layers.Flatten(dtype=policy)(features)
    if network.hidden:
        features = activation("relu", dtype=policy)(layers.Dense(network.hidden, dtype=policy)(features))
    return features


def logits_of(network, codes, policy, activation):
    """Returns the logits that the decoder of `network` makes of `codes`, in the policy's compute dtype."""
    size, channels = network.bottom
    features = layers.Dense(size**2 * channels, dtype=policy)(codes)
    if not network.normalized:
        features = activation("relu", dtype=policy)(features)
    features = layers.Reshape((size, size, channels), dtype=policy)(features)
    *inner, last = network.decoder_layers
    for layer in inner:
        features = followed(network, transposed(layer, policy)(features), policy, activation)
    return transposed(last, policy)(features)


def transposed(layer, policy):
    """Returns Keras' form of a transposed convolution."""
    doubles = layer.outputs[0] == layer.stride * layer.inputs[0]
    return layers.Conv2DTranspose(
        layer.outputs[1],
        layer.kernel,
        layer.stride,
        "same",
        output_padding=None if doubles else layer.output_padding,
        dtype=policy,
    )


def followed(network, features, policy, activation):
    """Returns `features` after what follows a convolution of `network`."""
    if network.normalized:
        features = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=policy)(features)
    return activation("relu", dtype=policy)(features)


def num_trained(model):
    """Returns how many weights a model trains."""
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


class EpochTimes(keras.callbacks.Callback):
    """Times epochs, the first of which is thrown away.

    Attributes:
        seconds: Of each epoch but the first.
        between: What is done after each epoch, untimed; nothing by default.
    """

    def __init__(self, between=lambda: None):
        super().__init__()
        self.between, self.seconds = between, []

    def on_epoch_begin(self, epoch, logs=None):
        self.begun = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        if epoch > 0:
            self.seconds.append(time.perf_counter() - self.begun)
        self.between()
