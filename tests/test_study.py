"""The study's own mathematics, its lists of runs, and its page."""

import json
import math

import numpy as np
import pytest
from scipy.stats import norm

from benchmarks import photographs, planted
from benchmarks.study import advice, codes, history, images, page, remedies, statistics, trials, verdicts
from benchmarks.study.__main__ import PAGE
from benchmarks.study.found import Found
from benchmarks.study.sections import SECTIONS, covering, trials_of
from keras_vae.cli import train


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


# What codes are measured by.


def test_squared_distances_and_ratios_are_those_of_the_densities():
    mean, log_var, points = normal(4, 3), 0.3 * normal(4, 3, seed=1), normal(5, 3, seed=2)
    wanted = np.square((points[:, None] - mean) / np.exp(0.5 * log_var)).sum(axis=2)
    np.testing.assert_allclose(codes.squared_distances(points, mean, log_var), wanted, rtol=1e-5)
    sigma = np.exp(0.5 * log_var)
    of_posterior = norm.logpdf(points[:, None], mean, sigma).sum(axis=2)
    ratios = of_posterior - norm.logpdf(points).sum(axis=1)[:, None]
    np.testing.assert_allclose(codes.log_ratios(points, mean, log_var), ratios, atol=1e-4)


def test_overlap_of_shifted_gaussians_is_exp_of_an_eighth_of_the_squared_distance():
    mean = np.array([[0.0, 0.0], [3.0, 4.0]])
    # BC = exp(-|m|^2 / 8), |m| = 5
    wanted = -25 / 8
    found = codes.log_overlaps(mean, np.zeros((2, 2)))
    np.testing.assert_allclose(found, [[0, wanted], [wanted, 0]], atol=1e-12)
    np.testing.assert_allclose(codes.log_overlap_with_prior(mean, np.zeros((2, 2))), [0, wanted])


def test_overlap_of_widths_is_the_root_of_their_ratio():
    # BC = sqrt(2 s t / (s^2 + t^2)) = sqrt(2 * 1 * 3 / 10)
    log_var = np.log([[1.0], [9.0]])
    found = codes.log_overlaps(np.zeros((2, 1)), log_var)[0, 1]
    assert found == pytest.approx(0.5 * math.log(0.6))


def test_radius_does_not_tell_bubbles_of_many_dimensions_apart_and_density_does():
    size, length = 4000, 6.0
    mean = normal(200, size)
    mean *= length / np.linalg.norm(mean, axis=1, keepdims=True)
    log_var = np.zeros_like(mean)
    found = codes.bubbles(mean + normal(200, size, seed=1), normal(200, size, seed=2), mean, log_var)
    # |z - mean|^2 is 36 longer for z of the prior, where its deviation is sqrt(2 * 4000) = 89.
    assert 0.85 < found["prior_inside"] < 0.97
    assert found["told_by_radius"] < 0.68
    # d' = |mean|: right with probability Phi(|mean| / 2) = 0.9987
    assert found["told_by_density"] == pytest.approx(norm.cdf(length / 2), abs=0.004)


def test_bubbles_of_the_prior_itself_are_not_told_from_it():
    mean = np.zeros((300, 50), "float32")
    found = codes.bubbles(normal(300, 50), normal(300, 50, seed=1), mean, mean)
    assert found["prior_inside"] == pytest.approx(0.95, abs=0.03)
    assert found["told_by_radius"] < 0.6
    assert found["told_by_density"] < 0.6


def test_slices_far_apart_are_told_apart_and_equal_ones_are_not():
    middles, thin = 50 * normal(100, 5), np.full((100, 5), -2.0, "float32")
    own = middles + np.exp(-1) * normal(100, 5, seed=1)
    draws = {"own": own, "held_out": own, "prior": normal(100, 5, seed=2)}
    apart = codes.slices(dict(draws), middles, thin)
    assert apart["told_apart"] == 1.0
    # The same draws, with their own slice there and without it.
    assert apart["nearest"]["held_out"] > apart["nearest"]["own"]
    equal = codes.slices(draws, np.zeros_like(middles), thin)
    assert equal["told_apart"] == pytest.approx(0.01)


def test_best_accuracy_of_one_threshold():
    assert codes.best_accuracy([0, 1, 2], [3, 4]) == 1.0
    assert codes.best_accuracy([1, 2], [1, 2]) == 0.5
    # Between 2 and 3: both low ones right, and one of two high ones.
    assert codes.best_accuracy([1, 2], [0, 3]) == 0.75


