"""Encoder and decoder networks: from images to features, and from codes to what the likelihood reads.

A network is a frozen dataclass whose fields are its sizes, with two methods:

    encoder(image_shape, latent_shape, latent, policy)           a functional model, images -> posterior
    decoder(image_shape, latent_shape, likelihood, policy)       a functional model, codes -> decoded

Any image size will do. Images are padded with zeros to what the strides need and the decoder's output is cut
back; nothing is resized.
"""

import math
from dataclasses import dataclass, field
from typing import Literal

from keras_vae.lazy import keras

# Height and width that a dense layer is put on: at 32x32x128 it would have 33 million weights.
MOST_AT_BOTTOM = 8


@dataclass(frozen=True)
class Convolutional:
    """Convolutions that halve the image (Conv2D), and transposed ones that double it (Conv2DTranspose).

    A vector latent is reached through a dense layer; a spatial one, `height x width x channels`, by
    convolutions alone, of as many halvings as its size asks for.
    """

    widths: tuple[int, ...] = field(
        default=(32, 64, 128),
        metadata={"help": "channels at each halving of the image; the last is repeated at need"},
    )
    depth: int = field(default=1, metadata={"help": "convolutions at each size"})
    kernel_size: int = field(default=3, metadata={"help": "height and width of the kernels, in pixels"})
    dense: int = field(
        default=256, metadata={"help": "units between convolutions and a vector latent; 0: none"}
    )
    normalization: Literal["none", "batch", "layer", "group"] = field(
        default="none", metadata={"help": "what follows each convolution"}
    )
    activation: str = field(default="silu", metadata={"help": "any activation that Keras knows by name"})

    def __post_init__(self):
        if not self.widths or min(self.widths) < 1:
            raise ValueError(f"network.widths is {self.widths}: give at least one size above 0 (try 32,64)")
        # A kernel of 1 under a stride of 2 skips three pixels of four, and TensorFlow 2.21's gradient of it
        # writes outside its memory on a CPU (Conv2DBackpropFilter).
        for name, least in (("depth", 1), ("kernel_size", 2), ("dense", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"network.{name} is {getattr(self, name)}: it must be at least {least}")
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"network.activation is {self.activation!r}: expected one of {', '.join(ACTIVATIONS)}"
            )

    def encoder(self, image_shape, latent_shape, latent, policy):
        """Returns the model that maps images to a posterior.

        Args:
            image_shape: `(height, width, channels)`.
            latent_shape: `(size,)` or `(height, width, channels)`.
            latent: The kind of latent (`keras_vae.latents`): it names the outputs and bounds them.
            policy: The dtype policy of the hidden layers; the heads are float32.
        """
        plan = Plan(image_shape, latent_shape, self.widths)
        inputs = features = keras.Input(image_shape, name="image")
        if plan.padding != ((0, 0), (0, 0)):
            features = keras.layers.ZeroPadding2D(plan.padding, dtype=policy, name="pad")(features)
        for index, (width, strides) in enumerate(plan.stages):
            features = self.stage(keras.layers.Conv2D, features, width, strides, f"down_{index}", policy)
        if len(latent_shape) == 1:
            features = keras.layers.Flatten(dtype=policy, name="flatten")(features)
            features = self.hidden(features, self.dense, policy, "dense_down")
        posterior = {
            name: head(latent_shape, initializer, name)(features)
            for name, initializer in latent.heads().items()
        }
        return keras.Model(inputs, latent.bound(posterior), name="encoder")

    def decoder(self, image_shape, latent_shape, likelihood, policy):
        """Returns the model that maps codes to what the likelihood reads, in float32.

        The last convolution runs in the compute dtype and its output is cast: a float32 convolution at full
        resolution would cost a third of the training time under a mixed policy.
        """
        plan = Plan(image_shape, latent_shape, self.widths)
        inputs = features = keras.Input(latent_shape, name="latent")
        if len(latent_shape) == 1:
            features = self.hidden(features, self.dense, policy, "dense_up")
            features = self.hidden(features, math.prod(plan.bottom), policy, "unflatten")
            features = keras.layers.Reshape(plan.bottom, dtype=policy, name="reshape")(features)
        else:
            # A 1x1 convolution: at 1,024 channels a 3x3 one would take most of a training step.
            features = keras.layers.Conv2D(
                plan.bottom[-1], 1, activation=self.activation, dtype=policy, name="bottom"
            )(features)
        for index, (width, strides) in enumerate(plan.ascent):
            features = self.stage(
                keras.layers.Conv2DTranspose, features, width, strides, f"up_{index}", policy
            )
        decoded = keras.layers.Conv2D(
            likelihood.num_parameters(image_shape[-1]),
            self.kernel_size,
            padding="same",
            dtype=policy,
            name="parameters",
        )(features)
        if plan.padding != ((0, 0), (0, 0)):
            decoded = keras.layers.Cropping2D(plan.padding, dtype=policy, name="crop")(decoded)
        decoded = keras.layers.Activation("linear", dtype="float32", name="float32")(decoded)
        for layer in likelihood.head():
            decoded = layer(decoded)
        return keras.Model(inputs, decoded, name="decoder")

    def stage(self, convolution, features, width, strides, name, policy):
        """Returns `features` after one size's convolutions, the first of them with `strides`."""
        for index in range(self.depth):
            layer = convolution if index == 0 else keras.layers.Conv2D
            features = layer(
                width,
                self.kernel_size,
                strides=strides if index == 0 else (1, 1),
                padding="same",
                use_bias=self.normalization != "batch",
                dtype=policy,
                name=f"{name}_{index}",
            )(features)
            if self.normalization != "none":
                features = NORMALIZATIONS[self.normalization](width)(
                    dtype=policy, name=f"{name}_{index}_normalization"
                )(features)
            features = keras.layers.Activation(
                self.activation, dtype=policy, name=f"{name}_{index}_activation"
            )(features)
        return features

    def hidden(self, features, units, policy, name):
        """Returns `features` after a dense layer, or as they are where it has no units."""
        if units == 0:
            return features
        return keras.layers.Dense(units, activation=self.activation, dtype=policy, name=name)(features)


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


def head(latent_shape, initializer, name):
    """Returns the float32 layer that ends the encoder: dense for a vector, a 1x1 convolution for a map."""
    if len(latent_shape) == 1:
        layer = keras.layers.Dense(
            latent_shape[0], kernel_initializer=initializer, dtype="float32", name=name
        )
    else:
        layer = keras.layers.Conv2D(
            latent_shape[-1], 1, kernel_initializer=initializer, dtype="float32", name=name
        )
    return layer


def groups(width):
    """Returns the number of groups for `width` channels: at most 8, each of 4 channels or more.

    A group of one channel would make the features of a 1x1 map zero, and their gradients with them.
    """
    return max(1, math.gcd(width, 32) // 4)


NORMALIZATIONS = {
    "batch": lambda width: lambda **names: keras.layers.BatchNormalization(**names),
    "layer": lambda width: lambda **names: keras.layers.LayerNormalization(**names),
    "group": lambda width: lambda **names: keras.layers.GroupNormalization(groups(width), **names),
}

ACTIVATIONS = ("relu", "elu", "gelu", "silu", "leaky_relu", "selu", "softplus", "tanh", "mish", "linear")

NETWORKS = {"convolutional": Convolutional}
