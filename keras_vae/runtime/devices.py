"""What the machine has: numeric precision, devices, a TensorFlow that starts without noise, a terminal."""

import contextlib
import os
import pathlib
import sys
import tempfile

from keras_vae.errors import UsageError, printable
from keras_vae.runtime.lazy import keras, tf

PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")


@contextlib.contextmanager
def quiet():
    """Keeps what C++ libraries write to standard error from the user, unless what is done here fails.

    TensorFlow's start-up lines come before its own log level is read, so that the file descriptor has to be
    turned aside. On an error all that was written is shown; Ctrl-C is none.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
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


def start():
    """Imports TensorFlow and Keras and starts the devices, without their start-up noise."""
    with quiet():
        need_tensorflow("this command")
        tf.config.list_logical_devices()
        tf.get_logger().setLevel("ERROR")


def need_tensorflow(what):
    """Raises a UsageError where Keras does not run on TensorFlow, in which `what` is written."""
    try:
        backend = keras.backend.backend()
    except ImportError as error:
        raise UsageError(error) from error
    if backend != "tensorflow":
        raise UsageError(
            f"{what} needs TensorFlow, and Keras runs on {backend}: pip install tensorflow, KERAS_BACKEND=tensorflow;"
            f" on {backend} models train by model.fit (docs/jax.md)"
        )


def say(*lines, file=None):
    """Prints `lines` at once, on standard output or to `file`, also where they go nowhere any more.

    After `train.py | head -1` the pipe is closed, and a log's disk may be full: a training of hours goes on, and what
    is said is dropped.
    """
    file = file or sys.stdout
    try:
        print("\n".join(map(printable, lines)), file=file, flush=True)
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, file.fileno())
        os.close(nowhere)


def choose_precision(asked):
    """Returns the dtype policy's name for `asked`, one of `PRECISIONS`.

    bfloat16 where the device multiplies matrices in it, float16 on older GPUs (Keras then scales the loss),
    else float32. On a CPU float16 was measured 50 times slower than float32, and bfloat16 pays only with the
    matrix unit AMX.

    Raises:
        ValueError: float16 is asked for on a CPU.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if asked == "mixed_float16" and not gpus:
        raise ValueError(
            "precision is mixed_float16 and there is no GPU: a CPU is some 50 times slower in it"
            " (try --precision auto)"
        )
    if asked != "auto":
        return asked
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        return "mixed_bfloat16" if capability >= (8, 0) else "mixed_float16"
    return "mixed_bfloat16" if "amx_bf16" in cpu_flags() else "float32"


def cpu_flags():
    """Returns the names of the processor's features, an empty set where the system does not tell."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return {flag for line in lines if line.startswith("flags") for flag in line.split(":")[1].split()}


def strategy():
    """Returns how to spread training: over all GPUs of this host where there are several, else not at all."""
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def describe(policy):
    """Returns one line on the devices and the precision that a run uses."""
    devices = [device.device_type for device in tf.config.list_logical_devices()]
    counts = ", ".join(f"{devices.count(kind)} {kind}" for kind in sorted(set(devices)))
    return f"{counts}, {os.cpu_count()} cores, {policy}"
