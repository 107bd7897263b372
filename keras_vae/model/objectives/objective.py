"""What every objective says of itself, with the answers that most of them give."""

from typing import ClassVar

from keras_vae.model.posteriors import DiagonalGaussian


class Objective:
    """The common part of all objectives.

    Attributes:
        formula: The loss in one line, with D for the distortion and R for the rate.
        paper: Who came up with it.
        good_for: What it is good for, in a few words.
        latent: The kind of latent that it trains (`keras_vae.model.posteriors`).
        terms: The names, besides the loss, of what it reports; each `[batch]`.
        prior: Which priors it goes with: "any", "standard" (N(0, I) alone) or "none" (it uses no prior).
        conditional: Whether encoder and decoder see the images' labels.
        corruption: What is done to the images that the encoder sees in training, unless the user says otherwise.
    """

    formula: ClassVar = ""
    paper: ClassVar = ""
    good_for: ClassVar = ""

    latent: ClassVar = DiagonalGaussian()
    terms: ClassVar = ("distortion", "rate")
    prior: ClassVar = "any"
    conditional: ClassVar = False
    corruption: ClassVar = "none"

    def settle(self, num_images, num_steps):
        """Returns the objective with what was left to the training decided by it: fields that were 0, as a rule.

        Args:
            num_images: How many images it is trained on.
            num_steps: How many optimizer steps it is trained for.
        """
        del num_images, num_steps
        return self

    def check(self, model):
        """Raises a ValueError where the objective does not go with the shapes, likelihood or prior of `model`."""
        self.latent.check(model.latent_shape)
        if self.prior != "any" and not model.prior.is_standard:
            reason = "uses no prior" if self.prior == "none" else "is derived for the prior N(0, I)"
            raise ValueError(
                f"objective {type(self).__name__} {reason}: leave the prior out (--prior standard)"
            )

    def effective_beta(self, dims):
        """Returns the weight of the rate against the distortion once every schedule has run out.

        `dims` has the number of `pixels` and of `latents`. None where there is no rate or it has no one weight.
        """
        del dims

    def constrain(self, decoder):
        """Returns the decoder, its layers changed where the objective bounds them."""
        return decoder

    def critic(self, image_shape, latent_shape):
        """Returns the network that plays against the others, a `keras.Model` in float32, or None.

        `model.critic` is it. The objective's term `critic_loss`, which it then gives and which is no part of
        `loss`, trains the critic; its gradients must reach nothing else (`ops.stop_gradient`), and the loss must
        reach the critic's inputs alone (`frozen(model.critic, inputs)` of `keras_vae.layers.gradients`). A VAE-GAN
        (Larsen et al. 2016) fits this: its critic takes images and gives a layer of features beside its verdict,
        and `frozen` and `ops.stop_gradient` say who learns from which term.
        """
        del image_shape, latent_shape

    def critic_optimizer(self):
        """Returns the optimizer of the critic."""
        raise NotImplementedError(f"{type(self).__name__} has a critic and no critic_optimizer()")
