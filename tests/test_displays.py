"""The plots in scikit-learn's manner: they show the values given, in the axes given."""

import json
import zipfile

import matplotlib as mpl
import numpy as np
import pytest
from test_older import OLDER

import keras_vae
from keras_vae.report.shown import EvaluationResults

mpl.use("Agg")


@pytest.fixture
def axes():
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    yield axes
    pyplot.close(figure)


@pytest.fixture(scope="module")
def results():
    with zipfile.ZipFile(OLDER / "run.zip") as packed:
        values = json.loads(packed.read("report/results.json"))
    return EvaluationResults(values, {"map": {"codes": np.eye(4), "prior": None, "labels": [0, 0, 1, 1]}})


def test_the_ladder_has_a_point_for_each_rung(results, axes):
    display = keras_vae.LadderDisplay.from_results(results).plot(axes)
    assert (display.ax_, display.figure_) == (axes, axes.figure)
    gap = results["generation_gap"]
    measured = [rung["frechet"] for rung in gap.values() if isinstance(rung, dict) and "frechet" in rung]
    assert sorted(float(line.get_xdata()[0]) for line in axes.lines) == pytest.approx(sorted(measured))


def test_codes_are_those_of_the_evaluation(results, axes):
    display = keras_vae.CodesDisplay.from_results(results).plot(axes)
    np.testing.assert_array_equal(axes.collections[0].get_offsets(), np.eye(4)[:, :2])
    assert "in 2 classes" in display.alt_


def test_the_axes_of_codes_say_how_much_of_the_variance_they_have(results, axes):
    shown = {"codes": np.eye(4), "shares": [0.416, 0.2], "axes": "principal"}
    keras_vae.CodesDisplay.from_results(EvaluationResults(dict(results), {"map": shown})).plot(axes)
    assert axes.get_xlabel() == "principal direction 1: 42% of the variance"
    assert axes.get_ylabel() == "principal direction 2: 20% of the variance"
    shown |= {"shares": None, "axes": "latent"}
    keras_vae.CodesDisplay.from_results(EvaluationResults(dict(results), {"map": shown})).plot(axes)
    assert axes.get_xlabel() == "latent dim 1"


def test_the_history_is_that_of_the_run(tmp_path, axes):
    rows = "epoch,loss,val_loss\n1,9,8\n2,5,\n3,4,6\n"
    (tmp_path / "history.csv").write_text(rows)
    (tmp_path / "config.json").write_text("{}")
    keras_vae.HistoryDisplay.from_run(tmp_path).plot(axes)
    drawn = [list(line.get_ydata()) for line in axes.lines]
    assert drawn[0] == [9, 5, 4]
    np.testing.assert_array_equal(drawn[1], [8, np.nan, 6])
    assert drawn[2] == [6]  # the lowest of the held-out loss, in epoch 3
    assert list(axes.lines[2].get_xdata()) == [3]


def test_reconstructions_are_below_their_images(axes):
    class Darker:
        def predict(self, images, verbose):
            return images / 2

    images = np.linspace(0, 1, 2 * 4 * 4).reshape(2, 4, 4, 1)
    keras_vae.ReconstructionsDisplay.from_model(Darker(), images).plot(axes)
    shown = axes.images[0].get_array()
    assert shown.shape == (9, 9)
    np.testing.assert_allclose(shown[:4, 5:], images[1, ..., 0], rtol=1e-6)
    np.testing.assert_allclose(shown[5:, 5:], images[1, ..., 0] / 2, rtol=1e-6)


def test_without_axes_there_is_a_new_figure_and_without_values_none(results):
    from matplotlib import pyplot

    display = keras_vae.LadderDisplay.from_results(results).plot()
    assert pyplot.get_fignums() == [display.figure_.number]
    pyplot.close(display.figure_)
    with pytest.raises(ValueError, match="nothing to show"):
        keras_vae.LadderDisplay.from_results({}).plot()
    assert pyplot.get_fignums() == []
