"""From a configuration to a run folder: `python train.py`."""

import dataclasses
import math
import os
import pathlib
import shlex
import time
import warnings

import numpy as np

from keras_vae.config.flags import command, parse
from keras_vae.data import load_dataset, spoken, spread
from keras_vae.data.classes import names_of
from keras_vae.errors import DatasetError, TrainingStopped, UsageError, WorkerLost, WriteError, printable
from keras_vae.model.likelihoods import Automatic
from keras_vae.model.objectives import OBJECTIVES
from keras_vae.model.posteriors import latent_shape, show_shape
from keras_vae.runtime import devices, workers
from keras_vae.runtime.devices import say
from keras_vae.runtime.lazy import keras, tf
from keras_vae.runtime.programs import command_line, program, typed_path
from keras_vae.training import pace
from keras_vae.training.config import FOUND, Config, read_settings
from keras_vae.training.run_folder import Follower, Run, State, check_place, check_utf_8

DESCRIPTION = (
    "Trains an autoencoder, plain or variational, and exports its decoder and encoder for TF Serving."
)
EXAMPLES = """\
examples:
  python train.py                                            the built-in digits, about a minute on two cores
  python train.py --dataset mnist --latent 32 --epochs 20    a vector latent
  python train.py --dataset mnist --latent 8x8x1024          a spatial latent
  python train.py --dataset path/to/folder --image_size 64 --augment flip,crop
  python train.py --objective beta_vae --objective.beta 4 --likelihood gaussian
  python train.py --config saved_models/NAME/config.json --epochs 50
  python train.py --resume saved_models/NAME                 go on with a run that was stopped, or further
"""

# What may be said beside --resume: all else must stay as it was, or the run would be another one.
# The images may lie elsewhere: that they are the same ones is checked.
RESUMABLE = {"epochs", "patience", "dataset", "data_dir", "download"}

# Where --epochs is not given: so many optimizer steps, and no fewer or more epochs than these.
DEFAULT_STEPS, FEWEST_EPOCHS, MOST_EPOCHS = 3000, 10, 300

RISING_STEPS = 400  # over which the learning rate rises
LOOKED_AT = 500  # training images that the likelihood is chosen by
EVALUATION_BATCH = 256
PREVIEW_COLUMNS, PREVIEW_ROWS = 16, 6
SHOWN_SKIPPED = 10
SHOWN_NAMES = 10
LESS_AT_ONCE = 4  # times fewer images are proposed where a batch is too large
LONGEST_NAME = 60  # characters of a dataset in the name of its run's folder, which may have 255 bytes


@command("train.py", bad_input=(DatasetError,))
def main(argv=None):
    """Runs the command; exits with 2 where the input is bad, with 0 at the end and after Ctrl-C."""
    try:
        config, run = read_command_line(argv)
        workers.join()
        devices.start()
        train(config, run)
    except (TrainingStopped, WorkerLost) as stopped:
        raise UsageError(stopped) from stopped
    except KeyboardInterrupt:
        raise UsageError("stopped by Ctrl-C before training began") from None


def read_command_line(argv):
    """Returns the configuration that the command line asks for, and the `Run` to resume or None."""
    parsed = parse(
        Config,
        argv,
        base=starting_point,
        prog="train.py",
        description=DESCRIPTION,
        epilog=EXAMPLES.replace("python train.py", program("train")),
        extra=add_arguments,
    )
    check_paths(parsed.config)
    if not parsed.extra.resume:
        config = for_its_images(parsed)
        if workers.is_chief():
            check_place(config)
        return config, None
    if fixed := sorted(name for name in parsed.given if name.partition(".")[0] not in RESUMABLE):
        raise UsageError(
            f"--{fixed[0]} cannot change in a resumed run: only {', '.join(sorted(RESUMABLE))} can"
            f" (for another run: --config {parsed.extra.resume}/config.json --{fixed[0]} ...)"
        )
    run = Run.open(parsed.extra.resume)
    check_utf_8(run.path, run.path, "give the folder another name")
    return parsed.config, run


def for_its_images(parsed):
    """Returns the configuration that was read, without what --config's run found in images that are not used here."""
    if not any(name.partition(".")[0] == "dataset" for name in parsed.given):
        return parsed.config
    found = [
        field
        for field in dataclasses.fields(Config)
        if field.name in FOUND and field.name not in parsed.given
    ]
    return dataclasses.replace(parsed.config, **{field.name: field.default for field in found})


