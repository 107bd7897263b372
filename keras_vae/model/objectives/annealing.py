"""Schedules for the weight of the terms that pull codes towards the prior."""

import dataclasses
from dataclasses import dataclass, field

from keras_vae.model.objectives.objective import Objective
from keras_vae.runtime.lazy import ops


@dataclass(frozen=True)
class Annealed(Objective):
    """An objective whose pull towards the prior grows from 0, once or in cycles.

    Linear: the weight grows over `warmup` steps (Sonderby et al. 2016; Bowman et al. 2016, section 3.1, use a sigmoid).
    Cyclical (Fu et al. 2019, equations 6 and 7): the weight grows over a share of a cycle, stays at its full value
    until the end of the cycle, and starts again from 0. The paper uses four cycles. After the last cycle the weight
    stays at its full value, so the objective itself is trained in the end.
    """

    warmup: int = field(default=0, metadata={"help": "steps over which the pull towards the prior grows"})
    cycles: int = field(
        default=1, metadata={"help": "number of warm-ups; several divide the training evenly"}
    )
    share: float = field(default=0.5, metadata={"help": "share of a cycle in which the weight grows"})

    def __post_init__(self):
        if self.warmup < 0:
            raise ValueError(f"objective.warmup is {self.warmup}: expected a number of steps, 0 or more")
        if self.cycles < 1:
            raise ValueError(f"objective.cycles is {self.cycles}: expected 1 (linear) or more")
        if not 0 < self.share <= 1:
            raise ValueError(
                f"objective.share is {self.share}: expected a share of a cycle, above 0 and at most 1"
            )

    def resolve(self, num_images, num_steps):
        """Returns the objective; if there are several cycles and `warmup` is 0, `warmup` is set from `num_steps`."""
        del num_images
        if self.warmup or self.cycles == 1:
            return self
        return dataclasses.replace(self, warmup=max(1, round(self.share * num_steps / self.cycles)))

    def check(self, model):
        """Raises a ValueError if the length of a cycle is unknown."""
        super().check(model)
        if self.cycles > 1 and not self.warmup:
            raise ValueError(
                f"objective.cycles is {self.cycles} and objective.warmup is 0: set warmup to the number of steps over"
                " which the weight grows in a cycle (the training command sets it by itself)"
            )

    def progress(self, iteration):
        """Returns the share of the full weight at a training step, from 0 to 1."""
        if not self.warmup:
            return 1.0
        length = self.warmup / self.share
        cycle = ops.minimum(ops.floor(iteration / length), self.cycles - 1.0)
        return ops.minimum(1.0, (iteration - cycle * length + 1.0) / self.warmup)

    def terms_of(self, step, pull, **terms):
        """Returns the loss, distortion + progress * pull, and the reported terms; scalars become `[batch]`."""
        shape = ops.shape(step.distortion)
        return {
            "loss": step.distortion + self.progress(step.iteration) * pull,
            "distortion": step.distortion,
            **{name: ops.broadcast_to(term, shape) for name, term in terms.items()},
        }
