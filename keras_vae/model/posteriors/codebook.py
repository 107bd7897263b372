"""Codes whose vectors are entries of a learned codebook."""

from dataclasses import dataclass

from keras_vae.layers.densities import sum_per_image
from keras_vae.model.posteriors.latent import Draw, Latent
from keras_vae.model.posteriors.point import POINT_LOG_VAR
from keras_vae.model.priors.standard import StandardNormal
from keras_vae.model.priors.uniform import UniformPrior
from keras_vae.runtime.lazy import ops


@dataclass(frozen=True)
class Codebook(Latent):
    """The code at each position is the codebook entry nearest to the encoder's output (van den Oord et al. 2017).

    Attributes:
        size: Number of entries in the codebook.
        decay: Decay of the entries' moving averages; 0 trains the entries by gradients.
        revive: An entry is moved to an output of the encoder if it is used less than this share of uniform use.
    """

    size: int = 512
    decay: float = 0.99
    revive: float = 0.1

    def check(self, latent_shape):
        """Raises a ValueError if the latent is not spatial."""
        if len(latent_shape) != 3:
            raise ValueError(
                f"latent is {latent_shape[0]}: a codebook needs a spatial latent, height x width x channels (try --latent"
                f" 7x7x{latent_shape[0]})"
            )

    def prior(self, chosen):
        """Returns the uniform prior over the entries.

        Raises:
            ValueError: Another prior than the standard one was chosen. These are densities of continuous codes.
        """
        if not chosen.is_standard:
            raise ValueError(
                f"prior {type(chosen).__name__} is a density of continuous codes, but those of a codebook are discrete:"
                " leave the prior out (--prior standard); the evaluation fits a pixel_cnn to them"
            )
        return UniformPrior()

    def prior_setting(self, prior):
        """Returns the standard prior, the only one that can be chosen."""
        del prior
        return StandardNormal()

    def heads(self):
        """Returns the encoder's only output."""
        return {"mean": "glorot_uniform"}

    def new_layer(self, latent_shape):
        """Returns the layer with the codebook."""
        from keras_vae.layers.quantizer import Quantizer

        return Quantizer(self.size, latent_shape[-1], self.decay, self.revive, name="codebook")

    def draw(self, posterior, seed, training=False, weights=None):
        """Returns the nearest entries; in training, updates the codebook too, with the images' `weights`, `[batch]`.

        Gradients with respect to the codes are passed to the encoder unchanged (straight-through). The terms are:

            commitment    |encoded - entries|^2 summed over an image, with a gradient only for the encoder
            alignment     the same value, with a gradient only for the codebook
            perplexity    exp of the entropy of the entries' use in the batch, the effective number of used entries
            dead_codes    the share of entries that are not used in the batch
        """
        encoded = posterior["mean"]
        entries, indices = self.layer(encoded)
        used = self.layer.shares(indices, weights)
        commitment = sum_per_image(ops.square(encoded - ops.stop_gradient(entries)))
        even = ops.zeros_like(commitment)
        terms = {
            "commitment": commitment,
            "alignment": sum_per_image(ops.square(ops.stop_gradient(encoded) - entries)),
            "perplexity": even + ops.exp(-ops.sum(used * ops.log(ops.maximum(used, 1e-30)))),
            "dead_codes": even + ops.mean(ops.cast(used == 0, "float32")),
        }
        if training:
            self.layer.learn(encoded, indices, seed, weights)
        # In this order of operations the codes equal the entries bit by bit.
        codes = ops.stop_gradient(entries) + (encoded - ops.stop_gradient(encoded))
        return Draw(codes, even, terms)

    def moments(self, posterior):
        """Returns the entries, and a log-variance of -100: codes have no noise (`keras_vae.model.posteriors.point`)."""
        entries, _ = self.layer(posterior["mean"])
        return entries, ops.full_like(entries, POINT_LOG_VAR)
