"""Training within a time budget: it keeps the best weights, can end at any time, and can be resumed after a kill.

The learning rate depends only on the number of updates. The result is a running average of the weights over a last part
of the updates, whose length grows with their number (Karras et al. 2024, section 3.1). The end of the training
therefore need not be known in advance. The result depends on the number of updates, and on the time only through that.
"""

import time
from typing import NamedTuple

import numpy as np

from keras_vae.runtime.lazy import keras, tf
from keras_vae.samplers.codes import difference

RATE = 1e-3  # the highest learning rate
WARM_UP, STEADY = 100, 2000  # the learning rate rises for 100 updates and falls as 1 / sqrt after 2,000
DECAY, CLIP_NORM = 0.01, 1.0
MEMORY = 6.94  # power of the average, whose standard deviation is then a tenth of the updates
AT_ONCE = 25  # updates in one compiled loop
# Least updates between two looks at the held-out loss, and as a share of all updates.
FIRST_LOOK, LOOK_AGAIN = 50, 0.1
# Updates without an improvement that end the training: least, and as a share of all updates.
LEAST_PATIENCE, PATIENCE = 200, 0.3
LEAST_GAIN = 5e-4  # least improvement of a loss of about 1
SAVE_EVERY = 20.0  # seconds
LEAST_LOOKS = 8  # least looks for an outlook


class Look(NamedTuple):
    """The held-out loss after a number of updates and seconds."""

    updates: int
    seconds: float
    loss: float


class Learning:
    """The training of one network. Its weights are one row of numbers, which keeps an update to few operations.

    Attributes:
        weights: The row of weights.
        average: Their running average.
        best: The average with the lowest held-out loss, an array.
        curve: The `Look`s, in order.
        each: The held-out loss of each code at each look, `[looks, n]`.
        finished: Whether the held-out loss no longer improves.
    """

    def __init__(self, row, loss, held_out):
        """Prepares the training.

        Args:
            row: The initial weights, float32 `[w]`.
            loss: (weights, number of the update as a tensor) -> the mean loss of a batch.
            held_out: (weights) -> the losses of the same held-out codes in every call, `[n]`.
        """
        self.weights, self.average = keras.Variable(row), keras.Variable(row, trainable=False)
        self.number, self.seconds, self.curve, self.each = 0, 0.0, [], []
        self.finished, self.best = False, row
        self.last_seconds = 0.0  # duration of the last updates without compilation
        self.optimizer = keras.optimizers.AdamW(RATE, weight_decay=DECAY, global_clipnorm=CLIP_NORM)
        self.optimizer.build([self.weights])
        self.loss = loss
        counts = [tf.TensorSpec((), "int32")] * 2
        self.compiled = tf.function(self.some_updates, autograph=False).get_concrete_function(*counts)
        self.held_out = tf.function(
            lambda: held_out(self.average.value), autograph=False
        ).get_concrete_function()

    def update(self, number):
        """Takes one step and updates the average."""
        with tf.GradientTape() as tape:
            loss = self.loss(self.weights.value, number)
        self.optimizer.apply([tape.gradient(loss, self.weights.value)])
        kept = tf.pow(1 - 1 / (tf.cast(number, "float32") + 2), MEMORY + 1)
        self.average.assign(kept * self.average.value + (1 - kept) * self.weights.value)
        return (number + 1,)

    def some_updates(self, first, count):
        """Runs `count` updates in one loop."""
        tf.while_loop(lambda number: number < first + count, self.update, (first,), parallel_iterations=1)

    def go_on(self, seconds, updates, save=None, show=None):
        """Trains until the held-out loss no longer improves or the budget is spent.

        Args:
            seconds: The time budget, including the time before a kill.
            updates: The most updates, including those before a kill.
            save: A function that is called every 20 seconds and at the end.
            show: A function that is called with this object after each loop of updates.
        """
        saved = time.monotonic()
        if not self.curve:
            self.look(saved)
        while not (self.finished or self.number >= updates or self.seconds + self.last_seconds > seconds):
            began, count = time.monotonic(), min(AT_ONCE, updates - self.number)
            self.optimizer.learning_rate.assign(rate(self.number))
            self.compiled(tf.constant(self.number), tf.constant(count))
            self.number += count
            if self.number >= self.next_look() or self.number >= updates:
                self.look(began)
            self.last_seconds = time.monotonic() - began if self.seconds else 0.0
            self.seconds += time.monotonic() - began
            if show:
                show(self)
            if save and time.monotonic() - saved > SAVE_EVERY:
                save()
                saved = time.monotonic()
        if self.curve[-1].updates < self.number:
            self.look(time.monotonic())
        if save:
            save()

    def next_look(self):
        """Returns the number of updates at which the held-out loss is computed next."""
        last = self.curve[-1].updates
        return last + max(FIRST_LOOK, int(LOOK_AGAIN * last))

    def look(self, began):
        """Computes the held-out loss of the average, keeps the best weights, and updates `finished`."""
        self.each.append(self.held_out().numpy())
        loss = float(self.each[-1].mean(dtype="float64"))
        if all(loss < look.loss for look in self.curve):  # true at the start too, which may be the best
            self.best = self.average.numpy()
        self.curve.append(Look(self.number, self.seconds + time.monotonic() - began, loss))
        self.finished = not still_gains(self.curve, self.each)

    def state(self):
        """Returns the complete state of the training, a dict of arrays."""
        variables = {f"variable.{index}": variable.numpy() for index, variable in enumerate(self.variables())}
        progress = np.array([self.number, self.seconds, self.finished], "float64")
        curve = np.array(self.curve, "float64").reshape(-1, 3)
        return {
            "curve": curve,
            "progress": progress,
            "best": self.best,
            "each": np.array(self.each),
            **variables,
        }

    def restore_from(self, stored, prefix):
        """Restores the result of `state()` from `stored`, where its names have a prefix, if it is there."""
        arrays = {name.removeprefix(prefix): stored[name] for name in stored if name.startswith(prefix)}
        if not arrays:
            return
        self.curve = [Look(int(row[0]), float(row[1]), float(row[2])) for row in arrays["curve"]]
        number, seconds, finished = arrays["progress"]
        self.number, self.seconds, self.finished = int(number), float(seconds), bool(finished)
        self.best, self.each = arrays["best"], list(arrays["each"])
        for index, variable in enumerate(self.variables()):
            variable.assign(arrays[f"variable.{index}"])

    def variables(self):
        """Returns the variables that change in training."""
        return [self.weights, self.average, *self.optimizer.variables]


