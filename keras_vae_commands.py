"""The commands' entry points. They import Keras only when it is needed, so that `--help` answers at once."""

import atexit
import gc
import importlib
import sys
import time

# `time.monotonic()` at the start of the running command: its imports count in the time that it prints.
begun = None

# By subcommand of `keras-vae`: the module of its main function, and what it does.
COMMANDS = {
    "train": ("keras_vae.cli.train", "train a model"),
    "evaluate": ("keras_vae.cli.evaluate", "measure whether it can generate, say why not, and repair it"),
    "sample": ("keras_vae.cli.sample", "write a picture of samples of a preset or a run"),
    "score": ("keras_vae.cli.score", "rank images by how unusual they are, and raise alarms"),
    "encode": ("keras_vae.cli.encode", "write the codes of images"),
    "explore": ("keras_vae.cli.explore", "write the latent explorer of a run as one HTML file"),
    "serve": ("keras_vae.cli.serve", "serve a run over REST, or prepare it for TF Serving"),
    "pack": ("keras_vae.cli.pack", "pack an evaluated run as a preset, to share"),
    "sweep": ("keras_vae.cli.sweep", "train and evaluate a grid of settings, and compare runs"),
    "export": ("keras_vae.cli.export", "write decoder and encoder for another runtime"),
}
USAGE = "\n".join(
    (
        "usage: keras-vae COMMAND [options]",
        "",
        "commands:",
        *(f"  {name:<10}{words}" for name, (_, words) in COMMANDS.items()),
        "",
        "keras-vae COMMAND --help shows the options of a command.",
    )
)


def main(argv=None):
    """Runs the subcommand that is named first; without one, prints the usage."""
    words = sys.argv[1:] if argv is None else argv
    if not words or words[0] in ("-h", "--help"):
        print(USAGE)
    elif words[0] in COMMANDS:
        run(words[0], words[1:])
    else:
        print(
            f"keras-vae: error: unknown command {words[0]}: expected {', '.join(COMMANDS)}", file=sys.stderr
        )
        raise SystemExit(2)


def run(name, argv=None):
    """Runs the command `name`."""
    global begun
    begun = time.monotonic()
    atexit.register(gc.freeze)  # the collections at the end of a process with TensorFlow took 2 of its 3 s
    try:
        importlib.import_module(COMMANDS[name][0]).main(argv)
    finally:
        begun = None


def train():
    """Runs `train.py`."""
    run("train")


def evaluate():
    """Runs `evaluate.py`."""
    run("evaluate")


def sweep():
    """Runs `python -m keras_vae.sweep`."""
    run("sweep")


def run_of_cluster(words, folder, log, cwd):
    """Executes a task in a process of its own; called by a Dask worker, which does not need TensorFlow."""
    return importlib.import_module("keras_vae.parallel.cluster").on_worker(words, folder, log, cwd)


if __name__ == "__main__":
    sys.modules["keras_vae_commands"] = sys.modules["__main__"]
    main()
