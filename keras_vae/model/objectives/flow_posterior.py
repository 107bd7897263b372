"""Objectives with non-Gaussian posteriors: draws from a diagonal Gaussian, transformed by a flow."""

from dataclasses import dataclass, field
from typing import ClassVar

from keras_vae.model.objectives.variational import VariationalBound
from keras_vae.model.posteriors import FlowedGaussian
from keras_vae.model.priors import VampPrior
from keras_vae.model.priors.flow import MOST_STEPS


@dataclass(frozen=True)
class PlanarFlow(VariationalBound):
    """The evidence lower bound with planar flows (Rezende and Mohamed 2015, equations 10 to 15).

    log q(z_K|x) = log q(z_0|x) - sum_k log |1 + u_k' psi_k(z_(k-1))|. Each step bends the density across one plane. Its
    parameters are linear in an additional output of the encoder with the shape of the latent.
    """

    formula: ClassVar = "D + E log q(z|x) - log p(z), z by planar flow steps"
    paper: ClassVar = "Rezende and Mohamed 2015"
    good_for: ClassVar = "small latents whose posteriors are bent or have two modes"
    kind: ClassVar = "planar"
    width = 1  # a planar step has no network

    depth: int = field(default=10, metadata={"help": "number of steps of the flow"})

    def __post_init__(self):
        super().__post_init__()
        for name in ("depth", "width"):
            if getattr(self, name) < 1:
                raise ValueError(f"objective.{name} is {getattr(self, name)}: it must be at least 1")
        if self.depth > MOST_STEPS:
            raise ValueError(f"objective.depth is {self.depth}: a flow has at most {MOST_STEPS} steps")

    @property
    def latent(self):
        """The Gaussian with its flow."""
        return FlowedGaussian(self.kind, self.depth, self.width)

    def check(self, model):
        """Raises a ValueError for VampPrior, a posterior mixture: a flow's density is known only at its draws."""
        super().check(model)
        if isinstance(model.prior, VampPrior):
            raise ValueError(
                "prior vamp is made of the encoder's posteriors, and the density of a posterior with a flow is only known"
                " at its own draws (try --prior mixture)"
            )


@dataclass(frozen=True)
class InverseAutoregressiveFlow(PlanarFlow):
    """The evidence lower bound with inverse autoregressive flows (Kingma et al. 2016, algorithm 1, gated).

    The defaults are the smallest flow of their table 1. The networks take the latent, whose order each step reverses,
    and an additional output of the encoder with the shape of the latent.
    """

    formula: ClassVar = "D + E log q(z|x) - log p(z), z by autoregressive flow steps"
    paper: ClassVar = "Kingma et al. 2016"
    good_for: ClassVar = "a tighter bound, also for latents of a few hundred dimensions"
    kind: ClassVar = "iaf"

    depth: int = field(default=2, metadata={"help": "number of steps of the flow"})
    width: int = field(default=320, metadata={"help": "units in the two hidden layers of a step's network"})
