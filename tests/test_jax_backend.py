"""Models on Keras' JAX backend, without TensorFlow, and against TensorFlow. Each part is a process (`jax_session.py`)."""

import json
import math
import os
import pathlib
import subprocess
import sys

import jax_session
import numpy as np
import pytest

from keras_vae.runtime.lazy import keras

SESSION = pathlib.Path(jax_session.__file__)
# Compiling takes nearly all of the time, and less where the programs need not be fast.
JAX = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore:the loss ")]


def run(part, folder, **environment):
    """Returns what a part of the session says."""
    done = subprocess.run(
        [sys.executable, str(SESSION), part, str(folder)],
        env={**os.environ, **JAX, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("jax")


@pytest.fixture(scope="module")
def objectives(folder):
    return run("objectives", folder)


@pytest.fixture(scope="module")
def written(folder):
    """A model that TensorFlow has trained a little, in a file."""
    model = jax_session.make()
    model.run_eagerly = True
    model.fit(jax_session.IMAGES, batch_size=16, verbose=0)
    model.save(folder / "by_tensorflow.keras")
    return model


@pytest.fixture(scope="module")
def said(folder, written):
    return run("model", folder)


@pytest.fixture(scope="module")
def by_jax(said, folder):
    """The model that JAX has trained, on TensorFlow."""
    return keras.saving.load_model(folder / "by_jax.keras")


@pytest.mark.parametrize("row", jax_session.ROWS)
def test_a_step_is_that_of_tensorflow_in_every_term_and_every_weight(row, objectives, folder):
    (ours, second), moved = jax_session.two_steps(row)
    theirs = objectives[row]
    assert theirs[0] == pytest.approx(ours, rel=1e-5, abs=1e-5)
    assert theirs[1] == pytest.approx(second, rel=1e-3, abs=1e-3)
    assert sum(map(np.any, moved)) > len(moved) / 2
    with np.load(folder / f"{row}.npz") as file:
        for one, other in zip(moved, file.values(), strict=True):
            # Weights are rounded to 1e-7 of themselves.
            np.testing.assert_allclose(other, one, rtol=0, atol=1e-3 * np.abs(one).max() + 1e-7)


def test_the_loss_falls(said):
    assert said["loss"][1] < said["loss"][0]


def test_a_training_that_is_validated_is_the_same_training(said):
    assert said["same weights"]
    in_training, afterwards = said["evaluated"]
    assert in_training == afterwards


def test_codes_and_samples_decode_to_what_is_predicted(said):
    assert said["decoded"] < 1e-5
    assert said["sampled"] == [5, 8, 8, 1]


def test_a_saved_model_goes_on_alike(said):
    assert said["goes on alike"]


def test_files_go_from_one_backend_to_the_other(said, by_jax, written, folder):
    assert by_jax.optimizer.iterations == 6
    for model, name in ((by_jax, "by_jax.npy"), (written, "by_tensorflow.npy")):
        np.testing.assert_allclose(model(jax_session.IMAGES), np.load(folder / name), rtol=1e-5, atol=1e-5)


def test_metrics_say_the_same_on_either_backend(said, by_jax):
    assert said["measured"] == pytest.approx(jax_session.measured(by_jax), rel=1e-4)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_lower_precisions_train_with_a_critic_of_its_own_optimizer(policy, said):
    found = said[policy]
    assert all(map(math.isfinite, found["losses"]))
    assert found["moved"]
    # Float16 passes over steps whose scaled gradients overflow, until the scale is right.
    least = 6 if policy == "mixed_bfloat16" else 1
    assert all(least <= count <= 6 for count in found["steps"])


def test_what_is_written_in_tensorflow_says_so(said):
    assert len(said["refused"]) == 4
    for message in said["refused"]:
        assert "needs TensorFlow, and Keras runs on jax: " in message
        assert "model.fit" in message
    assert said["refused"][-1].startswith("2: train.py: error: this command needs TensorFlow")


def test_without_tensorflow_one_is_told_of_jax(tmp_path):
    code = (
        f"import sys; sys.path.insert(0, {str(SESSION.parent)!r}); import jax_session; "
        "sys.meta_path.insert(0, jax_session.Refusing()); from keras_vae import VAE"
    )
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "KERAS_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "KERAS_BACKEND=jax" in done.stderr.splitlines()[-1]


def test_two_devices_equal_one(tmp_path):
    said = run("devices", tmp_path, XLA_FLAGS="--xla_force_host_platform_device_count=2")
    assert said["spread"] == 2
    assert said["moved"] > 1e-3
    assert said["apart"] < 1e-5
    one, two = said["losses"]
    assert one == pytest.approx(two, rel=1e-5)
