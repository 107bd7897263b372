"""Runs of a sweep without the training, for tests of what executes them.

Workers of Dask import this module, so it imports neither Keras nor TensorFlow.
"""

import os
import pathlib
import shutil
import sys
import threading
import time

import distributed

import keras_vae_commands  # noqa: F401  (so that keras_vae does not import Keras)
from keras_vae.parallel import task
from keras_vae.parallel.task import end_with_the_parent
from keras_vae.sweep.folder import Sweep
from keras_vae.sweep.one_run import claimed

RESULTS = "results-of-all.json"  # in the sweep's folder: what each run leaves


def pretended_run(folder, name):
    """Says that it has begun, and leaves results as soon as the file `go` exists; fails if the name is in `fails`."""
    threading.Thread(target=end_with_the_parent, daemon=True).start()
    sweep = Sweep.open(folder)
    with claimed(sweep.log(name)):
        if sweep.is_done(name):
            return
        say(sweep, "begun", name)
        if (sweep.path / f"{name}.fails").exists():
            raise SystemExit("it cannot work")
        while not (sweep.path / "go").exists():
            time.sleep(0.02)
        sweep.run(name).report.mkdir(parents=True)
        shutil.copy(sweep.path / RESULTS, sweep.run(name).report / "results.json")
        (sweep.run(name).report / "index.html").touch()
        say(sweep, "ended", name)


def say(sweep, what, name):
    """Appends the run and the number of its process to a file of the sweep."""
    with open(sweep.path / what, "a") as file:
        file.write(f"{name} {os.getpid()}\n")


def said(sweep, what):
    """The (run, number of its process) that were appended."""
    file = sweep.path / what
    lines = file.read_text().splitlines() if file.exists() else []
    return [(name, int(number)) for name, number in map(str.split, lines)]


class Pretend(distributed.WorkerPlugin):
    """Puts `pretended_run` in the place of the training on all workers, those that are started later included."""

    name = "pretend"

    def setup(self, worker):
        code = f"import sys; sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r}); import pretended"
        code += "; pretended.pretended_run(*sys.argv[-2:])"
        task.PYTHON = (sys.executable, "-c", code)
