"""What consoles and notebooks show of runs, datasets, images and results."""

import base64
import io
import json
import re
import urllib.request
import zipfile

import numpy as np
import pytest
from PIL import Image
from test_older import OLDER

import keras_vae
from keras_vae.errors import UsageError
from keras_vae.evaluation.results.file import read_results
from keras_vae.report.shown import EvaluationResults
from keras_vae.report.verdict import plain_words
from keras_vae.runtime.lazy import keras
from keras_vae.sweep.folder import Sweep
from keras_vae.sweep.grid import Axis, Grid
from keras_vae.training.run_folder import Run


def test_a_dataset_a_split_and_a_run_are_one_line():
    digits = keras_vae.load_dataset("digits")
    assert repr(digits) == "<Dataset digits: 1,437 train, 180 validation, 180 test images of 8x8x1>"
    assert repr(digits.test) == "<Split: 180 images of 8x8x1, with labels>"
    assert repr(Run("saved_models/a")) == "<Run saved_models/a>"


def test_in_a_notebook_a_dataset_and_a_run_have_a_picture(tmp_path):
    page = keras_vae.load_dataset("digits")._repr_html_()
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(re.search('base64,([^"]+)', page)[1]))))
    np.testing.assert_array_equal(
        shown[:8, :8], np.round(255 * keras_vae.load_dataset("digits").train.images(0, 1)[0, ..., 0])
    )
    run = Run(tmp_path / "<i>")
    assert run._repr_html_() == f"&lt;Run {tmp_path}/&lt;i&gt;&gt;"
    run.path.mkdir()
    run.preview_file.write_bytes(b"png")
    assert base64.b64encode(b"png").decode() in run._repr_html_()


def test_a_model_is_one_line_and_keras_still_loads_it(tmp_path):
    model = keras_vae.VAE((4, 4, 1), latent=2, name="mine")
    words = "VAE mine: images 4x4x1, latent 2, objective vae, likelihood bernoulli"
    assert repr(model) == f"<{words}, {model.count_params():,} weights>"
    assert words in model._repr_html_()
    assert "<th>network</th><td>convolutional</td>" in model._repr_html_()
    model.save(tmp_path / "model.keras")
    assert repr(keras.saving.load_model(tmp_path / "model.keras")) == repr(model)


def test_a_sweep_is_its_runs_and_their_verdicts(tmp_path):
    sweep = Sweep(tmp_path / "s", Grid(("--dataset", "digits"), (Axis.read("latent=2,4"),)))
    run = sweep.run("latent-2")
    run.report.mkdir(parents=True)
    with zipfile.ZipFile(OLDER / "run.zip") as packed:
        (run.report / "results.json").write_bytes(packed.read("report/results.json"))
    (run.report / "index.html").touch()
    sweep.note("latent-4", "too <large>")
    assert repr(sweep) == f"<Sweep {tmp_path}/s: 2 runs, 1 evaluated>"
    assert "<td>latent-4</td><td>too &lt;large&gt;</td>" in sweep._repr_html_()
    assert f"<td>latent-2</td><td>{plain_words(read_results(run.report / 'results.json'))}</td>" in (
        sweep._repr_html_()
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_a_grid(channels, tmp_path):
    images = np.linspace(0, 1, 10 * 4 * 4 * channels).reshape(10, 4, 4, channels)
    picture = keras_vae.show(images)
    assert repr(picture) == "<10 images>"
    shown = np.asarray(Image.open(io.BytesIO(picture._repr_png_())))
    assert shown.shape[:2] == (
        2 * 4 * 8 + 8,
        8 * 4 * 8 + 7 * 8,
    )  # 2 rows of 8, a pixel apart, 8 times as large
    np.testing.assert_allclose(shown[0, 0] / 255, images[0, 0, 0].squeeze(), atol=0.003)
    picture.save(tmp_path / "grid.png")
    assert Image.open(tmp_path / "grid.png").size == shown.shape[1::-1]


def test_what_is_no_batch_of_images_is_refused():
    with pytest.raises(ValueError, match=r"expected \[n, height, width, channels\]"):
        keras_vae.show(np.zeros((8, 8, 1)))


@pytest.fixture
def results(tmp_path):
    with zipfile.ZipFile(OLDER / "run.zip") as packed:
        packed.extract("report/results.json", tmp_path)
    return EvaluationResults(read_results(tmp_path / "report" / "results.json"))


def test_results_are_their_verdict_and_still_a_dict(results):
    assert len(repr(results).splitlines()) == 2
    assert "old-digits" in repr(results)
    assert "<iframe" in results._repr_html_()
    assert "script" not in results._repr_html_().replace("description", "")
    assert json.loads(json.dumps(results))["run"] == "old-digits"
    assert results["verdict"]["name"] == "collapsed"


def test_results_open_as_a_report(results, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    path = results.open(tmp_path / "page")
    assert opened == [path.as_uri()]
    assert "old-digits" in path.read_text(encoding="utf-8")


def test_results_without_a_run_say_what_the_explorer_needs(results):
    with pytest.raises(UsageError, match=r"the explorer shows runs.*evaluate what keras_vae\.train returned"):
        results.explore()


@pytest.mark.long
def test_results_open_the_explorer_of_their_run(results, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    with zipfile.ZipFile(OLDER / "run.zip") as packed:
        packed.extractall(tmp_path)
    results.run = Run(tmp_path)
    address = results.explore()
    assert opened == [address]
    with urllib.request.urlopen(f"{address}explorer/api/runs", timeout=120) as answer:
        assert json.load(answer) == [tmp_path.name]
    assert f'<iframe src="{address}"' in address._repr_html_()
    assert results.explore() == address  # the same server
    (tmp_path / "none").mkdir()
    results.run = Run(tmp_path / "none")
    with pytest.raises(UsageError, match=r"cannot be served: .*config\.json is missing"):
        results.explore()
