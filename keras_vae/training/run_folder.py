"""The run folder: its files, each written whole or not at all, and the checkpoints that a run resumes from."""

import contextlib
import csv
import dataclasses
import importlib.metadata
import os
import pathlib
import platform
import subprocess
import sys

from keras_vae.config.codec import to_json
from keras_vae.errors import Damaged, UsageError
from keras_vae.runtime import checksums
from keras_vae.runtime.files import locked, rename, sweep, unfinished, whole, why, write_json, writing
from keras_vae.runtime.json_file import read_json
from keras_vae.training.config import read_settings

WEIGHTS, STATE = "model.weights.h5", "state.json"  # of a checkpoint
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

        It comes with its `config.json`: there is no moment at which a killed run could not be resumed.

        Raises:
            UsageError: The name was asked for and is taken, or the folder cannot be made.
        """
        check_place(config)
        output = pathlib.Path(config.output)
        try:
            with unfinished(output) as folder:
                cls(folder).write_config(config)
                for number in range(1, 100_000):
                    path = output / (name if number == 1 else f"{name}-{number}")
                    if rename(folder, path):
                        return cls(path)
                    check_place(config)  # an asked-for name that was taken just now
        except OSError as error:
            raise UsageError(
                f"{output / name} cannot be made: {why(error)} (try another --output)"
            ) from error
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
        if not os.path.isfile(run.config_file):
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
        """Returns the run's `Config`; raises a UsageError where the file is damaged."""
        try:
            checksums.check(self.config_file)
        except Damaged as damage:
            raise Damaged(
                f"{damage} (put a right copy in its place, or remove {self.path / checksums.FILE} to believe it as it is)"
            ) from damage
        return read_settings(self.config_file)

    @contextlib.contextmanager
    def written(self, file):
        """As `whole`, of a file of the run: its checksum is noted.

        Raises:
            UsageError: The run's folder is not there any more.
            WriteError: The system refuses it.
        """
        self.check_there()
        with whole(file) as temporary:
            yield temporary
            checksums.note(file, temporary)

    def check_there(self):
        """Raises a UsageError where the run's folder is gone, which would else be made anew with half of its files."""
        if not self.path.is_dir():
            raise UsageError(f"{self.path} was moved or removed: go on where it is now, with --resume")

    def fault(self, file):
        """Returns what is wrong with a file of the run, None where it is as it was written."""
        try:
            checksums.check(file)
        except Damaged as damage:
            return str(damage)
        return None

    def trained_on(self):
        """Returns the fingerprint of the images that the run was trained on; None where it is not known."""
        try:
            return read_json(self.path / "environment.json").get("dataset")
        except UsageError:
            return None

    def model_checksum(self):
        """Returns the checksum of `model.keras` as it is now, None where there is none."""
        return checksums.digest(self.model_file) if self.model_file.is_file() else None

    def write_config(self, config):
        """Writes `config.json`, every default written out."""
        with self.written(self.config_file) as temporary:
            write_json(temporary, to_json(config))

    def write_environment(self, **facts):
        """Writes `environment.json`: versions, system, commit and command line, and `facts`."""
        versions = {}
        for package in PACKAGES:
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                versions[package] = importlib.metadata.version(package)
        environment = {
            "python": platform.python_version(),
            "packages": versions,
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "commit": commit(),
            "command_line": sys.argv,
            **facts,
        }
        with self.written(self.path / "environment.json") as temporary:
            write_json(temporary, environment)

    def write_history(self, rows):
        """Writes `history.csv`: a row an epoch, a column a named term."""
        columns = list(dict.fromkeys(column for row in rows for column in row))
        with self.written(self.history_file) as temporary, open(temporary, "w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)

    def write_model(self, model):
        """Writes `model.keras`."""
        with self.written(self.model_file) as temporary:
            model.save(temporary)

    def write_finished(self, state):
        """Notes, after all that ends a run, that it was done for `state`."""
        write_json(self.finished_file, {"epoch": state.epoch})

    def write_unfinished(self):
        """Notes that what ends a run is to be done again."""
        with writing(self.finished_file):
            self.finished_file.unlink(missing_ok=True)

    def what_is_missing(self, state):
        """Returns what the end of a run, at `state`, has not left here as it was written, in words; None where it has."""
        try:
            if read_json(self.finished_file).get("epoch") != state.epoch:
                return f"what ends a run was not done for epoch {state.epoch}"
            for file in (self.model_file, self.preview_file):
                checksums.check(file)
            for servable in ("decoder", "encoder"):
                checksums.check_sealed(self.newest_version(servable))
        except UsageError as error:
            return str(error)
        return None

    def newest_version(self, servable):
        """Returns the folder of the newest export of "decoder" or "encoder"; raises a UsageError without one."""
        versions = [path for path in (self.serving / servable).glob("*") if path.name.isdecimal()]
        if not versions:
            raise UsageError(f"{self.serving / servable} holds no exported version")
        return max(versions, key=lambda path: int(path.name))

    @contextlib.contextmanager
    def publishing(self):
        """Lets one process at a time export from this run, so that the newest version is of the newest model."""
        with writing(self.serving):
            self.serving.mkdir(exist_ok=True)
        with locked(self.serving, wait=True):
            yield

    def sweep(self):
        """Removes what killed processes have left half written."""
        for folder in (self.path, self.checkpoints, *self.serving.glob("*")):
            sweep(folder)

    def write_checkpoint(self, model, state):
        """Writes weights, optimizer and `state` as one checkpoint, and removes all but it and the one before.

        Those of later epochs go too: they could not be read, or the run would stand there.

        Args:
            model: A compiled model.
            state: A `State`.
        """
        self.check_there()
        final = self.checkpoints / f"epoch-{state.epoch:06d}"
        with writing(final), unfinished(self.checkpoints) as folder:
            new, old = folder / "new", folder / "old"
            new.mkdir()
            old.mkdir()
            model.save_weights(new / WEIGHTS)
            write_json(new / STATE, dataclasses.asdict(state))
            checksums.seal(new)
            if final.exists():
                final.rename(old / "replaced")
            new.rename(final)
            there = self.list_checkpoints()
            kept = [folder for folder in there if folder.name <= final.name][:KEPT_CHECKPOINTS]
            for other in set(there).difference(kept):
                other.rename(
                    old / other.name
                )  # and is removed where nobody takes half of it for a checkpoint

    def list_checkpoints(self):
        """Returns the checkpoints' folders, the newest first."""
        return sorted(self.checkpoints.glob("epoch-*"), reverse=True)

    def restore(self, model):
        """Loads the newest checkpoint that is whole into `model`, compiled, and returns its `State`.

        Returns:
            The state, that of a new run where no checkpoint was written yet; and what was wrong with the
            checkpoints that were passed over.

        Raises:
            UsageError: There are checkpoints, and none is whole.
        """
        faults = []
        for folder in self.list_checkpoints():
            try:
                checksums.check_sealed(folder)
                state = read_json(folder / STATE)
                state.pop("sha256", None)  # older versions of this package kept their one checksum here
                model.load_weights(folder / WEIGHTS)
                return State.read(state), faults
            except (OSError, ValueError, TypeError, KeyError) as error:
                faults.append(f"{folder} was passed over: {error}")
        if faults:
            raise UsageError(
                f"none of the checkpoints can be read: {'; '.join(faults)} (what else is in {self.path} stays as it"
                f" is; to train anew: --config {self.config_file})"
            )
        return State(), faults


class Follower(Run):
    """The run's folder as workers have it that are not the chief: they resume from it, and write nothing."""

    def held(self):
        return contextlib.nullcontext()

    def write_nothing(self, *args, **kwargs):
        """Leaves it to the chief."""

    sweep = write_config = write_environment = write_history = write_model = write_nothing
    write_finished = write_unfinished = write_checkpoint = write_nothing


def check_place(config):
    """Raises a UsageError where the run that `config` asks for cannot be put."""
    output = pathlib.Path(config.output)
    check_utf_8(output, f"output is {output}", "try another --output")
    there = next(folder for folder in (output, *output.absolute().parents) if os.path.exists(folder))
    if not there.is_dir():
        raise UsageError(
            f"output is {output}: {there} is a file, and a folder is needed (try another --output)"
        )
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"output is {output}: {there} cannot be written to (try another --output)")
    if config.name is not None and os.path.lexists(path := output / config.name):
        raise UsageError(f"{path} is there already: choose another --name, or go on with --resume {path}")


