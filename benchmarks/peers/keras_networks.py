"""The two networks in Keras layers."""

import math
import time

import keras
from keras import layers


def features_of(network, images, policy, own=layers):
    """Returns what the heads of the encoder of `network` read.

    Args:
        network: A `Network`.
        images: A Keras tensor.
        policy: The dtype policy of the layers.
        own: What has the classes of layers with weights, and of activations.
    """
    features = images
    for layer in network.encoder_layers:
        same = layer.outputs[0] == math.ceil(
            layer.inputs[0] / 2
        )  # else Keras' own padding would give one more
        if not same:
            features = layers.ZeroPadding2D(1, dtype=policy)(features)
        convolution = own.Conv2D(
            layer.outputs[1],
            layer.kernel,
            2,
            "same" if same else "valid",
            activation=None if network.normalized else "relu",
            dtype=policy,
        )
        features = normalized(network, convolution(features), policy, own)
    features = layers.Flatten(dtype=policy)(features)
    if network.hidden:
        features = own.Dense(network.hidden, activation="relu", dtype=policy)(features)
    return features


def logits_of(network, codes, policy, own=layers):
    """Returns the logits that the decoder of `network` makes of `codes`, in the policy's compute dtype."""
    size, channels = network.bottom
    activation = None if network.normalized else "relu"
    features = own.Dense(size**2 * channels, activation=activation, dtype=policy)(codes)
    features = layers.Reshape((size, size, channels), dtype=policy)(features)
    *inner, last = network.decoder_layers
    for layer in inner:
        features = transposed(layer, activation, policy, own)(features)
        features = normalized(network, features, policy, own)
    return transposed(last, None, policy, own)(features)


def transposed(layer, activation, policy, own):
    """Returns Keras' form of a transposed convolution."""
    doubles = layer.outputs[0] == layer.stride * layer.inputs[0]
    return own.Conv2DTranspose(
        layer.outputs[1],
        layer.kernel,
        layer.stride,
        "same",
        output_padding=None if doubles else layer.output_padding,
        activation=activation,
        dtype=policy,
    )


def normalized(network, features, policy, own):
    """Returns `features` after the normalisation that follows a convolution of `network`, or as they are."""
    if not network.normalized:
        return features
    features = own.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=policy)(features)
    return own.Activation("relu", dtype=policy)(features)


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
