"""The precision is chosen by what the machine is fast at: with planted timings, which no machine changes."""

import json
import multiprocessing
import os
import random
import subprocess
import sys
import time

import pytest

from keras_vae.layers import backends, precision
from keras_vae.runtime import devices
from keras_vae.runtime.lazy import keras

FASTER, SLOWER = {"products": 2.0, "convolutions": 1.5}, {"products": 0.25, "convolutions": 0.5}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder, and no GPU."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(backends, "gpu_capability", lambda: None, raising=False)
    return tmp_path / "keras_vae" / "precision"


def refuse():
    raise AssertionError("it measured again")


@pytest.mark.parametrize(
    ("products", "convolutions", "policy"),
    [
        (4.0, 2.0, "mixed_bfloat16"),
        (1.7, 1.12, "mixed_bfloat16"),
        (1.7, 1.09, "float32"),  # a tie at one of both
        (1.09, 1.7, "float32"),
        (1.0, 1.0, "float32"),
        (0.1, 0.2, "float32"),
    ],
)
def test_bfloat16_is_chosen_if_it_is_more_than_a_tenth_faster_at_both(cache, products, convolutions, policy):
    factors = {"products": products, "convolutions": convolutions}
    assert precision.choose("auto", lambda: factors).policy == policy


def test_the_reason_is_one_sentence_with_the_numbers(cache):
    assert precision.choose("auto", lambda: SLOWER).reason == (
        "float32: on this machine bfloat16 takes 4 times as long for products of matrices and 2 times as long for"
        " convolutions with their gradients (measured once; --precision)"
    )
    assert precision.choose("float32", refuse) == ("float32", "")


@pytest.mark.parametrize(
    ("capability", "policy"),
    [
        ((8, 0), "mixed_bfloat16"),
        ((9, 0), "mixed_bfloat16"),
        ((7, 5), "mixed_float16"),
        ((0, 0), "mixed_float16"),
    ],
)
def test_gpus_are_not_measured(monkeypatch, capability, policy):
    monkeypatch.setattr(backends, "gpu_capability", lambda: capability, raising=False)
    assert precision.choose("auto", refuse) == (policy, "")
    assert precision.choose_precision("mixed_float16") == "mixed_float16"


def test_float16_needs_a_gpu(cache):
    with pytest.raises(ValueError, match="try --precision auto"):
        precision.choose_precision("mixed_float16")


# Planted timings


class Machine:
    """A clock, and two calls that take `plain` and `rounded` seconds each, more if other work interrupts them.

    Other work comes in bursts of some calls, as long as the call is, up to eight times over.
    """

    def __init__(self, plain, rounded, seed, busy):
        self.now, self.chance, self.busy, self.slowed, self.left = 0.0, random.Random(seed), busy, 1.0, 0
        self.works = [lambda: self.take(plain), lambda: self.take(rounded)]

    def take(self, seconds):
        if not self.left:
            self.slowed = 1 + 8 * self.chance.random() if self.chance.random() < self.busy else 1.0
            self.left = self.chance.randint(1, 6)
        self.left -= 1
        self.now += seconds * self.slowed * (1 + 0.03 * self.chance.random())

    def factor(self):
        return precision.factor(*precision.interleaved(self.works, clock=lambda: self.now))


@pytest.mark.parametrize("busy", [0.0, 0.5, 0.9])
def test_a_busy_machine_gives_the_same_answer(busy):
    # Whatever interrupts, what is as fast or slower is never called faster by more than a tenth, in 200 trials each;
    # what is three times as fast nearly always is.
    for rounded in (0.01, 0.0105, 0.04):
        assert all(Machine(0.01, rounded, seed, busy).factor() <= precision.MARGIN for seed in range(200))
    found = [Machine(0.03, 0.01, seed, busy).factor() for seed in range(200)]
    assert sum(value > precision.MARGIN for value in found) >= 190


def test_it_stops_after_its_time_but_not_before_some_rounds():
    fast, slow = Machine(0.001, 0.001, 0, 0.0), Machine(10.0, 10.0, 0, 0.0)
    assert len(precision.interleaved(fast.works, clock=lambda: fast.now)[0]) == precision.MOST
    assert len(precision.interleaved(slow.works, clock=lambda: slow.now)[1]) == precision.FEWEST


def test_the_lower_of_both_estimates_counts():
    assert precision.factor([4.0, 4.0, 4.0], [2.0, 4.0, 4.0]) == 1.0  # one lucky call
    assert precision.factor([2.0, 4.0, 4.0], [2.0, 2.0, 2.0]) == 1.0
    assert precision.factor([4.0, 4.0, 4.0], [2.0, 2.0, 2.0]) == 2.0


# The cache


def test_the_answer_is_kept(cache):
    assert precision.choose("auto", lambda: FASTER).policy == "mixed_bfloat16"
    assert precision.choose("auto", refuse).policy == "mixed_bfloat16"
    assert len(list(cache.glob("*.json"))) == 1


def test_another_machine_library_or_number_of_threads_is_measured_anew(cache, monkeypatch):
    changes = {
        "cpu_name": lambda: "another",
        "cpu_flags": lambda: {"amx_bf16"},
        "usable_cores": lambda: 99,
    }
    assert precision.choose("auto", lambda: FASTER).policy == "mixed_bfloat16"
    for name, other in changes.items():
        with monkeypatch.context() as patch:
            patch.setattr(devices, name, other)
            assert precision.choose("auto", lambda: SLOWER).policy == "float32"
    with monkeypatch.context() as patch:
        patch.setattr(backends, "describe", lambda: "tensorflow 99.0, 0 threads", raising=False)
        assert precision.choose("auto", lambda: SLOWER).policy == "float32"
    with monkeypatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "7")
        assert precision.choose("auto", lambda: SLOWER).policy == "float32"
    assert precision.choose("auto", refuse).policy == "mixed_bfloat16"  # the first is still there


