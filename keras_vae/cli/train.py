"""Trains an autoencoder and exports its decoder and encoder: `python train.py`."""

import dataclasses
import os

from keras_vae.cli.explore import prepare
from keras_vae.config.flags import command, parse
from keras_vae.errors import DatasetError, TrainingStopped, UsageError, WorkerLost
from keras_vae.runtime import devices, workers
from keras_vae.runtime.programs import program
from keras_vae.training.config import FOUND, Config, read_settings
from keras_vae.training.loop import train
from keras_vae.training.run_folder import Run, check_place, check_utf_8
from keras_vae.training.setup import check_paths

DESCRIPTION = "Trains a plain or variational autoencoder, and exports its decoder and encoder for TF Serving."
EXAMPLES = """\
examples:
  python train.py                                            the built-in digits, half a minute on two cores
  python train.py --dataset mnist --latent 32 --epochs 20    a vector latent
  python train.py --dataset mnist --latent 8x8x1024          a spatial latent
  python train.py --dataset path/to/folder --image_size 64 --augment flip,crop
  python train.py --objective beta_vae --objective.beta 4 --likelihood gaussian
  python train.py --config saved_models/NAME/config.json --epochs 50
  python train.py --resume saved_models/NAME                 resume a run that was stopped, or train it longer
"""
# Flags that say nothing of the model or the training.
WITHOUT_SETTINGS = {"dataset", "seed", "name", "output", "precision", "deterministic"}
SHORT_HELP = (
    "dataset",
    "latent",
    "objective",
    "likelihood",
    "epochs",
    "batch_size",
    "image_size",
    "augment",
    "name",
    "seed",
)
# Flags that can be combined with --resume; all other settings define the run and cannot change. The images may have
# moved: training checks that they are the same.
RESUMABLE = {"epochs", "patience", "dataset", "data_dir", "download"}


@command("train.py", bad_input=(DatasetError,))
def main(argv=None):
    """Runs the command; exits with 2 if the input is bad, with 0 at the end and after Ctrl-C."""
    try:
        config, run = read_command_line(argv)
        workers.join()
        devices.start(training=True)
        train(config, run, prepare)
    except (TrainingStopped, WorkerLost) as stopped:
        raise UsageError(stopped) from stopped
    except KeyboardInterrupt:
        raise UsageError("stopped by Ctrl-C before training began") from None


def read_command_line(argv):
    """Returns the configuration from the command line, and the `Run` to resume or None."""
    parsed = parse(
        Config,
        argv,
        base=starting_point,
        prog=program("train"),
        description=DESCRIPTION,
        epilog=EXAMPLES,
        extra=add_arguments,
        short=SHORT_HELP,
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
    """Returns the parsed configuration; for new images, without what --config's run determined from its own images.

    A command without settings of the model or the training takes those that suit its dataset, if the dataset has some.
    """
    suited = getattr(type(parsed.config.dataset), "suited", {})
    if suited and not parsed.extra.config and parsed.given <= WITHOUT_SETTINGS:
        return dataclasses.replace(parsed.config, **suited)
    if not any(name.partition(".")[0] == "dataset" for name in parsed.given):
        return parsed.config
    found = [
        field
        for field in dataclasses.fields(Config)
        if field.name in FOUND and field.name not in parsed.given
    ]
    return dataclasses.replace(parsed.config, **{field.name: field.default for field in found})


def add_arguments(parser):
    """Adds the arguments that are not fields of the configuration."""
    parser.add_argument("--config", metavar="FILE", help="start with the configuration in this JSON file")
    parser.add_argument("--resume", metavar="RUN", help="resume the run in this folder")


def starting_point(extra):
    """Returns the configuration that the flags change, or None for the defaults."""
    if extra.config and extra.resume:
        raise UsageError("--config and --resume both name a configuration: give one of them")
    if extra.resume:
        return Run.open(extra.resume).read_config()
    if extra.config:
        config = read_settings(extra.config)
        # A new run of the same configuration needs another name if its name is taken.
        taken = config.name is not None and os.path.exists(os.path.join(config.output, config.name))
        return dataclasses.replace(config, name=None) if taken else config
    return None
