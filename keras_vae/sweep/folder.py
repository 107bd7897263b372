"""A sweep's folder: its grid, its runs, their logs, and the errors of failed runs."""

import contextlib
import html
import os
import pathlib

from keras_vae.errors import UsageError
from keras_vae.evaluation.results.file import read_results
from keras_vae.parallel.task import Task
from keras_vae.runtime.files import locked, rename, unfinished, why, write_json
from keras_vae.runtime.json_file import read_json
from keras_vae.runtime.programs import typed_path
from keras_vae.sweep.grid import Grid
from keras_vae.training.run_folder import Run

SCHEMA_VERSION = 1


class Sweep:
    """A sweep's folder.

    Attributes:
        path: The folder, which contains an ordinary run folder for each run.
        grid: A `Grid`.
    """

    def __init__(self, path, grid):
        self.path, self.grid = pathlib.Path(path), grid

    @classmethod
    def create(cls, grid, output, name, asked):
        """Creates the folder of a new sweep, or opens the folder of the same sweep.

        Args:
            grid: A `Grid`.
            output: The parent folder.
            name: Name of the folder; if another sweep has it, a number is appended unless `asked`.
            asked: Whether the user chose the name.

        Raises:
            UsageError: The user chose a name that is taken, or the folder cannot be created.
        """
        for number in range(1, 100_000):
            path = pathlib.Path(output) / (name if number == 1 else f"{name}-{number}")
            if os.path.lexists(path):
                with contextlib.suppress(UsageError):
                    if (sweep := cls.open(path)).grid == grid:
                        return sweep
                if asked:
                    raise UsageError(f"{path} already exists and is not this sweep: choose another --name")
                continue
            try:
                with unfinished(path.parent) as folder:
                    write_json(
                        cls(folder, grid).grid_file, {"schema_version": SCHEMA_VERSION, **grid.to_json()}
                    )
                    if rename(folder, path):
                        return cls(path, grid)
            except OSError as error:
                raise UsageError(f"{path} cannot be created: {why(error)} (try another --output)") from error
            if asked:
                raise UsageError(f"{path} has just been created by another process: choose another --name")
        raise UsageError(f"{output} contains too many sweeps named {name}: give a --name")

    @classmethod
    def open(cls, path):
        """Returns the sweep in the folder `path`; raises a `UsageError` if it is not a sweep."""
        file = pathlib.Path(path) / "sweep.json"
        if not os.path.isfile(file):
            raise UsageError(f"{path} is not a sweep: sweep.json is missing")
        try:
            return cls(path, Grid.from_json(read_json(file)))
        except (KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{file} was not written by a sweep: {error!r}") from error

    def __repr__(self):
        names = self.grid.points()
        return (
            f"<Sweep {typed_path(self.path)}: {len(names)} runs, {sum(map(self.is_done, names))} evaluated>"
        )

    def _repr_html_(self):
        from keras_vae.report.verdict import plain_words

        rows = []
        for name in self.grid.points():
            results, _ = results_of(self.run(name))
            words = plain_words(results) if results else self.failures().get(name, "not evaluated")
            rows.append(f"<tr><td>{html.escape(name)}</td><td>{html.escape(words)}</td></tr>")
        return f"{html.escape(repr(self))}<table><tr><th>run</th><th>verdict</th></tr>{''.join(rows)}</table>"

    grid_file = property(lambda self: self.path / "sweep.json")
    failures_file = property(lambda self: self.path / "failures.json")
    logs = property(lambda self: self.path / "logs")

    def run(self, name):
        """Returns the `Run` of the trial `name`, whose folder may not exist yet."""
        return Run(self.path / name)

    def log(self, name):
        """Returns the path of the log of the run `name`."""
        return self.logs / f"{name}.log"

    def task(self, name):
        """Returns the `Task` that starts or continues the run `name`."""
        folder = os.path.abspath(self.path)
        words = ("-m", "keras_vae.sweep.one_run", folder, name)
        return Task(words, folder, os.path.abspath(self.log(name)))

    @contextlib.contextmanager
    def held(self):
        """Locks the sweep for this process; raises a `UsageError` if another process has locked it."""
        with locked(self.grid_file) as mine:
            if mine is False:
                raise UsageError(f"{self.path} is in use by another process: wait for it, or stop it first")
            yield

    def failures(self):
        """Returns the errors of failed runs by name."""
        if not self.failures_file.is_file():
            return {}
        return {name: str(error) for name, error in read_json(self.failures_file).items()}

    def note(self, name, error):
        """Records why the run `name` failed; None removes the entry."""
        failures = {key: why for key, why in self.failures().items() if key != name}
        if error is not None:
            failures[name] = error
        if failures or self.failures_file.exists():
            write_json(self.failures_file, failures)

    def is_done(self, name):
        """Returns whether the run `name` is trained and evaluated."""
        run = self.run(name)
        return (run.report / "index.html").is_file() and results_of(run)[
            0
        ] is not None  # the page is written last


def results_of(run):
    """Returns (results of evaluating `run` or None, reason why they cannot be read or None)."""
    file = run.report / "results.json"
    try:
        return (read_results(file) if file.is_file() else None), None
    except UsageError as error:
        return None, str(error)