def damaged(text):
    """Contents that are no answer, made of a kept one."""
    kept = json.loads(text)
    yield ""
    yield text[: len(text) // 2]
    yield "[1, 2]"
    yield "\0" * 20
    yield json.dumps({**kept, "machine": {}})
    yield json.dumps({**kept, "times_as_fast": None})
    for value in (-1, 0, "2", True, None, float("nan"), float("inf")):
        yield json.dumps({**kept, "times_as_fast": {**FASTER, "products": value}})
    yield json.dumps({**kept, "times_as_fast": {"products": 2.0}})


def test_a_file_that_is_no_answer_costs_a_measurement_and_is_replaced(cache):
    precision.choose("auto", lambda: FASTER)
    (file,) = cache.glob("*.json")
    for text in damaged(file.read_text()):
        file.write_text(text)
        assert precision.choose("auto", lambda: SLOWER).policy == "float32", text
        assert precision.choose("auto", refuse).policy == "float32", text


def test_a_cache_that_cannot_be_written_changes_nothing_else(cache, monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    assert precision.choose("auto", lambda: FASTER).policy == "mixed_bfloat16"
    assert precision.choose("auto", lambda: SLOWER).policy == "float32"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    precision.choose("auto", lambda: FASTER)
    (file,) = cache.glob("*.json")
    file.unlink()
    file.mkdir()  # cannot be read, nor replaced
    assert precision.choose("auto", lambda: SLOWER).policy == "float32"


def choose_slowly(folder, name, queue):
    """Chooses in a process of its own, by a measurement that takes a while and gives each process another answer."""
    os.environ["XDG_CACHE_HOME"] = folder
    precision.machine = lambda: {"version": 1}  # without TensorFlow

    def measure():
        time.sleep(0.3)
        return {**FASTER, "products": 2.0 + int(name)}

    queue.put(precision.remembered(measure))


def test_two_processes_at_once_measure_once(tmp_path):
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    queue = context.Queue()
    started = [
        context.Process(target=choose_slowly, args=(str(tmp_path), name, queue)) for name in ("1", "2", "3")
    ]
    for process in started:
        process.start()
    answers = [queue.get(timeout=60) for _ in started]
    for process in started:
        process.join()
    assert answers[0] == answers[1] == answers[2]


def test_a_stopped_process_is_not_waited_for_without_end(cache):
    from keras_vae.runtime.files import locked

    cache.mkdir(parents=True)
    with locked(cache) as mine:
        assert mine
        begun = time.monotonic()
        with precision.alone_in(cache, lambda: False, seconds=0.1):
            assert 0.1 <= time.monotonic() - begun < 5


# On this machine


def test_it_measures_and_leaves_no_traces(cache, monkeypatch):
    monkeypatch.setattr(precision, "SIZE", 64)
    monkeypatch.setattr(precision, "BATCH", 2)
    keras.utils.set_random_seed(0)
    before = int(keras.layers.Conv2D(1, 1).name.partition("_")[2] or 0)
    state = random.getstate()
    found = precision.measured()
    assert found.keys() == precision.WORDS.keys()
    assert all(value > 0 for value in found.values())
    assert random.getstate() == state
    assert int(keras.layers.Conv2D(1, 1).name.partition("_")[2]) == before + 1


@pytest.mark.skipif(
    sys.platform != "linux" or any("bf16" in flag for flag in devices.cpu_flags()),
    reason="this processor may be faster in bfloat16",
)
@pytest.mark.long
def test_a_processor_without_bfloat16_computes_in_float32(cache):
    assert precision.choose_precision("auto") == "float32"


@pytest.mark.long
def test_on_jax_it_is_measured_too(tmp_path):
    code = (
        "from keras_vae.layers import precision; precision.SIZE, precision.BATCH = 64, 2;"
        " print(precision.choose('auto')); print(sorted(precision.machine()))"
    )
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "XDG_CACHE_HOME": str(tmp_path),
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "on this machine bfloat16 takes" in done.stdout
    (file,) = (tmp_path / "keras_vae" / "precision").glob("*.json")
    assert json.loads(file.read_text())["machine"]["backend"].startswith("jax ")


@pytest.mark.parametrize(
    ("processor", "set_before", "expected"),
    [("x86_64", None, "1"), ("AMD64", None, "1"), ("x86_64", "0", "0"), ("aarch64", None, None)],
)
def test_onednn_is_chosen_on_x86_unless_the_user_decided(processor, set_before, expected, monkeypatch):
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    if set_before is not None:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", set_before)
    monkeypatch.setattr("platform.machine", lambda: processor)
    devices.choose_onednn()
    assert os.environ.pop("TF_ENABLE_ONEDNN_OPTS", None) == expected


def test_training_chooses_onednn_before_tensorflow_is_imported():
    program = """
import os, sys

class Watch:
    def find_spec(self, name, *_):
        if name == "tensorflow":
            print(os.environ["TF_ENABLE_ONEDNN_OPTS"])
            sys.exit()

sys.meta_path.insert(0, Watch())
from keras_vae_commands import train
sys.argv = ["train.py", "--epochs", "1"]
train()
"""
    environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert run.stdout == "1\n", run.stderr


def test_after_a_quiet_start_onednn_says_nothing_of_float16():
    program = (
        "from keras_vae.runtime import devices; devices.start(); import tensorflow as tf;"
        "print(float(tf.cast(tf.gather(tf.ones(3, 'float16'), 1), 'float32')))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (run.stdout, "DT_HALF" in run.stderr) == ("1.0\n", False)
