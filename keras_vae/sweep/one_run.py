"""Starts or continues one run of a sweep: `python -m keras_vae.sweep.one_run SWEEP NAME`.

This is a process of its own, so that its memory is freed and a crash does not end the sweep. It ends as soon as the
sweep ends, which holds the other end of its standard input.
"""

import contextlib
import sys

from keras_vae.config.flags import command
from keras_vae.errors import DatasetError, FeatureError, TrainingStopped, UsageError
from keras_vae.parallel.task import follow_parent
from keras_vae.report.runs import measure_run
from keras_vae.runtime import devices
from keras_vae.runtime.files import locked
from keras_vae.sweep.folder import Sweep
from keras_vae.training.loop import train
from keras_vae.training.run_folder import Run

PROG = "keras-vae sweep"


@command(PROG, bad_input=(DatasetError, FeatureError))
def main():
    """Trains and evaluates; exits with 0, 2 (bad input, or a loss that became NaN) or 1 (a defect)."""
    folder, name = sys.argv[1:]
    follow_parent()
    sweep = Sweep.open(folder)
    with claimed(sweep.log(name)):
        if not sweep.is_done(name):
            train_and_measure(sweep, name)


@contextlib.contextmanager
def claimed(log):
    """Locks the log of a run while the block runs, so that no two processes on any machines work on the run.

    A cluster may start a run again while its first process is still at work, on a machine that it has lost. The lock
    ends with its process. It is one of a file because network drives lock no folders.
    """
    with locked(log) as mine:
        if mine is not False:
            yield
            return
    devices.say("waiting for another process that works on this run")
    with locked(log, wait=True):
        yield


def train_and_measure(sweep, name):
    """Trains and evaluates the run `name`."""
    trial = sweep.grid.trial(sweep.grid.points()[name])
    devices.start(training=True)
    try:
        run = trained(trial.training(name, sweep.path), sweep.run(name))
    except TrainingStopped as stopped:
        raise UsageError(stopped) from stopped
    measure_run(trial.evaluation(), run, {})


def trained(config, run):
    """Trains the run, from its last checkpoint if there is one, and returns it."""
    if run.config_file.is_file():
        return train(run.read_config(), Run.open(run.path))
    return train(config)


if __name__ == "__main__":
    main()
