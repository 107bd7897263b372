"""Plain convolutions."""

from dataclasses import dataclass, field
from typing import Literal

from keras_vae.lazy import keras
from keras_vae.networks.normalization import NORMALIZATIONS
from keras_vae.networks.pyramid import Pyramid


@dataclass(frozen=True)
class Convolutional(Pyramid):
    """Convolutions that halve the image (Conv2D), and transposed ones that double it (Conv2DTranspose)."""

    normalization: Literal["none", "batch", "layer", "group"] = field(
        default="none", metadata={"help": "what follows each convolution"}
    )

    def stage(self, rising, features, width, strides, name, policy):
        """Returns `features` after one size's convolutions, the first of them with `strides`."""
        from keras_vae.layers import Activation

        for index in range(self.depth):
            first = index == 0
            layer = keras.layers.Conv2DTranspose if rising and first else keras.layers.Conv2D
            features = layer(
                width,
                self.kernel_size,
                strides=strides if first else (1, 1),
                padding="same",
                use_bias=self.normalization != "batch",
                dtype=policy,
                name=f"{name}_{index}",
            )(features)
            if self.normalization != "none":
                features = NORMALIZATIONS[self.normalization](width)(
                    dtype=policy, name=f"{name}_{index}_normalization"
                )(features)
            features = Activation(self.activation, dtype=policy, name=f"{name}_{index}_activation")(features)
        return features
