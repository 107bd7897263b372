"""Checks a sweep before its first run: `python -m keras_vae.sweep.checking < grid.json`.

This is a process of its own, as every run is, so that TensorFlow's memory is freed when it ends. It reads the images,
builds each model, and trains the classifier that provides the features of all evaluations, so that parallel runs find
it in the cache.
"""

import contextlib
import dataclasses
import io
import json
import sys

from keras_vae.config.flags import command
from keras_vae.data.progress import progress
from keras_vae.errors import DatasetError, FeatureError, UsageError
from keras_vae.evaluation.features import choose_features
from keras_vae.runtime import devices
from keras_vae.runtime.files import cache_folder
from keras_vae.runtime.lazy import keras
from keras_vae.sweep.grid import Grid, refuse
from keras_vae.sweep.one_run import PROG
from keras_vae.training.config import DataSettings
from keras_vae.training.setup import build, load, resolve


@command(PROG, bad_input=(DatasetError, FeatureError))
def main():
    """Checks the grid on standard input; exits with 0, or with 2 and one line that says what is wrong."""
    grid = Grid.from_json(json.load(sys.stdin))
    trials = grid.trials()
    devices.start()
    datasets = {}
    for trial in trials.values():
        if data_of(trial) not in datasets:
            datasets[data_of(trial)] = load(trial)
    refuse(refused_models(trials, datasets), grid.points())
    for trial in {(data_of(trial), trial.features): trial for trial in trials.values()}.values():
        choose_features(datasets[data_of(trial)], trial.features, cache_folder(), trial.evaluation().seed)


def data_of(trial):
    """Returns a key of the settings that determine a trial's images."""
    return repr([getattr(trial, field.name) for field in dataclasses.fields(DataSettings)])


def refused_models(trials, datasets):
    """Returns the errors of models that cannot be built, by run; runs that differ only in their seed are tried once."""
    tried, refused = {}, {}
    for name, trial in progress(trials.items(), len(trials), "checking"):
        config = dataclasses.replace(trial.training(name, "."), seed=0, name=None)
        if config not in tried:
            tried[config] = why_refused(config, datasets[data_of(trial)])
        if tried[config] is not None:
            refused[name] = tried[config]
    return refused


def why_refused(config, dataset):
    """Returns the `UsageError` of building the model, or None; hides printed advice, which belongs in the run's log."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            build(resolve(config, dataset), dataset)
    except UsageError as error:
        return error
    finally:
        keras.backend.clear_session()
    return None


if __name__ == "__main__":
    main()
