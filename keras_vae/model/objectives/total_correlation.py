"""The rate in three parts: information, total correlation, and each dimension's distance from the prior."""

import dataclasses
from dataclasses import dataclass, field
from typing import ClassVar

from keras_vae.layers.densities import gaussian_log_density, standard_normal_log_density
from keras_vae.model.objectives.annealing import Annealed
from keras_vae.runtime.lazy import ops

# Dimensions of a latent whose marginals are compared: in batches of 256 a table of them takes 0.27 GB.
MOST_DIMS = 1024
ABSENT = 1e-37  # the weight of an image that is not there: float32 has no logarithm of what is smaller


@dataclass(frozen=True)
class BetaTCVAE(Annealed):
    """Distortion + alpha I(x; z) + beta TC(z) + gamma sum_j KL(q(z_j) || p(z_j)) (Chen et al. 2018, equation 4).

    With all weights 1 it is the bound, the rate estimated at the codes drawn. The aggregated posterior q(z) of N
    training images is estimated from a batch by stratified weights (their appendix C.2), which have no bias for
    q(z) and have one for its logarithm: mean information is right up to some log B nats for batches of B, and
    cannot exceed log N. Codes that carry more look as if they had less information, less TC, or both.

    Args:
        alpha, beta, gamma: Weights of the three terms.
        num_images: N; 0 for that of the images that train.py trains on.
    """

    formula: ClassVar = "D + alpha I(x; z) + beta TC(z) + gamma sum_j KL(q(z_j) || p(z_j))"
    paper: ClassVar = "Chen et al. 2018"
    good_for: ClassVar = "disentanglement at less cost in distortion than beta-VAE"

    prior: ClassVar = "standard"
    terms: ClassVar = ("distortion", "rate", "information", "total_correlation", "dimensionwise")

    alpha: float = field(default=1.0, metadata={"help": "weight of the information between image and code"})
    beta: float = field(default=6.0, metadata={"help": "weight of the total correlation"})
    gamma: float = field(default=1.0, metadata={"help": "weight of the dimensions' distances from the prior"})
    num_images: int = field(
        default=0, metadata={"help": "how many are trained on (0: the training command counts them)"}
    )

    def __post_init__(self):
        super().__post_init__()
        for name in ("alpha", "beta", "gamma", "num_images"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"objective.{name} is {getattr(self, name)}: it must be 0 or more")

    def settle(self, num_images, num_steps):
        """Returns the objective with the number of training images."""
        settled = super().settle(num_images, num_steps)
        return settled if self.num_images else dataclasses.replace(settled, num_images=num_images)

    def check(self, model):
        """Raises a ValueError where the number of images is not known, or the latent is too large."""
        super().check(model)
        if not self.num_images:
            raise ValueError(
                "objective.num_images is 0: say how many images the model is trained on (the training command counts them)"
            )
        if model.dims.latents > MOST_DIMS:
            raise ValueError(
                f"objective {type(self).__name__} compares every dimension of every code with every posterior, which"
                f" it does up to {MOST_DIMS:,} dimensions, and the latent has {model.dims.latents:,} (try --latent 32)"
            )

    def __call__(self, model, step):
        """Returns the loss, with the three parts of the rate at one code an image."""
        codes, mean, log_var = (
            ops.reshape(values, (-1, model.dims.latents))
            for values in (step.codes, step.posterior["mean"], step.posterior["log_var"])
        )
        aggregate, marginals = log_aggregate(codes, mean, log_var, self.num_images, step.weights)
        information = step.draw.log_density - aggregate
        correlation = aggregate - marginals
        dimensionwise = marginals - ops.sum(standard_normal_log_density(codes), axis=1)
        pull = self.alpha * information + self.beta * correlation + self.gamma * dimensionwise
        return self.terms_of(
            step,
            pull,
            rate=step.rate,
            information=information,
            total_correlation=correlation,
            dimensionwise=dimensionwise,
        )


def log_aggregate(codes, mean, log_var, num_images, weights=None):
    """Returns estimates of log q(z) and of sum_j log q(z_j) at codes drawn for a batch, each `[batch]`.

    Args:
        codes: `[batch, d]`, code i drawn from posterior i.
        mean, log_var: Of the posteriors, `[batch, d]`.
        num_images: N, of which the batch is a random part.
        weights: Of the images, `[batch]`; None where all are equal.
    """
    weights = stratified_log_weights(ops.shape(codes)[0], num_images, weights)
    table = gaussian_log_density(codes[:, None], mean[None], log_var[None])
    aggregate = ops.logsumexp(weights + ops.sum(table, axis=2), axis=1)
    marginals = ops.logsumexp(
        weights[:, :, None] + table, axis=1
    )  # [i, j, k]: code i, posterior j, dimension k
    return aggregate, ops.sum(marginals, axis=1)


def stratified_log_weights(batch, num_images, weights=None):
    """Returns the logs of the weights of posterior j in q(code i), `[batch, batch]`; each row's weights sum to 1.

    With M = batch - 1 others: 1/N for a code's own posterior, (N - M) / (N M) for one of the others, here the
    next, and 1/M for the rest (Chen et al. 2018, equation S6). The authors' code, and what was copied from it, sets
    the 1/N in the first column in the place of the diagonal. A batch of one image, or of all, is its own mixture.

    Args:
        batch: How many images there are.
        num_images: N.
        weights: Of the images, `[batch]`; None where all are equal. Those of weight 0 are part of no mixture and do not
            count; the others' multiply the weights of their posteriors.
    """
    if weights is None:
        weights = ops.ones((batch,), "float32")
    present = ops.cast(weights > 0, "float32")
    count, place = ops.sum(present), ops.cumsum(present) - 1
    others = ops.maximum(count - 1, 1.0)
    total = ops.maximum(float(num_images), others + 1.0)
    distance = ops.mod(place[None, :] - place[:, None], ops.maximum(count, 1.0))
    rest = ops.where(distance == 1, (total - others) / (total * others), 1.0 / others)
    mixture = ops.where(distance == 0, 1.0 / total, rest) * weights
    return ops.log(ops.maximum(ops.divide_no_nan(mixture, ops.sum(mixture, axis=1, keepdims=True)), ABSENT))