def add_arguments(parser):
    """Adds the arguments that are no field of the configuration."""
    parser.add_argument("--config", metavar="FILE", help="start from the configuration in this JSON file")
    parser.add_argument("--resume", metavar="RUN", help="go on with the run in this folder")


def check_paths(config):
    """Raises a DatasetError where the images are to come from a path that is not there.

    Their source would say so too, but some seconds later, with TensorFlow.
    """
    path = getattr(config.dataset, "path", None)
    name = getattr(config.dataset, "name", "")
    if path is None and (name.startswith((".", "/", "~")) or name.endswith("/")):
        path = name
    if path and not os.path.exists(os.path.expanduser(path)):
        raise DatasetError(f"{path}: there is no such file or folder")


def starting_point(extra):
    """Returns the configuration that the command line's flags change, None for the defaults."""
    if extra.config and extra.resume:
        raise UsageError("--config and --resume both name a configuration: give one of them")
    if extra.resume:
        return Run.open(extra.resume).read_config()
    if extra.config:
        config = read_settings(extra.config)
        # Another run of the same configuration: its name is taken.
        taken = config.name is not None and os.path.exists(os.path.join(config.output, config.name))
        return dataclasses.replace(config, name=None) if taken else config
    return None


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


def load(config):
    """Returns the dataset that `config` names (a `Config`, or an `Evaluation`).

    Raises:
        UsageError: It does not fit into memory, or the model knows other classes.
    """
    try:
        dataset = load_dataset(
            config.dataset,
            data_dir=config.data_dir,
            download=config.download,
            image_size=config.image_size,
            channels=config.channels,
            range=config.range,
            classes=config.classes,
            limit=config.limit,
            data_rules=config.data_rules,
        )
    except MemoryError as error:
        raise UsageError(
            f"the images do not fit into memory: {error} (try a smaller --image_size)"
        ) from error
    if is_conditional(config) and config.classes and dataset.num_classes:
        names = names_of(dataset.label_names, dataset.num_classes)
        if names != config.classes:
            strange = next((name for name in names if name not in config.classes), names[0])
            raise UsageError(
                f"the model knows the classes {shown_names(config.classes)}: {dataset.name} has {strange} (give images"
                " of these classes)"
            )
    return dataset


def is_conditional(config):
    """Returns whether the model that `config` describes is asked for classes; an `Evaluation` describes none."""
    return hasattr(config, "objective") and config.objective.conditional


def shown_names(names):
    """Returns the first names, separated by commas."""
    return ", ".join(names[:SHOWN_NAMES]) + (", ..." if names[SHOWN_NAMES:] else "")


def check_trained(config, dataset):
    """Raises a UsageError where a conditional model would be asked for classes that it never saw in training."""
    if not is_conditional(config) or dataset.train.labels is None or config.data_rules == 1:
        return
    names = names_of(dataset.label_names, dataset.num_classes)
    trained = set(np.unique(dataset.train.labels).tolist())
    if missing := [name for number, name in enumerate(names) if number not in trained]:
        way = f"raise --limit, which is {config.limit}" if config.limit else "leave out their held-out images"
        raise UsageError(
            f"{dataset.name} has no training images of the classes {shown_names(missing)}: a conditional model needs"
            f" some of each class ({way})"
        )


def settle(config, dataset):
    """Returns `config` with what was left to us decided by the images and the machine, and checked with them."""
    check_trained(config, dataset)
    try:
        likelihood = config.likelihood
        if isinstance(likelihood, Automatic):
            likelihood = likelihood.resolve(dataset.train.images(0, LOOKED_AT))
        steps = steps_per_epoch(config, dataset)
        enough = min(max(math.ceil(DEFAULT_STEPS / steps), FEWEST_EPOCHS), MOST_EPOCHS)
        return dataclasses.replace(
            config,
            likelihood=likelihood,
            latent=latent_shape(config.latent, dataset.image_shape),
            epochs=config.epochs or enough,
            precision=devices.choose_precision(config.precision),
            range=dataset.value_range,
            classes=classes_of(config, dataset),
        )
    except ValueError as error:
        raise UsageError(error) from error


def classes_of(config, dataset):
    """Returns the names of the classes in the order of their numbers, which a conditional model has to keep."""
    if is_conditional(config) and dataset.num_classes and not config.classes:
        return names_of(dataset.label_names, dataset.num_classes)
    return config.classes


def steps_per_epoch(config, dataset):
    """Returns the number of optimizer steps in an epoch; the last may be of fewer images."""
    return math.ceil(len(dataset.train) / config.batch_size)


