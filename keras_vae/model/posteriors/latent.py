"""What all latents share."""

from typing import ClassVar, NamedTuple

from keras_vae.model.owning import Owner


class Draw(NamedTuple):
    """Codes drawn from posteriors.

    Attributes:
        codes: `[batch, *latent]`.
        log_density: log q(codes|x), `[batch]`, in nats; None where the posterior has no density.
        terms: What else the latent has to say of the draw, each `[batch]`, by name; or None.
    """

    codes: object
    log_density: object = None
    terms: dict | None = None


class Latent(Owner):
    """The common part of all latents: any shape, the encoder's output taken as it is, nothing drawn.

    Attributes:
        has_noise: Whether codes are drawn from posteriors, by a seed or by the `noise` that `draw` then takes.
        is_gaussian: Whether a posterior is the Gaussian of the mean and the log-variance that `moments` gives.
    """

    is_gaussian: ClassVar = True
    has_noise: ClassVar = False

    def check(self, latent_shape):
        """Accepts every shape."""
        del latent_shape

    def bound(self, posterior):
        """Returns the posterior as it is."""
        return posterior

    def decoder_input(self):
        """Returns the layer that codes go through before the decoder; None if they enter it as they are."""

    def of(self, latent_shape):
        """Returns the latent of a model, with its layer."""
        return self.owning(self.new_layer(latent_shape))

    def new_layer(self, latent_shape):
        """Returns None: nothing is drawn."""
        del latent_shape

    def rate(self, posterior):
        """Returns None: there is no closed form."""
        del posterior

    def prior(self, chosen):
        """Returns the prior of the codes: the one that was chosen (`keras_vae.model.priors`)."""
        return chosen

    def prior_setting(self, prior):
        """Returns the setting that `prior` was made from."""
        return prior
