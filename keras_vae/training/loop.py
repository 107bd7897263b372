"""Trains a model into a run folder: `train(config)`."""

from __future__ import annotations

import dataclasses
import math
import pathlib
import shlex
import time
import warnings
from typing import TYPE_CHECKING

import numpy as np

from keras_vae.config.codec import in_texts, registered_name, to_json
from keras_vae.data import dataset_errors, spread
from keras_vae.errors import TrainingStopped, WriteError, printable
from keras_vae.model.objectives import OBJECTIVES
from keras_vae.model.posteriors import show_shape
from keras_vae.runtime import devices, workers
from keras_vae.runtime.devices import say
from keras_vae.runtime.lazy import keras, tf
from keras_vae.runtime.programs import begun as command_begun
from keras_vae.runtime.programs import explorer_command, runnable, to_type, typed_path
from keras_vae.runtime.progress import notice
from keras_vae.training import pace
from keras_vae.training.config import Config
from keras_vae.training.resuming import describe_kept, is_unfinished, resume, way_on
from keras_vae.training.run_folder import Follower, Run, State
from keras_vae.training.setup import build, load, resolve, steps_per_epoch

if TYPE_CHECKING:
    from collections.abc import Callable

    from keras_vae.data import Dataset
    from keras_vae.model.autoencoder import Autoencoder

EVALUATION_BATCH = 256
PREVIEW_COLUMNS, PREVIEW_ROWS = 16, 6
SHOWN_SKIPPED = 10
LESS_AT_ONCE = 4  # factor by which a smaller batch is proposed if one is too large
LONGEST_NAME = 60  # characters of a dataset's name in the name of a run's folder, which may have 255 bytes


@workers.together()
def train(
    config: Config,
    run: Run | None = None,
    finished: Callable[[Run, Autoencoder, Dataset], None] | None = None,
) -> Run:
    """Trains a model in a new run folder or resumes `run`, and exports the best model.

    Args:
        config: A `Config`.
        run: A `Run` to resume, or None.
        finished: A function of the run, its best model and the dataset, called once these are complete, or None.
            `keras_vae.explorer.world.keep` computes what the explorer opens with, as `train.py` does.

    Returns:
        The `Run`.

    Raises:
        UsageError, DatasetError: The configuration does not fit the images or the machine.
        TrainingStopped: The loss became NaN, and the best model before that was kept and exported. Also if Ctrl-C was
            pressed during the export, or if the run's folder could not be written to.
        WorkerLost: Another worker of a distributed training (`docs/guides/many_machines.md`) is gone.
    """
    begun = command_begun() or time.monotonic()
    devices.need_tensorflow("train")
    strategy = workers.strategy()
    dataset = load(config)
    config = resolve(config, dataset)
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
            run.write_environment(
                devices=devices.describe(config.precision),
                onednn=devices.onednn(),
                dataset=dataset.fingerprint,
            )
            with dataset_errors():
                stopped = fit(model, dataset, config, run, state) if unfinished else None
                if workers.is_chief():
                    finish(run, config, dataset, state, begun, finished)
        except KeyboardInterrupt:
            raise TrainingStopped(
                f"stopped by Ctrl-C during the export: complete it with {way_back(run)}"
            ) from None
        except WriteError as error:
            raise TrainingStopped(f"{error} (solve this, then continue with {way_back(run)})") from error
        if stopped is not None:
            raise TrainingStopped(f"{stopped}; {describe_kept(run, state)}") from stopped
    return run


def way_back(run):
    """Returns the command that resumes `run`."""
    return to_type("train", "--resume", typed_path(run.path))


def described(config, dataset):
    """Returns a text that must be the same for all workers. The folder of the data may differ."""
    return f"{dataclasses.replace(config, data_dir=None, download=True)} {dataset.fingerprint}"


def folder(run, config, dataset):
    """Returns `run` or a new run, as this worker may use it. The chief creates the folder and sends its name."""
    if run is None:
        made = Run.create(config, default_name(config, dataset)).path.name if workers.is_chief() else ""
        run = Run(pathlib.Path(config.output) / workers.gather(made)[0])
    return run if workers.is_chief() else Follower(run.path)


def default_name(config, dataset):
    """Returns the name of the run: `config.name`, or dataset-objective-latent."""
    objective = registered_name(config.objective, OBJECTIVES)
    return config.name or f"{dataset.name[:LONGEST_NAME]}-{objective}-{show_shape(config.latent)}"


def announce(config, dataset, model, run, state):
    """Prints a summary of the training. Only the chief prints it."""
    if not workers.is_chief():
        return
    sizes = ", ".join(
        f"{len(getattr(dataset, split)):,} {split}" for split in ("train", "validation", "test")
    )
    lines = [f"{dataset.name}: {sizes} images of {show_shape(dataset.image_shape)}"]
    lines += dataset.notes
    lines += [f"skipped {line}" for line in dataset.skipped[:SHOWN_SKIPPED]]
    if dataset.skipped:
        lines.append(f"{len(dataset.skipped):,} unreadable files were skipped")
    if not len(dataset.validation):
        lines.append("too few images for a held-out set: the best model is selected on the training images")
    lines.append(
        f"{run.path.name}: {model.count_params():,} weights, {config.epochs} epochs of"
        f" {steps_per_epoch(config, dataset)} steps,"
        f" {', '.join(filter(None, (devices.describe(config.precision), pace.describe(model))))}{count_workers()}"
    )
    if config.patience is not None:
        lines.append(f"stops early after {config.patience} epochs without improvement")
    lines.append(f"{f'resuming after epoch {state.epoch} in' if state.epoch else 'in'} {run.path}")
    say(*lines)


