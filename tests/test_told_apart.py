"""Told apart: the classifiers and the section, on images that are known to differ or not to."""

import types

import numpy as np
import pytest

from keras_vae.evaluation import classifiers
from keras_vae.evaluation.classifiers import DIVISIONS, as_images, halved, statistics, tell_apart
from keras_vae.evaluation.metrics.estimate import Estimate
from keras_vae.evaluation.metrics.two_sample import FOLDS, Fold, difference, repaired_share, told_apart
from keras_vae.evaluation.occlusion import occlusion_maps
from keras_vae.evaluation.sections.generation_gap import choose_sampler
from keras_vae.evaluation.sections.told_apart import ChosenByClassifier, compare

RANDOM = np.random.default_rng(5)


def squares(count, side=8, size=3, seed=0):
    """Returns images with a bright square at a random place."""
    generator = np.random.default_rng(seed)
    images = np.zeros((count, side, side, 1))
    for image, (top, left) in zip(images, generator.integers(0, side - size, (count, 2)), strict=True):
        image[top : top + size, left : left + size] = 0.8
    return images + 0.1 * generator.random(images.shape)


def found(reference, sets, **options):
    scored = tell_apart(reference, sets, **options)
    return {name: told_apart(one.folds) for name, one in scored.items()}


def test_the_same_is_not_told_apart_and_another_kind_is():
    sets = {"same": squares(600, seed=1), "smaller": squares(600, size=2, seed=2)}
    told = found(squares(600), sets)
    assert abs(told["same"].auc - 0.5) < 3 * told["same"].auc_se
    assert told["same"].tv_low == 0
    assert told["smaller"].auc > 0.95
    assert told["smaller"].tv_low > 0.5
    assert told["smaller"].n == 600


def test_what_is_left_out_is_missing_and_not_off():
    # Half of the reference are large squares; the samples have small ones only.
    reference = np.concatenate([squares(300, size=2, seed=3), squares(300, size=5, seed=4)])
    told = found(reference, {"small": squares(600, size=2, seed=5)})["small"]
    assert told.missing > 0.35
    # The samples are twice as dense where they are: where 5% of the reference lie, 10% of them do.
    # Of 150 small squares in a fold of the reference 15 are beyond, give or take 3.7 or 2.4%; of 300 samples 30, 1.7%.
    assert told.off < 0.1 + 3 * np.hypot(0.024, 0.017) / np.sqrt(2)


@pytest.mark.long
def test_a_conditional_classifier_sees_the_label():
    # The images are the same; in the samples each label stands beside the other kind of image.
    kinds = np.concatenate([squares(300, size=2, seed=6), squares(300, size=4, seed=7)])
    others = np.concatenate([squares(300, size=2, seed=8), squares(300, size=4, seed=9)])
    right, wrong = np.repeat([0, 1], 300), np.repeat([1, 0], 300)
    seen = found(kinds, {"swapped": others}, labels=(right, {"swapped": wrong}))
    blind = found(kinds, {"swapped": others})
    assert seen["swapped"].auc > 0.9
    assert abs(blind["swapped"].auc - 0.5) < 3 * blind["swapped"].auc_se


def test_the_same_seed_gives_the_same_scores():
    sets = {"other": squares(60, size=4, seed=1)}
    assert found(squares(60), sets, seed=3) == found(squares(60), sets, seed=3)


def test_few_images_are_told_apart_by_statistics_alone():
    scored = tell_apart(squares(40), {"same": squares(40, seed=1), "larger": squares(40, size=6, seed=2)})
    told = {name: told_apart(one.folds) for name, one in scored.items()}
    assert scored["larger"].classifier == "statistics"
    assert told["larger"].auc > 0.95
    assert abs(told["same"].auc - 0.5) < 3 * told["same"].auc_se


def test_no_network_is_trained_for_a_set_that_the_statistics_never_mistake(monkeypatch):
    trained = []
    network = classifiers.Network
    monkeypatch.setattr(
        classifiers,
        "Network",
        lambda fitted, *rest: trained.append(list(fitted.sets)) or network(fitted, *rest),
    )
    black, same = np.zeros((600, 8, 8, 1)), squares(600, seed=1)
    scored = tell_apart(squares(600), {"black": black, "same": same})
    assert trained == [["same"]] * FOLDS
    assert scored["black"].classifier == "statistics"
    assert told_apart(scored["black"].folds).auc == 1
    trained.clear()
    tell_apart(squares(600), {"black": black})
    assert trained == []


