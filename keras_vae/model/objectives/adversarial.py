"""Objectives with a critic, a network that learns to distinguish two sets of codes."""

from dataclasses import dataclass, field
from typing import ClassVar

from keras_vae.layers.gradients import frozen
from keras_vae.model.objectives.objective import Objective
from keras_vae.model.posteriors import Point
from keras_vae.model.priors import VampPrior
from keras_vae.runtime.lazy import keras, ops


@dataclass(frozen=True)
class Adversarial(Objective):
    """The base class: the critic is an MLP with two logits, one for each set of codes."""

    critic_widths: tuple[int, ...] = field(
        default=(1000,) * 6, metadata={"help": "units of each hidden layer of the critic"}
    )
    critic_rate: float = field(default=1e-4, metadata={"help": "learning rate of the critic's Adam"})

    def __post_init__(self):
        if not self.critic_widths or min(self.critic_widths) < 1:
            raise ValueError(
                f"objective.critic_widths is {self.critic_widths}: give at least one size above 0 (try 256,256)"
            )
        if not self.critic_rate > 0:
            raise ValueError(f"objective.critic_rate is {self.critic_rate}: it must be above 0 (try 1e-4)")

    def critic(self, image_shape, latent_shape):
        """Returns the critic, codes `[batch, *latent]` -> logits `[batch, 2]`, in float32."""
        del image_shape
        hidden = [
            keras.layers.Dense(width, activation="leaky_relu", dtype="float32")
            for width in self.critic_widths
        ]
        flatten = keras.layers.Flatten(data_format="channels_last", dtype="float32")
        logits = keras.layers.Dense(2, dtype="float32")
        return keras.Sequential([keras.Input(latent_shape), flatten, *hidden, logits], name="critic")

    def critic_optimizer(self):
        """Returns Adam with the moments of Kim and Mnih 2018, appendix A."""
        return keras.optimizers.Adam(self.critic_rate, beta_1=0.5, beta_2=0.9)


def log_ratio(logits):
    """Returns log p(first set) - log p(second set), `[batch]`, according to `logits`, `[batch, 2]`."""
    return logits[:, 0] - logits[:, 1]


def critic_loss(critic, first, second):
    """Returns the critic's cross-entropy in distinguishing two sets of codes, `[batch]`, in nats.

    A critic that cannot distinguish them has log 2. The gradient reaches only the critic.
    """
    ratios = [log_ratio(critic(ops.stop_gradient(codes), training=True)) for codes in (first, second)]
    return 0.5 * (ops.softplus(-ratios[0]) + ops.softplus(ratios[1]))


def permute_dims(codes, seed, weights=None):
    """Returns `codes`, `[batch, *latent]`, with each dimension permuted over the batch independently.

    These are draws from the product of the marginals (Kim and Mnih 2018, algorithm 1). Codes of weight 0 are left out.
    """
    keys = keras.random.uniform(ops.shape(codes), dtype="float32", seed=seed)
    if weights is None:
        return ops.take_along_axis(codes, ops.argsort(keys, axis=0), axis=0)
    present = ops.reshape(weights > 0, (-1, *(1 for _ in codes.shape[1:])))
    # Codes of weight 0 come last in the order; the k-th code with a weight takes the k-th entry.
    order = ops.argsort(ops.where(present, keys, 2.0), axis=0)
    place = ops.maximum(ops.cumsum(ops.cast(weights > 0, "int32")) - 1, 0)
    return ops.take_along_axis(codes, ops.take(order, place, axis=0), axis=0)


