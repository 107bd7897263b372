"""The base class of objectives."""

from typing import ClassVar

from keras_vae.model.posteriors import DiagonalGaussian
from keras_vae.model.posteriors.latent import Latent


class Objective:
    """The base class of all objectives.

    Attributes:
        formula: The loss in one line, with D for the distortion and R for the rate.
        paper: Authors and year of the paper, ending in the year, or "none".
        good_for: The purpose of the objective in a few words.
        latent: The kind of latent that it trains (`keras_vae.model.posteriors`).
        terms: The names of the reported terms besides the loss, each `[batch]`.
        prior: The priors that it supports: "any", "standard" (only N(0, I)) or "none" (it uses no prior).
        conditional: Whether encoder and decoder take the images' labels.
        corruption: The default corruption of the encoder's input in training.
    """

    formula: ClassVar = ""
    paper: ClassVar = ""
    good_for: ClassVar = ""

    latent: ClassVar[Latent] = DiagonalGaussian()
    terms: ClassVar[tuple[str, ...]] = ("distortion", "rate")
    prior: ClassVar = "any"
    conditional: ClassVar = False
    corruption: ClassVar = "none"

    def resolve(self, num_images, num_steps):
        """Returns the objective with fields that depend on the training, usually those that are 0, set.

        Args:
            num_images: The number of training images.
            num_steps: The number of optimizer steps.
        """
        del num_images, num_steps
        return self

    def check(self, model):
        """Raises a ValueError if the objective does not support the shapes, likelihood or prior of `model`."""
        self.latent.check(model.latent_shape)
        if self.prior != "any" and not model.prior.is_standard:
            reason = "uses no prior" if self.prior == "none" else "is derived for the prior N(0, I)"
            raise ValueError(
                f"objective {type(self).__name__} {reason}: leave the prior out (--prior standard)"
            )

    def effective_beta(self, dims):
        """Returns the weight of the rate relative to the distortion after all schedules, or None without a single one.

        `dims` has the number of `pixels` and of `latents`.
        """
        del dims

    def constrain(self, decoder):
        """Returns the decoder, with constraints on its weights if the objective has some."""
        return decoder

    def critic(self, image_shape, latent_shape):
        """Returns the network trained against the others, a `keras.Model` in float32, or None.

        The model stores it as `model.critic`. The objective then returns the term `critic_loss`, which is not part of
        `loss` and trains the critic. Its gradients must reach only the critic (`ops.stop_gradient`), and those of
        `loss` only the critic's inputs (`frozen(model.critic, inputs)` of `keras_vae.layers.gradients`). A VAE-GAN
        (Larsen et al. 2016) can be implemented this way: its critic takes images and returns a layer of features too,
        and `frozen` and `ops.stop_gradient` select the networks that a term trains.
        """
        del image_shape, latent_shape

    def critic_optimizer(self):
        """Returns the optimizer of the critic."""
        raise NotImplementedError(f"{type(self).__name__} has a critic but no critic_optimizer()")
