"""A sweep's folder: its grid, its runs, their logs, and what went wrong with some of them."""

import contextlib
import os
import pathlib

from keras_vae.errors import UsageError
from keras_vae.evaluation.results.file import read_results
from keras_vae.runtime.files import locked, rename, unfinished, why, write_json
from keras_vae.runtime.json_file import read_json
from keras_vae.sweep.grid import Grid
from keras_vae.training.run_folder import Run

SCHEMA_VERSION = 1


class Sweep:
    """A sweep's folder.

    Attributes:
        path: The folder; each run stands in one of its own within, of the ordinary shape.
        grid: A `Grid`.
    """

    def __init__(self, path, grid):
        self.path, self.grid = pathlib.Path(path), grid

    @classmethod
    def create(cls, grid, output, name, asked):
        """Makes the folder of a new sweep, or opens that of the same sweep.

        Args:
            grid: A `Grid`.
            output: The folder that it stands in.
            name: Of the folder; a number is put behind it where another sweep has it, unless `asked`.
            asked: Whether the user chose the name.

        Raises:
            UsageError: The name was asked for and is taken, or the folder cannot be made.
        """
        for number in range(1, 100_000):
            path = pathlib.Path(output) / (name if number == 1 else f"{name}-{number}")
            if os.path.lexists(path):
                with contextlib.suppress(UsageError):
                    if (sweep := cls.open(path)).grid == grid:
                        return sweep
                if asked:
                    raise UsageError(f"{path} is there already and is no such sweep: choose another --name")
                continue
            try:
                with unfinished(path.parent) as folder:
                    write_json(
                        cls(folder, grid).grid_file, {"schema_version": SCHEMA_VERSION, **grid.to_json()}
                    )
                    if rename(folder, path):
                        return cls(path, grid)
            except OSError as error:
                raise UsageError(f"{path} cannot be made: {why(error)} (try another --output)") from error
            if asked:
                raise UsageError(f"{path} was made just now by another process: choose another --name")
        raise UsageError(f"{output} holds too many sweeps called {name}: give a --name")

    @classmethod
    def open(cls, path):
        """Returns the sweep in the folder `path`, or raises a UsageError where there is none."""
        file = pathlib.Path(path) / "sweep.json"
        if not os.path.isfile(file):
            raise UsageError(f"{path} is no sweep: it has no sweep.json")
        try:
            return cls(path, Grid.from_json(read_json(file)))
        except (KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{file} is not what a sweep writes: {error!r}") from error

    grid_file = property(lambda self: self.path / "sweep.json")
    failures_file = property(lambda self: self.path / "failures.json")
    logs = property(lambda self: self.path / "logs")

    def run(self, name):
        """Returns the `Run` of the trial `name`, whose folder may not be there yet."""
        return Run(self.path / name)

    def log(self, name):
        """Returns the path of what the run `name` has said."""
        return self.logs / f"{name}.log"

    @contextlib.contextmanager
    def held(self):
        """Keeps other processes out while one works here; raises a UsageError where one does."""
        with locked(self.path) as mine:
            if mine is False:
                raise UsageError(f"{self.path} is in work by another process: wait for it, or stop it first")
            yield

    def failures(self):
        """Returns why runs failed, by their names."""
        if not self.failures_file.is_file():
            return {}
        return {name: str(error) for name, error in read_json(self.failures_file).items()}

    def note(self, name, error):
        """Notes why the run `name` failed; None where it did not."""
        failures = {key: why for key, why in self.failures().items() if key != name}
        if error is not None:
            failures[name] = error
        if failures or self.failures_file.exists():
            write_json(self.failures_file, failures)

    def is_done(self, name):
        """Returns whether the run `name` is trained and evaluated."""
        run = self.run(name)
        return (run.report / "index.html").is_file() and results_of(run)[0] is not None  # the page comes last


def results_of(run):
    """Returns the results of evaluating `run`, None where there are none; and why they cannot be read, or None."""
    file = run.report / "results.json"
    try:
        return (read_results(file) if file.is_file() else None), None
    except UsageError as error:
        return None, str(error)
