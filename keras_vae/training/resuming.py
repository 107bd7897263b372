"""Continues a run from its newest checkpoint."""

import dataclasses
import shlex

from keras_vae.errors import UsageError
from keras_vae.runtime.devices import say


def resume(run, model, dataset):
    """Loads the newest complete checkpoint of `run` into `model` and returns its state."""
    run.sweep()
    if run.list_checkpoints() and run.trained_on() not in (None, dataset.fingerprint):
        raise other_images(
            run, dataset
        )  # before loading, because images of another size would not fit the weights
    state, faults = run.restore(model)
    for fault in faults:
        say(f"warning: {fault}")
    if state.epoch and state.fingerprint != dataset.fingerprint:
        raise other_images(run, dataset)
    state = dataclasses.replace(state, fingerprint=dataset.fingerprint)
    if state.epoch:
        restore_files(run, model, state)
    return state


def other_images(run, dataset):
    """Returns the error for resuming a run with other or changed images."""
    return UsageError(
        f"the images of {dataset.name} are not those that {run.path} was trained on: start a new run with"
        f" --config {shlex.quote(str(run.config_file))}"
    )


def restore_files(run, model, state):
    """Replaces damaged or missing files of `run` from the loaded checkpoint, `model` and `state`."""
    from keras_vae.training.callbacks import judged

    if fault := run.fault(run.history_file):
        say(f"warning: {fault}; it is written again")
        run.write_history(state.rows)
    if fault := run.fault(run.model_file):
        say(f"warning: {fault}; the checkpoint's model of epoch {state.epoch} replaces it")
        state.best, state.best_epoch = judged(state.rows[-1]), state.epoch
        run.write_unfinished()
        run.write_checkpoint(model, state)
        run.write_model(model)


def is_unfinished(config, state):
    """Returns whether there is an epoch left to train after those of `state`, which has `epoch` and `best_epoch`."""
    impatient = config.patience is not None and state.epoch - state.best_epoch >= config.patience
    return state.epoch < config.epochs and not impatient


def way_on(config, state):
    """Returns how to continue a complete run."""
    if state.epoch < config.epochs:
        return f"it stopped early; continue with --patience {2 * config.patience}"
    return f"continue with --epochs {2 * state.epoch}"


def describe_kept(run, state):
    """Returns a description of the model that an aborted training kept."""
    if not run.model_file.is_file():
        return "there was no good model to keep"
    return f"the best model before it, of epoch {state.best_epoch}, is kept in {run.path}"
