"""Somebody else's model: the VAE of keras.io's example, built and trained here without keras_vae.

    python docs/examples/keras_io_vae.py IMAGES.npy FOLDER [EPOCHS]

IMAGES.npy holds uint8 images `[n, 28, 28]`. FOLDER gets the encoder and the decoder, each as a `.keras` file and as
a SavedModel, which `evaluate.py` then measures:

    python evaluate.py --encoder FOLDER/encoder.keras --decoder FOLDER/decoder.keras --dataset IMAGES.npy
"""

import sys

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops


class Sampling(layers.Layer):
    """Uses (z_mean, z_log_var) to sample z, the vector encoding a digit."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, inputs):
        z_mean, z_log_var = inputs
        epsilon = keras.random.normal(shape=ops.shape(z_mean), seed=self.seed_generator)
        return z_mean + ops.exp(0.5 * z_log_var) * epsilon


class VAE(keras.Model):
    """Encoder and decoder, trained on their summed losses."""

    def __init__(self, encoder, decoder, **kwargs):
        super().__init__(**kwargs)
        self.encoder, self.decoder = encoder, decoder
        self.loss_tracker = keras.metrics.Mean(name="loss")

    @property
    def metrics(self):
        return [self.loss_tracker]

    def train_step(self, data):
        with tf.GradientTape() as tape:
            z_mean, z_log_var, z = self.encoder(data)
            reconstruction = self.decoder(z)
            crossentropy = ops.sum(keras.losses.binary_crossentropy(data, reconstruction), axis=(1, 2))
            kl = -0.5 * ops.sum(1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var), axis=1)
            loss = ops.mean(crossentropy) + ops.mean(kl)
        gradients = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights))
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}


def build_encoder(latent_dim):
    """Returns the example's encoder, with its three outputs."""
    inputs = keras.Input(shape=(28, 28, 1))
    features = layers.Conv2D(32, 3, activation="relu", strides=2, padding="same")(inputs)
    features = layers.Conv2D(64, 3, activation="relu", strides=2, padding="same")(features)
    features = layers.Dense(16, activation="relu")(layers.Flatten()(features))
    z_mean = layers.Dense(latent_dim, name="z_mean")(features)
    z_log_var = layers.Dense(latent_dim, name="z_log_var")(features)
    return keras.Model(inputs, [z_mean, z_log_var, Sampling()([z_mean, z_log_var])], name="encoder")


def build_decoder(latent_dim):
    """Returns the example's decoder."""
    inputs = keras.Input(shape=(latent_dim,))
    features = layers.Reshape((7, 7, 64))(layers.Dense(7 * 7 * 64, activation="relu")(inputs))
    features = layers.Conv2DTranspose(64, 3, activation="relu", strides=2, padding="same")(features)
    features = layers.Conv2DTranspose(32, 3, activation="relu", strides=2, padding="same")(features)
    return keras.Model(
        inputs, layers.Conv2DTranspose(1, 3, activation="sigmoid", padding="same")(features), name="decoder"
    )


def main(images_file, folder, epochs="1"):
    """Trains and writes both networks in both formats."""
    keras.utils.set_random_seed(0)
    images = np.load(images_file).astype("float32")[..., None] / 255
    vae = VAE(build_encoder(2), build_decoder(2))
    vae.compile(optimizer=keras.optimizers.Adam())
    vae.fit(images, epochs=int(epochs), batch_size=128, verbose=0)
    for network in (vae.encoder, vae.decoder):
        network.save(f"{folder}/{network.name}.keras")
        network.export(f"{folder}/{network.name}", verbose=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
