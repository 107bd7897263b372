"""The run folder: its files, each written whole or not at all, and the checkpoints that a run resumes from."""

import contextlib
import csv
import dataclasses
import hashlib
import importlib.metadata
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile

from keras_vae.command_line import UsageError, read_config, read_json, to_json
from keras_vae.config import Config
from keras_vae.files import locked, whole, write_json

KEPT_CHECKPOINTS = 2  # the newest, and one more in case that it cannot be read
PACKAGES = ("keras-vae", "tensorflow", "tensorflow-cpu", "keras", "tensorflow-datasets", "numpy")


class Run:
    """A run's folder.

    Attributes:
        path: The folder.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)

    @classmethod
    def create(cls, config, name):
        """Makes the folder of a new run, called `name`, with a number behind it where that is taken.

        Raises:
            UsageError: The name was asked for and is taken, or the folder cannot be made.
        """
        check_place(config)
        output = pathlib.Path(config.output)
        for number in range(1, 100_000):
            path = output / (name if number == 1 else f"{name}-{number}")
            try:
                output.mkdir(parents=True, exist_ok=True)
                path.mkdir()  # fails where another process was faster
                return cls(path)
            except FileExistsError:
                check_place(config)  # an asked-for name that was taken just now
            except OSError as error:
                raise UsageError(f"{path} cannot be made: {error.strerror} (try another --output)") from error
        raise UsageError(f"{output} holds too many runs called {name}: give a --name")

    @contextlib.contextmanager
    def held(self):
        """Keeps other processes out while one trains here; a lock on the folder, which dies with its process.

        Raises:
            UsageError: Another process trains here.
        """
        with locked(self.path) as mine:
            if mine is False:
                raise UsageError(
                    f"{self.path} is in training by another process: wait for it, or stop it first"
                )
            yield

    @classmethod
    def open(cls, path):
        """Returns the run in the folder `path`.

        Raises:
            UsageError: There is no run.
        """
        run = cls(path)
        if not run.config_file.is_file():
            raise UsageError(
                f"{path} is no run: it has no config.json (runs stand in saved_models by default)"
            )
        return run

    config_file = property(lambda self: self.path / "config.json")
    history_file = property(lambda self: self.path / "history.csv")
    model_file = property(lambda self: self.path / "model.keras")
    preview_file = property(lambda self: self.path / "preview.png")
    checkpoints = property(lambda self: self.path / "checkpoints")
    finished_file = property(lambda self: self.checkpoints / "finished.json")
    logs = property(lambda self: self.path / "logs")
    serving = property(lambda self: self.path / "serving")
    report = property(lambda self: self.path / "report")

    def read_config(self):
        """Returns the run's `Config`."""
        return read_config(Config, self.config_file)

    def write_config(self, config):
        """Writes `config.json`, every default written out."""
        write_json(self.config_file, to_json(config))

    def write_environment(self, **facts):
        """Writes `environment.json`: versions, system, commit and command line, and `facts`."""
        versions = {}
        for package in PACKAGES:
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                versions[package] = importlib.metadata.version(package)
        write_json(
            self.path / "environment.json",
            {
                "python": platform.python_version(),
                "packages": versions,
                "system": platform.platform(),
                "cores": os.cpu_count(),
                "commit": commit(),
                "command_line": sys.argv,
                **facts,
            },
        )

    def write_history(self, rows):
        """Writes `history.csv`: a row an epoch, a column a named term."""
        columns = list(dict.fromkeys(column for row in rows for column in row))
        with whole(self.history_file) as temporary, open(temporary, "w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)

    def write_model(self, model):
        """Writes `model.keras`."""
        with whole(self.model_file) as temporary:
            model.save(temporary)

    def write_finished(self, state):
        """Notes, after all that ends a run, that it was done for `state`."""
        write_json(self.finished_file, {"epoch": state.epoch})

    def is_finished(self, state):
        """Returns whether test, picture and export are there, and are those of `state`."""
        parts = (self.model_file, self.preview_file, self.serving / "decoder", self.serving / "encoder")
        try:
            epoch = read_json(self.finished_file).get("epoch")
        except UsageError:
            return False
        return epoch == state.epoch and all(part.exists() for part in parts)

    def sweep(self):
        """Removes what a killed process left half written."""
        for pattern in (".writing-*", "checkpoints/.writing-*", "serving/*/.unfinished-*"):
            for folder in self.path.glob(pattern):
                shutil.rmtree(folder, ignore_errors=True)

    def write_checkpoint(self, model, state):
        """Writes weights, optimizer and `state` as one checkpoint, and removes all but it and the one before.

        Those of later epochs go too: they could not be read, or the run would stand there.

        Args:
            model: A compiled model.
            state: A `State`.
        """
        self.checkpoints.mkdir(exist_ok=True)
        folder = pathlib.Path(tempfile.mkdtemp(prefix=".writing-", dir=self.checkpoints))
        try:
            weights = folder / "model.weights.h5"
            model.save_weights(weights)
            write_json(folder / "state.json", {**dataclasses.asdict(state), "sha256": digest(weights)})
            final = self.checkpoints / f"epoch-{state.epoch:06d}"
            shutil.rmtree(final, ignore_errors=True)
            os.rename(folder, final)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        kept = [folder for folder in self.list_checkpoints() if folder.name <= final.name][:KEPT_CHECKPOINTS]
        for old in set(self.list_checkpoints()).difference(kept):
            shutil.rmtree(old, ignore_errors=True)

    def list_checkpoints(self):
        """Returns the checkpoints' folders, the newest first."""
        return sorted(self.checkpoints.glob("epoch-*"), reverse=True)

    def restore(self, model):
        """Loads the newest checkpoint that is whole into `model`, compiled, and returns its `State`.

        Returns:
            The state, that of a new run where no checkpoint was written yet; and what was wrong with the
            checkpoints that were passed over.
        """
        faults = []
        for folder in self.list_checkpoints():
            try:
                state = read_json(folder / "state.json")
                weights = folder / "model.weights.h5"
                if digest(weights) != state.pop("sha256"):
                    raise ValueError("its checksum is wrong")
                model.load_weights(weights)
                return State(**state), faults
            except (OSError, ValueError, TypeError, KeyError) as error:
                faults.append(f"{folder} was passed over: {error}")
        return State(), faults


class Follower(Run):
    """The run's folder as workers have it that are not the chief: they resume from it, and write nothing."""

    def held(self):
        return contextlib.nullcontext()

    def write_nothing(self, *args, **kwargs):
        """Leaves it to the chief."""

    sweep = write_config = write_environment = write_history = write_model = write_nothing
    write_finished = write_checkpoint = write_nothing


def check_place(config):
    """Raises a UsageError where the run that `config` asks for cannot be put."""
    output = pathlib.Path(config.output)
    there = next(folder for folder in (output, *output.absolute().parents) if folder.exists())
    if not there.is_dir():
        raise UsageError(
            f"output is {output}: {there} is a file, and a folder is needed (try another --output)"
        )
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"output is {output}: {there} cannot be written to (try another --output)")
    if config.name is not None and os.path.lexists(path := output / config.name):
        raise UsageError(f"{path} is there already: choose another --name, or go on with --resume {path}")


class TrainingStopped(Exception):
    """Training cannot go on; the message says where it went wrong and what to try."""


@dataclasses.dataclass
class State:
    """Where a training run stands at the end of an epoch, besides weights and optimizer.

    Attributes:
        epoch: Epochs done.
        rows: The history, a dict an epoch.
        best: The lowest value of what the run is judged by, None before the first epoch.
        best_epoch: The epoch of `best`, from 1.
        fingerprint: The dataset's: a resumed run must see the same images.
    """

    epoch: int = 0
    rows: list = dataclasses.field(default_factory=list)
    best: float | None = None
    best_epoch: int = 0
    fingerprint: str = ""


def digest(path):
    """Returns the SHA-256 of a file, in hexadecimal."""
    total = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def commit():
    """Returns the commit of the checkout that this package runs from, None where there is none."""
    try:
        asked = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=pathlib.Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=5,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() or None
