"""The base class of networks that reduce the image size in stages and increase the number of channels."""

import math
from dataclasses import dataclass, field

from keras_vae.model.networks import ends
from keras_vae.model.networks.fields import check_activation, check_least, check_sizes
from keras_vae.model.networks.plan import Plan
from keras_vae.runtime.lazy import keras

UNPADDED = ((0, 0), (0, 0))
WIDTHS, LARGE = (32, 64, 128, 256), 64
MOST_DEPTH = 1000  # building a deeper network would take hours


@dataclass(frozen=True)
class Pyramid:
    """Stages of convolutions that halve the image, and stages that double it.

    A vector latent follows a dense layer. A spatial latent, `height x width x channels`, follows convolutions only,
    with as many halvings as its size requires. Images are padded with zeros to a size that the strides divide, and the
    decoder's output is cropped; nothing is resized.

    A subclass defines the stages:

        stage(rising, features, width, strides, name, policy)    returns `features` after the convolutions of a stage,
                                                                 the first of which changes the size: to the next
                                                                 smaller one, or to the next larger one if `rising`
        finish(features, name, policy)                           returns `features` after the last stage, by default
                                                                 unchanged
    """

    widths: tuple[int, ...] = field(
        default=(),
        metadata={
            "help": "channels after each halving of the image; the last value is repeated if needed; by default"
            " 32, 64, 128, and also 256 for images larger than 64 pixels"
        },
    )
    depth: int = field(default=1, metadata={"help": "convolutions (residual: blocks of two) at each size"})
    kernel_size: int = field(default=3, metadata={"help": "height and width of the kernels, in pixels"})
    dense: int = field(default=256, metadata={"help": "units of the dense layer at a vector latent; 0: none"})
    activation: str = field(default="silu", metadata={"help": "activation, by its name in Keras"})

    def __post_init__(self):
        if self.widths:
            check_sizes("widths", self.widths, "32,64")
        # A kernel of 1 with a stride of 2 skips three of four pixels, and its gradient in TensorFlow 2.21 writes out of
        # bounds on a CPU (Conv2DBackpropFilter).
        check_least(self, depth=1, kernel_size=2, dense=0)
        if self.depth > MOST_DEPTH:
            raise ValueError(f"network.depth is {self.depth}: it must be at most {MOST_DEPTH}")
        check_activation(self.activation)

    def encoder(self, image_shape, latent_shape, latent, policy):
        """Returns the model that maps images to a posterior."""
        plan = Plan(image_shape, latent_shape, self.channels(image_shape))
        inputs = features = keras.Input(image_shape, name="image")
        if plan.padding != UNPADDED:
            features = keras.layers.ZeroPadding2D(
                plan.padding, data_format="channels_last", dtype=policy, name="pad"
            )(features)
        for index, (width, strides) in enumerate(plan.stages):
            features = self.stage(False, features, width, strides, f"down_{index}", policy)
        features = self.finish(features, "down", policy)
        if len(latent_shape) == 1:
            features = keras.layers.Flatten(data_format="channels_last", dtype=policy, name="flatten")(
                features
            )
            features = self.hidden(features, self.dense, policy, "dense_down")
        return keras.Model(inputs, ends.posterior(features, latent_shape, latent), name="encoder")

    def decoder(self, image_shape, latent_shape, likelihood, policy, first=None):
        """Returns the model that maps codes to the parameters of the likelihood."""
        from keras_vae.layers.kernels.layers import Conv2D

        plan = Plan(image_shape, latent_shape, self.channels(image_shape))
        inputs, features = ends.codes(latent_shape, first)
        if len(latent_shape) == 1:
            features = self.hidden(features, self.dense, policy, "dense_up")
            features = self.hidden(features, math.prod(plan.bottom), policy, "unflatten")
            features = keras.layers.Reshape(plan.bottom, dtype=policy, name="reshape")(features)
        else:
            # With 1,024 channels, a 3x3 convolution would take most of a training step.
            features = Conv2D(plan.bottom[-1], 1, activation=self.activation, dtype=policy, name="bottom")(
                features
            )
        for index, (width, strides) in enumerate(plan.ascent):
            features = self.stage(True, features, width, strides, f"up_{index}", policy)
        decoded = Conv2D(
            likelihood.num_parameters(image_shape[-1]),
            self.kernel_size,
            padding="same",
            dtype=policy,
            name="parameters",
        )(self.finish(features, "up", policy))
        if plan.padding != UNPADDED:
            decoded = keras.layers.Cropping2D(
                plan.padding, data_format="channels_last", dtype=policy, name="crop"
            )(decoded)
        return keras.Model(inputs, ends.parameters(decoded, likelihood), name="decoder")

    def channels(self, image_shape):
        """Returns the channels after each halving of images of that shape."""
        return self.widths or (WIDTHS if max(image_shape[:2]) > LARGE else WIDTHS[:3])

    def finish(self, features, name, policy):
        """Returns `features` unchanged."""
        del name, policy
        return features

    def hidden(self, features, units, policy, name):
        """Returns `features` after a dense layer, or unchanged if `units` is 0."""
        from keras_vae.layers.kernels.layers import Dense

        if units == 0:
            return features
        return Dense(units, activation=self.activation, dtype=policy, name=name)(features)
