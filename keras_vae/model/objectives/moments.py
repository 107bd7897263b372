"""Objectives that pull the covariance of the aggregated posterior to that of the prior."""

from dataclasses import dataclass, field
from typing import ClassVar

from keras_vae.layers.densities import shares_of
from keras_vae.model.objectives.annealing import Annealed
from keras_vae.runtime.lazy import ops


@dataclass(frozen=True)
class MeansCovariance(Annealed):
    """DIP-VAE-I: the covariance of the posteriors' means is pulled to I (Kumar et al. 2018, equation 6).

        D + R + off_diagonal sum_{i != j} C_ij^2 + diagonal sum_i (C_ii - 1)^2

    C is the covariance in the batch (on each device). With d dimensions and B images, its squared off-diagonal entries
    sum to about d^2 / B even if the true covariances are 0, so batches should be larger than the latent. No d x d
    matrix is formed: with centred means X, sum_ij C_ij^2 = |X'X|^2 / B^2 = |XX'|^2 / B^2, so latents of any size and
    shape work. If images have weights, each row of X is scaled by the square root of its weight, and B is their sum.
    """

    formula: ClassVar = "D + R + l_od sum_{i!=j} C_ij^2 + l_d sum_i (C_ii - 1)^2, C = Cov(mean)"
    paper: ClassVar = "Kumar et al. 2018"
    good_for: ClassVar = "disentanglement; small latents"

    prior: ClassVar = "standard"
    terms: ClassVar[tuple[str, ...]] = ("distortion", "rate", "covariance")

    off_diagonal: float = field(default=10.0, metadata={"help": "weight of the squared covariances"})
    diagonal: float = field(default=100.0, metadata={"help": "weight of (variance - 1)^2"})

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
        """Returns the variance that is added to that of the means, `[d]`: 0."""
        del step
        return 0.0

    def __call__(self, model, step):
        """Returns the loss, the bound with two penalties; `covariance` is the weighted sum of the penalties."""
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
    """DIP-VAE-II: DIP-VAE-I with the codes' covariance, Cov(mean) + diag(E variance) (Kumar et al. 2018, equation 7).

    A posterior's noise is independent between dimensions, so the two covariances differ only on the diagonal.
    """

    formula: ClassVar = "as dip_vae_i, but C = Cov(z)"

    diagonal: float = field(default=10.0, metadata={"help": "weight of (variance - 1)^2"})

    def noise(self, step):
        """Returns the posteriors' mean variance, `[d]`."""
        return ops.reshape(step.mean(ops.exp(step.posterior["log_var"])), (-1,))
