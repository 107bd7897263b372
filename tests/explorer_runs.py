"""Small runs for the explorer's tests."""

import contextlib
import pathlib

from keras_vae.cli.train import main as train
from keras_vae.training.run_folder import Run

TINY = [
    "--limit",
    "400",
    "--epochs",
    "12",
    "--learning_rate",
    "0.005",
    "--network.widths",
    "8",
    "--network.dense",
    "16",
    "--precision",
    "float32",
]
KINDS = {
    "two": ["--latent", "2"],
    "plain": ["--latent", "2", "--objective", "autoencoder"],
    "conditional": ["--latent", "2", "--objective", "conditional_vae"],
    "six": ["--latent", "6", "--likelihood", "bernoulli", "--network.normalization", "batch"],
}


def trained(folder, name):
    """Returns the run `name`, trained in `folder` where it is not there yet."""
    path = pathlib.Path(folder) / name
    if not path.exists():
        with contextlib.suppress(SystemExit):
            train(["--output", str(folder), "--name", name, *TINY, *KINDS[name]])
    return Run.open(path)
