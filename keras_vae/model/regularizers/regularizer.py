"""The base class of regularizers."""

from dataclasses import dataclass
from typing import ClassVar

from keras_vae.config.codec import registered_name
from keras_vae.model.objectives import OBJECTIVES
from keras_vae.model.posteriors import Codebook, show_shape


class Regularizer:
    """The base class of all regularizers. By default, the methods leave the training unchanged.

    Attributes:
        name: Its name in `REGULARIZERS`, for messages.
        terms: The names of the terms that it adds to the objective's, each `[batch]`.
    """

    name: ClassVar = ""
    terms: ClassVar[tuple[str, ...]] = ()

    def check(self, model):
        """Raises a ValueError if the regularizer cannot be used with the objective or the latent of `model`."""
        if isinstance(model.objective.latent, Codebook):
            raise ValueError(
                f"regularizer {self.name} needs continuous codes, and those of objective"
                f" {registered_name(model.objective, OBJECTIVES)} are entries of a codebook (try --regularizer none)"
            )

    def latent(self, latent):
        """Returns the kind of latent that replaces the objective's `latent`."""
        return latent

    def perturb(self, codes, seeds, weights=None):
        """Returns the decoder's input in training, `[batch, *latent]`.

        Args:
            codes: `[batch, *latent]`.
            seeds: A function from a number, 0 or 1, to a seed of this step.
            weights: Weights of the images, `[batch]`; None if they are equal.
        """
        del seeds, weights
        return codes

    def __call__(self, model, step):
        """Returns the addition to the loss and the terms, {"loss": [batch], **terms}, in nats."""
        del model, step
        return {"loss": 0.0}


@dataclass(frozen=True)
class NoRegularizer(Regularizer):
    """Trains with the objective only."""

    name: ClassVar = "none"

    def check(self, model):
        """Accepts every model."""


def check_weight(weight):
    """Raises a ValueError for a weight that is negative or NaN."""
    if not weight >= 0:
        raise ValueError(f"regularizer.weight is {weight}: it must be 0 or more")


def check_map(name, latent_shape, image_shape):
    """Raises a ValueError if the latent is a vector, or a map with a single row or column."""
    if len(latent_shape) == 3 and min(latent_shape[:2]) > 1:
        return
    height, width = (max(2, size // 4) for size in image_shape[:2])
    raise ValueError(
        f"regularizer {name} needs a map of at least 2x2 positions, and the latent is {show_shape(latent_shape)}"
        f" (try --latent {show_shape((height, width, 16))}, or --regularizer noise)"
    )
