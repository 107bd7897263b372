"""Laplace pixels: absolute error, whose best guess is the median and whose edges are sharper."""

import math
from dataclasses import dataclass, field

from keras_vae.layers.densities import laplace_log_density, sum_per_image
from keras_vae.model.likelihoods.likelihood import LearnedScale, Located, check_scale


@dataclass(frozen=True)
class Laplace(Located):
    """Independent Laplace pixels of one fixed scale: absolute error, on the scale of `scale`."""

    scale: float = field(
        default=0.1, metadata={"help": "mean absolute deviation of a pixel whose range is 0 to 1"}
    )

    def __post_init__(self):
        check_scale("scale", self.scale)

    def log_prob(self, images, decoded):
        """Returns log p(images | decoded), `[batch]`, in nats."""
        return sum_per_image(laplace_log_density(images, decoded, math.log(self.scale)))


@dataclass(frozen=True)
class LearnedLaplace(LearnedScale):
    """Laplace pixels of one scale, learned with the network as `LearnedGaussian`'s is."""

    # Many pixels are right to the last digit: the scale that they ask for is below what a level resolves.
    min_log_scale, scale_name = -6.0, "log_scale"

    def log_prob(self, images, decoded):
        """Returns log p(images | decoded), `[batch]`, in nats; the last channel is the log scale."""
        return sum_per_image(laplace_log_density(images, decoded[..., :-1], decoded[..., -1:]))