def build(config, dataset):
    """Returns the model, compiled.

    Raises:
        UsageError: Its parts do not go with each other or with the images.
    """
    from keras_vae.model.autoencoder import Autoencoder

    steps = config.epochs * steps_per_epoch(config, dataset)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            model = Autoencoder(
                dataset.image_shape,
                config.latent,
                config.objective.settle(len(dataset.train), steps),
                config.likelihood,
                config.network,
                seed=config.seed,
                prior=config.prior,
                corruption=config.corruption,
                regularizer=config.regularizer,
                num_classes=dataset.num_classes,
                value_range=dataset.value_range,
                label_names=classes_of(config, dataset),
                dtype=config.precision,
                name="autoencoder",
            )
        except (ValueError, OverflowError) as error:
            raise UsageError(error) from error
        except (MemoryError, tf.errors.ResourceExhaustedError, tf.errors.InvalidArgumentError) as error:
            # InvalidArgumentError: of an array whose size no 64 bits hold
            raise UsageError(
                "the model does not fit into memory (try a smaller --latent or --network.widths)"
            ) from error
    for warning in caught:
        say(f"warning: {warning.message}")
    model.adapt(dataset.train.images(0, LOOKED_AT))
    optimizer = keras.optimizers.Adam(
        learning_rate(config, steps),
        global_clipnorm=config.clip_norm,
        gradient_accumulation_steps=config.accumulate if config.accumulate > 1 else None,
    )
    model.compile(optimizer)
    # Not told to `compile`: who goes on with the saved model takes a step a call, as from Keras.
    model.steps_per_execution = pace.steps_per_execution(
        model, config.batch_size, steps_per_epoch(config, dataset)
    )
    return model


def learning_rate(config, steps):
    """Returns the learning rate of a training of `steps`, a function of the optimizer's step counter.

    It rises over the first steps: at full rate from the start the decoder may learn to do without the code
    before the encoder has put anything into it.
    """
    rise = min(RISING_STEPS, steps // 10)
    if config.schedule == "constant":
        return config.learning_rate
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=config.learning_rate / 100,
        decay_steps=max(1, steps - rise),
        alpha=0.01,
        warmup_target=config.learning_rate,
        warmup_steps=rise,
    )


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


def resume(run, model, dataset):
    """Loads the newest whole checkpoint of `run` into `model` and returns its state."""
    run.sweep()
    if run.list_checkpoints() and run.trained_on() not in (None, dataset.fingerprint):
        raise other_images(run, dataset)  # now: images of another size would not go with the weights
    state, faults = run.restore(model)
    for fault in faults:
        say(f"warning: {fault}")
    if state.epoch and state.fingerprint != dataset.fingerprint:
        raise other_images(run, dataset)
    state = dataclasses.replace(state, fingerprint=dataset.fingerprint)
    if state.epoch:
        mend(run, model, state)
    return state


def other_images(run, dataset):
    """Returns the error of a run that is to go on with images that were changed, or with others."""
    return UsageError(
        f"the images of {dataset.name} are not those that {run.path} was trained on: a run cannot go on with others"
        f" (train anew: --config {shlex.quote(str(run.config_file))})"
    )


def mend(run, model, state):
    """Puts what the checkpoint knows, `model` at `state`, in the place of files of `run` that are damaged or gone."""
    from keras_vae.training.callbacks import judged

    if fault := run.fault(run.history_file):
        say(f"warning: {fault}; it is written anew")
        run.write_history(state.rows)
    if fault := run.fault(run.model_file):
        say(f"warning: {fault}; the model of epoch {state.epoch}, the checkpoint's, takes its place")
        state.best, state.best_epoch = judged(state.rows[-1]), state.epoch
        run.write_unfinished()
        run.write_checkpoint(model, state)
        run.write_model(model)


def is_unfinished(config, state):
    """Returns whether there is an epoch left to train."""
    impatient = config.patience is not None and state.epoch - state.best_epoch >= config.patience
    return state.epoch < config.epochs and not impatient


def way_on(config, state):
    """Returns what makes a complete run go on."""
    if state.epoch < config.epochs:
        return f"it ran out of patience; go on with --patience {2 * config.patience}"
    return f"go on with --epochs {2 * state.epoch}"


def describe_kept(run, state):
    """Returns what is left of a training that broke off."""
    if not run.model_file.is_file():
        return "there was no good model to keep"
    return f"the best model before it, of epoch {state.best_epoch}, is kept in {run.path}"


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
    guard, progress = callbacks.Guard(), callbacks.Progress()
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
