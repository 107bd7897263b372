"""The replay of a training: what it keeps, how large it gets, and how it goes on."""

import contextlib
import types

import numpy as np
import pytest

from keras_vae.cli.train import main as train
from keras_vae.explorer.replay import bounds, places_of, replay_of
from keras_vae.runtime.lazy import keras
from keras_vae.training import replay
from keras_vae.training.run_folder import Run
from keras_vae.training.setup import build, load

QUICK = ["--limit", "60", "--latent", "3", "--network.widths", "4", "--network.dense", "8", "--seed", "3"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    with contextlib.suppress(SystemExit):
        train(["--output", str(folder), "--name", "run", "--epochs", "3", "--precision", "float32", *QUICK])
    return Run.open(folder / "run")


def codes_of(model, run):
    dataset = load(run.read_config())
    return np.asarray(model.encode(replay.shown(dataset).images())[0])


def test_the_codes_are_those_of_the_model_at_that_epoch(run):
    kept, config = replay.read(run), run.read_config()
    assert kept["epochs"].tolist() == [0, 1, 3]
    keras.utils.set_random_seed(config.seed)
    model = build(config, load(config))
    np.testing.assert_allclose(kept["codes"][0], codes_of(model, run), rtol=2e-3, atol=1e-3)  # untrained
    state, _ = run.restore(model)
    assert state.epoch == 3
    np.testing.assert_allclose(kept["codes"][2], codes_of(model, run), rtol=2e-3, atol=1e-3)
    samples = np.round(255 * np.asarray(model.sample(8)))
    assert np.abs(kept["samples"][2] - samples).max() <= 1
    assert np.abs(kept["codes"][2] - kept["codes"][0]).max() > 0.05
    np.testing.assert_array_equal(kept["labels"], replay.shown(load(config)).labels)


class Model:
    """A model with as many numbers as asked for."""

    conditional = False

    def __init__(self, latents, side, channels):
        self.dims = types.SimpleNamespace(latents=latents, pixels=side * side * channels)
        self.side, self.channels = side, channels

    def encode(self, images, labels):
        return np.zeros((len(images), self.dims.latents)), None

    def sample(self, count):
        return np.full((count, self.side, self.side, self.channels), np.nan)


def images_of(count, side, channels):
    """A split of black images without labels."""
    store = np.zeros((count, side, side, channels), "float32")
    kind = type("Images", (), {"__len__": lambda self: count, "labels": None})
    kind.images = lambda self, first, stop: store[first:stop]
    return kind()


@pytest.mark.parametrize(("latents", "side", "channels"), [(2, 8, 1), (16, 28, 1), (200, 48, 3)])
def test_the_file_stays_small_and_spans_all_of_a_long_training(latents, side, channels, tmp_path):
    split = images_of(400, side, channels)
    (tmp_path / "config.json").write_text("{}")
    recorder = replay.Recorder(Run(tmp_path), split, 60_000)
    recorder.set_model(Model(latents, side, channels))
    recorder.on_train_begin()
    for epoch in range(600):
        recorder.on_epoch_end(epoch)
    recorder.on_train_end()
    recorder.write()
    assert Run(tmp_path).replay_file.stat().st_size < 1.05 * 2**20
    kept = replay.read(Run(tmp_path))
    assert kept["epochs"][[0, 1, -1]].tolist() == [0, 1, 600]
    assert 5 <= len(kept["epochs"]) <= 64
    assert np.diff(kept["epochs"][1:-1]).max() <= 2 * kept["stride"]
    assert kept["labels"] is None
    assert max(kept["samples"].shape[2:4]) <= 32


def test_epochs_of_few_images_are_skipped(tmp_path):
    recorder = replay.Recorder(Run(tmp_path), images_of(92, 8, 1), 1000)
    recorder.set_model(Model(2, 8, 1))
    recorder.on_train_begin()
    for epoch in range(45):
        recorder.on_epoch_end(epoch)
    recorder.on_train_end()
    assert list(recorder.frames) == [0, 1, 10, 20, 30, 40, 45]  # 92 + 8 images are 1% of ten epochs


def test_a_resumed_run_goes_on_and_forgets_what_came_after_its_checkpoint(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    samples, codes = np.zeros((4, 8, 8, 8, 1), "uint8"), np.full((4, 92, 2), 7, "float16")
    run = Run(tmp_path)
    run.write_replay(epochs=np.array([0, 1, 20, 30], "int32"), codes=codes, samples=samples, stride=20)
    recorder = replay.Recorder(run, images_of(92, 8, 1), 1000, epoch=25)  # killed before the checkpoint of 30
    recorder.set_model(Model(2, 8, 1))
    recorder.on_train_begin()
    for epoch in range(25, 40):
        recorder.on_epoch_end(epoch)
    recorder.on_train_end()
    assert list(recorder.frames) == [0, 1, 20, 40]
    assert recorder.frames[20][0].max() == 7
    assert recorder.frames[40][0].max() == 0


def test_large_samples_are_averaged_over_blocks():
    images = np.random.default_rng(0).random((2, 64, 96, 3), "float32")
    small = replay.smaller(images)
    assert small.shape == (2, 21, 32, 3)
    np.testing.assert_allclose(small[1, 4, 5], images[1, 12:15, 15:18].mean(axis=(0, 1)), rtol=1e-5)
    assert replay.smaller(images[:, :, :1]).shape == (2, 32, 1, 3)
    np.testing.assert_array_equal(replay.smaller(images[:, :30, :30]), images[:, :30, :30])


def world_of(run=None, center=(0, 0), directions=((1, 0), (0, 1)), coordinates=((0, 0),)):
    extent = {"bounds": [-1, 1, -1, 1], "coordinates": np.asarray(coordinates)}
    principal = {"center": np.asarray(center), "directions": np.asarray(directions)}
    return types.SimpleNamespace(run=run, map=extent, principal=principal)


def test_places_are_those_of_the_map():
    codes = np.random.default_rng(0).standard_normal((3, 5, 4))
    center, directions = np.arange(4), np.linalg.qr(np.random.default_rng(1).standard_normal((4, 3)))[0].T
    places = places_of(world_of(center=center, directions=directions), codes)
    np.testing.assert_allclose(places[2, 3], directions[:2] @ (codes[2, 3] - center), rtol=1e-5)


def test_places_of_large_codes_are_fitted_to_the_map():
    """Codes of 500 numbers that vary in three directions: what is kept of them determines their places."""
    generator = np.random.default_rng(0)
    basis = np.linalg.qr(generator.standard_normal((500, 3)))[0]
    codes = generator.standard_normal((2, 60, 3)) * [3, 2, 1] @ basis.T
    world = world_of(center=np.zeros(500), directions=basis.T, coordinates=codes[-1] @ basis)
    places = places_of(world, (codes @ replay.directions(500)).astype("float32"))
    np.testing.assert_allclose(places[0], (codes[0] @ basis)[:, :2], atol=0.01)


def test_the_plane_is_a_square_around_the_map_and_most_places():
    places = np.zeros((2, 100, 2))
    places[1, :10, 0] = 7
    places[0, 0] = 1000  # one of a hundred
    left, right, bottom, top = bounds(places, [-1, 1, -1, 1])
    assert left < -1
    assert 7 < right < 12
    assert right - left == pytest.approx(top - bottom)


def test_a_run_without_a_replay_says_so(run, tmp_path):
    assert "kept no replay" in replay_of(world_of(Run(tmp_path)))["why"]
    damaged = Run(tmp_path)
    damaged.replay_file.write_bytes(run.replay_file.read_bytes()[:300])
    assert "cannot be shown" in replay_of(world_of(damaged))["why"]


def test_the_curves_are_the_history(run):
    found = replay_of(world_of(run, np.zeros(3), np.eye(3)))
    rows = np.genfromtxt(run.history_file, delimiter=",", names=True)
    assert found["curves"]["epoch"] == [1, 2, 3]
    np.testing.assert_allclose(found["curves"]["val_rate"], rows["val_rate"])
    assert found["samples"].shape == (24, 8, 8, 1)
    assert found["is_exact"]
