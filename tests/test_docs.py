"""The documentation's code runs, and its tables are those of the package."""

import pathlib
import re

import numpy as np
import pytest

import keras_vae
from keras_vae.cli import catalogue
from keras_vae.runtime.lazy import keras

ROOT = pathlib.Path(__file__).resolve().parents[1]


def code_of(page):
    return re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.DOTALL)


def test_the_page_on_adding_an_objective_adds_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    known = set(keras_vae.OBJECTIVES)
    blocks = code_of("adding_an_objective.md")
    assert len(blocks[0].splitlines()) < 30
    names = {"__name__": "page"}
    try:
        for block in blocks:
            exec(compile(block, "adding_an_objective.md", "exec"), names)
        model, images = names["model"], names["digits"].test.images()
        # The hinge by hand, on the mean over each batch of 256; there is one.
        found = model.evaluate(images, batch_size=256, verbose=0, return_dict=True)
        hinge = max(found["rate"] - 15.0, 0)
        assert found["loss"] == pytest.approx(found["distortion"] + hinge, rel=1e-4)
        loaded = keras.saving.load_model("hinge.keras")
        assert loaded.objective == names["RateHinge"](15.0)
        np.testing.assert_array_equal(loaded.predict(images, verbose=0), model.predict(images, verbose=0))
    finally:
        for name in set(keras_vae.OBJECTIVES) - known:
            del keras_vae.OBJECTIVES[name]


def test_the_page_on_architecture_adds_a_source_and_a_metric():
    from keras_vae.evaluation.scores import SCORES

    kinds = (keras_vae.DATASETS, SCORES)
    known = [set(kind) for kind in kinds]
    try:
        for block in code_of("architecture.md"):
            exec(compile(block, "architecture.md", "exec"), {"__name__": "page"})
        assert [set(kind) - before for kind, before in zip(kinds, known)] == [{"stripes"}, {"brightness"}]
    finally:
        for kind, before in zip(kinds, known):
            for name in set(kind) - before:
                del kind[name]


def test_the_guide_on_anomalies_finds_them_and_is_served_the_same_scores(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    for block in code_of("guides/anomaly_detection.md"):
        exec(compile(block, "anomaly_detection.md", "exec"), names)
    scores, is_unknown = names["scores"], names["test"].labels == 4
    assert np.mean(scores[is_unknown, None] > scores[None, ~is_unknown]) > 0.8  # the AUC
    assert len(names["alarms"]) == np.sum(scores > names["threshold"])
    np.testing.assert_allclose(names["served"], scores, atol=1e-3)


def test_the_page_of_components_has_the_catalogue_of_the_registries():
    text = (ROOT / "docs" / "components.md").read_text(encoding="utf-8")
    assert catalogue.catalogue() in text, (
        "python -m keras_vae.cli.catalogue docs/components.md writes it anew"
    )


@pytest.mark.parametrize("name", keras_vae.OBJECTIVES)
def test_an_objective_has_its_line_in_the_table(name):
    kind = keras_vae.OBJECTIVES[name]
    assert kind.formula
    assert re.search(r"(19|20)\d\d$", kind.paper)
    assert kind.good_for
    assert kind.__doc__.strip()
