"""Laplace pixels: an absolute error, which is minimised by the median and gives sharper edges."""

import math
from dataclasses import dataclass, field

from keras_vae.layers.densities import laplace_log_density, sum_per_image
from keras_vae.model.likelihoods.likelihood import LearnedScale, Located, check_scale


@dataclass(frozen=True)
class Laplace(Located):
    """Independent Laplace pixels with one fixed scale: an absolute error, scaled by `scale`."""

    scale: float = field(default=0.1, metadata={"help": "mean absolute deviation (pixels are 0 to 1)"})

    def __post_init__(self):
        check_scale("scale", self.scale)

    def log_prob(self, images, decoded):
        """Returns log p(images | decoded), `[batch]`, in nats."""
        return sum_per_image(laplace_log_density(images, decoded, math.log(self.scale)))


@dataclass(frozen=True)
class LearnedLaplace(LearnedScale):
    """Laplace pixels with one scale, learned with the network."""

    # Many pixels are reconstructed exactly. Without a bound, the scale would fall far below one grey level.
    min_log_scale, scale_name = -6.0, "log_scale"

    def log_prob(self, images, decoded):
        """Returns log p(images | decoded), `[batch]`, in nats; the last channel is log scale."""
        return sum_per_image(laplace_log_density(images, decoded[..., :-1], decoded[..., -1:]))
