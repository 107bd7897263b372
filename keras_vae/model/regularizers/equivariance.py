"""Codes that are equivariant under scaling and rotation of the image."""

import math
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from keras_vae.layers.gradients import aside
from keras_vae.model.posteriors import show_shape
from keras_vae.model.regularizers.maps import product, shares
from keras_vae.model.regularizers.regularizer import Regularizer, check_map, check_weight
from keras_vae.runtime.lazy import keras, ops


@dataclass(frozen=True)
class Equivariance(Regularizer):
    """Trains scaled and rotated codes to decode to scaled and rotated images (EQ-VAE: Kouzelis et al. 2025).

    The distortion between decode(T z) and T x is added to the loss, where T is a scaling and a rotation. The decoder is
    convolutional, so it decodes a smaller map of codes to a smaller image. Maps and images are scaled by averaging over
    equal parts. Each image is rotated by a random multiple of 90 degrees (180 degrees, if the map or the image is not
    square). The distortion is scaled to the full number of pixels, so its weight does not depend on the scale.

    The paper applies either T or the identity, at random. A sum gives both the same weights and leaves the objective's
    own terms unchanged. Without `rotations` this is the regularizer of Skorokhodov et al. 2025, which aims at a latent
    without high frequencies.
    """

    name: ClassVar = "equivariance"
    terms: ClassVar[tuple[str, ...]] = ("equivariance",)

    weight: float = field(default=0.25, metadata={"help": "weight of the distortion of transformed images"})
    scales: tuple[float, ...] = field(
        default=(0.5, 0.25), metadata={"help": "sizes of the scaled maps, relative to the full map"}
    )
    rotations: bool = field(default=True, metadata={"help": "also rotate by multiples of 90 degrees"})

    def __post_init__(self):
        check_weight(self.weight)
        if not self.scales or not all(0 < scale < 1 for scale in self.scales):
            raise ValueError(
                f"regularizer.scales is {self.scales}: expected sizes between 0 and 1 (try 0.5,0.25)"
            )

    def check(self, model):
        """Raises a ValueError for vector latents, and for scales that leave the map unchanged or the image empty."""
        super().check(model)
        check_map(self.name, model.latent_shape, model.image_shape)
        for scale in self.scales:
            sides = [Side.of(model, axis, scale) for axis in range(2)]
            if all(side.codes == full for side, full in zip(sides, model.latent_shape)):
                raise ValueError(
                    f"regularizer.scales has {scale}, which leaves a map of {show_shape(model.latent_shape[:2])} unchanged"
                    " (try 0.5)"
                )
            if min(side.kept.stop - side.kept.start for side in sides) < 1:
                raise ValueError(
                    f"regularizer.scales has {scale}, at which the decoder's padding covers the whole image of"
                    f" {show_shape(model.image_shape)} (try a --latent whose height and width divide the image's)"
                )

    def __call__(self, model, step):
        """Returns the distortion of transformed images, averaged over the scales, and the resulting loss."""
        margins = margins_of(model.decoder)
        codes, targets = step.codes, ops.pad(step.targets, ((0, 0), *margins, (0, 0)))
        if self.rotations:
            codes, targets = turned([codes, targets], step.regularizer_seed(0))
        distortions = [distortion_at(model, step, codes, targets, scale) for scale in self.scales]
        distortion = sum(distortions) / len(distortions)
        return {"loss": self.weight * distortion, self.name: distortion}


def distortion_at(model, step, codes, targets, scale):
    """Returns -log p(T x | T z) at a smaller scale, `[batch]`, in nats for an image of full size.

    Args:
        model, step: As in an objective.
        codes: `[batch, *latent]`.
        targets: Images with the padding that the networks add, `[batch, height, width, channels]`.
        scale: The size of the scaled map, relative to the full map.
    """
    rows, columns = (Side.of(model, axis, scale) for axis in range(2))
    targets = resized(targets, (rows.image, columns.image))[:, rows.kept, columns.kept]
    inputs = model.labelled(resized(codes, (rows.codes, columns.codes)), step.labels)
    decoded = aside(model.decoder, inputs, training=step.training)
    log_prob = model.likelihood.log_prob_in_batch(targets, decoded, step.weights)
    return -log_prob * (model.dims.pixels / math.prod(targets.shape[1:]))


class Side(NamedTuple):
    """The height or width of a map and its image at a smaller scale.

    Attributes:
        codes: The size of the map.
        image: The size of the image with its padding.
        kept: The slice of the padded image that the decoder returns. It crops the same margins at every scale.
    """

    codes: int
    image: int
    kept: slice

    @classmethod
    def of(cls, model, axis, scale):
        """Returns the height (axis 0) or the width (axis 1) of `model` at `scale`."""
        low, high = margins_of(model.decoder)[axis]
        full = model.latent_shape[axis]
        codes = max(1, round(scale * full))
        image = codes * ((low + model.image_shape[axis] + high) // full)
        return cls(codes, image, slice(low, image - high))


def margins_of(decoder):
    """Returns the rows and columns that the decoder crops from its output, `((top, bottom), (left, right))`."""
    crops = (layer.cropping for layer in decoder.layers if isinstance(layer, keras.layers.Cropping2D))
    return next(crops, ((0, 0), (0, 0)))


def resized(values, sizes):
    """Returns `[batch, height, width, channels]` scaled to smaller `sizes` by averaging."""
    return product(values, *(shares(full, size) for full, size in zip(values.shape[1:3], sizes)))


def turned(several, seed):
    """Returns several maps or images, `[batch, height, width, channels]`, rotated by random multiples of 90 degrees.

    Each image has its own angle, which its code shares. If any map or image is not square, angles are 0 or 180 degrees.
    """
    is_square = all(values.shape[1] == values.shape[2] for values in several)
    quarters = keras.random.randint((ops.shape(several[0])[0], 1, 1, 1), 0, 4, dtype="int32", seed=seed)
    by_quarter, by_half = quarters % 2 == 1, quarters // 2 % 2 == 1
    if is_square:
        several = [
            ops.where(by_quarter, ops.flip(ops.transpose(values, (0, 2, 1, 3)), 1), values)
            for values in several
        ]
    return [ops.where(by_half, ops.flip(values, (1, 2)), values) for values in several]