def test_ranks_of_equal_directions_are_shares_of_their_number():
    codes_of_ten = np.kron(np.eye(10), np.array([[1.0], [-1.0]])).astype("float32")
    found = codes.ranks(codes_of_ten)
    assert [found[f"pc{share}"] for share in (80, 90, 95, 99)] == [8, 9, 10, 10]
    assert found["participation"] == pytest.approx(10)


# Numbers of several seeds.


def test_mean_and_error_and_what_stands_in_a_cell():
    assert statistics.mean_and_error([1.0, 3.0]) == (2.0, 1.0)
    assert statistics.mean_and_error([1.0]) == (1.0, None)
    assert statistics.mean_and_error([None]) == (None, None)
    assert statistics.show([1.0, 3.0]) == "2 ± 1"
    assert statistics.show([]) == "-"
    assert [statistics.written(value) for value in (0, 0.01234, 12345.6, 3e-7)] == [
        "0",
        "0.0123",
        "12,346",
        "3.0e-07",
    ]


def test_rank_correlation_sees_order_alone():
    value, error = statistics.rank_correlation([1, 2, 3, 4, 5], [1, 4, 9, 16, 250])
    assert value == pytest.approx(1)
    assert error == pytest.approx(0, abs=1e-9)
    assert statistics.rank_correlation([1, 2, 3, None], [1, 2, 3, 4]) == (None, None)


@pytest.mark.long
def test_partial_correlation_takes_out_what_both_owe_to_a_third():
    generator = np.random.default_rng(0)
    third = generator.standard_normal(4000)
    one, other = (third + 0.5 * generator.standard_normal(4000) for _ in range(2))
    assert statistics.rank_correlation(one, other)[0] > 0.7
    assert abs(statistics.partial_correlation(one, other, third)) < 0.06
    assert statistics.partial_correlation(one, one + third, third) > 0.9


def test_sizes_are_compared_by_their_factor():
    assert statistics.factor(8, 32) == statistics.factor(32, 8) == 4
    assert [statistics.power_of_two(value) for value in (0.3, 1, 3, 4, 4.1)] == [1, 1, 4, 4, 8]


def test_interval_of_a_share_is_wilsons():
    # 0 of 10: 0 to z^2 / (10 + z^2)
    low, high = verdicts.wilson(0, 10)
    assert low == pytest.approx(0, abs=1e-12)
    assert high == pytest.approx(1.96**2 / (10 + 1.96**2))


def test_history_says_what_the_last_quarter_gained(tmp_path):
    losses = [10, 8, 5, 4, 6]
    lines = ["epoch,val_loss", *(f"{epoch},{loss}" for epoch, loss in enumerate(losses, 1))]
    (tmp_path / "history.csv").write_text("\n".join(lines) + "\n")
    found = history.measure_history(tmp_path / "history.csv")
    assert found == {"epochs": 5, "best_epoch": 4, "still_gained": -2.0, "last_over_best": 2.0}


# Planted models.


class Linear:
    """A stand-in for a VAE: an image is its code, of two numbers."""

    latent_shape = (2,)

    def encode(self, images):
        mean = np.asarray(images, "float32").reshape(len(images), 2)
        return mean, np.full_like(mean, -2.0)

    def decode(self, codes):
        return np.asarray(codes, "float32").reshape(-1, 1, 2, 1)


class Shifted:
    """A stand-in for training images, and for a dataset of them: the codes of `Linear` lie at 5, some 3 wide."""

    pictures = 5 + 3 * normal(4000, 1, 2, 1)
    train = property(lambda self: self)

    def __len__(self):
        return len(self.pictures)

    def images(self, first, last):
        return self.pictures[first:last]


