"""Scores: numbers that explain themselves, each one file and one line."""

from types import SimpleNamespace

import numpy as np
import pytest

from keras_vae.evaluation.metrics.estimate import Estimate, mean_of, ratio_of_means
from keras_vae.evaluation.scores import SCORES, Score
from keras_vae.evaluation.scores.sharpness import differences, measure_sharpness
from keras_vae.evaluation.sections.scores import measure_scores


def test_a_mean_has_the_error_of_independent_values():
    values = np.random.default_rng(0).normal(3, 2, 4000)
    found = mean_of(values)
    assert found.value == pytest.approx(3, abs=4 * found.se)
    assert found.se == pytest.approx(2 / np.sqrt(4000), rel=0.05)


def test_the_error_of_a_ratio_is_the_spread_of_ratios():
    generator = np.random.default_rng(0)
    ratios, errors = [], []
    for _ in range(300):
        below = generator.gamma(4, size=200)
        found = ratio_of_means(2 * below + generator.normal(0, 1, 200), below)
        ratios.append(found.value)
        errors.append(found.se)
    assert np.mean(ratios) == pytest.approx(2, abs=0.01)
    assert np.mean(errors) == pytest.approx(np.std(ratios), rel=0.1)
    assert ratio_of_means(np.ones(3), np.zeros(3)) is None


class Measured(list):
    """Images that are their own codes."""

    def __init__(self, images):
        super().__init__(images)
        self.images, self.mean = images, images.reshape(len(images), -1)

    def labels_of(self, rows):
        return None


def evidence(decode, images):
    return SimpleNamespace(
        test=Measured(images), decode=lambda codes, labels: decode(codes.reshape(-1, *images.shape[1:]))
    )


def test_sharpness_is_1_of_the_images_themselves_and_half_where_contrast_is_halved():
    images = np.random.default_rng(0).random((50, 6, 6, 1)).astype("float32")
    assert differences(images)[0] == pytest.approx(
        (np.abs(images[0, 1:] - images[0, :-1]).sum() + np.abs(images[0, :, 1:] - images[0, :, :-1]).sum())
        / 36
    )
    assert measure_sharpness(evidence(lambda images: images, images)).value == pytest.approx(1)
    assert measure_sharpness(evidence(lambda images: 0.5 * images + 0.2, images)).value == pytest.approx(0.5)


def test_a_score_that_cannot_be_measured_is_null_with_its_reason(monkeypatch):
    def refuse(evidence):
        raise ValueError("there are no birds in these images")

    monkeypatch.setitem(SCORES, "birds", Score("Birds", "How many birds.", refuse))
    monkeypatch.setitem(SCORES, "pi", Score("Pi", "A constant.", lambda evidence: Estimate(3.14, 0.0), "rad"))
    monkeypatch.delitem(SCORES, "sharpness")
    found = measure_scores(None)
    assert found.values["entries"]["birds"]["value"] is None
    assert found.reasons == {"scores.entries.birds": "there are no birds in these images"}
    assert found.values["entries"]["pi"] == {
        "title": "Pi",
        "description": "A constant.",
        "unit": "rad",
        "healthy": "",
        "value": 3.14,
        "se": 0.0,
    }
