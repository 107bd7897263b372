"""Schedules of the pull towards the prior, for every objective that has one."""

import dataclasses
from dataclasses import dataclass, field

from keras_vae.model.objectives.objective import Objective
from keras_vae.runtime.lazy import ops


@dataclass(frozen=True)
class Annealed(Objective):
    """An objective whose pull towards the prior grows from 0, once or in cycles.

    Linear (Sonderby et al. 2016; Bowman et al. 2016, section 3.1, along a sigmoid): `warmup` steps. Cyclical (Fu et
    al. 2019, equations 6 and 7): it grows over a share of a cycle, stays at full weight to its end, and starts
    again from 0; four cycles are theirs. After the last the weight stays: what is trained in the end is the
    objective itself.
    """

    warmup: int = field(
        default=0, metadata={"help": "training steps over which the pull towards the prior grows from 0"}
    )
    cycles: int = field(
        default=1, metadata={"help": "how many times it grows so; several share the training between them"}
    )
    share: float = field(default=0.5, metadata={"help": "of a cycle, in which it grows"})

    def __post_init__(self):
        if self.warmup < 0:
            raise ValueError(f"objective.warmup is {self.warmup}: expected a number of steps, 0 or more")
        if self.cycles < 1:
            raise ValueError(f"objective.cycles is {self.cycles}: expected 1 (linear) or more")
        if not 0 < self.share <= 1:
            raise ValueError(
                f"objective.share is {self.share}: expected a share of a cycle, above 0, 1 at most"
            )

    def settle(self, num_images, num_steps):
        """Returns the objective with the steps of its warm-up, where there are cycles and no number of steps."""
        del num_images
        if self.warmup or self.cycles == 1:
            return self
        return dataclasses.replace(self, warmup=max(1, round(self.share * num_steps / self.cycles)))

    def check(self, model):
        """Raises a ValueError where nothing says how long a cycle is."""
        super().check(model)
        if self.cycles > 1 and not self.warmup:
            raise ValueError(
                f"objective.cycles is {self.cycles} and objective.warmup 0: say over how many steps the weight grows"
                " in a cycle (the training command knows)"
            )

    def progress(self, iteration):
        """Returns the share of the full weight at a training step, 0 to 1."""
        if not self.warmup:
            return 1.0
        length = self.warmup / self.share
        cycle = ops.minimum(ops.floor(iteration / length), self.cycles - 1.0)
        return ops.minimum(1.0, (iteration - cycle * length + 1.0) / self.warmup)

    def terms_of(self, step, pull, **terms):
        """Returns the loss, distortion + progress * pull, and what is reported; numbers of a batch as `[batch]`."""
        shape = ops.shape(step.distortion)
        return {
            "loss": step.distortion + self.progress(step.iteration) * pull,
            "distortion": step.distortion,
            **{name: ops.broadcast_to(term, shape) for name, term in terms.items()},
        }
