"""Second moments of the aggregated posterior, pulled to those of the prior."""

from dataclasses import dataclass, field
from typing import ClassVar

from keras_vae.layers.densities import shares_of
from keras_vae.model.objectives.annealing import Annealed
from keras_vae.runtime.lazy import ops


@dataclass(frozen=True)
class MeansCovariance(Annealed):
    """DIP-VAE-I: the covariance of the posteriors' means is pulled to I (Kumar et al. 2018, equation 6).

        D + R + off_diagonal sum_{i != j} C_ij^2 + diagonal sum_i (C_ii - 1)^2

    C is the batch's (on each device). In d dimensions and B images its off-diagonal squares sum to some d^2 / B
    where the truth is 0: take batches larger than the latent. No matrix of d x d is formed: with centred means X,
    sum_ij C_ij^2 = |X'X|^2 / B^2 = |XX'|^2 / B^2, so a latent of any size and shape will do. Where images have
    weights, each row of X is multiplied by the root of its weight, and B is their sum.
    """

    formula: ClassVar = "D + R + l_od sum_{i!=j} C_ij^2 + l_d sum_i (C_ii - 1)^2, C = Cov(mean)"
    paper: ClassVar = "Kumar et al. 2018"
    good_for: ClassVar = "disentanglement; small latents"

    prior: ClassVar = "standard"
    terms: ClassVar = ("distortion", "rate", "covariance")

    off_diagonal: float = field(default=10.0, metadata={"help": "weight of the squared covariances"})
    diagonal: float = field(
        default=100.0, metadata={"help": "weight of the variances' squared distances from 1"}
    )

    def __post_init__(self):
        super().__post_init__()
        for name in ("off_diagonal", "diagonal"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"objective.{name} is {getattr(self, name)}: it must be 0 or more")

    def effective_beta(self, dims):
        """Returns 1: the rate counts as in the bound."""
        del dims
        return 1.0

    def noise(self, step):
        """Returns what is added to the means' variances, `[d]`: nothing."""
        del step
        return 0.0

    def __call__(self, model, step):
        """Returns the loss, the bound with the two penalties; `covariance` is their weighted sum."""
        means = ops.reshape(step.posterior["mean"], (-1, model.dims.latents))
        means = means - step.mean(means)
        variances = step.mean(ops.square(means))
        rows = means * ops.sqrt(shares_of(means, step.weights))[:, None]
        squares = ops.sum(ops.square(ops.matmul(rows, ops.transpose(rows))))
        covariance = self.off_diagonal * (squares - ops.sum(ops.square(variances)))
        covariance += self.diagonal * ops.sum(ops.square(variances + self.noise(step) - 1.0))
        return self.terms_of(step, step.rate + covariance, rate=step.rate, covariance=covariance)


@dataclass(frozen=True)
class CodesCovariance(MeansCovariance):
    """DIP-VAE-II: the same of the codes, Cov(z) = Cov(mean) + diag(E variance) (Kumar et al. 2018, equation 7).

    A posterior's noise is independent between dimensions, so the two differ on the diagonal alone.
    """

    formula: ClassVar = "the same, C = Cov(z)"

    diagonal: float = field(
        default=10.0, metadata={"help": "weight of the variances' squared distances from 1"}
    )

    def noise(self, step):
        """Returns the posteriors' mean variance, `[d]`."""
        return ops.reshape(step.mean(ops.exp(step.posterior["log_var"])), (-1,))
