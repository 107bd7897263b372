"""From a configuration to images and a compiled model."""

import dataclasses
import math
import os
import warnings

import numpy as np

from keras_vae.data import load_dataset
from keras_vae.data.classes import names_of
from keras_vae.errors import DatasetError, UsageError
from keras_vae.layers.precision import Choice, choose, choose_precision
from keras_vae.model.checks import check_classes
from keras_vae.model.likelihoods import Automatic
from keras_vae.model.posteriors import latent_shape
from keras_vae.runtime import workers
from keras_vae.runtime.devices import say
from keras_vae.runtime.lazy import keras, tf
from keras_vae.training import pace

# The default of --epochs: about this many optimizer steps, but within these limits of epochs.
DEFAULT_STEPS, FEWEST_EPOCHS, MOST_EPOCHS = 3000, 10, 300
RISING_STEPS = 400  # steps in which the learning rate rises
LOOKED_AT = 500  # training images for the choice of the likelihood
SHOWN_NAMES = 10


def check_paths(config):
    """Raises a DatasetError if the path of the images does not exist, without importing TensorFlow."""
    path = getattr(config.dataset, "path", None)
    name = getattr(config.dataset, "name", "")
    if path is None and (name.startswith((".", "/", "~")) or name.endswith("/")):
        path = name
    if path and not os.path.exists(os.path.expanduser(path)):
        raise DatasetError(f"{path}: there is no such file or folder")


def load(config):
    """Returns the dataset of `config`, a `Config` or an `Evaluation`.

    Raises:
        UsageError: It does not fit into memory, or its classes are not those of the model.
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
                f"the model knows the classes {shown_names(config.classes)}: {dataset.name} has {strange} (use images"
                " of these classes)"
            )
    return dataset


def is_conditional(config):
    """Returns whether `config` describes a conditional model; an `Evaluation` does not describe a model."""
    return hasattr(config, "objective") and config.objective.conditional


def shown_names(names):
    """Returns the first names, separated by commas."""
    return ", ".join(names[:SHOWN_NAMES]) + (", ..." if names[SHOWN_NAMES:] else "")


def check_trained(config, dataset):
    """Raises a UsageError if a conditional model has classes without training images."""
    if not is_conditional(config) or dataset.train.labels is None or config.data_rules == 1:
        return
    names = names_of(dataset.label_names, dataset.num_classes)
    trained = set(np.unique(dataset.train.labels).tolist())
    if missing := [name for number, name in enumerate(names) if number not in trained]:
        way = f"raise --limit, which is {config.limit}" if config.limit else "remove their held-out images"
        raise UsageError(
            f"{dataset.name} has no training images of the classes {shown_names(missing)}, which a conditional model"
            f" needs ({way})"
        )


def resolve(config, dataset):
    """Returns `config` with automatic settings resolved for the images and the machine.

    Raises:
        UsageError: A setting does not fit the images or the machine.
    """
    check_trained(config, dataset)
    try:
        check_classes(dataset.num_classes, is_conditional(config))
        likelihood = config.likelihood
        if isinstance(likelihood, Automatic):
            likelihood = likelihood.resolve(dataset.train.images(0, LOOKED_AT))
        enough = default_epochs(steps_per_epoch(config, dataset))
        return dataclasses.replace(
            config,
            likelihood=likelihood,
            latent=latent_shape(config.latent, dataset.image_shape),
            epochs=config.epochs or enough,
            precision=precision_of(config),
            range=dataset.value_range,
            classes=classes_of(config, dataset),
        )
    except ValueError as error:
        raise UsageError(error) from error


def precision_of(config):
    """Returns the precision of `config`, or what the machine of the chief is fast at; says why if that was measured."""
    if config.precision != "auto":
        return choose_precision(config.precision)
    choice = choose("auto") if workers.is_chief() else Choice("")
    if choice.reason:
        say(choice.reason)
    return workers.gather(choice.policy)[0]


def classes_of(config, dataset):
    """Returns the names of the classes in the order of their numbers, which a conditional model stores."""
    if is_conditional(config) and dataset.num_classes and not config.classes:
        return names_of(dataset.label_names, dataset.num_classes)
    return config.classes


def default_epochs(steps):
    """Returns the number of epochs by default, for `steps` optimizer steps per epoch."""
    return min(max(math.ceil(DEFAULT_STEPS / steps), FEWEST_EPOCHS), MOST_EPOCHS)


def steps_per_epoch(config, dataset):
    """Returns the number of optimizer steps per epoch; the last may have fewer images."""
    return math.ceil(len(dataset.train) / config.batch_size)


def build(config, dataset):
    """Returns the compiled model.

    Raises:
        UsageError: Its components do not fit each other or the images, or it does not fit into memory.
    """
    from keras_vae.model.autoencoder import Autoencoder

    steps = config.epochs * steps_per_epoch(config, dataset)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            model = Autoencoder(
                dataset.image_shape,
                config.latent,
                config.objective.resolve(len(dataset.train), steps),
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
            # InvalidArgumentError: the size of an array exceeds 64 bits.
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
    # Not an argument of `compile`, which would be saved: a loaded model takes one step per call, as usual in Keras.
    model.steps_per_execution = pace.steps_per_execution(
        model, config.batch_size, steps_per_epoch(config, dataset)
    )
    return model


def learning_rate(config, steps):
    """Returns the learning rate, a number or a schedule over `steps` optimizer steps.

    The schedule begins with a rise. At the full rate from the start, the decoder may learn to ignore the code before
    the encoder has put any information into it.
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