def test_statistics_do_not_depend_on_the_images_beside():
    images = RANDOM.integers(0, 255, (classifiers.IN_CACHE + 7, 9, 12, 3)).astype("uint8")
    assert statistics(images) == pytest.approx(
        np.concatenate([statistics(image[None]) for image in images]), 1e-6
    )


def test_statistics_of_an_image_by_hand():
    image = np.zeros((1, 4, 4, 1), np.uint8)
    image[0, :, 2:] = 255
    rows = statistics(image)[0]
    assert rows[:4] == pytest.approx([0.5, 0.5, 0, 1])
    # Differences down are 0; across one in three is 1: mean size 1/3, root mean square 0.577.
    assert rows[4:7] == pytest.approx([0, 0, 0])
    assert rows[7:10] == pytest.approx([1 / 3, np.sqrt(1 / 3) / (1 / 3 + 1e-3), 0])


def test_images_of_few_pixels_have_statistics():
    for shape in ((3, 1, 1, 1), (3, 2, 5, 3), (3, 3, 3, 1)):
        assert np.isfinite(statistics(RANDOM.integers(0, 255, shape).astype("uint8"))).all()


def test_halves_are_means_of_blocks():
    images = np.arange(20.0).reshape(1, 4, 5, 1)
    assert halved(images)[0, :, :, 0].tolist() == [[3, 5], [13, 15]]


def test_images_are_rounded_to_bytes():
    assert as_images(np.array([[-1.0, 0.5, 2.0]])).pixels.tolist() == [[0, 128, 255]]


def folds(shift, count=400, seed=0):
    """Returns folds of Gaussian scores whose samples are shifted; the reference is the same for every shift."""
    reference = np.random.default_rng(seed).normal(size=(2, count))
    samples = np.random.default_rng([seed, round(100 * shift)]).normal(shift, size=(2, count))
    return [Fold(*pair, shift / 2) for pair in zip(reference, samples, strict=True)]


def test_the_difference_of_two_curves_is_as_uncertain_as_it_varies():
    values = [difference(folds(1.5, seed=seed)[:1], folds(0.5, seed=seed)[:1]) for seed in range(200)]
    spread = np.std([value.value for value in values])
    assert np.mean([value.se for value in values]) == pytest.approx(spread, rel=0.15)


def test_the_repaired_share_is_that_of_the_total_variations():
    # Two Gaussians of distance d have the total variation 2 Phi(d / 2) - 1: 0.547 at 1.5, 0.197 at 0.5.
    value, se, low, high = repaired_share(folds(0.5, 4000), folds(1.5, 4000))
    assert value == pytest.approx(1 - 0.1974 / 0.5467, abs=3 * se)
    assert low < value < high
    assert 0.005 < se < 0.05
    assert repaired_share(folds(0.5), folds(0.0)) is None


def test_a_covered_pixel_counts_where_the_score_comes_from():
    # The score is the sum of one quarter of the image; covering with zeros loses what stood there.
    images = np.ones((2, 8, 8, 1))
    maps = occlusion_maps(lambda given: given[:, :4, :4, 0].sum((1, 2)), images, np.zeros((8, 8, 1)))
    assert maps.shape == (2, 8, 8)
    assert maps[0, 0, 0] == 4  # its only window of 2x2 lies in the quarter
    assert maps[:, 5:, 5:].max() == 0


@pytest.mark.long
def test_maps_peak_in_planted_local_defects():
    generator = np.random.default_rng(3)
    clean, broken = squares(600, side=16, size=6, seed=10), squares(600, side=16, size=6, seed=11)
    places = generator.integers(0, 12, (600, 2))
    for image, (top, left) in zip(broken, places, strict=True):
        image[top : top + 4, left : left + 4] = generator.integers(0, 2, (4, 4, 1))
    scored = tell_apart(clean, {"broken": broken})
    rows = scored["broken"].places[0][1][:60]
    maps = occlusion_maps(scored["broken"].scorers[0], broken[rows], clean.mean(axis=0))
    peaks = [np.unravel_index(np.argmax(one), one.shape) for one in maps]
    inside = [
        top <= row < top + 4 and left <= column < left + 4
        for (row, column), (top, left) in zip(peaks, places[rows], strict=True)
    ]
    assert told_apart(scored["broken"].folds).auc > 0.9
    assert np.mean(inside) >= 0.8


