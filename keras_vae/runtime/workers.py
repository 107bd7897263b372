"""The processes, on one host or several, that train one model together: who they are, and what they must agree on.

`TF_CONFIG` names them, as `tf.distribute` reads it; `docs/scaling.md` says how it is set.
"""

import contextlib
import functools
import hashlib
import json
import os
from dataclasses import dataclass

import numpy as np

from keras_vae.errors import UsageError, WorkerLost
from keras_vae.runtime import devices, upstream
from keras_vae.runtime.lazy import tf

LONGEST = 256  # bytes of what one worker tells the others
SILENCE = 60  # seconds after which a worker counts as lost


@dataclass(frozen=True)
class Worker:
    """Which worker this process is, the chief being number 0, and how many there are."""

    number: int = 0
    count: int = 1


def place():
    """Returns this process's `Worker`, as `TF_CONFIG` has it.

    Raises:
        UsageError: It cannot be understood, or names tasks that do something else than train.
    """
    return parse(os.environ.get("TF_CONFIG") or "{}")


@functools.cache
def parse(text):
    """Returns the `Worker` that `text`, a `TF_CONFIG`, gives."""
    try:
        config = json.loads(text)
        if not config.get("cluster"):
            return Worker()
        tasks = [
            (kind, index)
            for kind in ("chief", "worker")
            for index in range(len(config["cluster"].get(kind, [])))
        ]
        own = config["task"]["type"], int(config["task"]["index"])
        if set(config["cluster"]) <= {"chief", "worker"} and own in tasks:
            return Worker(tasks.index(own), len(tasks))
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    raise UsageError(
        f"TF_CONFIG is {text}: expected"
        ' {"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": 0}}'
        " (for a training on this host alone: unset TF_CONFIG)"
    )


def is_chief():
    """Returns whether this process writes the run's files: the first of several, or the only one."""
    return place().number == 0


@functools.cache
def join():
    """Returns the strategy of several workers, when all have come; None where there is one.

    TensorFlow wants this to be what it is asked for first.
    """
    if place().count == 1:
        return None
    devices.say(f"worker {place().number} of {place().count}: waiting for the others")
    with devices.quiet():
        upstream.wait_for_silent_workers(SILENCE)
        return tf.distribute.MultiWorkerMirroredStrategy()


def strategy():
    """Returns how to spread training: over all workers, or as `devices.strategy` does on one host."""
    return join() or devices.strategy()


def gather(text):
    """Returns what each worker says, its `text` of at most `LONGEST` bytes, in their order; all have to call this."""
    if place().count == 1:
        return [text]
    said = np.zeros((place().count, LONGEST), "float32")
    said[place().number, : len(text.encode())] = list(text.encode())

    @tf.function
    def exchange():
        return join().run(lambda: tf.distribute.get_replica_context().all_reduce("sum", tf.constant(said)))

    local = join().experimental_local_results(exchange())
    rows = np.rint(local[0].numpy() / len(local)).astype("uint8")  # each of a worker's devices has said it
    return [row.tobytes().rstrip(b"\0").decode() for row in rows]


def agree(what, text):
    """Raises a UsageError, on all workers, where `text`, which says `what`, is not the same on all of them."""
    chiefs, *others = gather(hashlib.sha256(text.encode()).hexdigest())
    for number, other in enumerate(others, start=1):
        if other != chiefs:
            raise UsageError(f"worker {number} has another {what} than worker 0: start all of them alike")


@contextlib.contextmanager
def together():
    """Turns TensorFlow's words for a worker that is gone into a `WorkerLost`."""
    try:
        yield
    except Exception as error:
        if place().count == 1 or not isinstance(error, signs_of_loss()):
            raise
        raise WorkerLost(
            f"worker {place().number} lost the others ({str(error).splitlines()[0][:200]}): start all of them"
            " again, with --resume to go on from the last checkpoint"
        ) from error


def signs_of_loss():
    """Returns the exceptions by which TensorFlow says that another worker does not answer."""
    errors = tf.errors
    return (
        errors.UnavailableError,
        errors.AbortedError,
        errors.CancelledError,
        errors.DeadlineExceededError,
    )
