"""What a302b9d wrote is read, gone on with and served as it was: runs, models, samplers, exports and results.

`older/a302b9d` has a run (digits, a latent of 2, a VampPrior, 2 epochs) without its pictures, and models of one epoch on
random images, each with what that version encoded, drew and measured (`.npz`).
"""

import json
import pathlib
import zipfile

import numpy as np
import pytest
from commands import run_well

from keras_vae.runtime.lazy import keras, tf

OLDER = pathlib.Path(__file__).parent / "older" / "a302b9d"
MODELS = sorted(path.stem for path in OLDER.glob("*.keras"))


@pytest.fixture
def run(tmp_path):
    with zipfile.ZipFile(OLDER / "run.zip") as packed:
        packed.extractall(tmp_path / "old-digits")
    return tmp_path / "old-digits"


@pytest.mark.parametrize("name", MODELS)
def test_a_model_gives_what_it_gave(name):
    model, known = keras.saving.load_model(OLDER / f"{name}.keras"), np.load(OLDER / f"{name}.npz")
    images = np.random.default_rng(0).random((64, 8, 8, 1)).astype("float32")
    given = (images, np.arange(64) % 3) if model.conditional else (images,)
    mean, log_var = model.encode(*(part[:4] for part in given))[:2]
    np.testing.assert_allclose(mean, known["mean"], atol=1e-5)
    np.testing.assert_allclose(log_var, known["log_var"], atol=1e-5)
    labels = {"labels": [0, 1, 2]} if model.conditional else {}
    np.testing.assert_allclose(model.sample(3, seed=5, **labels), known["sample"], atol=1e-4)
    terms = model.evaluate(*given, batch_size=64, verbose=0, return_dict=True)
    for term, value in json.loads(str(known["logs"])).items():
        assert terms[term] == pytest.approx(value, rel=1e-4, abs=1e-3), term


def test_a_run_resumes(run):
    run_well("--resume", run, "--epochs", "3")
    history = (run / "history.csv").read_text().splitlines()
    assert len(history) == 4
    assert (run / "serving" / "decoder" / "1").exists()


def test_an_export_is_served_as_it_was(run):
    model = keras.saving.load_model(run / "model.keras")
    decoder = tf.saved_model.load(run / "serving" / "decoder" / "1")
    codes = np.random.default_rng(0).standard_normal((3, 2)).astype("float32")
    given = decoder.signatures["serving_default"](tf.constant(codes))
    np.testing.assert_allclose(next(iter(given.values())), model.decode(codes), atol=1e-3)


@pytest.mark.parametrize("name", ["gaussian", "mixture"])
def test_a_sampler_draws(run, name):
    from keras_vae.samplers import load

    drawn = np.asarray(load(run / "samplers" / f"{name}.npz").sample(np.arange(200)))
    assert drawn.shape == (200, 2)
    assert np.isfinite(drawn).all()
    assert np.abs(drawn.mean(axis=0)).max() < 0.5  # the run's codes lie around 0


def test_results_are_read(run):
    from keras_vae.evaluation.results.file import read_results

    results = read_results(run / "report" / "results.json")
    assert results["run"] == "old-digits"
    assert results["generation_gap"]["prior"]["frechet"] == pytest.approx(0.774, abs=0.001)
