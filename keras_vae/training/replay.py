"""The training replay: codes of a few held-out images and a few samples at some epochs, in `replay.npz`.

The file has at most `BUDGET` bytes, whatever the number of epochs: if there are too many, every other one is dropped.
It takes less than a hundredth of the time of the training, because epochs of few images are skipped.
"""

import math
import zipfile

import numpy as np

from keras_vae.errors import UsageError
from keras_vae.runtime.lazy import keras

IMAGES, IMAGE_BUDGET = 300, 2**21  # encoded at an epoch: the number of images, and of their values
NUMBERS = 32  # kept of a code: all, or this many projections onto fixed random directions
SAMPLES, SIDE = 8, 32  # decoded at an epoch, and their largest height and width in the file
BUDGET, MOST, FEWEST = 2**20, 64, 8  # bytes of the file; the most and fewest epochs in it
FIRST = 1  # the untrained model and the first epoch are always kept, because most changes then
SHARE = 0.01  # images that are encoded or sampled, as a share of the images trained on
LARGEST = 60_000.0  # float16 ends at 65,504


class Recorder(keras.callbacks.Callback):
    """Records the replay during training; `write` is called with each checkpoint."""

    def __init__(self, run, split, trained, epoch=0):
        """Creates the callback.

        Args:
            run: The `Run`. If it is resumed, its replay continues.
            split: The split whose first images are encoded, as `shown` returns it.
            trained: The number of training images.
            epoch: The number of completed epochs.
        """
        super().__init__()
        self.run, self.split, self.trained, self.epoch = run, split, trained, epoch
        self.stride, self.frames, self.is_written = 1, {}, False

    def on_train_begin(self, logs=None):
        count = max(1, min(IMAGES, len(self.split), IMAGE_BUDGET // self.model.dims.pixels))
        self.images = self.split.images(0, count)
        self.labels = None if self.split.labels is None else np.asarray(self.split.labels[:count], "int32")
        self.directions = directions(self.model.dims.latents)
        self.stride = math.ceil((count + SAMPLES) / (SHARE * self.trained))
        self.resume()
        if not self.frames:
            self.add()

    def resume(self):
        """Takes the epochs up to the current one from the file of a resumed run, if it is readable and fits."""
        kept = read(self.run) if self.epoch else None
        if kept is None or kept["codes"].shape[1:] != (len(self.images), self.directions.shape[1]):
            return
        self.stride = max(self.stride, kept["stride"])
        for epoch, codes, samples in zip(kept["epochs"].tolist(), kept["codes"], kept["samples"]):
            if epoch <= self.epoch:
                self.frames[epoch] = codes, samples

    def on_epoch_end(self, epoch, logs=None):
        self.epoch = epoch + 1
        if self.is_wanted(self.epoch):
            self.add()

    def on_train_end(self, logs=None):
        if self.epoch not in self.frames:
            self.add()

    def is_wanted(self, epoch):
        """Returns whether an epoch that is not the last one is kept."""
        return epoch <= FIRST or epoch % self.stride == 0

    def add(self):
        """Records the model as it is after the current epoch."""
        self.frames[self.epoch] = self.codes(), self.samples()
        self.is_written = False
        codes, samples = self.frames[self.epoch]
        most = min(MOST, max(FEWEST, BUDGET // (codes.nbytes + samples.nbytes)))
        while len(self.frames) > most:
            self.stride *= 2
            self.frames = {
                epoch: frame
                for epoch, frame in self.frames.items()
                if self.is_wanted(epoch) or epoch == self.epoch
            }

    def codes(self):
        """Returns what is kept of the images' codes, float16 `[n, k]`."""
        labels = self.labels if self.model.conditional else None
        mean = np.asarray(self.model.encode(self.images, labels)[0], "float32").reshape(len(self.images), -1)
        return np.clip(np.nan_to_num(mean @ self.directions), -LARGEST, LARGEST).astype("float16")

    def samples(self):
        """Returns small samples of fixed noise, uint8 `[SAMPLES, height, width, channels]`; classes come in turn."""
        images = np.nan_to_num(np.asarray(self.model.sample(SAMPLES), "float32"))
        return np.round(255 * np.clip(smaller(images), 0, 1)).astype("uint8")

    def write(self):
        """Writes the file, if there is something new."""
        epochs = sorted(self.frames)
        if epochs and not self.is_written:
            codes, samples = (np.stack([self.frames[epoch][part] for epoch in epochs]) for part in (0, 1))
            labels = {} if self.labels is None else {"labels": self.labels}
            self.run.write_replay(
                epochs=np.array(epochs, "int32"), codes=codes, samples=samples, stride=self.stride, **labels
            )
            self.is_written = True


def shown(dataset):
    """Returns the split of a dataset that the explorer shows: the test images, or others if there are none."""
    splits = (dataset.test, dataset.validation, dataset.train)
    return next(split for split in splits if len(split))


def directions(dims):
    """Returns the fixed directions of which a code's coordinates are kept, `[dims, k]`: all axes, or random ones."""
    if dims <= NUMBERS:
        return np.eye(dims, dtype="float32")
    return np.random.default_rng(0).standard_normal((dims, NUMBERS), "float32") / np.float32(dims**0.5)


def smaller(images):
    """Returns images, `[n, height, width, channels]`, reduced by a whole factor to at most `SIDE` pixels per side."""
    count, height, width, channels = images.shape
    factor = math.ceil(max(height, width) / SIDE)
    down, across = min(factor, height), min(factor, width)
    rows, columns = height // down, width // across
    blocks = images[:, : rows * down, : columns * across]
    return blocks.reshape(count, rows, down, columns, across, channels).mean(axis=(2, 4))


def read(run):
    """Returns the replay of a run, a dict; None if it kept none, or if the file is damaged.

    Returns:
        {"epochs": int `[f]`, "codes": float16 `[f, n, k]`, the coordinates along `directions`, "samples": uint8
        `[f, s, height, width, channels]`, "stride": int, "labels": int32 `[n]` or None}.
    """
    try:
        if run.fault(run.replay_file):
            return None
        with np.load(run.replay_file, allow_pickle=False) as file:
            kept = {name: file[name] for name in ("epochs", "codes", "samples")}
            return {**kept, "stride": int(file["stride"]), "labels": file.get("labels")}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, UsageError):
        return None
