"""The code that is a point."""

from dataclasses import dataclass

from keras_vae.model.posteriors.latent import Draw, Latent
from keras_vae.runtime.lazy import ops

# What stands for the log-variance of a code that is a point: no noise in float32, and still a number in JSON.
POINT_LOG_VAR = -100.0


@dataclass(frozen=True)
class Point(Latent):
    """A code without noise and without a prior: the plain autoencoder's. It has no rate."""

    def heads(self):
        """Returns the encoder's one output."""
        return {"mean": "glorot_uniform"}

    def draw(self, posterior, seed, training=False, weights=None):
        """Returns the mean."""
        del seed, training, weights
        return Draw(posterior["mean"])

    def moments(self, posterior):
        """Returns the code, and -100 everywhere: a standard deviation that float32 adds as nothing."""
        return posterior["mean"], ops.full_like(posterior["mean"], POINT_LOG_VAR)
