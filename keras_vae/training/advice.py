"""What a finished training says about its budget: once, with the command that trains on."""

import math

from keras_vae.runtime.programs import to_type, typed_path
from keras_vae.training.callbacks import judged, judging

FEW_STEPS = 500  # optimizer steps; below, verdicts describe the beginning of a training
IDLE_RATE = 1.0  # nats per image; `collapsed_rate` of the verdict's thresholds
LAST_PART = 4  # the last quarter of the epochs ...
STILL_FALLING = 0.1  # ... brought this share of all the improvement since the first epoch


def advice(run, config, state, steps):
    """Returns the printed lines on a training whose budget was short, or whose decoder does not use the code; or none.

    Args:
        run, config, state: The `Run`, its `Config` and its `State` after training.
        steps: The optimizer steps of an epoch.
    """
    if not state.rows:
        return []
    said = reason(state, steps)
    return [] if said is None else [said, f"train on: {command(run, config, state)}"]


def epochs_of(run):
    """Returns {"epoch": how many were completed, "best_epoch": the best of them} of a `Run` or None; {} if unknown."""
    if run is None:
        return {}
    try:
        known = [
            {name: value for name, value in row.items() if value is not None} for row in run.read_history()
        ]
        values = [judged(row) if judging(row) else math.inf for row in known]
    except (OSError, TypeError, ValueError):
        return {}
    return (
        {"epoch": len(values), "best_epoch": 1 + values.index(min(values))}
        if any(map(math.isfinite, values))
        else {}
    )


def reason(state, steps):
    """Returns what is to be said, in a sentence, or None."""
    best = state.rows[state.best_epoch - 1] if state.best_epoch else state.rows[-1]
    rate, taken = best.get("val_rate", best.get("rate")), state.epoch * steps
    few = f"after {taken:,} optimizer steps, which are few" if taken < FEW_STEPS else f"after {taken:,} steps"
    if rate is not None and rate < IDLE_RATE:
        return f"The rate is {rate:.2f} nats per image {few}: the decoder hardly uses the code yet."
    if taken < FEW_STEPS:
        return (
            f"{taken:,} optimizer steps are few: a verdict on this model will say little about its settings."
        )
    fall = still_falling([judged(row) for row in state.rows])
    if fall is not None:
        return (
            f"{' + '.join(judging(best))} still fell by {fall:.1f} nats in the last quarter of the epochs:"
            " the training was short."
        )
    return None


def still_falling(values):
    """Returns the improvement in the last quarter of the epochs, in nats, if it is a large share of all; else None.

    Args:
        values: What selects the best model, by epoch; lower is better.
    """
    if len(values) < LAST_PART:
        return None
    before = len(values) - max(1, len(values) // LAST_PART)
    fall = min(values[:before]) - min(values[before:])
    return fall if fall > STILL_FALLING * (values[0] - min(values)) and fall > 0 else None


def command(run, config, state):
    """Returns the command that trains the run for as many epochs again."""
    stopped = config.patience is not None and state.epoch < config.epochs
    budget = ("--patience", 2 * config.patience) if stopped else ("--epochs", 2 * state.epoch)
    return to_type("train", "--resume", typed_path(run.path), *budget)
