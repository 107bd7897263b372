"""Stops training when a value becomes NaN or infinite, and keeps the state of the last good epoch."""

import math

import numpy as np

from keras_vae.errors import TrainingStopped
from keras_vae.runtime.lazy import keras

# The smallest loss scale in float16. A step whose gradients are not finite halves the scale and changes no weights.
LEAST_SCALE = 2.0**-14

FURTHER = GRADIENT, LARGEST = "gradient", "largest weight"  # checked in addition to the terms of the loss


class Soundness(keras.callbacks.Callback):
    """Stops training when a term of the loss is not finite; `Autoencoder.fit` puts it before all other callbacks.

    At the end of an epoch it also checks the weights, their loss on a grey image, and the loss scale in float16, which
    vanishes if all steps are skipped.

    Raises:
        TrainingStopped: A term of the loss, a weight or the gradient is NaN or infinite. The message tells which, and
            in which epoch and step.
    """

    def __init__(self):
        super().__init__()
        self.epoch = 0
        self.sound = {}
        self.kept = []

    def on_train_begin(self, logs=None):
        self.keep()

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        together = self.model.steps_per_execution
        self.check(
            logs, f"step {batch + 1}" if together == 1 else f"steps {batch + 2 - together} to {batch + 1}"
        )
        self.sound = {name: float(value) for name, value in logs.items()}

    def on_epoch_end(self, epoch, logs=None):
        gradient = {GRADIENT: math.nan} if scale(self.model) < LEAST_SCALE else {}
        # The loss was computed before the last step. Without held-out images nothing has checked the final weights.
        seen = {} if "val_loss" in logs else terms_of_grey(self.model)
        self.check({**logs, **seen, **gradient, LARGEST: largest_weight(self.model)}, "the end")
        self.keep()

    def check(self, logs, moment):
        """Raises `TrainingStopped` if a value of `logs`, at the `moment` in the epoch, is not finite.

        The metrics of `compile` may be infinite, such as the PSNR of a black image.
        """
        own = {*self.model.trackers, *FURTHER}
        broken = [
            name
            for name, value in logs.items()
            if name.removeprefix("val_") in own and not math.isfinite(value)
        ]
        if not broken:
            return
        synchronise(self.model)
        terms = [name for name in broken if not name.endswith("loss")] or broken
        before = ", ".join(f"{name} {value:.4g}" for name, value in self.sound.items())
        raise TrainingStopped(
            f"{' and '.join(terms)} became {logs[terms[0]]} at {moment} of epoch {self.epoch + 1}"
            f" (before: {before or 'nothing, it was the first step'});"
            f" try a learning rate below {learning_rate(self.model):.3g}, or clip the gradients"
            " (--learning_rate, --clip_norm 1; in a program global_clipnorm=1)"
        )

    def keep(self):
        """Stores the state of the model and its optimizers."""
        self.kept = [(variable, keras.ops.convert_to_numpy(variable)) for variable in state(self.model)]

    def restore(self):
        """Restores the model and its optimizers to the last good epoch, or to the state before training."""
        synchronise(self.model)
        for variable, value in self.kept:
            variable.assign(value)


def state(model):
    """Returns the variables that training changes."""
    critics = [] if model.critic is None else model.critic_optimizer.variables
    return [*model.weights, *model.optimizer.variables, *critics]


def synchronise(model):
    """Updates the variables during training: on JAX their current values are kept elsewhere."""
    if keras.backend.backend() == "jax":
        model.jax_state_sync()


def learning_rate(model):
    """Returns the learning rate of the next step."""
    return float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))


def largest_weight(model):
    """Returns the largest absolute value among the weights; NaN if one is NaN."""
    return float(np.max([np.abs(weights).max() for weights in model.get_weights() if weights.size]))


def terms_of_grey(model):
    """Returns the terms of the loss of one grey image, a dict."""
    grey = np.full((1, *model.image_shape), 0.5, "float32")
    terms = model.terms(grey, np.zeros(1, "int32") if model.conditional else None)
    return {name: float(keras.ops.convert_to_numpy(value)[0]) for name, value in terms.items()}


def scale(model):
    """Returns the factor by which the optimizer multiplies the loss."""
    return float(keras.ops.convert_to_numpy(model.optimizer.scale_loss(1.0)))
