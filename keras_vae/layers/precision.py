"""The choice of the precision: by the GPU if there is one, else by what this machine was measured to be fast at.

Names of processors say little. bfloat16 is several times faster with the matrix unit AMX, several times slower where it
is emulated, and in between it depends on the version of oneDNN. So both precisions are timed once, for half a second
or a second, and the answer is kept in the user's cache folder.
"""

import contextlib
import functools
import hashlib
import json
import math
import os
import statistics
import time
from typing import NamedTuple

from keras_vae.errors import UsageError, WriteError
from keras_vae.layers import backends
from keras_vae.runtime import devices
from keras_vae.runtime.files import cache_folder, locked, write_json
from keras_vae.runtime.json_file import read_json
from keras_vae.runtime.lazy import keras, ops
from keras_vae.runtime.progress import notice

VERSION = 1  # of what is measured: answers of another version are not used
WORDS = {"products": "products of matrices", "convolutions": "convolutions with their gradients"}
MARGIN = 1.1  # how many times as fast bfloat16 must be at both to be chosen: it is less exact
SECONDS = 0.3  # for each of the two, after the first calls
FEWEST, MOST = 9, 25  # rounds of each: with five, one busy machine in 200 called a tie faster (simulated)
WAIT = 10.0  # seconds that a process waits for another one's measurement
SIZE = 768  # rows and columns of the matrices
MAP, BATCH = (16, 16, 32), 16  # of the convolutions
# Environment variables that change the speed.
SETTINGS = (
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
    "OMP_NUM_THREADS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTRAOP_THREADS",
    "XLA_FLAGS",
)


class Choice(NamedTuple):
    """A dtype policy, and why it was chosen: a sentence with numbers, or "" if nothing was measured."""

    policy: str
    reason: str = ""


def choose_precision(asked):
    """Returns the name of the dtype policy for `asked`, as `choose` does."""
    return choose(asked).policy


def choose(asked, measure=None):
    """Returns the `Choice` for `asked`, one of `keras_vae.runtime.devices.PRECISIONS`.

    "auto" selects bfloat16 on a GPU that multiplies matrices in it, and float16 on older ones (Keras then scales the
    loss). On a CPU it selects bfloat16 if that was measured to be more than 10% faster than float32, both for products
    of matrices and for convolutions with their gradients; otherwise float32. float16 was measured to be 50 times slower
    than float32 on CPUs and is never selected there.

    Args:
        asked: The precision that was asked for.
        measure: A function without arguments that returns what `measured` returns.

    Raises:
        ValueError: float16 is requested without a GPU.
    """
    if asked not in ("auto", "mixed_float16"):
        return Choice(asked)
    capability = backends.gpu_capability()
    if asked == "mixed_float16":
        if capability is None:
            raise ValueError(
                "precision is mixed_float16, which is about 50 times slower than float32 without a GPU"
                " (try --precision auto)"
            )
        return Choice(asked)
    if capability is not None:
        return Choice("mixed_bfloat16" if capability >= (8, 0) else "mixed_float16")
    return chosen_by(remembered(measure or measured))


def chosen_by(factors):
    """Returns the `Choice` for a CPU on which bfloat16 is `factors` times as fast as float32, a dict by `WORDS`."""
    policy = "mixed_bfloat16" if min(factors.values()) > MARGIN else "float32"
    times = " and ".join(
        f"{1 / factors[kind]:.2g} times as long for {words}" for kind, words in WORDS.items()
    )
    return Choice(policy, f"{policy}: on this machine bfloat16 takes {times} (measured once; --precision)")


# The measurement


def measured():
    """Returns how many times as fast as float32 bfloat16 is here, a dict by `WORDS`."""
    with notice("measuring which precision is faster here"):
        return {
            kind: factor(*interleaved([make(policy) for policy in ("float32", "mixed_bfloat16")]))
            for kind, make in {"products": product, "convolutions": convolutions}.items()
        }


def product(policy):
    """Returns a function that multiplies two matrices in the compute dtype of `policy`, and waits for the result."""
    matrix = ops.cast(ops.full((SIZE, SIZE), 0.01, "float32"), keras.DTypePolicy(policy).compute_dtype)
    return lambda: float(ops.cast(ops.matmul(matrix, matrix)[0, 0], "float32"))


