"""Corruptions of the encoder's input in training; the decoder's targets stay clean.

A corruption is a frozen dataclass called as `corruption(images, seed)`, with `images` `[batch, height, width,
channels]` in [0, 1] and `seed` as in `keras.random`. It returns images of the same shape and range.
"""

from dataclasses import dataclass, field

from keras_vae.runtime.lazy import keras, ops


@dataclass(frozen=True)
class NoCorruption:
    """Leaves the images unchanged."""

    def __call__(self, images, seed):
        """Returns `images`."""
        del seed
        return images


@dataclass(frozen=True)
class GaussianNoise:
    """Adds noise N(0, sigma^2) to each value and clips to [0, 1] (Vincent et al. 2010, section 3.3)."""

    sigma: float = field(
        default=0.3, metadata={"help": "standard deviation of the noise (pixels are 0 to 1)"}
    )

    def __post_init__(self):
        if not self.sigma > 0:
            raise ValueError(f"corruption.sigma is {self.sigma}: it must be above 0 (try 0.3)")

    def __call__(self, images, seed):
        """Returns noisy images."""
        noise = keras.random.normal(ops.shape(images), dtype="float32", seed=seed)
        return ops.clip(images + self.sigma * noise, 0.0, 1.0)


@dataclass(frozen=True)
class Mask:
    """Makes a share of the pixels black in all channels (masking noise, Vincent et al. 2008, section 2.3)."""

    share: float = field(default=0.25, metadata={"help": "share of the pixels that are made black"})

    def __post_init__(self):
        check_share(self.share)

    def __call__(self, images, seed):
        """Returns masked images."""
        return ops.where(chances(images, seed) < self.share, 0.0, images)


@dataclass(frozen=True)
class SaltAndPepper:
    """Makes a share of the pixels black or white in all channels, equally often (Vincent et al. 2010, section 3.3)."""

    share: float = field(default=0.25, metadata={"help": "share of the pixels that are made black or white"})

    def __post_init__(self):
        check_share(self.share)

    def __call__(self, images, seed):
        """Returns images with black and white pixels."""
        chance = chances(images, seed)
        speckled = ops.where(chance < self.share, 1.0, images)
        return ops.where(chance < self.share / 2, 0.0, speckled)


def chances(images, seed):
    """Returns a number drawn from U(0, 1) for each pixel, `[batch, height, width, 1]`."""
    batch, height, width = ops.shape(images)[:3]
    return keras.random.uniform((batch, height, width, 1), dtype="float32", seed=seed)


def check_share(share):
    """Raises a ValueError unless `share` is between 0 and 1."""
    if not 0 < share < 1:
        raise ValueError(f"corruption.share is {share}: it must lie between 0 and 1 (try 0.25)")


CORRUPTIONS: dict[str, type] = {
    "gaussian": GaussianNoise,
    "mask": Mask,
    "none": NoCorruption,
    "salt_and_pepper": SaltAndPepper,
}
