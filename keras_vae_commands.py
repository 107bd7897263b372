"""The commands' entry points. They import Keras only when it is needed, so that `--help` answers at once."""


def train():
    """Runs `train.py`."""
    from keras_vae.cli.train import main

    main()


def evaluate():
    """Runs `evaluate.py`."""
    from keras_vae.cli.evaluate import main

    main()


def sweep():
    """Runs `python -m keras_vae.sweep`."""
    from keras_vae.cli.sweep import main

    main()
