"""How much the code is to carry: a rate that is set, or that is free up to a point."""

import dataclasses
from dataclasses import dataclass, field
from typing import ClassVar

from keras_vae.layers.densities import kl_to_standard_normal
from keras_vae.model.objectives.annealing import Annealed
from keras_vae.model.objectives.objective import Objective
from keras_vae.runtime.lazy import ops


@dataclass(frozen=True)
class Capacity(Objective):
    """Distortion + gamma |R - C| with C growing linearly from 0 (Burgess et al. 2018, equation 8).

    R is the rate's mean over the batch (on each device), as in disentanglement_lib: images may differ in how much
    they need. C ends at `capacity` nats an image, and so does R as long as gamma is above what a nat is worth in
    distortion. The paper's 25 nats come in over 100,000 steps.
    """

    formula: ClassVar = "D + gamma |mean R - C(t)|"
    paper: ClassVar = "Burgess et al. 2018"
    good_for: ClassVar = "a rate that is chosen; disentanglement, factors coming in one by one"

    gamma: float = field(
        default=1000.0, metadata={"help": "weight of a nat of rate that is missing or too much"}
    )
    capacity: float = field(default=25.0, metadata={"help": "the rate to end with, nats an image"})
    rise: int = field(default=0, metadata={"help": "training steps until then (0: half of the training)"})

    def __post_init__(self):
        for name in ("gamma", "capacity", "rise"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"objective.{name} is {getattr(self, name)}: it must be 0 or more")

    def settle(self, num_images, num_steps):
        """Returns the objective with the number of steps over which its capacity rises."""
        del num_images
        return self if self.rise else dataclasses.replace(self, rise=max(1, num_steps // 2))

    def check(self, model):
        """Raises a ValueError where nothing says how fast the capacity rises."""
        super().check(model)
        if not self.rise:
            raise ValueError(
                "objective.rise is 0: say over how many training steps the capacity rises (by itself the command takes half of them)"
            )

    def __call__(self, model, step):
        """Returns the loss, distortion + gamma |mean rate - capacity of this step|."""
        capacity = self.capacity * ops.minimum(1.0, (step.iteration + 1.0) / self.rise)
        excess = ops.abs(step.mean(step.rate) - capacity)
        return {
            "loss": step.distortion + self.gamma * excess,
            "distortion": step.distortion,
            "rate": step.rate,
        }


@dataclass(frozen=True)
class FreeBits(Annealed):
    """Distortion + sum_j max(free, mean R_j) (Kingma et al. 2016, equation 15).

    R_j is the rate's part in group j, its mean taken over the batch (on each device) before the maximum. A group is
    a dimension of a vector, a channel of a spatial latent. Below `free` nats a group is not pulled to the prior,
    so none collapses; the rate rises to at least that much, and holes in the prior grow with it.
    """

    formula: ClassVar = "D + sum_j max(free, mean R_j)"
    paper: ClassVar = "Kingma et al. 2016"
    good_for: ClassVar = "codes that collapse; deep or strong decoders"

    prior: ClassVar = "standard"

    free: float = field(
        default=0.25, metadata={"help": "nats a dimension, or channel, that cost nothing more"}
    )

    def __post_init__(self):
        super().__post_init__()
        if not self.free >= 0:
            raise ValueError(f"objective.free is {self.free}: expected nats, 0 (the plain VAE) or more")

    def effective_beta(self, dims):
        """Returns 1, the weight of what is above the floor."""
        del dims
        return 1.0

    def __call__(self, model, step):
        """Returns the loss, in which each group's mean rate counts as `free` at least."""
        rates = kl_to_standard_normal(step.posterior["mean"], step.posterior["log_var"])
        groups = step.mean(ops.sum(rates, axis=tuple(range(1, len(rates.shape) - 1))))
        return self.terms_of(step, ops.sum(ops.maximum(groups, self.free)), rate=step.rate)