@dataclass(frozen=True)
class FactorVAE(Adversarial):
    """The evidence lower bound with a penalty on the total correlation of the codes (Kim and Mnih 2018, equation 2).

    The loss is distortion + rate + gamma * KL(q(z) || product of q(z_j)). The last term is estimated by a critic that
    distinguishes codes from codes with each dimension permuted over the batch (equation 3). The paper permutes a second
    batch; this implementation permutes the same batch, as disentanglement_lib does. The default `gamma` is the paper's
    best on dSprites. A critic that lags behind underestimates the total correlation.
    """

    formula: ClassVar = "D + R + gamma TC(z), TC by a critic"
    paper: ClassVar = "Kim and Mnih 2018"
    good_for: ClassVar = "independent dimensions with less loss of detail than beta-VAE"
    terms: ClassVar[tuple[str, ...]] = ("distortion", "rate", "total_correlation", "critic_loss")

    gamma: float = field(default=35.0, metadata={"help": "weight of the total correlation; 0 is the VAE"})

    def __post_init__(self):
        super().__post_init__()
        if not self.gamma >= 0:
            raise ValueError(f"objective.gamma is {self.gamma}: it must be 0 or more (0 is the VAE)")

    def effective_beta(self, dims):
        """Returns 1: the total correlation is weighted separately from the rate."""
        del dims
        return 1.0

    def __call__(self, model, step):
        """Returns the loss, its terms and the critic's loss."""
        total_correlation = log_ratio(frozen(model.critic, step.codes))
        permuted = permute_dims(step.codes, step.own_seed(), step.weights)
        return {
            "loss": step.distortion + step.rate + self.gamma * total_correlation,
            "distortion": step.distortion,
            "rate": step.rate,
            "total_correlation": total_correlation,
            "critic_loss": critic_loss(model.critic, step.codes, permuted),
        }


@dataclass(frozen=True)
class AdversarialAutoencoder(Adversarial):
    """A plain autoencoder whose codes are matched to the prior by a critic (Makhzani et al. 2016).

    The loss is the distortion minus `weight` times the log of the critic's probability that the code comes from the
    prior. This is the form of Goodfellow et al. 2014 whose gradient does not vanish when the critic wins. The paper
    alternates between the two terms, each with its own optimizer (section 2); here they are summed. The critic has the
    paper's two layers of 1,000 units (appendix A.1). The critic's learning rate and the weight are ours: on the digits,
    training diverges with a weight of 10. A learned prior is fitted to the codes by maximum likelihood.
    """

    formula: ClassVar = "D - weight log C(z), C a critic of z against the prior"
    paper: ClassVar = "Makhzani et al. 2016"
    good_for: ClassVar = "codes without noise that follow any prior that can be sampled"
    latent: ClassVar = Point()
    terms: ClassVar[tuple[str, ...]] = ("distortion", "encoder_loss", "critic_loss")

    critic_widths: tuple[int, ...] = field(
        default=(1000, 1000), metadata={"help": "units of each hidden layer of the critic"}
    )
    critic_rate: float = field(default=3e-4, metadata={"help": "learning rate of the critic's Adam"})
    weight: float = field(default=1.0, metadata={"help": "weight of the encoder's loss against the critic"})

    def __post_init__(self):
        super().__post_init__()
        if not self.weight > 0:
            raise ValueError(
                f"objective.weight is {self.weight}: it must be above 0 (for no critic, use --objective autoencoder)"
            )

    def check(self, model):
        """Raises a ValueError for VampPrior, a mixture of posteriors: this encoder has none."""
        super().check(model)
        if isinstance(model.prior, VampPrior):
            raise ValueError(
                "prior vamp is made of the encoder's posteriors, which are points here (try --prior mixture)"
            )

    def __call__(self, model, step):
        """Returns the loss, its terms and the critic's loss."""
        encoder_loss = ops.softplus(-log_ratio(frozen(model.critic, step.codes)))
        loss = step.distortion + self.weight * encoder_loss
        if model.prior.layer is not None:
            loss = loss - model.prior.log_prob(ops.stop_gradient(step.codes))
        return {
            "loss": loss,
            "distortion": step.distortion,
            "encoder_loss": encoder_loss,
            "critic_loss": critic_loss(model.critic, step.prior_codes, step.codes),
        }
