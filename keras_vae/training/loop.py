"""Trains a model into a run folder: `train(config)`."""

import dataclasses
import math
import pathlib
import shlex
import time
import warnings

import numpy as np

from keras_vae.data import spoken, spread
from keras_vae.errors import TrainingStopped, WriteError, printable
from keras_vae.model.objectives import OBJECTIVES
from keras_vae.model.posteriors import show_shape
from keras_vae.runtime import devices, workers
from keras_vae.runtime.devices import say
from keras_vae.runtime.lazy import keras, tf
from keras_vae.runtime.programs import command_line, typed_path
from keras_vae.training import pace
from keras_vae.training.resuming import describe_kept, is_unfinished, resume, way_on
from keras_vae.training.run_folder import Follower, Run, State
from keras_vae.training.setup import build, load, settle, steps_per_epoch

EVALUATION_BATCH = 256
PREVIEW_COLUMNS, PREVIEW_ROWS = 16, 6
SHOWN_SKIPPED = 10
LESS_AT_ONCE = 4  # times fewer images are proposed where a batch is too large
LONGEST_NAME = 60  # characters of a dataset in the name of its run's folder, which may have 255 bytes


@workers.together()
def train(config, run=None):
    """Trains as `config` says, in a new run folder or further in `run`, and exports the best model.

    Args:
        config: A `Config`.
        run: A `Run` to resume, or None.

    Returns:
        The `Run`.

    Raises:
        UsageError, DatasetError: The configuration does not go with the images or the machine.
        TrainingStopped: The loss became NaN; the best model before that is kept and exported. Or Ctrl-C was
            pressed once more while the run was finished. Or the run's folder cannot be written to any more.
        WorkerLost: Of several workers (`docs/scaling.md`) another one is gone.
    """
    begun = time.monotonic()
    devices.need_tensorflow("train")
    strategy = workers.strategy()
    dataset = load(config)
    config = settle(config, dataset)
    workers.agree("configuration or other images", described(config, dataset))
    keras.utils.set_random_seed(config.seed)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    with strategy.scope():
        model = build(config, dataset)
    resumed = run is not None
    run = folder(run, config, dataset)
    with run.held():
        state = resume(run, model, dataset) if resumed else State(fingerprint=dataset.fingerprint)
        workers.agree("checkpoint", f"epoch {state.epoch}, best {state.best_epoch}")
        unfinished = is_unfinished(config, state)
        if not unfinished:
            missing = run.what_is_missing(state)
            if missing is None:
                say(f"{run.path} is complete: {state.epoch} epochs ({way_on(config, state)})")
                return run
            say(f"completing {run.path}: {missing}")
        announce(config, dataset, model, run, state)
        try:
            run.write_config(config)
            run.write_environment(devices=devices.describe(config.precision), dataset=dataset.fingerprint)
            with spoken():
                stopped = fit(model, dataset, config, run, state) if unfinished else None
                if workers.is_chief():
                    finish(run, dataset, state, begun)
        except KeyboardInterrupt:
            raise TrainingStopped(
                f"stopped by Ctrl-C before the export was complete: --resume {shlex.quote(str(run.path))} completes it"
            ) from None
        except WriteError as error:
            raise TrainingStopped(
                f"{error} (see to that, and go on with --resume {shlex.quote(str(run.path))})"
            ) from error
        if stopped is not None:
            raise TrainingStopped(f"{stopped}; {describe_kept(run, state)}") from stopped
    return run


def described(config, dataset):
    """Returns what has to be the same for all workers that train together; data may lie elsewhere on each host."""
    return f"{dataclasses.replace(config, data_dir=None, download=True)} {dataset.fingerprint}"


def folder(run, config, dataset):
    """Returns the run to go on with, `run`, or that of a new folder, as this worker may use it.

    The chief makes the folder, and tells the others its name.
    """
    if run is None:
        made = Run.create(config, default_name(config, dataset)).path.name if workers.is_chief() else ""
        run = Run(pathlib.Path(config.output) / workers.gather(made)[0])
    return run if workers.is_chief() else Follower(run.path)


def default_name(config, dataset):
    """Returns the run's name: as asked for, or dataset-objective-latent."""
    objective = next(name for name, kind in OBJECTIVES.items() if kind is type(config.objective))
    return config.name or f"{dataset.name[:LONGEST_NAME]}-{objective}-{show_shape(config.latent)}"


def announce(config, dataset, model, run, state):
    """Prints what is about to happen; of several workers the chief does."""
    if not workers.is_chief():
        return
    sizes = ", ".join(
        f"{len(getattr(dataset, split)):,} {split}" for split in ("train", "validation", "test")
    )
    lines = [f"{dataset.name}: {sizes} images of {show_shape(dataset.image_shape)}"]
    lines += dataset.notes
    lines += [f"skipped {line}" for line in dataset.skipped[:SHOWN_SKIPPED]]
    if dataset.skipped:
        lines.append(f"unreadable and skipped: {len(dataset.skipped):,} of the files")
    if not len(dataset.validation):
        lines.append("too few images to hold any out: the best model is the best on the training images")
    lines.append(
        f"{run.path.name}: {model.count_params():,} weights, {config.epochs} epochs of"
        f" {steps_per_epoch(config, dataset)} steps,"
        f" {devices.describe(config.precision)}, {pace.describe(model)}{count_workers()}"
    )
    lines.append(f"{f'resuming after epoch {state.epoch} in' if state.epoch else 'in'} {run.path}")
    say(*lines)


