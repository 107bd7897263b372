"""Objectives that control the rate: a target rate, or a rate that is free up to a threshold."""

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

    R is the mean rate over the batch (on each device), as in disentanglement_lib, so the rates of single images may
    differ. C ends at `capacity` nats per image. So does R, as long as gamma exceeds the distortion that a nat of rate
    saves. The paper reaches its 25 nats in 100,000 steps.
    """

    formula: ClassVar = "D + gamma |mean R - C(t)|"
    paper: ClassVar = "Burgess et al. 2018"
    good_for: ClassVar = "a chosen rate; disentanglement, with factors learned one by one"

    gamma: float = field(default=1000.0, metadata={"help": "weight of the difference from the target rate"})
    capacity: float = field(default=25.0, metadata={"help": "final rate in nats per image"})
    rise: int = field(default=0, metadata={"help": "steps until the final rate (0: half of the training)"})

    def __post_init__(self):
        for name in ("gamma", "capacity", "rise"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"objective.{name} is {getattr(self, name)}: it must be 0 or more")

    def resolve(self, num_images, num_steps):
        """Returns the objective; if `rise` is 0, it is set to half of `num_steps`."""
        del num_images
        return self if self.rise else dataclasses.replace(self, rise=max(1, num_steps // 2))

    def check(self, model):
        """Raises a ValueError if `rise` is unknown."""
        super().check(model)
        if not self.rise:
            raise ValueError(
                "objective.rise is 0: set the number of training steps over which the capacity rises (the training"
                " command uses half of its steps)"
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

    R_j is the rate of group j, averaged over the batch (on each device) before the maximum. A group is a dimension of a
    vector latent or a channel of a spatial latent. Below `free` nats a group is not pulled to the prior, so no group
    collapses. The rate is at least `free` nats per group, and the mismatch between codes and prior grows with it.
    """

    formula: ClassVar = "D + sum_j max(free, mean R_j)"
    paper: ClassVar = "Kingma et al. 2016"
    good_for: ClassVar = "codes that collapse; deep or strong decoders"

    prior: ClassVar = "standard"

    free: float = field(default=0.25, metadata={"help": "free nats per dimension or channel"})

    def __post_init__(self):
        super().__post_init__()
        if not self.free >= 0:
            raise ValueError(f"objective.free is {self.free}: expected nats, 0 (the plain VAE) or more")

    def effective_beta(self, dims):
        """Returns 1, the weight of the rate above the threshold."""
        del dims
        return 1.0

    def __call__(self, model, step):
        """Returns the loss, in which each group's mean rate counts at least `free`."""
        rates = kl_to_standard_normal(step.posterior["mean"], step.posterior["log_var"])
        groups = step.mean(ops.sum(rates, axis=tuple(range(1, len(rates.shape) - 1))))
        return self.terms_of(step, ops.sum(ops.maximum(groups, self.free)), rate=step.rate)
