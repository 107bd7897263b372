"""keras_vae where the package itself refuses Keras' backend: on PyTorch its modules can be imported, its model cannot.

`import keras_vae` registers the model, whose steps are written for TensorFlow and JAX. What is Keras alone (networks,
posteriors, velocity networks) runs on PyTorch too, and is trained here by Keras' own step.
"""

import importlib.machinery
import importlib.util
import sys

import keras
from keras import ops


def allow():
    """Lets modules of keras_vae be imported without the package's `__init__`, on a backend that it refuses."""
    if keras.backend.backend() in ("tensorflow", "jax"):
        return
    found = importlib.machinery.PathFinder.find_spec("keras_vae")
    sys.modules.setdefault("keras_vae", importlib.util.module_from_spec(found))


class Plain(keras.Model):
    """A variational autoencoder of an encoder and a decoder, trained by Keras' own step: Bernoulli likelihood, N(0, I).

    Attributes:
        encoder: A model that returns a dict with `mean` and `log_var`.
        decoder: A model of codes that returns logits.
    """

    def __init__(self, encoder, decoder, **options):
        super().__init__(**options)
        self.encoder, self.decoder = encoder, decoder
        self.noise = keras.random.SeedGenerator(0)

    def call(self, images, training=None):
        posterior = self.encoder(images, training=training)
        mean, log_var = posterior["mean"], posterior["log_var"]
        codes = mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), seed=self.noise)
        return self.decoder(codes, training=training), mean, log_var

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Returns the mean over the batch of distortion and rate, in nats."""
        logits, mean, log_var = y_pred
        logits = ops.cast(logits, "float32")
        distortion = ops.sum(ops.softplus(logits) - x * logits, axis=(1, 2, 3))
        rate = 0.5 * ops.sum(ops.exp(log_var) + ops.square(mean) - 1 - log_var, axis=-1)
        return ops.mean(distortion + rate)
