"""What consoles and notebooks show of runs, datasets, images and results."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image
from test_older import OLDER

import keras_vae
from keras_vae.evaluation.results.file import read_results
from keras_vae.report.shown import EvaluationResults
from keras_vae.training.run_folder import Run


def test_a_dataset_a_split_and_a_run_are_one_line():
    digits = keras_vae.load_dataset("digits")
    assert repr(digits) == "<Dataset digits: 1,437 train, 180 validation, 180 test images of 8x8x1>"
    assert repr(digits.test) == "<Split: 180 images of 8x8x1, with labels>"
    assert repr(Run("saved_models/a")) == "<Run saved_models/a>"


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
