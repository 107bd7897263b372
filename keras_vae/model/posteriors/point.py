"""Codes without noise."""

from dataclasses import dataclass

from keras_vae.model.posteriors.latent import Draw, Latent
from keras_vae.runtime.lazy import ops

# The log-variance of a code without noise: negligible in float32, and a finite number in JSON.
POINT_LOG_VAR = -100.0


@dataclass(frozen=True)
class Point(Latent):
    """A code without noise and without a prior: the plain autoencoder's. It has no rate."""

    def heads(self):
        """Returns the encoder's only output."""
        return {"mean": "glorot_uniform"}

    def draw(self, posterior, seed, training=False, weights=None):
        """Returns the mean."""
        del seed, training, weights
        return Draw(posterior["mean"])

    def moments(self, posterior):
        """Returns the code, and a log-variance of -100, which is negligible in float32."""
        return posterior["mean"], ops.full_like(posterior["mean"], POINT_LOG_VAR)
