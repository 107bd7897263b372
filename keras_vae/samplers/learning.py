"""Training that can be stopped at any time: within a budget, with the best kept, and gone on with after a kill.

The learning rate depends on the number of updates alone, and the network that is used is a running average over the
last part of the updates, whose length grows with their number (Karras et al. 2024, section 3.1): no schedule has to know
when the training ends. The result depends on the number of updates, and on the time only through that.
"""

import time
from typing import NamedTuple

import numpy as np

from keras_vae.runtime.lazy import keras, tf
from keras_vae.samplers.codes import difference

RATE = 1e-3  # the learning rate
WARM_UP, STEADY = 100, 2000  # updates in which it rises, and from which on it falls as 1 / sqrt
DECAY, CLIP_NORM = 0.01, 1.0
MEMORY = 6.94  # power of the average; its standard deviation is then a tenth of the updates
AT_ONCE = 25  # updates in one compiled loop
FIRST_LOOK, LOOK_AGAIN = 50, 0.1  # updates between two looks at the held-out loss, and share of all of them
LEAST_PATIENCE, PATIENCE = 200, 0.3  # updates, and share of all updates, in which the held-out loss must gain
LEAST_GAIN = 5e-4  # of a loss of about 1
SAVE_EVERY = 20.0  # seconds
LEAST_LOOKS = 8  # for an outlook


class Look(NamedTuple):
    """A look at the held-out loss: after so many updates and seconds."""

    updates: int
    seconds: float
    loss: float


class Learning:
    """One network in training; its weights are one row of numbers, so that an update takes few operations.

    Attributes:
        weights: The row that is trained.
        average: The running average.
        best: The average where the held-out loss was least, an array.
        curve: `Look`s, in order.
        each: The held-out losses of each code at each look, `[looks, n]`.
        finished: Whether the held-out loss gains no more.
    """

    def __init__(self, row, loss, held_out):
        """Prepares the training.

        Args:
            row: The weights that it starts from, float32 `[w]`.
            loss: (weights, number of the update as a tensor) -> the mean loss of a batch.
            held_out: (weights) -> the loss of each of some codes that are always the same, `[n]`.
        """
        self.weights, self.average = keras.Variable(row), keras.Variable(row, trainable=False)
        self.number, self.seconds, self.curve, self.each = 0, 0.0, [], []
        self.finished, self.best = False, row
        self.last_seconds = 0.0  # of the last updates that did not have to be compiled
        self.optimizer = keras.optimizers.AdamW(RATE, weight_decay=DECAY, global_clipnorm=CLIP_NORM)
        self.optimizer.build([self.weights])
        self.loss = loss
        counts = [tf.TensorSpec((), "int32")] * 2
        self.compiled = tf.function(self.some_updates, autograph=False).get_concrete_function(*counts)
        self.held_out = tf.function(
            lambda: held_out(self.average.value), autograph=False
        ).get_concrete_function()

    def update(self, number):
        """Takes one step, and moves the average."""
        with tf.GradientTape() as tape:
            loss = self.loss(self.weights.value, number)
        self.optimizer.apply([tape.gradient(loss, self.weights.value)])
        kept = tf.pow(1 - 1 / (tf.cast(number, "float32") + 2), MEMORY + 1)
        self.average.assign(kept * self.average.value + (1 - kept) * self.weights.value)
        return (number + 1,)

    def some_updates(self, first, count):
        """Takes `count` updates in one loop."""
        tf.while_loop(lambda number: number < first + count, self.update, (first,), parallel_iterations=1)

    def go_on(self, seconds, updates, save=None, show=None):
        """Trains until the held-out loss gains no more, until the budget is spent, or to `updates`.

        Args:
            seconds: In all, those before a kill included.
            updates: In all.
            save: Called every 20 seconds and at the end.
            show: Called with this object after each look.
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
        """Returns the number of updates at which the held-out loss is looked at next."""
        last = self.curve[-1].updates
        return last + max(FIRST_LOOK, int(LOOK_AGAIN * last))

    def look(self, began):
        """Takes the held-out loss of the average, keeps the best weights, and says whether it still gains."""
        self.each.append(self.held_out().numpy())
        loss = float(self.each[-1].mean(dtype="float64"))
        if all(loss < look.loss for look in self.curve):  # also at the start, which may be the best
            self.best = self.average.numpy()
        self.curve.append(Look(self.number, self.seconds + time.monotonic() - began, loss))
        self.finished = not still_gains(self.curve, self.each)

    def state(self):
        """Returns everything that a training goes on from, arrays by name."""
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
        """Goes on from `state()`, whose names have a prefix in `stored`, if it is there."""
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
    """What more training is likely to bring.

    Attributes:
        last: What the last half of the training took from the held-out loss.
        next: What as much training again is likely to take from it, and the least and most.
    """

    last: float
    next: float
    least: float
    most: float


def outlook(curve):
    """Returns the `Outlook` of `Look`s, None where they are too few.

    The gain of each doubling is taken to shrink by the same ratio, that of the last two: exact where the loss is
    a + b n^-c. At least it shrinks by that ratio once more, at most not at all.
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
    """Returns whether the best loss of `Look`s has fallen lately: by more than the least gain and than its own error.

    Args:
        curve: The looks.
        each: The losses of each held-out code at each look, `[looks, n]`: differences are taken code by code.
    """
    losses, last = [look.loss for look in curve], curve[-1].updates
    patience = max(LEAST_PATIENCE, PATIENCE * last)
    before = [look.loss for look in curve if look.updates <= last - patience]
    if not before:
        return True
    gain, error = difference(each[int(np.argmin(before))], each[int(np.argmin(losses))])
    return bool(gain > max(LEAST_GAIN, error))
