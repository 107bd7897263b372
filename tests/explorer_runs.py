"""Small runs for the explorer's tests."""

import contextlib
import os
import pathlib

from keras_vae.cli.train import main as train
from keras_vae.runtime.files import locked
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


def shared_folder(tmp_path_factory):
    """Returns the folder of these runs, one for all files and processes of a session."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "explorer_runs"
    folder.mkdir(exist_ok=True)
    return folder


def trained(folder, name):
    """Returns the run `name`, trained in `folder` if it is not there yet; other processes wait for it."""
    path = pathlib.Path(folder) / name
    with locked(folder, wait=True):
        if not path.exists():
            with contextlib.suppress(SystemExit):
                train(["--output", str(folder), "--name", name, *TINY, *KINDS[name]])
    return Run.open(path)