def convolutions(policy):
    """Returns a function that computes a small network's gradients in `policy`, by the layers that networks are made of.

    Layers have names and constant weights of their own, so that neither Keras' counters nor random states change.
    """
    from keras_vae.layers.kernels.layers import Conv2D, Conv2DTranspose

    made = functools.partial(
        dict,
        kernel_size=3,
        strides=2,
        padding="same",
        activation="relu",
        kernel_initializer=keras.initializers.Constant(0.01),
        dtype=policy,
    )
    layers = [
        Conv2D(64, **made(name="measured_0")),
        Conv2D(192, **made(name="measured_1")),
        Conv2DTranspose(64, **made(name="measured_2")),
        Conv2DTranspose(MAP[-1], **made(name="measured_3")),
    ]
    shape = (None, *MAP)
    for layer in layers:
        layer.build(shape)
        shape = layer.compute_output_shape(shape)
    images = ops.full((BATCH, *MAP), 0.5, "float32")

    def forward():
        return functools.reduce(lambda features, layer: layer(features), layers, images)

    return backends.gradient_step(forward, [weight for layer in layers for weight in layer.trainable_weights])


def interleaved(works, seconds=SECONDS, clock=time.perf_counter):
    """Returns the seconds that each of `works` took, `[works, rounds]`: functions that are called in turn.

    Taking turns, a machine that becomes busy slows all of them.
    """
    for work in works:
        work()  # compiles
    rounds, begun = [], clock()
    while len(rounds) < FEWEST or (len(rounds) < MOST and clock() - begun < seconds):
        # Every second round goes backwards, so that none always follows the same one.
        turns = works if len(rounds) % 2 == 0 else works[::-1]
        times = [took(work, clock) for work in turns]
        rounds.append(times if turns is works else times[::-1])
    return [list(times) for times in zip(*rounds)]


def took(work, clock):
    """Returns the seconds that `work` takes."""
    begun = clock()
    work()
    return clock() - begun


def factor(plain, rounded):
    """Returns how many times as fast the calls that took `rounded` seconds were as those that took `plain`, `[rounds]`.

    It is the lower of two estimates: from the fastest of each, which other work on the machine has slowed least, and
    the median over rounds, which a single lucky call does not change.
    """
    ratios = [one / other for one, other in zip(plain, rounded, strict=True)]
    return min(min(plain) / min(rounded), statistics.median(ratios))


# What is kept


def remembered(measure):
    """Returns what `measure` returned on this machine before, or calls it and keeps the answer for the next process.

    Processes that start together wait for the first one's answer, so that all runs of a sweep have the same precision.
    A cache that cannot be read or written only costs the time of the measurement.
    """
    key = machine()
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    try:
        folder = cache_folder() / "precision"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: the user has no home folder
        return measure()
    file = folder / f"{digest}.json"
    with alone_in(folder, lambda: read(file, key) is not None):
        known = read(file, key)
        if known is None:
            known = measure()
            with contextlib.suppress(WriteError, OSError):
                write_json(file, {"machine": key, "times_as_fast": known})
    return known


def machine():
    """Returns what the speed depends on: processor, libraries, threads and settings; a dict of texts and numbers."""
    return {
        "version": VERSION,
        "processor": devices.cpu_name(),
        # A virtual machine gives processors of several generations the same name.
        "features": hashlib.sha256(" ".join(sorted(devices.cpu_flags())).encode()).hexdigest()[:16],
        "cores": devices.usable_cores(),
        "keras": keras.version(),
        "backend": backends.describe(),
        "settings": {name: os.environ[name] for name in SETTINGS if name in os.environ},
    }


def read(file, key):
    """Returns the answer in `file` if it is one for the machine `key`, a dict by `WORDS`; otherwise None."""
    try:
        stored = read_json(file)
    except UsageError:
        return None
    found = stored.get("times_as_fast")
    is_answer = (
        stored.get("machine") == key
        and isinstance(found, dict)
        and found.keys() == WORDS.keys()
        and all(type(value) in (int, float) and 0 < value < math.inf for value in found.values())
    )
    return found if is_answer else None


@contextlib.contextmanager
def alone_in(folder, is_done, seconds=WAIT):
    """Holds the lock of `folder` during the block, after other processes.

    It does not wait if `is_done()`, or longer than `seconds`: another process may have been stopped.
    """
    until = time.monotonic() + seconds
    while True:
        with locked(folder) as mine:
            if mine is not False or is_done() or time.monotonic() > until:
                yield
                return
        time.sleep(0.02)