def test_standardised_codes_have_mean_0_and_variance_1_and_decode_as_before():
    encode, decode = planted.standardised(Linear(), Shifted())
    mean, log_var = encode(Shifted.pictures)
    np.testing.assert_allclose(mean.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(mean.var(axis=0) + np.exp(log_var).mean(axis=0), 1, rtol=1e-4)
    np.testing.assert_allclose(decode(mean), Shifted.pictures, atol=1e-4)


def test_a_chain_leaves_single_dimensions_alone_and_correlates_neighbours():
    mixing = planted.chain(5, 0.9)
    rows, columns = np.indices((5, 5))
    np.testing.assert_allclose(mixing @ mixing.T, 0.9 ** np.abs(rows - columns), atol=1e-6)


def test_correlated_codes_decode_to_what_they_encode_with_the_noise_that_was():
    model, data = planted.correlated(Linear(), Shifted(), 0.9)
    own = planted.standardised(Linear(), data)[0](data.pictures)
    mean, log_var = model.encode(data.pictures)
    np.testing.assert_allclose(model.decode(mean), data.pictures, atol=1e-4)
    assert np.corrcoef(mean.T)[0, 1] == pytest.approx(0.9, abs=0.02)
    # z_2 = (z'_2 - a z'_1) / sqrt(1 - a^2): of noise (1 + a^2) / (1 - a^2) times that of z'.
    np.testing.assert_allclose(log_var + np.log(1.81 / 0.19), own[1], rtol=1e-4)


def test_clustered_codes_have_the_priors_moments_and_ghosts_between():
    model, data = planted.clustered(Linear(), Shifted(), 1)
    mean, log_var = model.encode(data.pictures)
    np.testing.assert_allclose(model.decode(mean), data.pictures, atol=1e-4)
    covariance = np.cov(mean.T) + np.diag(np.exp(log_var).mean(axis=0))
    np.testing.assert_allclose(covariance, np.eye(3), atol=0.07)
    assert np.abs(mean[:, 2]).min() > 0.9
    between = np.concatenate([mean[:, :2], np.zeros((4000, 1), "float32")], axis=1)
    # A code and its negative, over each other: around what lies in the middle of all.
    np.testing.assert_allclose(model.decode(between), 5, atol=0.5)


# The lists of runs.

NO_DISTANCES = {"generation_gap": {"real": {"frechet": 1.0}, "reconstruction": {"frechet": 2.0}}}


def test_the_tested_half_has_every_condition_on_every_set_and_none_of_the_other_half():
    tested = [(plant.condition, plant.data) for plant in verdicts.TESTED]
    conditions = {condition for condition, _ in tested}
    assert len(set(tested)) == len(tested) == 3 * len(conditions) >= 24
    known = {(plant.data, plant.flags, plant.seed, plant.made, plant.amount) for plant in verdicts.SET}
    assert not known & {
        (plant.data, plant.flags, plant.seed, plant.made, plant.amount) for plant in verdicts.TESTED
    }
    assert conditions <= {plant.condition for plant in verdicts.SET} <= set(verdicts.RIGHT)


@pytest.mark.parametrize("name", photographs.TESTS)
def test_photographs_come_first_and_no_condition_twice_before_all_came_once(name):
    order = photographs.in_order(photographs.TESTS[name])
    assert len(set(order)) == len(order) == 60
    assert [plant.data for plant in order[::20]] == ["animals", "sprites", "mnist"]
    for start in range(0, 60, 20):
        once = [plant.condition for plant in order[start : start + 12]]
        again = [plant.condition for plant in order[start + 12 : start + 20]]
        assert len(set(once)) == 12
        assert len(set(again)) == 8
    assert {plant.condition for plant in order} <= set(verdicts.RIGHT)


def test_the_second_test_has_no_training_and_no_planting_of_another():
    second = photographs.TESTS["second"].plants
    others = (*photographs.TESTS["first"].plants, *verdicts.SET, *verdicts.TESTED)
    assert not {plant.seed for plant in second} & {plant.seed for plant in others}
    assert not {(plant.condition, plant.data, plant.flags, plant.amount) for plant in second} & {
        (plant.condition, plant.data, plant.flags, plant.amount) for plant in others
    }


def test_two_programs_share_the_trainings(tmp_path):
    test = photographs.TESTS["second"]
    trainings = photographs.trainings(test, "")
    assert sorted(plant.name for together in trainings for plant in together) == sorted(
        plant.name for plant in test.plants
    )
    file = photographs.training_file(tmp_path, trainings[0][0])
    assert {photographs.training_file(tmp_path, plant) for plant in trainings[0]} == {file}
    with photographs.taken(file) as ours, photographs.taken(file) as theirs:
        assert (ours, theirs) == (True, False)
    with photographs.taken(file) as again:  # the lock is gone
        assert again


def test_the_verdicts_of_the_second_test_are_those_of_the_page():
    test = photographs.TESTS["second"]
    found = [photographs.judged(plant, test) for plant in test.plants]
    assert [one.plant.name for one in found if not one.right] == [
        "clustered-animals-latent-28-epochs-4-seed-44"
    ]
    assert {one.verdict["confidence"] for one in found if one.right} == {"high"}
    page = (PAGE.parent / "latent_size.md").read_text(encoding="utf-8")
    assert photographs.by_set(found) in page
    assert photographs.calibration(found) in page


def said(condition, name, confidence, data="animals"):
    """A verdict on a plant of a condition."""
    plant = planted.Plant(condition, data, "--latent 2")
    finding = {"name": name, "evidence": "Because."}
    return photographs.Judged(plant, {"confidence": confidence, "findings": [finding]}, [name, "blurry"])


def test_right_verdicts_are_counted_with_the_bound_of_clopper_and_pearson():
    found = [said("collapsed", "collapsed", "high") for _ in range(18)]
    found += [said("blurry", "healthy", "high", "mnist"), said("blurry", "blurry", "low", "mnist")]
    rows = [line.split(" | ") for line in photographs.by_set(found).splitlines()[2:]]
    assert rows[0] == ["| animals", "18", "18", "100%", "85% |"]  # 0.05^(1/18)
    assert rows[3][:4] == ["| all", "20", "19", "95%"]
    low = int(rows[3][4].partition("%")[0]) / 100
    # The bound is where 19 or more of 20 have a chance of one in twenty.
    tail = [sum(math.comb(20, k) * p**k * (1 - p) ** (20 - k) for k in (19, 20)) for p in (low, low + 0.01)]
    assert tail[0] < 0.06
    assert tail[1] > 0.04
    calibrated = [line.split(" | ") for line in photographs.calibration(found).splitlines()[2:]]
    assert calibrated[0][1:4] == ["19", "18", "95%"]
    assert calibrated[0][5] == "95% |"  # 18 of the 19 right ones
    assert calibrated[2][1:4] == ["1", "1", "100%"]
    wrong = photographs.wrong(found).splitlines()[2:]
    assert wrong == ["| blurry-mnist-latent-2-seed-0 | healthy | high | Because. | yes |"]


def test_numbers_that_miss_a_condition_are_named():
    zone, mismatch = {"dead_zone": 0.05}, {"nats": 5.0, "fraction_of_rate": 0.5}
    facts = verdicts.Facts({"completeness": zone, "prior_mismatch": mismatch, **NO_DISTANCES}, "")
    assert list(verdicts.missed("correlated", facts)) == ["dead zone 0.05, threshold 0.1"]
    assert list(verdicts.missed("clustered", facts)) == [
        "dead zone 0.05, threshold 0.1",
        "mismatch 5, threshold 2",
    ]
    assert list(verdicts.missed("healthy", facts)) == []


def test_every_run_has_a_name_of_its_own_and_is_there_once():
    listed = [trial for section in SECTIONS.values() for trial in section.TRIALS]
    assert len({trial.name for trial in listed}) == len(set(listed)) == len(trials_of())
    assert len(listed) > len(trials_of())  # some are shared


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    images.write_sets(folder)
    return folder


@pytest.mark.parametrize("name", covering(trials_of()))
def test_flags_are_understood(name, sets):
    trial = trials_of()[name]
    if isinstance(trial, verdicts.Planted):
        flags = f"{planted.DATA[trial.plant.data]} {trial.plant.flags}"
    else:
        flags = f"{trials.BUDGETS[trial.data]} --latent {trial.latent} {trial.flags}"
    words = f"{flags} --output {sets} --seed 0".format(data=sets).split()
    config, _ = train.read_command_line(words)
    assert math.prod(config.latent) >= 1


def test_coloured_images_are_bright_shapes_on_dark_ground():
    pictures, labels = images.coloured(20)
    assert pictures.shape == (20, 32, 32, 3)
    assert pictures.dtype == np.uint8
    assert set(labels) <= {0, 1, 2}
    corners = pictures[:, 0, 0] / 255
    brightest = pictures.max(axis=(1, 2)) / 255
    assert corners.max() <= 0.41
    assert brightest.min() >= 0.45


# What is kept, and the page.


def test_a_record_keeps_numbers_and_drops_curves():
    record = {
        "rate": 12.3456789,
        "curve": list(range(20)),
        "angles": [0, 45],
        "inner": {"n": 3, "none": None},
    }
    assert trials.kept(record) == {"rate": 12.346, "angles": [0, 45], "inner": {"n": 3, "none": None}}


def test_a_record_is_read_as_it_was_written(tmp_path):
    trial = advice.TRIALS[0]
    record = {
        "results": {"latent": {"size": 2}, "reasons": {"a": "b"}},
        "seconds": {"training": {"core": 1.5}},
    }
    trials.write_record(tmp_path / "record.json", trial, record)
    assert trials.read_record(tmp_path / "record.json") == {
        "name": trial.name,
        "seconds": {"training": {"core": 1.5}},
        "results": {"latent": {"size": 2}},
    }
    assert trials.read_record(tmp_path / "none.json") is None


def test_pictures_come_back(tmp_path):
    pictures = {"ladder": {"real": np.full((2, 4, 4, 1), 0.2)}, "map": {"codes": normal(3, 2)}, "plane": None}
    trials.keep_pictures(tmp_path / "pictures.npz", pictures)
    found = trials.read_pictures(tmp_path / "pictures.npz")
    assert set(found) == {"ladder.real", "map.codes"}
    np.testing.assert_allclose(found["ladder.real"], 0.2, atol=1 / 255)
    assert trials.read_pictures(tmp_path / "none.npz") == {}


def placed(folder, records):
    """A place in which trials have these records, by name."""
    place = trials.Place(folder, folder / "records")
    place.records.mkdir()
    for name, record in records.items():
        (place.records / f"{name}.json").write_text(json.dumps(record))
    return place


def generated(distance, pc95=7, active=9):
    rank = {"pc80": 3, "pc90": 5, "pc95": pc95, "pc99": 20, "participation": 2.5}
    gap = {"best_sampler": "mixture", "mixture": {"frechet": distance}}
    return {
        "results": {"generation_gap": gap, "latent": {"active_units": active}},
        "codes": {"rank": rank},
        "seconds": {"training": {"core": 60, "clock": 61}},
    }


def test_advice_is_compared_with_the_sweep_on_the_tested_seeds(tmp_path):
    distances = {"2": 9.0, "4": 2.0, "8": 1.0, "16": 1.5, "32": 3.0, "64": 4.0, "256": 5.0}
    records = {
        trial.name: generated(distances[latent] + 0.01 * trial.seed)
        for latent, runs in advice.SWEEPS["digits"].items()
        for trial in runs
    }
    found = Found(advice.TRIALS, placed(tmp_path, records))
    # PC95 is 7, which is 8 as a power of two, and the best of the sweep.
    assert list(advice.verdicts(found, advice.PRESENT, advice.TESTING)) == [
        ("digits", "VAE, 256", 8, 8, 8, pytest.approx(1.0))
    ] * len(advice.TESTING)
    # PC99 is 20, which is 32: four times as large, and three times as far.
    rule = "PC99, up to a power of two"
    assert advice.hits(found, rule, advice.TESTING) == (0, 2)
    assert next(advice.verdicts(found, rule, advice.TESTING))[-1] == pytest.approx(3, rel=0.02)
    assert advice.tuned(found) == advice.PRESENT


def test_gain_is_the_share_of_the_broken_models_gap(tmp_path):
    broken = remedies.BROKEN[0]
    gap = {"prior": {"frechet": 0.5}, "reconstruction": {"frechet": 0.1}}
    found = Found(remedies.TRIALS, placed(tmp_path, {broken.name: {"results": {"generation_gap": gap}}}))
    assert remedies.gain(found, broken, 0.5) == 0
    assert remedies.gain(found, broken, 0.2) == pytest.approx(0.75)
    assert remedies.gain(found, broken, 0.1) == 1
    assert remedies.gain(found, remedies.BROKEN[1], 0.1) is None


def test_the_page_has_a_place_for_every_table_and_shows_every_figure():
    text = PAGE.read_text(encoding="utf-8")
    places = [match.group(2) for match in page.MARK.finditer(text)]
    assert sorted(places) == sorted(["costs", *(name for one in SECTIONS.values() for name in one.TABLES)])
    for section in SECTIONS.values():
        for name in section.FIGURES:
            assert f"(figures/{page.FIGURE.format(name)})" in text


def test_the_page_is_filled_between_its_marks_alone():
    text = "before\n<!-- made: right -->\nold\n<!-- end of right -->\nafter"
    once = page.filled(text, {"right": "| new |"})
    assert once == "before\n<!-- made: right -->\n\n| new |\n\n<!-- end of right -->\nafter"
    assert page.filled(once, {"right": "| new |"}) == once
    assert page.NOT_YET in page.filled(once, {})


def test_tables_and_figures_are_made_of_whatever_is_there(tmp_path):
    """Of nothing, and of records that have next to nothing."""
    place = placed(tmp_path, {trial.name: generated(1.0) for trial in advice.TRIALS})
    assert page.write_page(place, PAGE, tmp_path / "page.md", tmp_path / "figures") == []
    assert (
        page.NOT_YET
        not in (tmp_path / "page.md").read_text(encoding="utf-8").split("## 5.")[1].split("## 6.")[0]
    )
    assert (tmp_path / "figures" / page.FIGURE.format("advice")).is_file()
