"""Training by several replicas: devices of one host, and processes that `TF_CONFIG` names, against one device."""

import contextlib
import csv
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_vae import load_dataset
from keras_vae.data.sharding import Share
from keras_vae.errors import UsageError
from keras_vae.runtime import workers
from keras_vae.training.run_folder import Follower, Run

pytestmark = pytest.mark.long

TRAIN = pathlib.Path(__file__).parent.parent / "train.py"
SECONDS = 280  # that anything here may take, on a machine that has other things to do, too

# Training by `strategy`, to be run in a process of its own. 13 images in batches of 4: the last batch is of one image,
# fewer than there are replicas, in training and in validation. The gradients' norm is above the clip's.
SMALL_RUN = """
import sys
import keras
import numpy as np
import tensorflow as tf
from keras_vae import Autoencoder, load_dataset
from keras_vae.data import spread
from keras_vae.model.likelihoods import Bernoulli
from keras_vae.model.networks import Convolutional

def train(strategy):
    keras.utils.set_random_seed(1)
    images = load_dataset("digits", limit=13).train
    with strategy.scope():
        network = Convolutional(widths=(4,), dense=6, activation="elu")
        model = Autoencoder((8, 8, 1), 2, "autoencoder", Bernoulli("none"), network)
        model.compile(keras.optimizers.SGD(0.1, global_clipnorm=1.0))
    history = model.fit(
        spread(lambda share: images.training_batches(4, seed=3, share=share), strategy),
        steps_per_epoch=4,
        epochs=2,
        validation_data=spread(lambda share: images.batches(4, share=share), strategy),
        validation_steps=4 if strategy.num_replicas_in_sync > 1 else None,
        verbose=0,
        shuffle=False,
    ).history
    return model.get_weights(), history

def assert_same(ours, theirs):
    for one, other in zip(ours[0], theirs[0], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert set(ours[1]) == set(theirs[1]) > {"loss", "val_loss"}
    for name in ours[1]:
        np.testing.assert_allclose(ours[1][name], theirs[1][name], rtol=1e-5)

alone = tf.distribute.get_strategy()
"""

TWO_DEVICES = (
    SMALL_RUN
    + """
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
assert_same(train(alone), train(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])))
"""
)

# As TWO_DEVICES; then two runs of train.py's, in the second of which worker 1 is killed in the midst of its third epoch.
TWO_WORKERS = (
    """
import os, signal
from keras_vae.training import callbacks
from keras_vae.cli import train
from keras_vae.runtime import workers
strategy = workers.join()
"""
    + SMALL_RUN
    + """
together = train(strategy)
if workers.is_chief():
    assert_same(train(alone), together)

callbacks.CHECKPOINT_SECONDS = 0  # one after each epoch
train.main([*sys.argv[1:], "--name", "whole"])

class Deadly(callbacks.Guard):
    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == (2, 0) and not workers.is_chief():
            os.kill(os.getpid(), signal.SIGKILL)
        super().on_train_batch_end(batch, logs)

callbacks.Guard = Deadly
train.main([*sys.argv[1:], "--name", "broken"])
"""
)

# 49 images in batches of 24: here, too, the last is of one.
SETTINGS = ["--limit", "49", "--batch_size", "24", "--epochs", "4", "--latent", "2", "--augment", "noise"]
SETTINGS += ["--network.widths", "4", "--network.dense", "8"]


def run_alone(code):
    """Runs Python in a process of its own, which has to end well."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr[-3000:]


def run_workers(*command):
    """Runs Python as worker 0 and as worker 1 and returns of each its exit status, standard output and error."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{free.getsockname()[1]}" for free in sockets]
    started = []
    try:
        for index in range(2):
            config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            environment = {**os.environ, "TF_CONFIG": json.dumps(config), "CUDA_VISIBLE_DEVICES": "-1"}
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            started.append(subprocess.Popen([sys.executable, *map(str, command)], env=environment, **pipes))
        outputs = [process.communicate(timeout=SECONDS) for process in started]
        return [(process.returncode, *output) for process, output in zip(started, outputs, strict=True)]
    finally:
        for process in started:
            process.kill()
            process.wait(timeout=SECONDS)


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def broken(output):
    """What both workers said and how they ended, one of them killed."""
    return run_workers("-c", TWO_WORKERS, *SETTINGS, "--output", output)


@pytest.fixture(scope="module")
def resumed(broken, output):
    """What both said when they were started again."""
    return run_workers(TRAIN, "--resume", output / "broken")


