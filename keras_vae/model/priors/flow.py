"""A normalizing flow as the prior, trained with the model."""

import math
from dataclasses import dataclass, field
from typing import Literal

from keras_vae.model.priors.prior import Prior
from keras_vae.runtime.lazy import ops

# The networks of a step have three dims x width matrices; for larger latents they outgrow the model.
MOST_DIMS = 4096
MOST_STEPS = 1000  # building more steps would take hours


@dataclass(frozen=True)
class FlowPrior(Prior):
    """A normalizing flow between codes and N(0, I), RealNVP or MAF (Chen et al. 2017, section 3.2).

    It is initialised to N(0, I). Drawing from a MAF takes as many passes as there are dimensions.
    """

    form: Literal["realnvp", "maf"] = field(default="realnvp", metadata={"help": "type of the flow's steps"})
    depth: int = field(default=6, metadata={"help": "number of steps of the flow"})
    width: int = field(default=256, metadata={"help": "units in the two hidden layers of a step's network"})

    def __post_init__(self):
        for name in ("depth", "width"):
            if getattr(self, name) < 1:
                raise ValueError(f"prior.{name} is {getattr(self, name)}: it must be at least 1")
        if self.depth > MOST_STEPS:
            raise ValueError(f"prior.depth is {self.depth}: a flow has at most {MOST_STEPS} steps")

    def new_layer(self, image_shape, latent_shape):
        """Returns the flow.

        Raises:
            ValueError: The latent is too large.
        """
        from keras_vae.layers.flows import Flow

        del image_shape
        dims = math.prod(latent_shape)
        if dims > MOST_DIMS:
            raise ValueError(
                f"the latent has {dims:,} dimensions: a flow takes at most {MOST_DIMS:,} as a prior (try --prior mixture)"
            )
        return Flow(dims, self.form, self.depth, self.width, name="prior")

    def log_prob(self, codes):
        """Returns log p(codes), `[batch]`, by the change of variables."""
        return self.layer.log_prob(ops.reshape(codes, (-1, math.prod(self.latent_shape))))

    def draw(self, count, seed):
        """Returns codes drawn from the flow, `[count, *latent]`."""
        return ops.reshape(self.layer.sample(count, seed), (-1, *self.latent_shape))

    def sampler(self):
        """Returns the flow as a sampler, with its current weights."""
        from keras_vae import samplers

        return samplers.FlowSampler.of_flow(self.layer, self.latent_shape)
