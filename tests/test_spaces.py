"""Spaces are tested with sets whose rank is known, and what is blind decides nothing."""

import types

import numpy as np
import pytest

from keras_vae.evaluation.metrics.blindness import dead_zones, directions, distances_between, judge_space
from keras_vae.evaluation.metrics.estimate import Estimate
from keras_vae.evaluation.metrics.planted_sets import planted_sets
from keras_vae.evaluation.results import Results
from keras_vae.evaluation.results.schema import results_schema
from keras_vae.evaluation.sections import spaces as section
from keras_vae.evaluation.sections.completeness import measure_completeness
from keras_vae.evaluation.sections.ladder import judged_densities


def shapes(count, seed=0):
    """Images of a bright disc or square of a random size at a random place, 12x12 pixels."""
    generator = np.random.default_rng(seed)
    down, across = np.mgrid[:12, :12]
    at, size = generator.uniform(4, 8, (2, count, 1, 1)), generator.uniform(2, 3.5, (count, 1, 1))
    away = np.stack([abs(down - at[0]), abs(across - at[1])])
    reach = np.where(generator.random((count, 1, 1)) < 0.5, np.hypot(*away), away.max(axis=0))
    return np.clip(size - reach + 0.5, 0, 1)[..., None].astype("float32")


def normalised(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class MeanColour:
    """Sees the mean colour alone: shuffled blocks have that of the image."""

    name, metric_name = "mean_colour", "Frechet distance"

    def __call__(self, images):
        mean = images.mean(axis=(1, 2, 3))[:, None]
        return normalised(np.concatenate([mean, mean**2, np.ones_like(mean)], axis=1))


class Seeing:
    """Sees how far the image is from the nearest shape there is, in the pixels of a blurred image."""

    name, metric_name = "seeing", "Frechet distance"
    known = shapes(3000, 99).reshape(3000, -1)

    def __call__(self, images):
        rows = images.reshape(len(images), -1)
        squared = (rows**2).sum(1)[:, None] - 2 * rows @ self.known.T + (self.known**2).sum(1)
        away = np.sqrt(np.maximum(squared.min(axis=1), 0))[:, None]
        return normalised(np.concatenate([away / 2, np.ones_like(away)], axis=1))


REAL, OTHERS = shapes(300, 1), shapes(300, 2)


def evidence_of(features):
    """What the section asks of the evidence and of the ladder, on images of shapes."""
    seen = {
        name: types.SimpleNamespace(looks=features(images), confidence=None)
        for name, images in {"real": REAL, "reconstruction": REAL, "prior": shapes(300, 3)}.items()
    }
    rungs = types.SimpleNamespace(
        n=300,
        images={"real": REAL, "reconstruction": REAL, "prior": shapes(300, 3)},
        seen=seen,
        reference=types.SimpleNamespace(looks=features(OTHERS)),
    )
    return types.SimpleNamespace(
        features=features,
        seed=0,
        reference=OTHERS,
        reference_labels=None,
        test=types.SimpleNamespace(labels_of=lambda count: None),
        generator=lambda use: np.random.default_rng(0),
    ), types.SimpleNamespace(kept=rungs)


def measured(features, monkeypatch, others=()):
    evidence, ladder = evidence_of(features)
    monkeypatch.setattr(section, "feature_spaces", lambda evidence: [features, *others])
    return evidence, ladder, section.measure_spaces(evidence, ladder)


def test_a_space_of_the_mean_colour_is_blind_and_decides_nothing(monkeypatch):
    found = measured(MeanColour(), monkeypatch)[2]
    assert found.values["mean_colour"]["blind"] is True
    assert found.values["mean_colour"]["shuffled_blocks"] <= 3 * found.values["mean_colour"]["real"]
    assert found.values["judged_in"] is found.kept.judged is None
    assert found.reasons["dead_zone"] == found.reasons["coverage"] == found.reasons["spaces.judged_in"]


def test_a_space_that_sees_is_used(monkeypatch):
    _, ladder, found = measured(Seeing(), monkeypatch)
    space = found.values["seeing"]
    assert space["blind"] is False, space
    assert space["real"] < space["fog"]
    assert space["blurred"] < space["fog"] < space["noise"]
    assert found.values["judged_in"] == "seeing"
    assert found.kept.judged.reference is ladder.kept.reference.looks
    assert not {"dead_zone", "coverage", "spaces.judged_in", "spaces.seeing.blind"} & set(found.reasons)


def test_where_the_first_space_is_blind_another_one_that_sees_judges(monkeypatch):
    seeing = Seeing()
    _, ladder, found = measured(MeanColour(), monkeypatch, [seeing])
    assert found.values["judged_in"] == "seeing"
    completeness = measure_completeness(
        types.SimpleNamespace(features=types.SimpleNamespace(reason="no labels")), ladder, found
    )
    assert completeness.values["dead_zone"] == pytest.approx(0, abs=0.1)  # the prior's are shapes
    own = {name: {"density": 1.0, "coverage": 1.0} for name in ladder.kept.seen}
    densities = judged_densities(types.SimpleNamespace(features=MeanColour()), found.kept.judged, own)
    assert 0.5 < densities["prior"]["density"] < 2  # in the space that sees, where rows are its own
    assert densities["prior"]["density"] != 1.0


def test_without_a_space_dead_zone_and_coverage_are_null_with_a_reason(monkeypatch):
    evidence, ladder, found = measured(MeanColour(), monkeypatch)
    evidence.features.reason = "no labels"
    completeness = measure_completeness(evidence, ladder, found)
    assert completeness.values["dead_zone"] is completeness.values["threshold"] is None
    own = {"prior": {"density": 1.0, "density_se": 0.1, "coverage": 0.9, "coverage_se": 0.1}}
    assert judged_densities(evidence, None, own) == {"prior": dict.fromkeys(own["prior"])}
    assert set(found.reasons) >= {*own["prior"], "dead_zone", "dead_zone_se", "threshold"}


def test_the_values_are_those_of_the_types(monkeypatch):
    found = measured(MeanColour(), monkeypatch)[2].values
    described = results_schema()["properties"]["spaces"]
    assert "blind" in str(described)
    annotation = Results.model_fields["spaces"].annotation.__args__[0]
    typed = annotation.model_validate({**found, "seconds": 1.0})
    assert typed.judged_in is None
    assert found["swd"]["real"] < found["swd"]["noise"]


# The rule


def estimates(error=0.01, **values):
    return {name: Estimate(value, error) for name, value in values.items()}


SEEN = {"real": 0.1, "blurred": 0.4, "shuffled_blocks": 2.0, "fog": 1.0}


@pytest.mark.parametrize(
    ("changed", "error", "blind"),
    [
        ({}, 0.01, False),
        ({"fog": 0.35}, 0.01, True),  # nearer than blurred images
        ({"shuffled_blocks": 0.35}, 0.01, True),
        ({"fog": 0.35}, 0.1, None),
        ({"fog": 0.41}, 0.01, None),
        ({"blurred": 0.1, "fog": 0.2}, 0.01, True),  # no farther than three floors
        ({"blurred": 0.1, "fog": 0.31}, 0.01, None),
        ({"blurred": 0.1, "fog": 0.5}, 0.01, False),
    ],
)
def test_the_rule_asks_for_blurred_images_and_floors_beyond_the_error(changed, error, blind):
    assert judge_space(estimates(error, **(SEEN | changed)))[0] is blind


@pytest.mark.parametrize(("share", "blind"), [(0.6, False), (0.22, None), (0.01, True)])
def test_neighbours_that_take_fog_for_photographs_are_blind_whatever_the_distance(share, blind):
    dead = {"fog": Estimate(share, 0.02), "shuffled_blocks": Estimate(0.9, 0.02)}
    assert judge_space(estimates(**SEEN), dead)[0] is blind
    assert judge_space(estimates(**(SEEN | {"fog": 0.2})), dead)[0] is True


def test_many_features_are_projected_and_distances_keep_their_size():
    rows = np.random.default_rng(0).standard_normal((3, 600, 400)).astype("float32")
    rows[1] += 0.2
    columns = directions(400, 128)
    np.testing.assert_allclose(columns.T @ columns, np.eye(128) * 400 / 128, atol=1e-4)
    found = distances_between({"real": rows[2], "moved": rows[1]}, rows[0])
    assert found["moved"].value - found["real"].value == pytest.approx(400 * 0.2**2, rel=0.4)
    assert found["moved"].beyond(found["real"].value)


def test_dead_zones_are_relative_to_blurred_images():
    sets = {"real": REAL, **planted_sets(REAL)}
    looks = {name: images.reshape(300, -1) for name, images in sets.items()}
    found = dead_zones(looks, OTHERS.reshape(300, -1))
    assert set(found) == {"fog", "shuffled_blocks"}
    assert found["shuffled_blocks"].value > 0.5