def rows_of(folder):
    with open(folder / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


# Against one device


def test_two_devices_train_as_one_would_also_where_a_batch_has_an_image_for_one_of_them_alone():
    run_alone(TWO_DEVICES)


def test_two_workers_train_as_one_device_would_and_one_that_is_killed_stops_the_other(broken):
    (chief, _, error), (other, _, _) = broken
    assert chief == 2, error[-3000:]  # what is before the second run has gone well
    assert re.search(r"^train.py: error: worker 0 lost the others \(.*--resume", error, re.MULTILINE)
    assert other == -signal.SIGKILL


def test_the_chief_alone_writes_and_reports(broken, output):
    (_, chief, _), (_, other, _) = broken
    assert "digits: 49 train" in chief
    assert "done in" in chief
    assert other == "worker 1 of 2: waiting for the others\n"
    assert sorted(path.name for path in output.iterdir()) == ["broken", "whole"]
    assert not list((output / "whole").rglob(".writing-*"))


def test_a_run_whose_worker_was_killed_ends_as_if_nothing_had_been(resumed, output):
    for status, _, error in resumed:
        assert status == 0, error[-3000:]
    assert "resuming after epoch 2" in resumed[0][1]
    whole, broken = output / "whole", output / "broken"
    assert len(rows_of(whole)) == 4
    assert rows_of(broken) == rows_of(whole)
    ours, theirs = (
        keras.saving.load_model(folder / "model.keras").get_weights() for folder in (broken, whole)
    )
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)
    assert (broken / "serving" / "decoder" / "1").is_dir()


# Shares


@pytest.mark.parametrize("count", [3, 6, 7, 13])
def test_the_parts_of_all_replicas_are_the_batches_of_one_in_its_order(count):
    images = load_dataset("digits", limit=count).train
    streams = [
        images.training_batches(6, 0, share=Share(first, 2, 4)).as_numpy_iterator() for first in (0, 2)
    ]
    whole = images.training_batches(6, 0).as_numpy_iterator()
    for _ in range(2 * -(-count // 6)):
        parts = [next(stream) for stream in streams for _ in range(2)]
        sizes = [int(part["weights"].sum()) for part in parts]
        assert max(sizes) - min(sizes) <= 1
        assert [len(part["images"]) for part in parts] == [max(1, size) for size in sizes]
        seen = np.concatenate([part["images"][part["weights"] == 1] for part in parts])
        np.testing.assert_array_equal(seen, next(whole))


def test_labels_and_held_out_images_are_divided_too():
    split = load_dataset("digits", limit=5).train
    parts = [
        next(split.batches(5, labels=True, share=Share(replica, 1, 2)).as_numpy_iterator())
        for replica in range(2)
    ]
    assert [len(part["images"]) for part in parts] == [2, 3]
    np.testing.assert_array_equal(np.concatenate([part["labels"] for part in parts]), split.labels)


def test_replicas_augment_their_parts_differently():
    split = load_dataset("digits", limit=1).train
    first, second = (
        next(split.training_batches(1, 0, augment=("noise",), share=Share(replica, 1, 2)).as_numpy_iterator())
        for replica in range(2)
    )
    assert np.abs(first["images"] - second["images"]).max() > 0.01


# Workers


@pytest.mark.parametrize(
    ("cluster", "task", "place"),
    [
        ({"worker": ["a:1", "b:1"]}, ("worker", 0), (0, 2)),
        ({"worker": ["a:1", "b:1"]}, ("worker", "1"), (1, 2)),
        ({"worker": ["a:1", "b:1"], "chief": ["c:1"]}, ("worker", 0), (1, 3)),
        ({"chief": ["c:1"], "worker": ["a:1"]}, ("chief", 0), (0, 2)),
        ({}, ("worker", 0), (0, 1)),
    ],
)
def test_the_place_of_a_worker_is_read_from_tf_config(cluster, task, place, monkeypatch):
    config = {"cluster": cluster, "task": {"type": task[0], "index": task[1]}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert (workers.place().number, workers.place().count) == place
    assert workers.is_chief() == (place[0] == 0)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"cluster": {"worker": ["a:1"]}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", "index": 0}}',
    ],
)
def test_a_tf_config_that_cannot_be_followed_is_refused_with_the_way_out(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UsageError, match=r"TF_CONFIG is .*: expected .*unset TF_CONFIG"):
        workers.place()


def test_a_worker_alone_agrees_with_itself_and_hears_itself():
    assert workers.gather("name") == ["name"]
    workers.agree("name", "name")


def test_a_follower_has_every_way_to_write_replaced():
    ways = [name for name in vars(Run) if name.startswith("write_") or name in ("sweep", "held")]
    assert len(ways) > 6
    assert set(ways) <= set(vars(Follower))
