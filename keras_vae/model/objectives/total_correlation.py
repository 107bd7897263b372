"""The rate split into three terms: information, total correlation, and the dimensions' divergences from the prior."""

import dataclasses
from dataclasses import dataclass, field
from typing import ClassVar

from keras_vae.layers.densities import gaussian_log_density, standard_normal_log_density
from keras_vae.model.objectives.annealing import Annealed
from keras_vae.runtime.lazy import ops

# The largest latent. In batches of 256 the table of its marginals takes 0.27 GB.
MOST_DIMS = 1024
ABSENT = 1e-37  # replaces a weight of 0; float32 has no logarithm of smaller numbers


@dataclass(frozen=True)
class BetaTCVAE(Annealed):
    """Distortion + alpha I(x; z) + beta TC(z) + gamma sum_j KL(q(z_j) || p(z_j)) (Chen et al. 2018, equation 4).

    If all weights are 1, this is the evidence lower bound, with the rate estimated at the drawn codes. The aggregated
    posterior q(z) of N training images is estimated from a batch with stratified weights (their appendix C.2). The
    estimate is unbiased for q(z) but biased for its logarithm: the mean information is accurate up to about log B nats
    for batches of B images, and cannot exceed log N. For codes with more information, the information, the total
    correlation or both are underestimated.

    Args:
        alpha, beta, gamma: Weights of the three terms.
        num_images: N; 0 for the number of images that train.py trains on.
    """

    formula: ClassVar = "D + alpha I(x; z) + beta TC(z) + gamma sum_j KL(q(z_j) || p(z_j))"
    paper: ClassVar = "Chen et al. 2018"
    good_for: ClassVar = "disentanglement with less distortion than beta-VAE"

    prior: ClassVar = "standard"
    terms: ClassVar[tuple[str, ...]] = (
        "distortion",
        "rate",
        "information",
        "total_correlation",
        "dimensionwise",
    )

    alpha: float = field(default=1.0, metadata={"help": "weight of the information between image and code"})
    beta: float = field(default=6.0, metadata={"help": "weight of the total correlation"})
    gamma: float = field(default=1.0, metadata={"help": "weight of the dimension-wise KL"})
    num_images: int = field(
        default=0, metadata={"help": "number of training images (0: train.py counts them)"}
    )

    def __post_init__(self):
        super().__post_init__()
        for name in ("alpha", "beta", "gamma", "num_images"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"objective.{name} is {getattr(self, name)}: it must be 0 or more")

    def resolve(self, num_images, num_steps):
        """Returns the objective with the number of training images."""
        settled = super().resolve(num_images, num_steps)
        return settled if self.num_images else dataclasses.replace(settled, num_images=num_images)

    def check(self, model):
        """Raises a ValueError if the number of images is unknown, or the latent is too large."""
        super().check(model)
        if not self.num_images:
            raise ValueError(
                "objective.num_images is 0: set it to the number of training images (the training command counts them)"
            )
        if model.dims.latents > MOST_DIMS:
            raise ValueError(
                f"objective {type(self).__name__} compares every dimension of every code with every posterior and supports"
                f" up to {MOST_DIMS:,} dimensions, and the latent has {model.dims.latents:,} (try --latent 32)"
            )

    def __call__(self, model, step):
        """Returns the loss, with the three parts of the rate at one code per image."""
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
        mean, log_var: Parameters of the posteriors, `[batch, d]`.
        num_images: N, the number of images that the batch is drawn from.
        weights: Weights of the images, `[batch]`; None if they are equal.
    """
    weights = stratified_log_weights(ops.shape(codes)[0], num_images, weights)
    table = gaussian_log_density(codes[:, None], mean[None], log_var[None])
    aggregate = ops.logsumexp(weights + ops.sum(table, axis=2), axis=1)
    # [i, j, k]: code i, posterior j, dimension k
    marginals = ops.logsumexp(weights[:, :, None] + table, axis=1)
    return aggregate, ops.sum(marginals, axis=1)


def stratified_log_weights(batch, num_images, weights=None):
    """Returns the logs of the weights of posterior j in q(code i), `[batch, batch]`; each row's weights sum to 1.

    With M = batch - 1 other images, the weights are 1/N for a code's own posterior, (N - M) / (N M) for one of the
    others (here the next), and 1/M for the rest (Chen et al. 2018, equation S6). The authors' code, and code derived
    from it, has the 1/N in the first column instead of the diagonal. A batch of one image, or of all images, is its own
    mixture.

    Args:
        batch: The number of images in the batch.
        num_images: N.
        weights: Weights of the images, `[batch]`; None if they are equal. They multiply the weights of the posteriors.
            Images of weight 0 are left out and do not count.
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
