"""keras_vae: `model.compile`, `fit` on its own input pipeline, its own choice of precision.

The two networks are written as a network of the package, since its own options make neither of them exactly: the
decoder of `--network convolutional --network.widths 32,64 --network.dense 16` has 32 channels at 14x14 where keras.io's
has 64, a dense layer of 16 units before the code is made a map, and ends in a convolution that is not transposed;
and its encoder stops halving 28 pixels at 4x4, where Pythae's goes on to 1x1.
"""

from dataclasses import dataclass

import keras
import tensorflow as tf
from measure import spread
from peers.keras_networks import EpochTimes, features_of, logits_of, num_trained
from peers.networks import IMAGE_SHAPE, NETWORKS
from peers.task import (
    LEARNING_RATE,
    generated_images,
    report_training,
    timed,
    training_arguments,
    whole_batches,
)

import keras_vae
from keras_vae import devices, faster, pace
from keras_vae.datasets import Annotations, LoadOptions, in_memory
from keras_vae.likelihoods import Bernoulli
from keras_vae.networks import ends


@dataclass(frozen=True)
class Peer:
    """One of the two networks, as keras_vae takes them."""

    name: str

    def encoder(self, image_shape, latent_shape, latent, policy):
        """Returns the model that maps images to a posterior."""
        images = keras.Input(image_shape, name="image")
        features = features_of(NETWORKS[self.name], images, policy, faster)
        return keras.Model(images, ends.posterior(features, latent_shape, latent), name="encoder")

    def decoder(self, image_shape, latent_shape, likelihood, policy):
        """Returns the model that maps codes to what the likelihood reads."""
        del image_shape
        codes = keras.Input(latent_shape, name="latent")
        logits = logits_of(NETWORKS[self.name], codes, policy, faster)
        return keras.Model(codes, ends.parameters(logits, likelihood), name="decoder")


keras_vae.NETWORKS["peer"] = Peer  # the name that it is saved under


def build(name, precision):
    """Returns the model with the network `name`, compiled."""
    model = keras_vae.VAE(
        IMAGE_SHAPE, NETWORKS[name].latent, "vae", Bernoulli(binarize="none"), Peer(name), dtype=precision
    )
    model.compile(keras.optimizers.Adam(LEARNING_RATE))
    return model


class BareSteps:
    """The compiled step alone, on one batch: no pipeline, no callbacks.

    Attributes:
        seconds: Of each call, which takes `count` steps; the first is thrown away.
    """

    def __init__(self, model, batch, count):
        self.step = tf.function(model.train_step, jit_compile=bool(model.jit_compile), reduce_retracing=True)
        self.batch, self.count, self.calls = batch, count, []

    def __call__(self):
        """Takes the steps and notes how long that took."""
        self.calls.append(timed(self.take))

    def take(self):
        """Takes the steps."""
        for _ in range(self.count):
            logs = self.step(self.batch)
        float(logs["loss"])  # waits for the device

    @property
    def seconds(self):
        return self.calls[1:]


def main():
    """Trains and reports; between epochs of `fit` it takes as many bare steps, so that both see the same machine."""
    arguments = training_arguments(__doc__, devices.PRECISIONS)
    devices.start()
    batch = NETWORKS[arguments.network].batch
    data = in_memory("generated", generated_images(), LoadOptions(), Annotations())
    precision = devices.choose_precision(arguments.precision)
    model = build(arguments.network, precision)
    bare = BareSteps(model, tf.constant(data.train.images(0, batch)), arguments.steps)
    times = EpochTimes(between=bare)
    model.steps_per_execution = pace.steps_per_execution(model, batch, arguments.steps)  # as train.py does
    history = model.fit(
        whole_batches(data.train, batch).training_batches(batch, seed=0),
        steps_per_epoch=arguments.steps,
        epochs=arguments.epochs + 1,
        callbacks=[times],
        verbose=0,
        shuffle=False,
    )
    report_training(
        times.seconds,
        arguments.steps,
        batch,
        precision=precision,
        weights=num_trained(model),
        loss=history.history["loss"][-1],
        bare_seconds_a_step=spread(bare.seconds).median / arguments.steps,
        overhead=spread([fit / alone - 1 for fit, alone in zip(times.seconds, bare.seconds)]).median,
    )


if __name__ == "__main__":
    main()
