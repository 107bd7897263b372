"""Codes without noise, on a sphere."""

from dataclasses import dataclass

from keras_vae.model.posteriors.point import Point


@dataclass(frozen=True)
class Sphere(Point):
    """A code with a root mean square of 1 at each position of a spatial latent, or over a vector."""

    def bound(self, posterior):
        """Returns the posterior with normalized codes."""
        return {"mean": unit_rms("normalized")(posterior["mean"])}

    def decoder_input(self):
        """Returns the layer that normalizes any codes."""
        return unit_rms("normalize")


def unit_rms(name):
    """Returns the layer that normalizes codes."""
    from keras_vae.layers.basic import UnitRootMeanSquare

    return UnitRootMeanSquare(dtype="float32", name=name)
