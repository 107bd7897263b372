"""Bounds from several codes per image that are tighter than the evidence lower bound."""

import functools
from dataclasses import dataclass, field
from typing import ClassVar

from keras_vae.layers.densities import log_mean_exp
from keras_vae.layers.gradients import frozen
from keras_vae.model.likelihoods.ms_ssim import MultiScaleSimilarity
from keras_vae.model.objectives.objective import Objective
from keras_vae.runtime.lazy import ops


@dataclass(frozen=True)
class ImportanceWeighted(Objective):
    """The importance-weighted bound, -log of the mean of k weights (Burda et al. 2016, equation 8).

    A weight is p(x|z) p(z) / q(z|x) at a code drawn from q(z|x). With one code this is the evidence lower bound; with
    more codes it approaches log p(x), but the encoder's gradients get noisier (Rainforth et al. 2018). A step decodes k
    codes for each image.

    The reported terms are `bound`, computed from all codes, and the means over codes of `distortion` and `rate`.
    """

    formula: ClassVar = "-log mean of k weights w = p(x|z) p(z) / q(z|x)"
    paper: ClassVar = "Burda et al. 2016"
    good_for: ClassVar = "a higher likelihood; non-Gaussian posteriors"
    terms: ClassVar[tuple[str, ...]] = ("bound", "distortion", "rate")
    counts: ClassVar[tuple[str, ...]] = ("num_samples",)

    num_samples: int = field(default=5, metadata={"help": "number of codes per image, k"})

    def __post_init__(self):
        for name in self.counts:
            if getattr(self, name) < 1:
                raise ValueError(f"objective.{name} is {getattr(self, name)}: it must be at least 1")

    def check(self, model):
        """Raises a ValueError if the likelihood is not a density, which importance weights require."""
        super().check(model)
        if isinstance(model.likelihood, MultiScaleSimilarity):
            raise ValueError(
                "likelihood ms_ssim is not a density, which importance weights require (try --likelihood gaussian_optimal)"
            )

    @property
    def num_codes(self):
        """The number of codes drawn per image."""
        return self.num_samples

    def effective_beta(self, dims):
        """Returns 1: the rate is part of the weights."""
        del dims
        return 1.0

    def __call__(self, model, step):
        """Returns the loss and the reported terms."""
        draws = step.draws(self.num_codes)
        return {
            "loss": self.loss(model, step, draws),
            "bound": -log_mean_exp(draws.log_weights, axis=1),
            "distortion": -ops.mean(draws.log_likelihood, axis=1),
            "rate": -ops.mean(draws.log_ratio, axis=1),
        }

    def loss(self, model, step, draws):
        """Returns the loss, `[batch]`, from the codes' `log_weights`, `[batch, k]`."""
        del model, step
        return -log_mean_exp(draws.log_weights, axis=1)


@dataclass(frozen=True)
class CombinedImportanceWeighted(ImportanceWeighted):
    """beta * evidence lower bound + (1 - beta) * importance-weighted bound (CIWAE: Rainforth et al. 2018, section 5).

    Both bounds use the same k codes. The defaults are the paper's k and its beta of figure 5, whose likelihood on MNIST
    was 0.7 nats below IWAE's. With beta 0.05 the likelihoods were equal (table 1).
    """

    formula: ClassVar = "beta (D + R) + (1 - beta) IWAE"
    paper: ClassVar = "Rainforth et al. 2018"
    good_for: ClassVar = "IWAE's likelihood with a better encoder"

    num_samples: int = field(default=64, metadata={"help": "number of codes per image, k"})
    beta: float = field(default=0.5, metadata={"help": "weight of the VAE's bound; 0 is IWAE"})

    def __post_init__(self):
        super().__post_init__()
        if not 0 <= self.beta <= 1:
            raise ValueError(f"objective.beta is {self.beta}: expected 0 (IWAE) to 1 (VAE)")

    def loss(self, model, step, draws):
        """Returns the weighted mean of the two bounds."""
        lower = -ops.mean(draws.log_weights, axis=1)
        return self.beta * lower + (1 - self.beta) * super().loss(model, step, draws)


@dataclass(frozen=True)
class MultipleImportanceWeighted(ImportanceWeighted):
    """The mean of M importance-weighted bounds of k codes each (MIWAE: Rainforth et al. 2018, section 5).

    The defaults are the paper's M and k.
    """

    formula: ClassVar = "mean of M IWAE of k codes each"
    paper: ClassVar = "Rainforth et al. 2018"
    good_for: ClassVar = "less noise in the encoder's gradients than IWAE with M k codes"
    counts: ClassVar = ("num_samples", "num_estimates")

    num_samples: int = field(default=8, metadata={"help": "number of codes per bound, k"})
    num_estimates: int = field(default=8, metadata={"help": "number of bounds that are averaged, M"})

    @property
    def num_codes(self):
        """The number of codes drawn per image."""
        return self.num_estimates * self.num_samples

    def loss(self, model, step, draws):
        """Returns the mean of the M bounds."""
        del model, step
        return self.mean_of_bounds(draws.log_weights)

    def mean_of_bounds(self, log_weights):
        """Returns minus the mean of M bounds, `[batch]`, from log weights, `[batch, M * k]`."""
        grouped = ops.reshape(log_weights, (-1, self.num_estimates, self.num_samples))
        return -ops.mean(log_mean_exp(grouped, axis=2), axis=1)


@dataclass(frozen=True)
class PartiallyImportanceWeighted(MultipleImportanceWeighted):
    """IWAE with M * k codes for the decoder, MIWAE for the encoder (PIWAE: Rainforth et al. 2018, section 5).

    The decoder runs twice: once without gradients to the encoder, and once frozen, with gradients to the encoder only.
    The loss has IWAE's value. The prior must be N(0, I), since a learned prior belongs to the decoder's part.
    """

    formula: ClassVar = "decoder: IWAE of M k codes; encoder: MIWAE"
    good_for: ClassVar = "the advantages of IWAE and MIWAE combined"
    prior: ClassVar = "standard"

    def loss(self, model, step, draws):
        """Returns a loss with IWAE's value, IWAE's gradients for the decoder and MIWAE's for the encoder."""
        live = functools.partial(model.decoder, training=step.training)
        fixed = functools.partial(frozen, model.decoder, training=step.training)
        decoders = draws.log_prob(ops.stop_gradient(draws.codes), live) + ops.stop_gradient(draws.log_ratio)
        encoders = self.mean_of_bounds(draws.log_prob(draws.codes, fixed) + draws.log_ratio)
        return -log_mean_exp(decoders, axis=1) + encoders - ops.stop_gradient(encoders)
