"""What all regularizers share: each method leaves the training as it is."""

from dataclasses import dataclass
from typing import ClassVar

from keras_vae.model.objectives import OBJECTIVES
from keras_vae.model.posteriors import Codebook, show_shape


class Regularizer:
    """The common part of all regularizers.

    Attributes:
        name: Its name in `REGULARIZERS`, for messages.
        terms: The names of what it reports besides the objective's terms, each `[batch]`.
    """

    name: ClassVar = ""
    terms: ClassVar = ()

    def check(self, model):
        """Raises a ValueError if the regularizer cannot be used with the objective or the latent of `model`."""
        if isinstance(model.objective.latent, Codebook):
            raise ValueError(
                f"regularizer {self.name} changes continuous codes, and those of objective {named(model.objective)} are"
                " entries of a codebook (try --regularizer none)"
            )

    def latent(self, latent):
        """Returns the kind of latent to train in the place of the objective's `latent`."""
        return latent

    def perturb(self, codes, seeds, weights=None):
        """Returns the codes that the decoder sees in training, `[batch, *latent]`.

        Args:
            codes: `[batch, *latent]`.
            seeds: A function from a number, 0 or 1, to a seed of this step.
            weights: Of the images, `[batch]`; None if they are equal.
        """
        del seeds, weights
        return codes

    def __call__(self, model, step):
        """Returns what is added to the loss, and the terms: {"loss": [batch], **terms}, in nats."""
        del model, step
        return {"loss": 0.0}


@dataclass(frozen=True)
class NoRegularizer(Regularizer):
    """Nothing beside the objective."""

    name: ClassVar = "none"

    def check(self, model):
        """Accepts every model."""


def named(objective):
    """Returns an objective's name in `OBJECTIVES`, or its class's name if it is not there."""
    kind = type(objective)
    return next((name for name, choice in OBJECTIVES.items() if choice is kind), kind.__name__)


def check_weight(weight):
    """Raises a ValueError for a weight that is negative or NaN."""
    if not weight >= 0:
        raise ValueError(f"regularizer.weight is {weight}: it must be 0 or more")


def check_map(name, latent_shape, image_shape):
    """Raises a ValueError if the latent is a vector, or a map that has only one row or one column."""
    if len(latent_shape) == 3 and min(latent_shape[:2]) > 1:
        return
    height, width = (max(2, size // 4) for size in image_shape[:2])
    raise ValueError(
        f"regularizer {name} is for maps of codes of at least 2x2 places, and the latent is {show_shape(latent_shape)}"
        f" (try --latent {show_shape((height, width, 16))}, or --regularizer noise)"
    )