def count_workers():
    """Returns the number of workers as a suffix of a line; an empty text if there is one."""
    count = workers.place().count
    return f", {count} workers" if count > 1 else ""


def fit(model, dataset, config, run, state):
    """Trains from the epoch of `state` to the last epoch.

    Returns:
        The `TrainingStopped` that ended the training, or None after the last epoch or Ctrl-C.
    """
    from keras_vae.training import callbacks, replay

    chief = workers.is_chief()
    recorder = replay.Recorder(run, replay.shown(dataset), len(dataset.train), state.epoch)
    keeper = callbacks.Keeper(run, state, config.patience, recorder if chief else None)
    guard, progress = callbacks.Guard(), callbacks.EpochProgress(config.patience)
    shown_split = dataset.test if len(dataset.test) else dataset.train
    shown_images = examples(model, shown_split, callbacks.SHOWN_IMAGES)
    log = callbacks.TensorBoardLog(run.logs, shown_images, run.path.resolve().name, in_texts(to_json(config)))
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
            callbacks=[guard, progress, recorder, keeper, log] if chief else [guard, keeper],
            verbose=0,
            shuffle=False,
        )
    except (KeyboardInterrupt, TrainingStopped, tf.errors.ResourceExhaustedError) as reason:
        progress.close()
        sound = isinstance(reason, KeyboardInterrupt)
        keeper.close(sound)
        if sound:
            say(f"stopped by Ctrl-C: saving the run (continue with {way_back(run)})")
            return None
        return reason if isinstance(reason, TrainingStopped) else TrainingStopped(too_large(config))
    finally:
        guard.close()
        log.close()
    return None


def too_large(config):
    """Returns the message for a step that does not fit into the device's memory."""
    parts = math.gcd(config.batch_size, LESS_AT_ONCE)
    if parts == 1:
        return f"a step of {config.batch_size} images does not fit into memory (try smaller --network.widths)"
    return (
        f"a step of {config.batch_size} images does not fit into memory (try --batch_size {config.batch_size // parts}"
        f" --accumulate {config.accumulate * parts}, which averages the gradients of as many images)"
    )


def finish(run, config, dataset, state, begun, finished=None):
    """Measures the best model, writes its preview and export, and prints where the files are and what is next."""
    from keras_vae.export.saved_models import export
    from keras_vae.training.advice import advice

    if not run.model_file.is_file():
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the model's warnings were shown when it was built
        model = keras.saving.load_model(run.model_file)
    lines = [f"best model: {describe_best(state)}"]
    with notice("measuring the best model and exporting it"):
        if len(dataset.test):
            terms = model.evaluate(
                dataset.test.batches(EVALUATION_BATCH, model.conditional), verbose=0, return_dict=True
            )
            lines.append(describe_test(terms, model.likelihood.is_density))
        preview(run, model, dataset, lines[-1])
        with run.publishing():
            export(model, run.serving)
        run.write_finished(state)
        if finished is not None:
            finished(run, model, dataset)
    say(
        *lines,
        *(
            advice(run, config, state, steps_per_epoch(config, dataset))
            if not is_unfinished(config, state)
            else (f"stopped after {state.epoch} of {config.epochs} epochs; train on: {way_back(run)}",)
        ),
        f"done in {time.monotonic() - begun:.0f} s: {run.path}",
        f"  {run.preview_file.name:<18} held-out images, their reconstructions, and samples",
        f"  {run.model_file.name:<18} for keras.saving.load_model, after import keras_vae",
        "  serving/           decoder and encoder for TF Serving or tf.saved_model.load",
        f"  history.csv, logs/ losses by epoch; {runnable(f'tensorboard --logdir {shlex.quote(typed_path(run.logs))}')}",
        f"next: {to_type('evaluate', typed_path(run.path))}",
        f"      {explorer_command(run.path)}   (the latent explorer)",
    )


def describe_best(state):
    """Returns the epoch of the best model, and by what it is the best."""
    from keras_vae.training.callbacks import judging

    if not state.epoch:
        return "weights of an unfinished epoch"
    named = " + ".join(judging(state.rows[-1])) if state.rows else "loss"
    return f"epoch {state.best_epoch} of {state.epoch} (lowest {named}: {state.best:.2f})"


def describe_test(terms, is_density):
    """Returns one line on the held-out terms in nats per image. There is no ELBO unless `is_density`."""
    distortion = f"distortion {terms['distortion']:.2f}"
    if "rate" not in terms:
        return f"test: {distortion} nats per image"
    both = f"{distortion} + rate {terms['rate']:.2f}"
    if not is_density:
        return f"test: {both} nats per image; this is not an ELBO, because the likelihood is not a density"
    return f"test: ELBO {-terms['distortion'] - terms['rate']:.2f} nats per image = -({both})"


def preview(run, model, dataset, title):
    """Writes the preview with reconstructions and samples."""
    from keras_vae.runtime.figures import preview as draw

    split = dataset.test if len(dataset.test) else dataset.train
    images = split.images(0, PREVIEW_COLUMNS)
    shown = np.asarray(model(examples(model, split, PREVIEW_COLUMNS)))
    # If the model is conditional, each column is a class.
    labels = np.arange(len(images)) % model.num_classes if model.conditional else None
    samples = model.sample(
        PREVIEW_ROWS * len(images), labels=None if labels is None else np.tile(labels, PREVIEW_ROWS)
    )
    with run.written(run.preview_file) as path:
        draw(path, images, shown, np.asarray(samples), f"{printable(run.path.name)}: {title}")


def examples(model, split, count):
    """Returns the first `count` images of `split` as inputs of `model`: with their labels if it is conditional."""
    images = split.images(0, count)
    return (images, split.labels[: len(images)]) if model.conditional else images
