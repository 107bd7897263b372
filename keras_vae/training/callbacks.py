"""Keras callbacks of a training: progress, history, checkpoints, logs and stopping."""

import math
import signal
import sys
import threading
import time

import numpy as np
from tqdm import tqdm

from keras_vae.model.nan_guard import largest_weight, learning_rate
from keras_vae.runtime.devices import say
from keras_vae.runtime.figures import grid
from keras_vae.runtime.files import writing
from keras_vae.runtime.lazy import keras, tf
from keras_vae.runtime.progress import EpochPace, clock, columns, main_stream
from keras_vae.training.config import LOCATIONS

# Least time between two checkpoints, because writing one may take as long as a short epoch.
CHECKPOINT_SECONDS = 15.0
SHOWN_IMAGES = 8
LINE_SECONDS = 60.0  # between two lines within an epoch, outside of a terminal
TERMS = "losses"  # TensorBoard's section of the loss and its terms
LOGGED_GRIDS = 20  # image grids of a whole training in the TensorBoard logs


def judging(logs):
    """Returns the names in `logs` whose sum is `judged`."""
    held_out = "val_loss" in logs
    prefix = "val_" if held_out else ""
    if f"{prefix}bound" in logs:
        return (f"{prefix}bound",)
    if held_out and "val_critic_loss" not in logs:
        return ("val_loss",)
    return tuple(name for name in (f"{prefix}distortion", f"{prefix}rate") if name in logs)


def judged(logs):
    """Returns the value that selects the best model, in nats per image; lower is better.

    It is the held-out loss with schedules at their ends, or the objective's tighter bound if it has one. With a critic,
    which changes as it learns, and without held-out images, whose loss depends on the schedule, it is distortion +
    rate.
    """
    return sum(logs[name] for name in judging(logs))


