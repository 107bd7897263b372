"""Codes that scale and turn as the image does."""

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
    """Scaled and turned codes are to be decoded to scaled and turned images (EQ-VAE: Kouzelis et al. 2025).

    The distortion of decode(T z) against T x is added to the loss, with T a scaling and a turn. The same decoder, which is
    convolutional, makes a smaller image of a smaller map of codes. Scaling takes the means over equal parts of the map
    and of the image, and each image is turned by a random number of right angles (of half turns, if the map or the
    image is not square). The distortion is scaled to the full number of pixels, so that its weight does not depend on
    the scale.

    The paper uses either T or the identity, at random. A sum weighs the two in the same way, and keeps the objective's
    own terms as they are. Without `rotations` this is the regularizer of Skorokhodov et al. 2025, whose aim is a latent
    without high frequencies.
    """

    name: ClassVar = "equivariance"
    terms: ClassVar = ("equivariance",)

    weight: float = field(
        default=0.25, metadata={"help": "weight of the distortion of scaled and turned images"}
    )
    scales: tuple[float, ...] = field(
        default=(0.5, 0.25), metadata={"help": "sizes of the smaller maps, relative to the map's, all used"}
    )
    rotations: bool = field(default=True, metadata={"help": "turn by right angles too"})

    def __post_init__(self):
        check_weight(self.weight)
        if not self.scales or not all(0 < scale < 1 for scale in self.scales):
            raise ValueError(
                f"regularizer.scales is {self.scales}: expected sizes between 0 and 1 (try 0.5,0.25)"
            )

    def check(self, model):
        """Refuses vectors, and scales at which the map is as large as before or the image is cut off entirely."""
        super().check(model)
        check_map(self.name, model.latent_shape, model.image_shape)
        for scale in self.scales:
            sides = [Side.of(model, axis, scale) for axis in range(2)]
            if all(side.codes == full for side, full in zip(sides, model.latent_shape)):
                raise ValueError(
                    f"regularizer.scales has {scale}, at which a map of {show_shape(model.latent_shape[:2])} stays as it"
                    " is (try 0.5)"
                )
            if min(side.kept.stop - side.kept.start for side in sides) < 1:
                raise ValueError(
                    f"regularizer.scales has {scale}, at which the decoder's margins leave nothing of an image of"
                    f" {show_shape(model.image_shape)} (try a --latent whose height and width divide the image's)"
                )

    def __call__(self, model, step):
        """Returns the mean over the scales of the distortion of transformed images, and its share of the loss."""
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
        model, step: As an objective takes them.
        codes: `[batch, *latent]`.
        targets: Images with the margins that the networks add, `[batch, height, width, channels]`.
        scale: Of the map.
    """
    rows, columns = (Side.of(model, axis, scale) for axis in range(2))
    targets = resized(targets, (rows.image, columns.image))[:, rows.kept, columns.kept]
    inputs = model.labelled(resized(codes, (rows.codes, columns.codes)), step.labels)
    decoded = aside(model.decoder, inputs, training=step.training)
    log_prob = model.likelihood.log_prob_in_batch(targets, decoded, step.weights)
    return -log_prob * (model.dims.pixels / math.prod(targets.shape[1:]))


class Side(NamedTuple):
    """Height or width of a map and its image at a smaller scale.

    Attributes:
        codes: Of the map.
        image: Of the image with its margins.
        kept: The slice of it that the decoder gives: it cuts off the same margins at every scale.
    """

    codes: int
    image: int
    kept: slice

    @classmethod
    def of(cls, model, axis, scale):
        """Returns the height (axis 0) or the width of `model` at `scale`."""
        low, high = margins_of(model.decoder)[axis]
        full = model.latent_shape[axis]
        codes = max(1, round(scale * full))
        image = codes * ((low + model.image_shape[axis] + high) // full)
        return cls(codes, image, slice(low, image - high))


def margins_of(decoder):
    """Returns the rows and columns that the decoder cuts off its output, `((top, bottom), (left, right))`."""
    crops = (layer.cropping for layer in decoder.layers if isinstance(layer, keras.layers.Cropping2D))
    return next(crops, ((0, 0), (0, 0)))


def resized(values, sizes):
    """Returns `[batch, height, width, channels]` at smaller `sizes`, each value the mean over its share."""
    return product(values, *(shares(full, size) for full, size in zip(values.shape[1:3], sizes)))


def turned(several, seed):
    """Returns several maps or images, `[batch, height, width, channels]` each, turned alike by random right angles.

    An image and its code get the same angle, and each image its own. What is not square is turned by 180 degrees only.
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
