"""Plain convolutions."""

from dataclasses import dataclass, field
from typing import Literal

from keras_vae.model.networks.normalization import NORMALIZATIONS
from keras_vae.model.networks.pyramid import Pyramid


@dataclass(frozen=True)
class Convolutional(Pyramid):
    """Strided convolutions that halve the image (Conv2D), and transposed ones that double it (Conv2DTranspose)."""

    normalization: Literal["none", "batch", "layer", "group"] = field(
        default="none", metadata={"help": "normalization after each convolution"}
    )

    def stage(self, rising, features, width, strides, name, policy):
        """Returns `features` after the convolutions of one size, the first of them with `strides`."""
        from keras_vae.layers.kernels.layers import Activation, Conv2D, Conv2DTranspose

        plain = self.normalization == "none"
        for index in range(self.depth):
            first = index == 0
            layer = Conv2DTranspose if rising and first else Conv2D
            features = layer(
                width,
                self.kernel_size,
                strides=strides if first else (1, 1),
                padding="same",
                activation=self.activation if plain else None,
                use_bias=self.normalization != "batch",
                dtype=policy,
                name=f"{name}_{index}",
            )(features)
            if not plain:
                normalize = NORMALIZATIONS[self.normalization](width)
                features = normalize(dtype=policy, name=f"{name}_{index}_normalization")(features)
                features = Activation(self.activation, dtype=policy, name=f"{name}_{index}_activation")(
                    features
                )
        return features