class EpochProgress(keras.callbacks.Callback):
    """Shows a bar for the whole training and a line for each past epoch on standard error, with the time left.

    Of many epochs, about twenty have a line. Outside of a terminal there is no bar: a long epoch has a line every minute.

    Args:
        patience: The epochs without improvement after which training stops early, or None.
    """

    def __init__(self, patience=None):
        super().__init__()
        self.bar, self.pace, self.best, self.best_epoch = None, None, math.inf, 0
        self.at_most = "" if patience is None else "at most "

    def on_epoch_begin(self, epoch, logs=None):
        total, steps = self.params["epochs"], self.params["steps"]
        self.label = f"epoch {epoch + 1}/{total}"
        self.kept = epoch + 1 == total or epoch % max(1, total // 20) == 0
        self.pace = self.pace or EpochPace(total, steps)
        self.pace.begin(epoch, time.monotonic())
        self.written = time.monotonic()
        self.bar = tqdm(
            total=total * steps,
            initial=epoch * steps,
            desc=self.label,
            leave=False,
            ncols=columns(sys.stderr) - 1,
            nrows=2,  # otherwise tqdm shows nothing in a terminal of unknown size
            bar_format="{desc} |{bar}| {percentage:.0f}%",
            mininterval=0.2,
            disable=not sys.stderr.isatty(),
        )
        self.first_step = epoch * steps

    def on_train_batch_end(self, batch, logs=None):
        now = time.monotonic()
        left = self.left(self.pace.step(batch + 1, now))
        if not self.bar.disable:
            self.bar.set_description_str(f"{self.label}{left}: {shown(logs)}", refresh=False)
            self.bar.update(self.first_step + batch + 1 - self.bar.n)
        elif now - self.written > LINE_SECONDS:
            self.written = now
            share = (batch + 1) / self.params["steps"]
            say(f"{self.label}, {share:.0%} of it{left}: {shown(logs)}", file=main_stream())

    def on_epoch_end(self, epoch, logs=None):
        self.close()
        value = judged(logs) if judging(logs) else math.inf
        if value < self.best:
            self.best, self.best_epoch = value, epoch + 1
        left = self.pace.end(time.monotonic())
        if self.kept:
            best = self.of_the_best(epoch + 1)
            left = self.left(left) if epoch + 1 < self.params["epochs"] else ""
            say(f"{self.label}{left}: {shown(logs)}{best}", file=main_stream())

    def of_the_best(self, epoch):
        """Returns which epoch was the best so far, `""` if that is unknown."""
        if not self.best_epoch:
            return ""
        return (
            ", the best so far"
            if self.best_epoch == epoch
            else f"; best: {self.best:.2f}, epoch {self.best_epoch}"
        )

    def left(self, seconds):
        """Returns the time left as words."""
        return "" if seconds is None else f", {self.at_most}{clock(seconds)} left"

    def close(self):
        """Removes the bar, if there is one."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def shown(logs):
    """Returns the loss in nats per image, what selects the best model, and the held-out terms, as one text.

    Before the first validation these are the terms of the training images.
    """
    held_out = "val_distortion" in logs
    names = (
        "loss",
        *judging(logs),
        *(("val_distortion", "val_rate") if held_out else ("distortion", "rate")),
    )
    return "  ".join(f"{name} {float(logs[name]):.2f}" for name in dict.fromkeys(names) if name in logs)


class Guard(keras.callbacks.Callback):
    """Raises the `KeyboardInterrupt` of Ctrl-C between two steps, so training stops cleanly."""

    def __init__(self):
        super().__init__()
        self.interrupted = False
        self.epoch = 0
        self.previous = None  # the previous signal handler, None outside of training

    def on_train_begin(self, logs=None):
        if (
            threading.current_thread() is threading.main_thread()
        ):  # Python handles signals only in the main thread
            self.previous = signal.signal(signal.SIGINT, self.interrupt)

    def interrupt(self, number, frame):
        """Records the first Ctrl-C. Python handles a second one."""
        self.interrupted = True
        signal.signal(signal.SIGINT, self.previous)

    def close(self):
        """Restores the previous signal handler."""
        if self.previous is not None:
            signal.signal(signal.SIGINT, self.previous)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        self.heed()

    def on_train_batch_end(self, batch, logs=None):
        self.heed()

    def heed(self):
        """Raises `KeyboardInterrupt` if Ctrl-C was pressed."""
        if self.interrupted:
            raise KeyboardInterrupt


class Keeper(keras.callbacks.Callback):
    """Writes the best model, the history and checkpoints.

    The best weights stay in memory. They are written with a checkpoint at most every `CHECKPOINT_SECONDS` and at the
    end, so short epochs are not slowed down and a killed run loses only seconds.
    """

    def __init__(self, run, state, patience=None, replay=None):
        super().__init__()
        self.run, self.state, self.patience, self.replay = run, state, patience, replay
        self.best_weights = None  # weights that are better than those in model.keras, or None
        self.written = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        row = {"epoch": epoch + 1, **{name: float(value) for name, value in logs.items()}}
        self.state.rows.append({**row, "learning_rate": learning_rate(self.model)})
        self.state.epoch = epoch + 1
        value = judged(row)
        if self.state.best is None or value < self.state.best:
            self.state.best, self.state.best_epoch = value, epoch + 1
            self.best_weights = self.model.get_weights()
        if self.patience is not None and self.state.epoch - self.state.best_epoch >= self.patience:
            self.model.stop_training = True
        if time.monotonic() - self.written > CHECKPOINT_SECONDS:
            self.write()

    def on_train_end(self, logs=None):
        self.write()

    def close(self, sound):
        """Writes the best model and the history after training stopped within an epoch.

        The current weights are kept only if they are `sound` and no epoch was completed. A resumed run starts from the
        last checkpoint.
        """
        if self.state.best is None and sound and math.isfinite(largest_weight(self.model)):
            self.best_weights = self.model.get_weights()
        self.write_records()

    def write(self):
        """Writes the best model, the records and a checkpoint, in this order, so a kill leaves a consistent run."""
        self.write_records()
        self.run.write_checkpoint(self.model, self.state)
        self.written = time.monotonic()

    def write_records(self):
        """Writes the best model, the history and the replay."""
        self.write_best()
        self.run.write_history(self.state.rows)
        if self.replay is not None:
            self.replay.write()

    def write_best(self):
        """Writes `model.keras` if there are better weights than it has."""
        if self.best_weights is None:
            return
        current = self.model.get_weights()
        self.model.set_weights(self.best_weights)
        try:
            self.run.write_model(self.model)
        finally:
            self.model.set_weights(current)
        self.best_weights = None


class TensorBoardLog(keras.callbacks.Callback):
    """Writes scalars, settings, and grids of originals, reconstructions and prior samples for TensorBoard.

    `NAME/train` and `NAME/validation` in the folder have equal tags, so TensorBoard draws them in one chart. `NAME` holds
    the settings, as a table and for the tab HParams.
    """

    def __init__(self, folder, images, name="run", settings=None):
        """Creates the callback.

        Args:
            folder: The folder of the logs.
            images: The images to show, as inputs of the model: with labels if it is conditional.
            name: The run's name in TensorBoard.
            settings: The settings of the training, texts by name.
        """
        super().__init__()
        self.folder, self.images, self.settings = folder / name, images, settings or {}
        self.writers = {}

    def on_train_begin(self, logs=None):
        with self.writing():
            writer = tf.summary.create_file_writer(str(self.folder))
            with writer.as_default(step=0):
                self.write_settings()
            writer.close()
        self.writer("train")

    def write_settings(self):
        """Writes the settings as a table and as hyperparameters."""
        from tensorboard.plugins.hparams import api

        rows = (f"| {name} | {value.replace('|', '/')} |" for name, value in self.settings.items())
        tf.summary.text("settings", "\n".join(["| setting | value |", "|---|---|", *rows]))
        hyperparameters = {
            name: as_value(value) for name, value in self.settings.items() if name not in LOCATIONS
        }
        api.hparams(hyperparameters, trial_id=self.folder.name)

    def writer(self, split):
        """Returns the writer of the run of a split."""
        if split not in self.writers:
            with self.writing():
                self.writers[split] = tf.summary.create_file_writer(str(self.folder / split))
        return self.writers[split]

    def writing(self):
        """Turns TensorFlow's errors about a disk into a `WriteError`."""
        return writing(str(self.folder), tf.errors.OpError)

    def on_epoch_end(self, epoch, logs=None):
        for name, value in logs.items():
            split, tag = ("validation", name[4:]) if name.startswith("val_") else ("train", name)
            with self.writing(), self.writer(split).as_default(step=epoch + 1):
                tf.summary.scalar(f"{TERMS}/{tag}", float(value))
        with self.writing(), self.writer("train").as_default(step=epoch + 1):
            tf.summary.scalar("training/learning_rate", learning_rate(self.model))
            epochs = self.params["epochs"]
            if epoch + 1 == epochs or epoch % max(1, epochs // LOGGED_GRIDS) == 0:
                tf.summary.image("originals, reconstructions, samples from the prior", self.pictures())

    def close(self):
        """Writes the rest of the logs, even if training was stopped."""
        for writer in self.writers.values():
            with self.writing():
                writer.close()

    def pictures(self):
        """Returns one image, `[1, height, width, channels]`, with rows of originals, reconstructions and samples."""
        images = self.images[0] if self.model.conditional else self.images
        reconstructions = np.asarray(self.model(self.images))
        return grid([images, reconstructions, np.asarray(self.model.sample(len(images)))])[None]


def as_value(text):
    """Returns a setting's text as a number or a truth value if it is one, so that TensorBoard can sort by it."""
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        return text
