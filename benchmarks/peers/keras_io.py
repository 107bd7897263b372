"""The way of keras.io's VAE example: a subclassed model with its own train_step, float32, `fit` on an array."""

import keras
import tensorflow as tf
from keras import layers, ops
from peers.keras_networks import EpochTimes, features_of, logits_of, num_trained
from peers.networks import IMAGE_SHAPE, NETWORKS
from peers.task import LEARNING_RATE, generated_images, report_training, training_arguments


class Sampling(layers.Layer):
    """Draws a code by the reparameterisation trick."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(0)

    def call(self, inputs):
        mean, log_var = inputs
        return mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), seed=self.seed_generator)


class VAE(keras.Model):
    """Encoder and decoder, trained on the sum of their losses."""

    def __init__(self, network, **kwargs):
        super().__init__(**kwargs)
        images, codes = keras.Input(IMAGE_SHAPE), keras.Input((network.latent,))
        features = features_of(network, images, "float32")
        posterior = [layers.Dense(network.latent)(features) for _ in range(2)]
        self.encoder = keras.Model(images, [*posterior, Sampling()(posterior)])
        logits = logits_of(network, codes, "float32")
        self.decoder = keras.Model(codes, layers.Activation("sigmoid")(logits))
        self.trackers = [keras.metrics.Mean(name=name) for name in ("loss", "distortion", "rate")]

    @property
    def metrics(self):
        return self.trackers

    def train_step(self, images):
        """Takes an optimizer step."""
        with tf.GradientTape() as tape:
            mean, log_var, codes = self.encoder(images, training=True)
            decoded = self.decoder(codes, training=True)
            entropy = keras.losses.binary_crossentropy(images, decoded)
            distortion = ops.mean(ops.sum(entropy, axis=(1, 2)))
            rate = -0.5 * (1 + log_var - ops.square(mean) - ops.exp(log_var))
            rate = ops.mean(ops.sum(rate, axis=1))
            loss = distortion + rate
        gradients = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights))
        for tracker, value in zip(self.trackers, (loss, distortion, rate)):
            tracker.update_state(value)
        return {tracker.name: tracker.result() for tracker in self.trackers}


def main():
    """Trains and reports."""
    arguments = training_arguments(__doc__, ("float32",))
    network = NETWORKS[arguments.network]
    images = generated_images().astype("float32") / 255
    model = VAE(network)
    model.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE))
    times = EpochTimes()
    history = model.fit(
        images[: arguments.steps * network.batch],
        batch_size=network.batch,
        epochs=arguments.epochs + 1,
        callbacks=[times],
        verbose=0,
    )
    report_training(
        times.seconds,
        arguments.steps,
        network.batch,
        precision="float32",
        weights=num_trained(model),
        loss=history.history["loss"][-1],
    )


if __name__ == "__main__":
    main()
