"""Devices, numeric precision, a quiet start of TensorFlow, and printing."""

import contextlib
import logging
import os
import pathlib
import platform
import sys
import tempfile
from typing import Literal, get_args

from keras_vae.errors import UsageError, printable
from keras_vae.runtime.lazy import keras, tf
from keras_vae.runtime.progress import notice

Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
PRECISIONS = get_args(Precision)


@contextlib.contextmanager
def quiet():
    """Hides the output of C++ libraries on standard error; shows it if the block raises an `Exception`.

    TensorFlow writes its start-up lines before it reads its log level, so the file descriptor is redirected.
    """
    # In a notebook even its errors on a missing GPU would be on the screen.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3" if "ipykernel" in sys.modules else "2")
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except Exception:
            os.dup2(saved, 2)
            aside.seek(0)
            os.write(2, aside.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


@contextlib.contextmanager
def without_notes():
    """Hides TensorFlow's notes on its progress, which notebooks show ("INFO:tensorflow:Assets written to")."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        logger.setLevel(level)


def choose_onednn():
    """Lets TensorFlow compute with oneDNN, if it is not imported yet and the user has not decided otherwise.

    TensorFlow does so by itself only on CPUs with AVX-512 or newer. With AVX2 alone a training step takes 0.6 to 0.7 times
    as long with it; an evaluation takes as long, and flow matching 1.1 times (docs/performance.md). It was measured on
    x86: on ARM TensorFlow's own choice stays.
    """
    if platform.machine().lower() in ("x86_64", "amd64"):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def onednn():
    """Returns whether TensorFlow was told to compute with oneDNN, "yes" or "no", or "TensorFlow's choice"."""
    return {"1": "yes", "0": "no"}.get(os.environ.get("TF_ENABLE_ONEDNN_OPTS"), "TensorFlow's choice")


def start(training=False):
    """Imports TensorFlow and Keras and initializes the devices, without start-up messages.

    Args:
        training: Whether this process is to train a model.
    """
    if training:
        choose_onednn()
    with notice("starting TensorFlow"), quiet():
        need_tensorflow("this command")
        tf.config.list_logical_devices()
        tf.zeros(1, "float16")  # oneDNN says once, on its first use, if this CPU has none
        tf.get_logger().setLevel("ERROR")


def need_tensorflow(what):
    """Raises a UsageError if Keras does not run on TensorFlow; `what` is the subject of its message."""
    try:
        backend = keras.backend.backend()
    except ImportError as error:
        raise UsageError(error) from error
    if backend != "tensorflow":
        raise UsageError(
            f"{what} needs TensorFlow, and Keras runs on {backend}: pip install tensorflow and set"
            f" KERAS_BACKEND=tensorflow, or train with model.fit on {backend} (docs/jax.md)"
        )


def say(*lines, file=None):
    """Prints and flushes `lines` to standard output or `file`. Drops them if they cannot be written.

    A closed pipe (`train.py | head -1`) or a full disk must not end a long training.
    """
    file = file or sys.stdout
    try:
        print("\n".join(map(printable, lines)), file=file, flush=True)
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, file.fileno())
        os.close(nowhere)


def cpu_name():
    """Returns the processor's name, or of systems that do not tell it the architecture."""
    names = [line.split(":", 1)[1].strip() for line in cpu_lines() if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def cpu_flags():
    """Returns the names of the processor's features; an empty set if the system does not list them."""
    lines = [line for line in cpu_lines() if line.startswith(("flags", "Features"))]  # of x86, of ARM
    return {flag for line in lines for flag in line.split(":", 1)[1].split()}


def cpu_lines():
    """Returns what the system says about its processors, lines; an empty list if it does not."""
    try:
        return pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []


def usable_cores():
    """Returns the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def strategy():
    """Returns the distribution strategy: over all GPUs of this host if there are several, else the default."""
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def describe(policy):
    """Returns one line that describes the devices and the precision of a run."""
    devices = [device.device_type for device in tf.config.list_logical_devices()]
    counts = ", ".join(f"{devices.count(kind)} {kind}" for kind in sorted(set(devices)))
    return f"{counts}, {os.cpu_count()} cores, {policy}"
