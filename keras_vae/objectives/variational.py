"""The evidence lower bound, and the rate weighed otherwise in it."""

from dataclasses import dataclass, field
from typing import Literal

from keras_vae.lazy import ops
from keras_vae.objectives.objective import Objective


@dataclass(frozen=True)
class VariationalBound(Objective):
    """The negative evidence lower bound, distortion + rate (Kingma and Welling 2014, equation 3).

    `reduction` is there to study a mistake that is common: means in the place of sums. A mean over P pixels
    and a mean over d latent dimensions weigh the rate by P/d, so that the size of the latent silently sets
    the weight (Rybkin et al. 2021, section 3).
    """

    warmup: int = field(
        default=0, metadata={"help": "training steps over which the rate's weight grows from 0"}
    )
    reduction: Literal["sum", "mean"] = field(
        default="sum",
        metadata={"help": "sum is the bound; mean, the common mistake, weighs the rate by pixels/latents"},
    )

    def __post_init__(self):
        if self.warmup < 0:
            raise ValueError(f"objective.warmup is {self.warmup}: expected a number of steps, 0 or more")

    def effective_beta(self, dims):
        """Returns the final weight of the rate; `dims` has the number of `pixels` and of `latents`."""
        return dims.pixels / dims.latents if self.reduction == "mean" else 1.0

    def __call__(self, model, step):
        """Returns the loss, distortion + weight * rate, with the weight of this training step."""
        progress = ops.minimum(1.0, (step.iteration + 1.0) / self.warmup) if self.warmup else 1.0
        weight = self.effective_beta(model.dims) * progress
        return {
            "loss": step.distortion + weight * step.rate,
            "distortion": step.distortion,
            "rate": step.rate,
        }


@dataclass(frozen=True)
class BetaVAE(VariationalBound):
    """Distortion + beta * rate (Higgins et al. 2017, equation 4)."""

    beta: float = field(default=4.0, metadata={"help": "weight of the rate; 1 is the plain VAE"})

    def __post_init__(self):
        super().__post_init__()
        if not self.beta >= 0:
            raise ValueError(f"objective.beta is {self.beta}: it must be 0 or more (1 is the plain VAE)")

    def effective_beta(self, dims):
        """Returns beta, times the factor of the reduction."""
        return self.beta * super().effective_beta(dims)
