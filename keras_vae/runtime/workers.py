"""The workers that train one model together, on one host or several.

The environment variable `TF_CONFIG` lists them, in the format of `tf.distribute` (`docs/guides/many_machines.md`).
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

LONGEST = 256  # bytes in a message of one worker to the others
SILENCE = 60  # seconds after which a silent worker counts as lost


@dataclass(frozen=True)
class Worker:
    """The number of this worker and the number of workers. The chief is number 0."""

    number: int = 0
    count: int = 1


def place():
    """Returns the `Worker` of this process, from `TF_CONFIG`.

    Raises:
        UsageError: `TF_CONFIG` cannot be parsed or contains tasks other than chief and worker.
    """
    return parse(os.environ.get("TF_CONFIG") or "{}")


@functools.cache
def parse(text):
    """Returns the `Worker` that `text`, a value of `TF_CONFIG`, describes."""
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
        " (to train on this host alone: unset TF_CONFIG)"
    )


def is_chief():
    """Returns whether this process is the chief, which writes the run's files."""
    return place().number == 0


@functools.cache
def join():
    """Waits for all workers and returns their strategy; returns None if there is only one.

    TensorFlow requires this to happen before it is used for anything else.
    """
    if place().count == 1:
        return None
    devices.say(f"worker {place().number} of {place().count}: waiting for the others")
    with devices.quiet():
        upstream.wait_for_silent_workers(SILENCE)
        return tf.distribute.MultiWorkerMirroredStrategy()


def strategy():
    """Returns the distribution strategy: over all workers, or that of `devices.strategy` on one host."""
    return join() or devices.strategy()


def gather(text):
    """Returns the texts of all workers, in their order. All workers must call it, with at most `LONGEST` bytes each."""
    if place().count == 1:
        return [text]
    said = np.zeros((place().count, LONGEST), "float32")
    said[place().number, : len(text.encode())] = list(text.encode())

    @tf.function
    def exchange():
        return join().run(lambda: tf.distribute.get_replica_context().all_reduce("sum", tf.constant(said)))

    local = join().experimental_local_results(exchange())
    rows = np.rint(local[0].numpy() / len(local)).astype("uint8")  # every device of a worker sends the text
    return [row.tobytes().rstrip(b"\0").decode() for row in rows]


def agree(what, text):
    """Raises a UsageError on all workers if `text` differs between them. `what` describes the text in the message."""
    chiefs, *others = gather(hashlib.sha256(text.encode()).hexdigest())
    for number, other in enumerate(others, start=1):
        if other != chiefs:
            raise UsageError(f"worker {number} has another {what} than worker 0: start all workers alike")


@contextlib.contextmanager
def together():
    """Turns TensorFlow's errors about a lost worker into a `WorkerLost`."""
    try:
        yield
    except Exception as error:
        if place().count == 1 or not isinstance(error, signs_of_loss()):
            raise
        raise WorkerLost(
            f"worker {place().number} lost the others ({str(error).splitlines()[0][:200]}): start all workers again,"
            " with --resume to continue from the last checkpoint"
        ) from error


def signs_of_loss():
    """Returns the exceptions that TensorFlow raises if another worker does not respond."""
    errors = tf.errors
    return (
        errors.UnavailableError,
        errors.AbortedError,
        errors.CancelledError,
        errors.DeadlineExceededError,
    )