@pytest.mark.parametrize("divisions", [1, pytest.param(DIVISIONS, marks=pytest.mark.long)])
def test_what_cannot_be_told_apart_is_0_5_within_its_interval(divisions, monkeypatch):
    monkeypatch.setattr("keras_vae.evaluation.classifiers.DIVISIONS", divisions)
    # The folds are off to the same side: errors of independent folds would hold the truth in 83 of 100.
    inside = 0
    for seed in range(100):
        images = squares(160, seed=100 + seed)
        told = found(images[:80], {"same": images[80:]}, seed=seed)["same"]
        inside += abs(told.auc - 0.5) <= 1.96 * told.auc_se
    assert inside >= 91


def test_a_small_set_does_not_cost_the_others_the_network():
    sets = {"few": squares(60, seed=1), "many": squares(600, size=4, seed=2)}
    scored = tell_apart(squares(600), sets)
    assert scored["few"].classifier == "statistics"
    assert told_apart(scored["many"].folds).auc > 0.9


@pytest.mark.long
def test_a_label_that_the_reference_lacks_is_known():
    images = squares(600, seed=4)
    scored = tell_apart(
        images, {"other": squares(600, seed=5)}, labels=(np.zeros(600), {"other": np.full(600, 7)})
    )
    assert np.isfinite(told_apart(scored["other"].folds).auc)


def test_blind_distances_choose_no_sampler():
    saturated = ChosenByClassifier("mixture", ("mixture",), None, None)
    rungs = types.SimpleNamespace(distance=lambda name: Estimate(1.0, 0.1))
    assert choose_sampler(rungs, ["mixture"], ["mixture"], saturated, blind=True).sampler == "prior"


def test_folds_in_strata_do_not_put_the_auc_below_a_half(monkeypatch):
    monkeypatch.setattr("keras_vae.evaluation.classifiers.DIVISIONS", 1)
    # Both sets have exactly as many squares of each of four sizes, as the splits of a dataset do.
    sizes, values = np.tile(np.arange(1, 5), 20), {False: [], True: []}
    for seed in range(30):
        one, two = (
            np.concatenate(
                [
                    squares(1, size=size, seed=1000 * seed + 100 * part + place)
                    for place, size in enumerate(sizes)
                ]
            )
            for part in (0, 5)
        )
        for known in values:
            strata = (sizes, {"same": sizes}) if known else None
            scored = tell_apart(one, {"same": two}, seed=seed, strata=strata)
            values[known].append(told_apart(scored["same"].folds).auc)
    error = np.std(values[True]) / np.sqrt(30)
    assert abs(np.mean(values[True]) - 0.5) < 3 * error
    assert np.mean(values[False]) < 0.5 - 3 * error


@pytest.mark.parametrize("count", [60, pytest.param(600, marks=pytest.mark.long)])
def test_what_is_said_of_the_prior_does_not_depend_on_the_samplers(count, monkeypatch):
    monkeypatch.setattr("keras_vae.evaluation.classifiers.MOST_EPOCHS", 2)
    evidence = types.SimpleNamespace(seed=3, subject=types.SimpleNamespace(num_classes=0))
    sets = {"prior": (squares(count, size=4, seed=1), None), "mixture": (squares(count, seed=2), None)}
    alone = compare(evidence, squares(count), None, {"prior": sets["prior"]}, [])[1]
    for first in (sets, dict(reversed(sets.items()))):
        assert compare(evidence, squares(count), None, first, ["mixture"])[1]["prior"] == alone["prior"]


def test_few_images_are_divided_several_times_which_steadies_the_area():
    reference = squares(80)
    samples = np.concatenate([squares(60, seed=1), squares(20, size=4, seed=2)])
    values = [[], []]
    for seed in range(12):
        folds = tell_apart(reference, {"other": samples}, seed)["other"].folds
        assert len(folds) == DIVISIONS * FOLDS
        assert told_apart(folds).n == 80
        for found, part in zip(values, (folds[:FOLDS], folds), strict=True):
            found.append(told_apart(part).auc)
    one, several = (np.std(found) for found in values)
    assert several < 0.8 * one
