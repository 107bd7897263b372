"""Objectives that pull the aggregated posterior to the prior by the maximum mean discrepancy of a batch."""

from dataclasses import dataclass, field
from typing import ClassVar

from keras_vae.layers.densities import (
    gaussian_kernel,
    inverse_multiquadratic,
    maximum_mean_discrepancy,
)
from keras_vae.model.objectives.annealing import Annealed
from keras_vae.model.posteriors import Point
from keras_vae.runtime.lazy import ops


@dataclass(frozen=True)
class InfoVAE(Annealed):
    """Distortion + (1 - alpha) R + (alpha + lambda - 1) MMD(q(z), p(z)) (Zhao et al. 2019, equation 6).

    MMD is the squared discrepancy between the codes and as many prior codes, with the kernel exp(-|z - z'|^2 / d). The
    estimate is unbiased, so it can be negative. alpha = 0 and weight = 1 is the VAE; alpha = 1 does not penalise the
    information in the code (MMD-VAE). The kernel distinguishes little above about 64 dimensions. The default weight is
    ours: on the embedded digits, 10 brings q(z) closer to the prior with the bound of a VAE. From 100 on, the noise of
    the estimate in batches of 64 removes information from the code. The authors' code for MNIST (alpha = 1, batches of
    200) corresponds to a weight of 392 in nats at a standard deviation of 1, with d^2 instead of d in the kernel.
    """

    formula: ClassVar = "D + (1 - alpha) R + (alpha + weight - 1) MMD"
    paper: ClassVar = "Zhao et al. 2019"
    good_for: ClassVar = "informative codes that still fill the prior; small latents"

    prior: ClassVar = "standard"
    terms: ClassVar[tuple[str, ...]] = ("distortion", "rate", "discrepancy")
    kernel: ClassVar = staticmethod(gaussian_kernel)

    alpha: float = field(default=0.0, metadata={"help": "weight of the information in the code, at most 1"})
    weight: float = field(
        default=10.0, metadata={"help": "weight of the discrepancy from the prior (lambda)"}
    )

    def __post_init__(self):
        super().__post_init__()
        if not self.alpha <= 1:
            raise ValueError(
                f"objective.alpha is {self.alpha}: above 1 the rate would be rewarded without bound (try 1)"
            )
        if not self.alpha + self.weight >= 1:
            raise ValueError(
                f"objective.weight is {self.weight}: the weight of the discrepancy, alpha + weight - 1, must be 0 or more"
            )

    def __call__(self, model, step):
        """Returns the loss, with the discrepancy between the codes and the prior's."""
        discrepancy = batch_discrepancy(model, step, self.kernel)
        pull = (1 - self.alpha) * step.rate + (self.alpha + self.weight - 1) * discrepancy
        return self.terms_of(step, pull, rate=step.rate, discrepancy=discrepancy)


@dataclass(frozen=True)
class WassersteinMMD(Annealed):
    """Distortion + lambda MMD(q(z), p(z)) with codes without noise (Tolstikhin et al. 2018, algorithm 2).

    The kernel is that of the authors' code, sum_s C / (C + |z - z'|^2) with C = 2 d s and seven scales s from 0.1 to
    10. Their unbiased estimate and their weight for MNIST are used too (100 for CelebA). Their distortion is 0.05 times
    the squared error; in nats, for a Gaussian of standard deviation sigma, the same balance is a weight of
    100 / sigma^2. Raise the weight as long as the noise of the estimate, about 0.01 in batches of 64, times the weight
    is small compared with the distortion.
    """

    formula: ClassVar = "D + weight MMD"
    paper: ClassVar = "Tolstikhin et al. 2018"
    good_for: ClassVar = "sharp images and codes that fill the prior; small latents"

    latent: ClassVar = Point()
    prior: ClassVar = "standard"
    terms: ClassVar[tuple[str, ...]] = ("distortion", "discrepancy")
    kernel: ClassVar = staticmethod(inverse_multiquadratic)

    weight: float = field(
        default=10.0, metadata={"help": "weight of the discrepancy from the prior (lambda)"}
    )

    def __post_init__(self):
        super().__post_init__()
        if not self.weight >= 0:
            raise ValueError(f"objective.weight is {self.weight}: it must be 0 (a plain autoencoder) or more")

    def __call__(self, model, step):
        """Returns the loss, with the discrepancy between the codes and the prior's."""
        discrepancy = batch_discrepancy(model, step, self.kernel)
        return self.terms_of(step, self.weight * discrepancy, discrepancy=discrepancy)


def batch_discrepancy(model, step, kernel):
    """Returns the squared discrepancy between the flattened codes of a step and as many prior codes, a scalar."""
    codes, others = (
        ops.reshape(values, (-1, model.dims.latents)) for values in (step.codes, step.prior_codes)
    )
    return maximum_mean_discrepancy(codes, others, kernel, step.weights)
