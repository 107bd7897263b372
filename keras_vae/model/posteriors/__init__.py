"""Latents: how codes are drawn from the encoder's output, and their rate.

The encoder's output is the `posterior`, a dict of float32 tensors, each `[batch, *latent]`. A latent is a frozen
dataclass, derived from `Latent`, with these methods:

    heads()                          the encoder's outputs, a dict: name -> initializer of the kernel
    bound(posterior)                 applies the layers at the end of the encoder that bound the outputs
    decoder_input()                  the layer at the start of the decoder that codes go through, or None
    new_layer(latent_shape)          the layer that draws codes and stores weights; None if nothing is drawn
    of(latent_shape)                 the same latent with its layer, which the following methods need
    draw(posterior, seed, training)  a `Draw`: one code per image, and its log density under the posterior
    rate(posterior)                  KL(posterior || N(0, I)), `[batch]`, in nats; None without a closed form
    moments(posterior)               mean and log-variance of the code, each `[batch, *latent]`
    prior(chosen)                    the prior of the codes: usually the chosen one, if the latent supports it
    check(latent_shape)              raises a ValueError if the latent cannot have that shape
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
