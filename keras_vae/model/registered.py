"""Registers all our classes with Keras, by importing the modules that define them."""

import keras_vae.layers.basic
import keras_vae.layers.flows
import keras_vae.layers.kernels.layers
import keras_vae.layers.quantizer
import keras_vae.model.autoencoder  # noqa: F401