def check_utf_8(path, said, way_out):
    """Raises a UsageError, which begins with what is `said`, where nothing can be written below `path`."""
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"{said}: it is no UTF-8, and TensorFlow writes to no other names ({way_out})"
        ) from None


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

    @classmethod
    def read(cls, values):
        """Returns the state that the dict `values` from a file describes; raises a ValueError or TypeError without one."""
        state = cls(**values)
        rows, counts = state.rows, (state.epoch, state.best_epoch)
        if not (isinstance(rows, list) and all(isinstance(row, dict) for row in rows)):
            raise ValueError("its history is none")
        numbers = [number for row in rows for number in row.values()]
        numbers += [] if state.best is None else [state.best]
        if {*map(type, counts)} != {int} or {*map(type, numbers)} - {int, float} or len(rows) != state.epoch:
            raise ValueError("its state is none that training leaves")
        return state


def commit(file=__file__):
    """Returns the commit of the checkout that this package runs from, None where it runs from another place.

    A package in a virtual environment that lies in some repository is not part of it, and neither is a copy that its
    repository ignores: only a repository that tracks the code is asked.

    Args:
        file: A path of the package's code.
    """
    path = pathlib.Path(file).resolve()
    if not asked_of_git(path.parent, "ls-files", "--error-unmatch", "--", path.name):
        return None
    return asked_of_git(path.parent, "rev-parse", "--verify", "HEAD")


def asked_of_git(folder, *words):
    """Returns what `git` answers in `folder`, None where it refuses, or is not there.

    The variables that would make it look at another repository, as they are set within a hook, are left out.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        asked = subprocess.run(
            ["git", *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() or None if asked.returncode == 0 else None
