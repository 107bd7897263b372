"""The evidence lower bound, and variants with other weights of the rate."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from keras_vae.model.objectives.annealing import Annealed


@dataclass(frozen=True)
class VariationalBound(Annealed):
    """The negative evidence lower bound, distortion + rate (Kingma and Welling 2014, equation 3).

    `reduction` serves to study a common mistake: means instead of sums. A mean over P pixels and a mean over d latent
    dimensions weigh the rate by P/d, so the weight silently depends on the size of the latent (Rybkin et al. 2021,
    section 3).
    """

    formula: ClassVar = "D + R"
    paper: ClassVar = "Kingma and Welling 2014"
    good_for: ClassVar = "generation; the reference for all other objectives"

    reduction: Literal["sum", "mean"] = field(
        default="sum",
        metadata={"help": "sum is the bound; mean, a common mistake, weighs the rate by pixels/latents"},
    )

    def effective_beta(self, dims):
        """Returns the final weight of the rate; `dims` has the number of `pixels` and of `latents`."""
        return dims.pixels / dims.latents if self.reduction == "mean" else 1.0

    def __call__(self, model, step):
        """Returns the loss, distortion + weight * rate, with the weight at this training step."""
        return self.terms_of(step, self.effective_beta(model.dims) * step.rate, rate=step.rate)


@dataclass(frozen=True)
class BetaVAE(VariationalBound):
    """Distortion + beta * rate (Higgins et al. 2017, equation 4)."""

    formula: ClassVar = "D + beta R"
    paper: ClassVar = "Higgins et al. 2017"
    good_for: ClassVar = "trading distortion for rate; disentanglement with beta above 1"

    beta: float = field(default=4.0, metadata={"help": "weight of the rate; 1 is the plain VAE"})

    def __post_init__(self):
        super().__post_init__()
        if not self.beta >= 0:
            raise ValueError(f"objective.beta is {self.beta}: it must be 0 or more (1 is the plain VAE)")

    def effective_beta(self, dims):
        """Returns beta, times the factor of the reduction."""
        return self.beta * super().effective_beta(dims)
