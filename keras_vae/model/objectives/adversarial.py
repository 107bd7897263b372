"""Objectives with a critic of codes, a network that learns to tell two sets of codes apart."""

from dataclasses import dataclass, field
from typing import ClassVar

from keras_vae.layers.gradients import frozen
from keras_vae.model.objectives.objective import Objective
from keras_vae.model.posteriors import Point
from keras_vae.model.priors import VampPrior
from keras_vae.runtime.lazy import keras, ops


@dataclass(frozen=True)
class Adversarial(Objective):
    """The common part: the critic, an MLP with two logits, "of the first set" and "of the second"."""

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
    """Returns log p(first set) - log p(second set) as `logits`, `[batch, 2]`, have it: `[batch]`."""
    return logits[:, 0] - logits[:, 1]


def critic_loss(critic, first, second):
    """Returns the critic's cross-entropy in telling two sets of codes apart, `[batch]`, in nats.

    log 2 is a critic that cannot. Its gradient reaches the critic alone.
    """
    ratios = [log_ratio(critic(ops.stop_gradient(codes), training=True)) for codes in (first, second)]
    return 0.5 * (ops.softplus(-ratios[0]) + ops.softplus(ratios[1]))


def permute_dims(codes, seed, weights=None):
    """Returns `codes`, `[batch, *latent]`, with each dimension permuted over the batch, apart from the others.

    Kim and Mnih 2018, algorithm 1: draws of the product of the marginals. Codes of weight 0 take no part.
    """
    keys = keras.random.uniform(ops.shape(codes), dtype="float32", seed=seed)
    if weights is None:
        return ops.take_along_axis(codes, ops.argsort(keys, axis=0), axis=0)
    present = ops.reshape(weights > 0, (-1, *(1 for _ in codes.shape[1:])))
    # Those of weight 0 come last in the order, and the k-th that is present takes the k-th of it.
    order = ops.argsort(ops.where(present, keys, 2.0), axis=0)
    place = ops.maximum(ops.cumsum(ops.cast(weights > 0, "int32")) - 1, 0)
    return ops.take_along_axis(codes, ops.take(order, place, axis=0), axis=0)


@dataclass(frozen=True)
class FactorVAE(Adversarial):
    """The bound, and the total correlation of the codes (Kim and Mnih 2018, equation 2).

    Distortion + rate + gamma * KL(q(z) || product of q(z_j)), the latter as a critic estimates it that tells
    codes from codes with each dimension permuted over the batch (equation 3). The paper permutes a second
    batch; here, as in disentanglement_lib, it is the same. `gamma` is the paper's best on dSprites. A critic
    that lags behind understates the total correlation: it is a lower bound of it only at best.
    """

    formula: ClassVar = "D + R + gamma TC(z), TC by a critic"
    paper: ClassVar = "Kim and Mnih 2018"
    good_for: ClassVar = "independent dimensions at less loss of detail than beta-VAE"
    terms: ClassVar = ("distortion", "rate", "total_correlation", "critic_loss")

    gamma: float = field(default=35.0, metadata={"help": "weight of the total correlation; 0 is the VAE"})

    def __post_init__(self):
        super().__post_init__()
        if not self.gamma >= 0:
            raise ValueError(f"objective.gamma is {self.gamma}: it must be 0 or more (0 is the VAE)")

    def effective_beta(self, dims):
        """Returns 1: the total correlation, one part of the rate, is weighed beside it."""
        del dims
        return 1.0

    def __call__(self, model, step):
        """Returns the loss and what is in it, and the critic's."""
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
    """A plain autoencoder whose codes, taken together, look like the prior's to a critic (Makhzani et al. 2016).

    The distortion, and -log of the probability that the critic gives the code to be the prior's: the form of
    Goodfellow et al. 2014 whose gradient does not vanish where the critic wins. The paper takes turns between
    the two, by optimizers of their own (section 2); here they are one sum, and `weight` stands between them. The
    critic has the paper's two layers of 1,000 (appendix A.1); its rate and the weight are ours: on digits a weight
    of 10 let the two chase each other away. A prior that learns is fitted to the codes by its density.
    """

    formula: ClassVar = "D - weight log C(z), C a critic of z against the prior"
    paper: ClassVar = "Makhzani et al. 2016"
    good_for: ClassVar = "codes of any prior that can be drawn from, without noise"
    latent: ClassVar = Point()
    terms: ClassVar = ("distortion", "encoder_loss", "critic_loss")

    critic_widths: tuple[int, ...] = field(
        default=(1000, 1000), metadata={"help": "units of each hidden layer of the critic"}
    )
    critic_rate: float = field(default=3e-4, metadata={"help": "learning rate of the critic's Adam"})
    weight: float = field(
        default=1.0, metadata={"help": "nats of distortion that a nat of the critic's is worth"}
    )

    def __post_init__(self):
        super().__post_init__()
        if not self.weight > 0:
            raise ValueError(
                f"objective.weight is {self.weight}: it must be above 0 (without a critic: --objective autoencoder)"
            )

    def check(self, model):
        """Refuses VampPrior, a mixture of posteriors: those of this encoder are points."""
        super().check(model)
        if isinstance(model.prior, VampPrior):
            raise ValueError(
                "prior vamp is made of the encoder's posteriors, which are points here (try --prior mixture)"
            )

    def __call__(self, model, step):
        """Returns the loss and what is in it, and the critic's."""
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
