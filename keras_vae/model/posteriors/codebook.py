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
    """The vector at each position is the entry of a codebook nearest to the encoder's (van den Oord et al. 2017).

    Attributes:
        size: Entries in the codebook.
        decay: Of the moving averages that the entries are; 0: they are trained by gradients.
        revive: An entry is moved to an encoder's output once it is used less than this share of an even use.
    """

    size: int = 512
    decay: float = 0.99
    revive: float = 0.1

    def check(self, latent_shape):
        """Raises a ValueError where there are no positions."""
        if len(latent_shape) != 3:
            raise ValueError(
                f"latent is {latent_shape[0]}: a codebook holds the vectors at the positions of a spatial latent,"
                f" height x width x channels (try --latent 7x7x{latent_shape[0]})"
            )

    def prior(self, chosen):
        """Returns the uniform prior over the entries.

        Raises:
            ValueError: Another than the standard one was chosen: theirs are densities, and entries have none.
        """
        if not chosen.is_standard:
            raise ValueError(
                f"prior {type(chosen).__name__} is a density of continuous codes, and those of a codebook are discrete:"
                " leave the prior out (--prior standard); the evaluation fits a pixel_cnn to them"
            )
        return UniformPrior()

    def prior_setting(self, prior):
        """Returns the standard prior, the only one that may be chosen."""
        del prior
        return StandardNormal()

    def heads(self):
        """Returns the encoder's one output."""
        return {"mean": "glorot_uniform"}

    def new_layer(self, latent_shape):
        """Returns the layer that holds the codebook."""
        from keras_vae.layers.quantizer import Quantizer

        return Quantizer(self.size, latent_shape[-1], self.decay, self.revive, name="codebook")

    def draw(self, posterior, seed, training=False, weights=None):
        """Returns the nearest entries; in training, moves the codebook too, by images of these `weights`, `[batch]`.

        Gradients with respect to the codes go to the encoder as they are (straight through). The terms:

            commitment    |encoded - entries|^2 over an image, whose gradient reaches the encoder alone
            alignment     the same number, whose gradient reaches the codebook alone
            perplexity    exp of the entropy of the entries' use in the batch: so many entries, used alike
            dead_codes    the share of the entries that nothing in the batch uses
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
        # In this order the codes are the entries bit for bit.
        codes = ops.stop_gradient(entries) + (encoded - ops.stop_gradient(encoded))
        return Draw(codes, even, terms)

    def moments(self, posterior):
        """Returns the entries, and -100 everywhere: a code is a point (`keras_vae.model.posteriors.point`)."""
        entries, _ = self.layer(posterior["mean"])
        return entries, ops.full_like(entries, POINT_LOG_VAR)
