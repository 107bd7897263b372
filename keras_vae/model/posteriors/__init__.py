"""What the encoder's output means: how codes are drawn from it, and what they cost.

A latent is a frozen dataclass over the encoder's output, the `posterior`: a dict of float32 tensors, each
`[batch, *latent]`.

    heads()                          the encoder's outputs: a name and the initializer of its kernel
    bound(posterior)                 layers that bring the outputs into range, at the encoder's end
    decoder_input()                  the layer that codes go through at the decoder's start, or None
    new_layer(latent_shape)          the layer that draws codes and holds weights; None if nothing is drawn
    of(latent_shape)                 the same latent, with its layer; it then has the methods
    draw(posterior, seed, training)  a `Draw`: one code an image, and its log density under the posterior
    rate(posterior)                  KL(posterior || N(0, I)) in nats per image, `[batch]`; None: no closed form
    moments(posterior)               mean and log-variance of the code, each `[batch, *latent]`
    prior(chosen)                    the prior of its codes, where the one that was chosen goes with it
    check(latent_shape)              raises a ValueError where the latent cannot have that shape

Most of it has an answer in `Latent`.
"""

from keras_vae.model.posteriors.codebook import Codebook
from keras_vae.model.posteriors.flow import FlowedGaussian
from keras_vae.model.posteriors.gaussian import DiagonalGaussian
from keras_vae.model.posteriors.latent import Draw, Latent
from keras_vae.model.posteriors.point import POINT_LOG_VAR, Point
from keras_vae.model.posteriors.shapes import latent_shape, parse_shape, show_shape, whole
from keras_vae.model.posteriors.sphere import Sphere

__all__ = [
    "POINT_LOG_VAR",
    "Codebook",
    "DiagonalGaussian",
    "Draw",
    "FlowedGaussian",
    "Latent",
    "Point",
    "Sphere",
    "latent_shape",
    "parse_shape",
    "show_shape",
    "whole",
]