class Outlook(NamedTuple):
    """The likely gain of more training.

    Attributes:
        last: The decrease of the held-out loss in the last half of the training.
        next: Its likely decrease in as much training again.
        least, most: Bounds of `next`.
    """

    last: float
    next: float
    least: float
    most: float


def outlook(curve):
    """Returns the `Outlook` of `Look`s, or None if they are too few.

    It assumes that the gain of each doubling of the updates shrinks by the same ratio, that of the last two, which is
    exact for a loss a + b n^-c. The lower bound applies that ratio twice, the upper bound not at all.
    """
    count = curve[-1].updates
    if len(curve) < LEAST_LOOKS or curve[0].updates > count / 4:
        return None
    lowest = np.minimum.accumulate([look.loss for look in curve])
    quarter, half = np.interp([count / 4, count / 2], [look.updates for look in curve], lowest)
    last = half - lowest[-1]
    ratio = float(np.clip(last / max(quarter - half, 1e-12), 0, 1))
    return Outlook(*map(float, (last, last * ratio, last * ratio**2, last)))


def rate(number):
    """Returns the learning rate after `number` updates."""
    return RATE * min(1.0, (number + 1) / WARM_UP, (STEADY / (number + 1)) ** 0.5)


def still_gains(curve, each):
    """Returns whether the best loss has recently fallen by more than `LEAST_GAIN` and its standard error.

    Args:
        curve: The `Look`s.
        each: The loss of each held-out code at each look, `[looks, n]`. Differences are taken code by code.
    """
    losses, last = [look.loss for look in curve], curve[-1].updates
    patience = max(LEAST_PATIENCE, PATIENCE * last)
    before = [look.loss for look in curve if look.updates <= last - patience]
    if not before:
        return True
    gain, error = difference(each[int(np.argmin(before))], each[int(np.argmin(losses))])
    return bool(gain > max(LEAST_GAIN, error))
