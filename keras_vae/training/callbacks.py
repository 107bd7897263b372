"""What happens around training's epochs: progress, history, checkpoints, logs, and when to stop."""

import math
import os
import signal
import sys
import threading
import time

import numpy as np
from tqdm import tqdm

from keras_vae.model.soundness import largest_weight, learning_rate
from keras_vae.runtime.devices import say
from keras_vae.runtime.figures import grid
from keras_vae.runtime.files import writing
from keras_vae.runtime.lazy import keras, tf

CHECKPOINT_SECONDS = 15.0  # between two checkpoints; writing one may cost as much as a short epoch
SHOWN_IMAGES = 8
LOGGED_GRIDS = 20  # image grids over a whole training in the TensorBoard logs


def judged(logs):
    """Returns what a model is judged by, in nats per image; lower is better.

    It is the held-out loss, schedules at their ends; of an objective that has a tighter bound than its loss says,
    that bound. A critic's opinion changes as it learns, and without held-out images the loss is the schedule's:
    there it is distortion + rate.
    """
    held_out = "val_loss" in logs
    prefix = "val_" if held_out else ""
    if f"{prefix}bound" in logs:
        return logs[f"{prefix}bound"]
    if held_out and "val_critic_loss" not in logs:
        return logs["val_loss"]
    return logs[f"{prefix}distortion"] + logs.get(f"{prefix}rate", 0.0)


class EpochProgress(keras.callbacks.Callback):
    """Shows a bar for the running epoch and keeps a line for each past one, on standard error.

    Of many short epochs some twenty lines are kept. Where nobody watches (a log file) there is no bar.
    """

    def __init__(self):
        super().__init__()
        self.bar = None

    def on_epoch_begin(self, epoch, logs=None):
        total = self.params["epochs"]
        self.label = f"epoch {epoch + 1}/{total}"
        self.kept = epoch + 1 == total or epoch % max(1, total // 20) == 0
        self.bar = tqdm(
            total=self.params["steps"],
            desc=self.label,
            leave=False,
            ncols=columns(sys.stderr) - 1,
            nrows=2,  # where tqdm asks a terminal that does not know its size, it shows nothing
            bar_format="{desc} |{bar}| {n_fmt}/{total_fmt}, {remaining} left",
            mininterval=0.2,
            disable=not sys.stderr.isatty(),
        )

    def on_train_batch_end(self, batch, logs=None):
        if not self.bar.disable:
            self.bar.set_description_str(f"{self.label}: {shown(logs)}", refresh=False)
            self.bar.update(batch + 1 - self.bar.n)

    def on_epoch_end(self, epoch, logs=None):
        self.close()
        if self.kept:
            say(f"{self.label}: {shown(logs)}", file=sys.stderr)

    def close(self):
        """Ends the bar, where one is shown."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def columns(stream):
    """Returns the width of the terminal behind `stream`, in characters; 80 where it does not tell."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):  # no terminal; no descriptor
        return 80


def shown(logs):
    """Returns the terms among `logs`, in nats per image, as one text."""
    names = ("loss", "distortion", "rate", "val_distortion", "val_rate")
    return "  ".join(f"{name} {float(logs[name]):.2f}" for name in names if name in logs)


class Guard(keras.callbacks.Callback):
    """Stops training cleanly between two steps on Ctrl-C.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed during the step, or the end of the epoch, before.
    """

    def __init__(self):
        super().__init__()
        self.interrupted = False
        self.epoch = 0
        self.previous = None  # what Ctrl-C did before training; None outside of it

    def on_train_begin(self, logs=None):
        if threading.current_thread() is threading.main_thread():  # in no other may signals be handled
            self.previous = signal.signal(signal.SIGINT, self.interrupt)

    def interrupt(self, number, frame):
        """Notes the first Ctrl-C; a second one is Python's own."""
        self.interrupted = True
        signal.signal(signal.SIGINT, self.previous)

    def close(self):
        """Gives Ctrl-C back."""
        if self.previous is not None:
            signal.signal(signal.SIGINT, self.previous)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        self.heed()

    def on_train_batch_end(self, batch, logs=None):
        self.heed()

    def heed(self):
        """Raises `KeyboardInterrupt` where Ctrl-C was pressed."""
        if self.interrupted:
            raise KeyboardInterrupt


class Keeper(keras.callbacks.Callback):
    """Keeps the best model, the history and what a resumed run needs.

    The best weights are kept in memory and written, with a checkpoint, at most every `CHECKPOINT_SECONDS`
    and when training ends: short epochs are not slowed down, and a killed run loses seconds.
    """

    def __init__(self, run, state, patience=None):
        super().__init__()
        self.run, self.state, self.patience = run, state, patience
        self.best_weights = None  # where not None, better than what model.keras holds
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
        """Writes what there is after training broke off within an epoch.

        The weights of the moment belong to no epoch: they are kept, if `sound`, only where there is nothing
        better, and a resumed run starts from the last checkpoint.
        """
        if self.state.best is None and sound and math.isfinite(largest_weight(self.model)):
            self.best_weights = self.model.get_weights()
        self.write_best()
        self.run.write_history(self.state.rows)

    def write(self):
        """Writes the best model, the history and a checkpoint, in an order that a kill cannot confuse."""
        self.write_best()
        self.run.write_history(self.state.rows)
        self.run.write_checkpoint(self.model, self.state)
        self.written = time.monotonic()

    def write_best(self):
        """Writes `model.keras` where a better model than it holds is known."""
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
    """Writes scalars and, as training goes, grids of originals, reconstructions and prior samples."""

    def __init__(self, folder, images):
        """Takes the images to show, with their labels where the model sees them: what it is called on."""
        super().__init__()
        self.folder, self.images = str(folder), images
        self.writer = None

    def on_train_begin(self, logs=None):
        with self.writing():
            self.writer = tf.summary.create_file_writer(self.folder)

    def writing(self):
        """Turns TensorFlow's words for a disk that cannot be written to into ours."""
        return writing(self.folder, tf.errors.OpError)

    def on_epoch_end(self, epoch, logs=None):
        with self.writing(), self.writer.as_default(step=epoch + 1):
            for name, value in logs.items():
                tf.summary.scalar(name, float(value))
            epochs = self.params["epochs"]
            if epoch + 1 == epochs or epoch % max(1, epochs // LOGGED_GRIDS) == 0:
                tf.summary.image("originals, reconstructions, samples from the prior", self.pictures())

    def close(self):
        """Writes out what is still in memory, also where training broke off."""
        if self.writer is not None:
            with self.writing():
                self.writer.close()

    def pictures(self):
        """Returns one image, `[1, height, width, channels]`: a row each of the three."""
        images = self.images[0] if self.model.conditional else self.images
        reconstructions = np.asarray(self.model(self.images))
        return grid([images, reconstructions, np.asarray(self.model.sample(len(images)))])[None]
