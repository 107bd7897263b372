"""A run that was exported and never trained, inputs for it, and a server of an application."""

import contextlib
import threading
import time

import keras
import numpy as np
import uvicorn

from keras_vae.export.saved_models import export
from keras_vae.model.autoencoder import Autoencoder
from keras_vae.serving.server import address, listen
from keras_vae.training.config import Config
from keras_vae.training.run_folder import Run

SMALL = {"kind": "convolutional", "widths": [4, 8], "dense": 16}


def write_run(path, **settings):
    """Returns the `Run` in the new folder `path`, and its model: 8x8 grey images, 3 numbers a code."""
    keras.utils.set_random_seed(7)
    model = Autoencoder(**{"image_shape": (8, 8, 1), "latent": 3, "network": SMALL, **settings})
    generator = np.random.default_rng(7)
    model.set_weights([weight + 0.1 * generator.normal(size=weight.shape) for weight in model.get_weights()])
    run = Run(path)
    run.path.mkdir()
    run.write_config(Config())
    export(model, run.serving)
    return run, model


def make_codes(count, seed=0, latent=(3,)):
    """Returns codes `[count, *latent]`."""
    return np.random.default_rng(seed).normal(size=(count, *latent)).astype("float32")


def make_images(count, seed=0):
    """Returns images `[count, 8, 8, 1]`."""
    return np.random.default_rng(seed).uniform(size=(count, 8, 8, 1)).astype("float32")


@contextlib.contextmanager
def running(app, **settings):
    """Yields the URL of `app`, served by uvicorn from a thread on a free port of this machine."""
    with listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on", **settings))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        try:
            yield address(listener)
        finally:
            server.should_exit = True
            thread.join()
