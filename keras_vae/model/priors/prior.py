"""The base class of priors."""

from typing import ClassVar

from keras_vae.model.owning import Owner


class Prior(Owner):
    """The base class of all priors.

    Attributes:
        latent_shape: The shape of a code.
        encode: The model's `encode`.
        entries: The layer that holds the codebook, if codes are entries of one.
    """

    is_standard: ClassVar = False

    def of(self, model):
        """Returns the prior of `model`, with its weights."""
        layer = self.new_layer(model.image_shape, model.latent_shape)
        facts = {"latent_shape": model.latent_shape, "encode": model.encode, "entries": model.latent.layer}
        return self.owning(layer, **facts)

    def new_layer(self, image_shape, latent_shape):
        """Returns None: nothing is learned."""
        del image_shape, latent_shape

    def adapt(self, images):
        """Initialises the weights from `images`, training images in [0, 1]. Most priors do not need it."""
        del images
