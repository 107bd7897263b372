"""The run folder: its files, all written atomically, and the checkpoints for resuming."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import html
import importlib.metadata
import os
import pathlib
import platform
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from keras_vae.config.codec import to_json
from keras_vae.errors import Damaged, UsageError
from keras_vae.runtime import checksums
from keras_vae.runtime.figures import captioned
from keras_vae.runtime.files import locked, rename, sweep, unfinished, whole, why, write_json, writing
from keras_vae.runtime.json_file import read_json
from keras_vae.runtime.programs import typed_path
from keras_vae.training.config import read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keras_vae.model.autoencoder import Autoencoder
    from keras_vae.training.config import Config

WEIGHTS, STATE = "model.weights.h5", "state.json"  # the files of a checkpoint
KEPT_CHECKPOINTS = 2  # the newest, and one more in case it cannot be read
PACKAGES = ("keras-vae", "tensorflow", "tensorflow-cpu", "keras", "tensorflow-datasets", "numpy")


class Run:
    """A run's folder.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = pathlib.Path(path)

    def __repr__(self) -> str:
        return f"<Run {typed_path(self.path)}>"

    def _repr_html_(self) -> str:
        if self.preview_file.is_file():
            return captioned(repr(self), self.preview_file.read_bytes())
        return html.escape(repr(self))

    @classmethod
    def create(cls, config: Config, name: str) -> Self:
        """Creates the folder of a new run, called `name`, with a number appended if that exists.

        The folder has its `config.json` from the start, so a killed run can always be resumed.

        Raises:
            UsageError: `config.name` exists already, or the folder cannot be created.
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
                    check_place(config)  # raises an error if another process has just taken `config.name`
        except OSError as error:
            raise UsageError(
                f"{output / name} cannot be created: {why(error)} (try another --output)"
            ) from error
        raise UsageError(f"{output} has too many runs called {name}: choose a --name")

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Locks the folder for the training of one process. The lock ends with the process.

        Raises:
            UsageError: Another process trains in this folder.
        """
        with locked(self.path) as mine:
            if mine is False:
                raise UsageError(
                    f"{self.path} is in training by another process: wait for it or stop it first"
                )
            yield

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Returns the run in the folder `path`.

        Raises:
            UsageError: It is not a run folder.
        """
        run = cls(path)
        if not os.path.isfile(run.config_file):
            raise UsageError(
                f"{path} is not a run folder: config.json is missing. Runs are saved under saved_models/ by default."
            )
        return run

    @property
    def config_file(self) -> pathlib.Path:
        return self.path / "config.json"

    @property
    def history_file(self) -> pathlib.Path:
        return self.path / "history.csv"

    @property
    def model_file(self) -> pathlib.Path:
        return self.path / "model.keras"

    @property
    def preview_file(self) -> pathlib.Path:
        return self.path / "preview.png"

    @property
    def replay_file(self) -> pathlib.Path:
        return self.path / "replay.npz"

    @property
    def checkpoints(self) -> pathlib.Path:
        return self.path / "checkpoints"

    @property
    def finished_file(self) -> pathlib.Path:
        return self.checkpoints / "finished.json"

    @property
    def logs(self) -> pathlib.Path:
        return self.path / "logs"

    @property
    def samplers(self) -> pathlib.Path:
        return self.path / "samplers"

    def sampler_file(self, name: str) -> pathlib.Path:
        """Returns the file of the fitted sampler of this name."""
        return self.samplers / f"{name}.npz"

    def sampler_files(self) -> dict[str, pathlib.Path]:
        """Returns the files of the fitted samplers by name.

        Files with a second dot, such as `flow_matching.training.npz`, are the state of a training and no samplers.
        """
        return {path.stem: path for path in sorted(self.samplers.glob("*.npz")) if "." not in path.stem}

    @property
    def repaired_file(self) -> pathlib.Path:
        return self.samplers / "exported.json"

    @property
    def serving(self) -> pathlib.Path:
        return self.path / "serving"

    @property
    def report(self) -> pathlib.Path:
        return self.path / "report"

    def read_config(self) -> Config:
        """Returns the run's `Config`; raises a UsageError if the file is damaged."""
        try:
            checksums.check(self.config_file)
        except Damaged as damage:
            raise Damaged(
                f"{damage} (restore the file, or remove {self.path / checksums.FILE} to accept it unchecked)"
            ) from damage
        return read_settings(self.config_file)

    @contextlib.contextmanager
    def written(self, file: pathlib.Path) -> Iterator[pathlib.Path]:
        """Like `whole`, for a file of the run. Records its checksum.

        Raises:
            UsageError: The run's folder does not exist any more.
            WriteError: The file cannot be written.
        """
        self.check_there()
        with whole(file) as temporary:
            yield temporary
            checksums.note(file, temporary)

    def check_there(self) -> None:
        """Raises a UsageError if the run's folder is gone. Writing would create a new, incomplete one."""
        if not self.path.is_dir():
            raise UsageError(f"{self.path} was moved or removed: continue at its new path with --resume")

    def fault(self, file: pathlib.Path) -> str | None:
        """Returns what is wrong with a file of the run, or None if it is unchanged."""
        try:
            checksums.check(file)
        except Damaged as damage:
            return str(damage)
        return None

    def trained_on(self) -> str | None:
        """Returns the fingerprint of the images that the run was trained on; None if it is unknown."""
        try:
            return read_json(self.path / "environment.json").get("dataset")
        except UsageError:
            return None

    def model_checksum(self) -> str | None:
        """Returns the current checksum of `model.keras`, or None if it does not exist."""
        return checksums.digest(self.model_file) if self.model_file.is_file() else None

    def repaired_decoder(self, made_from: dict) -> str | None:
        """Returns the newest decoder, such as `serving/decoder/2`, if `note_repaired` noted what it is made from; or None."""
        if not self.repaired_file.is_file():
            return None
        noted = read_json(self.repaired_file)
        version, is_same = noted.get("version"), noted.get("made_from") == made_from
        newest = max(map(int, filter(str.isdecimal, os.listdir(self.serving / "decoder"))), default=None)
        return version if is_same and version == f"serving/decoder/{newest}" else None

    def note_repaired(self, version: str, made_from: dict) -> None:
        """Notes what the decoder `version` is made from."""
        write_json(self.repaired_file, {"version": version, "made_from": made_from})

    def made_from(self, sampler: str, classes: Sequence[str]) -> dict:
        """Returns what a decoder that draws from the saved sampler of this name is made from."""
        path = self.sampler_file(sampler)
        return {
            "model": self.model_checksum(),
            "sampler": checksums.digest(path) if path.is_file() else None,
            "classes": list(classes),
        }

    def write_config(self, config: Config) -> None:
        """Writes `config.json`, including defaults."""
        with self.written(self.config_file) as temporary:
            write_json(temporary, to_json(config))

    def write_environment(self, **facts: Any) -> None:
        """Writes `environment.json`: versions, system, commit, command line and `facts`."""
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

    def write_history(self, rows: Sequence[dict[str, Any]]) -> None:
        """Writes `history.csv` with a row per epoch and a column per term."""
        columns = list(dict.fromkeys(column for row in rows for column in row))
        with self.written(self.history_file) as temporary, open(temporary, "w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)

    def read_history(self) -> list[dict[str, float | None]]:
        """Returns the rows of `history.csv`, a dict per epoch with a number per term, None for an empty cell.

        Raises:
            OSError, TypeError, ValueError: The file is missing or damaged.
        """
        with open(self.history_file, newline="", encoding="utf-8") as file:
            return [
                {name: float(value) if value else None for name, value in row.items()}
                for row in csv.DictReader(file)
            ]

    def write_model(self, model: Autoencoder) -> None:
        """Writes `model.keras`."""
        with self.written(self.model_file) as temporary:
            model.save(temporary)

    def write_replay(self, **arrays: Any) -> None:
        """Writes `replay.npz`, see `keras_vae.training.replay`."""
        with self.written(self.replay_file) as temporary:
            np.savez(temporary, **arrays)

    def write_finished(self, state: State) -> None:
        """Records that the preview and export of a complete run are written for `state`."""
        write_json(self.finished_file, {"epoch": state.epoch})

    def write_unfinished(self) -> None:
        """Records that the preview and export must be written again."""
        with writing(self.finished_file):
            self.finished_file.unlink(missing_ok=True)

    def what_is_missing(self, state: State) -> str | None:
        """Returns which result of a complete run at `state` is missing or damaged, in words, or None."""
        try:
            if read_json(self.finished_file).get("epoch") != state.epoch:
                return f"preview and export of epoch {state.epoch} are missing"
            for file in (self.model_file, self.preview_file):
                checksums.check(file)
            for servable in ("decoder", "encoder"):
                checksums.check_sealed(self.newest_version(servable))
        except UsageError as error:
            return str(error)
        return None

    def newest_version(self, servable: str) -> pathlib.Path:
        """Returns the folder of the newest export of "decoder" or "encoder"; raises a UsageError without one."""
        versions = [path for path in (self.serving / servable).glob("*") if path.name.isdecimal()]
        if not versions:
            raise UsageError(
                f"{self.serving / servable} holds no exported version (finish the training to export one)"
            )
        return max(versions, key=lambda path: int(path.name))

    @contextlib.contextmanager
    def publishing(self) -> Iterator[None]:
        """Lets one process at a time export from this run, so the newest version has the newest model."""
        with writing(self.serving):
            self.serving.mkdir(exist_ok=True)
        with locked(self.serving, wait=True):
            yield

    def sweep(self) -> None:
        """Removes unfinished files of killed processes."""
        for folder in (self.path, self.checkpoints, *self.serving.glob("*")):
            sweep(folder)

    def write_checkpoint(self, model: Autoencoder, state: State) -> None:
        """Writes weights, optimizer and `state` as a checkpoint, and removes all others except the previous one.

        Checkpoints of later epochs are removed too, because they could not be read.

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
                # Renamed first, so nobody reads a checkpoint that is half removed.
                other.rename(old / other.name)

    def list_checkpoints(self) -> list[pathlib.Path]:
        """Returns the folders of the checkpoints, newest first."""
        return sorted(self.checkpoints.glob("epoch-*"), reverse=True)

    def restore(self, model: Autoencoder) -> tuple[State, list[str]]:
        """Loads the newest readable checkpoint into the compiled `model`.

        Returns:
            Its `State`, or that of a new run if there are no checkpoints, and a list of messages about checkpoints that
            were skipped.

        Raises:
            UsageError: There are checkpoints, but none of them can be read.
        """
        faults: list[str] = []
        for folder in self.list_checkpoints():
            try:
                checksums.check_sealed(folder)
                state = read_json(folder / STATE)
                state.pop("sha256", None)  # written by older versions of this package
                model.load_weights(folder / WEIGHTS)
                return State.read(state), faults
            except (OSError, ValueError, TypeError, KeyError) as error:
                faults.append(f"{folder} was skipped: {error}")
        if faults:
            raise UsageError(
                f"none of the checkpoints can be read: {'; '.join(faults)} (other files in {self.path} are unchanged;"
                f" start a new run with --config {self.config_file})"
            )
        return State(), faults


class Follower(Run):
    """The run's folder for workers other than the chief, which read it but do not write."""

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        yield

    def write_nothing(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing, because the chief writes."""

    sweep = write_config = write_environment = write_history = write_model = write_nothing
    write_replay = write_finished = write_unfinished = write_checkpoint = write_nothing


def check_place(config: Config) -> None:
    """Raises a UsageError if the folder of the run cannot be created."""
    output = pathlib.Path(config.output)
    check_utf_8(output, f"output is {output}", "try another --output")
    there = next(folder for folder in (output, *output.absolute().parents) if os.path.exists(folder))
    if not there.is_dir():
        raise UsageError(f"output is {output}: {there} is a file, not a folder (try another --output)")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"output is {output}: {there} cannot be written to (try another --output)")
    if config.name is not None and os.path.lexists(path := output / config.name):
        raise UsageError(f"{path} exists already: choose another --name, or continue with --resume {path}")


def check_utf_8(path: pathlib.Path, said: str, way_out: str) -> None:
    """Raises a UsageError, which begins with `said`, if TensorFlow cannot write below `path`."""
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"{said}: it is not valid UTF-8, and TensorFlow cannot write to such a path ({way_out})"
        ) from None


@dataclasses.dataclass
class State:
    """The state of a training at the end of an epoch, except weights and optimizer.

    Attributes:
        epoch: The number of completed epochs.
        rows: The history, a dict per epoch.
        best: The lowest value of `judged`, None before the first epoch.
        best_epoch: The epoch of `best`, from 1.
        fingerprint: The fingerprint of the dataset, which must be the same in a resumed run.
    """

    epoch: int = 0
    rows: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    best: float | None = None
    best_epoch: int = 0
    fingerprint: str = ""

    @classmethod
    def read(cls, values: dict[str, Any]) -> Self:
        """Returns the state in `values`, a dict from a file; raises a ValueError or TypeError if it is invalid."""
        state = cls(**values)
        rows, counts = state.rows, (state.epoch, state.best_epoch)
        if not (isinstance(rows, list) and all(isinstance(row, dict) for row in rows)):
            raise ValueError("its history is invalid")
        numbers = [number for row in rows for number in row.values()]
        numbers += [] if state.best is None else [state.best]
        if {*map(type, counts)} != {int} or {*map(type, numbers)} - {int, float} or len(rows) != state.epoch:
            raise ValueError("its state is invalid")
        return state


def commit(file: str = __file__) -> str | None:
    """Returns the commit of the checkout that this package runs from, or None if it is not in a checkout.

    Only a repository that tracks the code counts. A virtual environment inside another repository does not.

    Args:
        file: A path of the package's code.
    """
    path = pathlib.Path(file).resolve()
    if not asked_of_git(path.parent, "ls-files", "--error-unmatch", "--", path.name):
        return None
    return asked_of_git(path.parent, "rev-parse", "--verify", "HEAD")


def asked_of_git(folder: pathlib.Path, *words: str) -> str | None:
    """Returns the output of `git` in `folder`, or None if it fails or is not installed.

    Environment variables that select another repository, such as those of a hook, are removed.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        asked = subprocess.run(
            ["git", *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() or None if asked.returncode == 0 else None