def count_workers():
    """Returns how many workers there are, to stand behind other words; nothing where there is one."""
    count = workers.place().count
    return f", {count} workers" if count > 1 else ""


def fit(model, dataset, config, run, state):
    """Trains from where `state` stands to the last epoch.

    Returns:
        None, or the `TrainingStopped` that ended it. Ctrl-C ends it like the last epoch does.
    """
    from keras_vae.training import callbacks

    keeper = callbacks.Keeper(run, state, config.patience)
    guard, progress = callbacks.Guard(), callbacks.EpochProgress()
    shown_split = dataset.test if len(dataset.test) else dataset.train
    log = callbacks.TensorBoardLog(run.logs, examples(model, shown_split, callbacks.SHOWN_IMAGES))
    labels, strategy = model.conditional, model.distribute_strategy
    training = spread(
        lambda share: dataset.train.training_batches(
            config.batch_size, config.seed, state.epoch, config.augment, labels, share
        ),
        strategy,
    )
    if strategy.num_replicas_in_sync == 1:
        training = pace.on_device(training)
    validation = validation_steps = None
    if len(dataset.validation):
        validation = spread(
            lambda share: dataset.validation.batches(EVALUATION_BATCH, labels, share), strategy
        )
        if strategy.num_replicas_in_sync > 1:
            validation_steps = math.ceil(len(dataset.validation) / EVALUATION_BATCH)
    try:
        model.fit(
            training,
            steps_per_epoch=steps_per_epoch(config, dataset),
            initial_epoch=state.epoch,
            epochs=config.epochs,
            validation_data=validation,
            validation_steps=validation_steps,
            callbacks=[guard, progress, keeper, log] if workers.is_chief() else [guard, keeper],
            verbose=0,
            shuffle=False,
        )
    except (KeyboardInterrupt, TrainingStopped, tf.errors.ResourceExhaustedError) as reason:
        progress.close()
        sound = isinstance(reason, KeyboardInterrupt)
        keeper.close(sound)
        if sound:
            say(
                f"stopped by Ctrl-C: keeping what there is (go on with --resume {shlex.quote(str(run.path))})"
            )
            return None
        return reason if isinstance(reason, TrainingStopped) else TrainingStopped(too_large(config))
    finally:
        guard.close()
        log.close()
    return None


def too_large(config):
    """Returns what to do where a step does not fit into the device's memory."""
    parts = math.gcd(config.batch_size, LESS_AT_ONCE)
    if parts == 1:
        return f"a step of {config.batch_size} images does not fit into memory (try smaller --network.widths)"
    return (
        f"a step of {config.batch_size} images does not fit into memory (try --batch_size {config.batch_size // parts}"
        f" --accumulate {config.accumulate * parts}, whose steps are on the mean gradient of as many)"
    )


def finish(run, dataset, state, begun):
    """Measures, pictures and exports the best model, and prints where everything is."""
    from keras_vae.export.saved_models import export

    if not run.model_file.is_file():
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the model's advice has been given already
        model = keras.saving.load_model(run.model_file)
    best = f"epoch {state.best_epoch} of {state.epoch}" if state.epoch else "weights of an unfinished epoch"
    lines = [f"best model: {best}"]
    if len(dataset.test):
        lines.append(
            describe_test(
                model.evaluate(
                    dataset.test.batches(EVALUATION_BATCH, model.conditional), verbose=0, return_dict=True
                ),
                model.likelihood.is_density,
            )
        )
    preview(run, model, dataset, lines[-1])
    with run.publishing():
        export(model, run.serving)
    run.write_finished(state)
    say(
        *lines,
        f"done in {time.monotonic() - begun:.0f} s: {run.path}",
        f"  {run.preview_file.name:<18} held-out images, their reconstructions, and samples",
        f"  {run.model_file.name:<18} keras.saving.load_model, after import keras_vae",
        "  serving/           decoder and encoder for TF Serving or tf.saved_model.load",
        f"  history.csv, logs/ losses by epoch; tensorboard --logdir {shlex.quote(str(run.path))}",
        f"next: {command_line('evaluate', typed_path(run.path))}",
    )


def describe_test(terms, is_density):
    """Returns one line on the held-out terms, in nats per image; `is_density` as a likelihood has it."""
    distortion = f"distortion {terms['distortion']:.2f}"
    if "rate" not in terms:
        return f"test: {distortion} nats an image"
    both = f"{distortion} + rate {terms['rate']:.2f}"
    if not is_density:
        return f"test: {both} nats an image, and no ELBO: the distortion is of no density"
    return f"test: ELBO {-terms['distortion'] - terms['rate']:.2f} nats an image = -({both})"


def preview(run, model, dataset, title):
    """Writes the picture of reconstructions and samples."""
    from keras_vae.runtime.figures import preview as draw

    split = dataset.test if len(dataset.test) else dataset.train
    images = split.images(0, PREVIEW_COLUMNS)
    shown = np.asarray(model(examples(model, split, PREVIEW_COLUMNS)))
    # A class a column, where the model is asked for classes.
    labels = np.arange(len(images)) % model.num_classes if model.conditional else None
    samples = model.sample(
        PREVIEW_ROWS * len(images), labels=None if labels is None else np.tile(labels, PREVIEW_ROWS)
    )
    with run.written(run.preview_file) as path:
        draw(path, images, shown, np.asarray(samples), f"{printable(run.path.name)}: {title}")


def examples(model, split, count):
    """Returns the first `count` images of `split` as `model` is called on: with their labels, if it sees them."""
    images = split.images(0, count)
    return (images, split.labels[: len(images)]) if model.conditional else images
