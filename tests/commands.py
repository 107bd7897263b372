"""`python train.py` within the test's own process: a start takes seconds."""

import contextlib
import csv
import io

import numpy as np

from keras_vae.cli import train

TINY = ["--network.widths", "4", "--network.dense", "8", "--latent", "2", "--batch_size", "32"]


def run_main(*arguments):
    """Runs the command here and returns its exit code, standard output and standard error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            train.main(list(map(str, arguments)))
        except SystemExit as exit:
            return exit.code, out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def run_well(*arguments):
    """Runs the command here, which has to end with 0, and returns its standard output."""
    code, out, err = run_main(*arguments)
    assert code == 0, err
    return out


def rows_of(folder):
    with open(folder / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


def is_finite(model):
    return all(np.isfinite(weights).all() for weights in model.get_weights())
