"""Networks of residual blocks."""

from dataclasses import dataclass, field
from typing import Literal

from keras_vae.model.networks.fields import check_least
from keras_vae.model.networks.normalization import groups
from keras_vae.model.networks.pyramid import WIDTHS, Pyramid
from keras_vae.runtime.lazy import keras


@dataclass(frozen=True)
class Residual(Pyramid):
    """Pre-activation residual blocks with GroupNorm, between convolutions that halve or double the image.

    A block applies normalization, activation and convolution twice and adds the result to its input (He et al. 2016,
    "Identity Mappings", figure 4e; Wu and He 2018). The initial variance of its last convolution is divided by the
    number of blocks (Child 2021, section 3), so the output of a deep stack initially has about the scale of its input.

    With the default sizes and 28x28x1 images it takes 65 million multiply-adds per image (`Convolutional`: 8.5
    million). On two busy CPU cores it trained at about a tenth of that network's speed, so a GPU is recommended.
    """

    groups: int = field(default=8, metadata={"help": "maximum number of groups (4 or more channels each)"})
    down: Literal["strided", "average"] = field(
        default="strided",
        metadata={"help": "halve by a strided convolution, or by a convolution and averages over 2x2"},
    )
    up: Literal["nearest", "transposed"] = field(
        default="nearest",
        metadata={"help": "double by repeating pixels before a convolution, or by a transposed convolution"},
    )

    def __post_init__(self):
        super().__post_init__()
        check_least(self, groups=1)
        if self.widths and min(self.widths) < 4:
            raise ValueError(
                f"network.widths is {self.widths}: GroupNorm needs at least 4 channels (try 32,64)"
            )

    def stage(self, rising, features, width, strides, name, policy):
        """Returns `features` after a change of size and the blocks of the new size."""
        resize = self.enlarge if rising else self.shrink
        features = resize(features, width, strides, f"{name}_resize", policy)
        for index in range(self.depth):
            features = self.block(features, width, f"{name}_{index}", policy)
        return features

    def block(self, features, width, name, policy):
        """Returns `features` after a residual block."""
        small = keras.initializers.VarianceScaling(
            1 / (self.depth * len(self.widths or WIDTHS[:3])), "fan_avg", "uniform"
        )
        change = self.activated(features, width, f"{name}_a", policy)
        change = self.convolution(change, width, (1, 1), f"{name}_a", policy)
        change = self.activated(change, width, f"{name}_b", policy)
        change = self.convolution(change, width, (1, 1), f"{name}_b", policy, kernel_initializer=small)
        return keras.layers.Add(dtype=policy, name=f"{name}_sum")([features, change])

    def shrink(self, features, width, strides, name, policy):
        """Returns `features`, smaller by `strides`."""
        if self.down == "strided":
            return self.convolution(features, width, strides, name, policy)
        features = self.convolution(features, width, (1, 1), name, policy)
        return keras.layers.AveragePooling2D(
            strides, strides, data_format="channels_last", dtype=policy, name=f"{name}_mean"
        )(features)

    def enlarge(self, features, width, strides, name, policy):
        """Returns `features`, larger by `strides`."""
        if self.up == "transposed":
            return self.convolution(features, width, strides, name, policy, transposed=True)
        features = keras.layers.UpSampling2D(
            strides, data_format="channels_last", dtype=policy, name=f"{name}_repeat"
        )(features)
        return self.convolution(features, width, (1, 1), name, policy)

    def convolution(self, features, width, strides, name, policy, transposed=False, **options):
        """Returns `features` after a convolution."""
        from keras_vae.layers.kernels.layers import Conv2D, Conv2DTranspose

        layer = Conv2DTranspose if transposed else Conv2D
        return layer(
            width, self.kernel_size, strides=strides, padding="same", dtype=policy, name=name, **options
        )(features)

    def finish(self, features, name, policy):
        """Returns `features` after normalization and activation, which blocks do not end with."""
        return self.activated(features, features.shape[-1], name, policy)

    def activated(self, features, width, name, policy):
        """Returns `features` after normalization and activation."""
        from keras_vae.layers.kernels.layers import Activation

        normalize = keras.layers.GroupNormalization(
            groups(width, self.groups), dtype=policy, name=f"{name}_normalization"
        )
        return Activation(self.activation, dtype=policy, name=f"{name}_activation")(normalize(features))
