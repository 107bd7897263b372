"""The base class of latents."""

from typing import ClassVar, NamedTuple

from keras_vae.model.owning import Owner


class Draw(NamedTuple):
    """Codes drawn from posteriors.

    Attributes:
        codes: `[batch, *latent]`.
        log_density: log q(codes|x), `[batch]`, in nats; None if the posterior has no density.
        terms: Additional terms of the latent by name, each `[batch]`, or None.
    """

    codes: object
    log_density: object = None
    terms: dict | None = None


class Latent(Owner):
    """The base class of all latents, with defaults for codes of any shape without noise.

    Attributes:
        has_noise: Whether codes are random. `draw` then takes a seed or `noise`.
        is_gaussian: Whether a posterior is the Gaussian with the mean and log-variance that `moments` returns.
    """

    is_gaussian: ClassVar = True
    has_noise: ClassVar = False

    def check(self, latent_shape):
        """Accepts every shape."""
        del latent_shape

    def bound(self, posterior):
        """Returns the posterior unchanged."""
        return posterior

    def decoder_input(self):
        """Returns the layer that codes go through before the decoder, or None."""

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
        """Returns the prior of the codes: the chosen one (`keras_vae.model.priors`)."""
        return chosen

    def prior_setting(self, prior):
        """Returns the prior that was chosen to get `prior`."""
        return prior
