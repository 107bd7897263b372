import numpy as np
import pytest

from keras_vae.evaluation.metrics.disentanglement import (
    beta_vae_score,
    dci,
    disentanglement_scores,
    factor_vae_score,
    mutual_information_gap,
    separated_attribute_predictability,
)

SIZES = (3, 6, 8, 5)
SEED = 1
SCORES = {
    "mig": mutual_information_gap,
    "sap": separated_attribute_predictability,
    "factor_vae": factor_vae_score,
    "beta_vae": beta_vae_score,
    "disentanglement": lambda *data: dci(*data)["disentanglement"],
    "completeness": lambda *data: dci(*data)["completeness"],
    "informativeness": lambda *data: dci(*data)["informativeness"],
}
# What no information gives: chance of one factor of four, or of the right value (mean of 1/3, 1/6, 1/8, 1/5).
CHANCE = {"factor_vae": 0.25, "beta_vae": 0.25, "informativeness": np.mean([1 / size for size in SIZES])}


@pytest.fixture(scope="module")
def factors():
    generator = np.random.default_rng(SEED)
    return np.stack([generator.integers(size, size=4000) for size in SIZES], axis=1)


def perfect(factors, noise=0.02):
    """Units that hold one factor each, and two of noise that hold nothing."""
    codes = (factors - factors.mean(axis=0)) / factors.std(axis=0)
    codes = codes + noise * np.random.default_rng(2).standard_normal(codes.shape)
    return np.concatenate([codes, useless(len(factors), 2)], axis=1)


def useless(count, width):
    return np.random.default_rng(3).standard_normal((count, width))


def rotated(codes):
    rotation = np.linalg.qr(np.random.default_rng(4).standard_normal((codes.shape[1],) * 2))[0]
    return codes @ rotation


@pytest.mark.parametrize("name", SCORES)
def test_perfect_codes_score_about_one(name, factors):
    assert SCORES[name](perfect(factors), factors) > 0.95


@pytest.mark.long
@pytest.mark.parametrize("name", SCORES)
def test_useless_codes_score_about_chance(name, factors):
    assert SCORES[name](useless(4000, 6), factors) == pytest.approx(CHANCE.get(name, 0), abs=0.08)


@pytest.mark.parametrize("name", ["mig", "sap"])
def test_the_gap_is_zero_where_each_unit_comes_twice(name, factors):
    twice = np.repeat(perfect(factors)[:, :4], 2, axis=1)
    assert SCORES[name](twice, factors) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("name", ["factor_vae", "beta_vae", "disentanglement", "informativeness"])
def test_units_that_come_twice_do_not_harm_the_other_scores(name, factors):
    twice = np.repeat(perfect(factors)[:, :4], 2, axis=1)
    assert SCORES[name](twice, factors) > 0.95


def test_units_that_come_twice_cost_completeness_a_share_of_log_2(factors):
    twice = np.repeat(perfect(factors, 0)[:, :4], 2, axis=1)
    # Each factor is spread evenly over 2 of 8 units: 1 - log 2 / log 8 = 2/3. Which twin a tree takes is chance.
    assert SCORES["completeness"](twice, factors) == pytest.approx(2 / 3, abs=0.07)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "most"),
    [("mig", 0.2), ("sap", 0.25), ("disentanglement", 0.5), ("completeness", 0.5), ("factor_vae", 0.85)],
)
def test_rotated_codes_lose_what_depends_on_axes(name, most, factors):
    assert SCORES[name](rotated(perfect(factors)), factors) < min(
        most, SCORES[name](perfect(factors), factors) - 0.1
    )


def test_the_beta_vae_score_forgives_most_of_a_rotation(factors):
    assert SCORES["beta_vae"](rotated(perfect(factors)), factors) > 0.75


def test_mig_of_one_unit_per_binary_factor_is_the_closed_form():
    # Unit 1 holds factor 1 without error; unit 2 holds it with a share e of flips: I = log 2 - h(e), so that
    # the gap is h(e) / log 2.
    generator = np.random.default_rng(0)
    factor = generator.integers(2, size=200_000)
    flips = generator.random(len(factor)) < 0.11
    codes = np.stack([factor, factor ^ flips], axis=1)
    entropy = -(0.11 * np.log(0.11) + 0.89 * np.log(0.89))
    assert mutual_information_gap(codes, factor[:, None]) == pytest.approx(entropy / np.log(2), abs=0.01)


def test_scores_do_not_depend_on_the_units_scale_or_order(factors):
    codes = perfect(factors, 0.5)
    changed = (codes * [1, 2, 3, 0.5, 1, 1])[:, ::-1] + 7
    for name in ("mig", "sap", "factor_vae", "beta_vae"):
        assert SCORES[name](changed, factors) == pytest.approx(SCORES[name](codes, factors), abs=0.03)


def test_a_collapsed_unit_does_not_vote(factors):
    # Its variance over its variance is that of rounding, which may well be the smallest in every group.
    codes = np.concatenate([perfect(factors), 1e-3 * useless(4000, 1)], axis=1)
    assert factor_vae_score(codes, factors) == factor_vae_score(perfect(factors), factors)


def test_a_constant_factor_is_left_out(factors):
    with_constant = np.concatenate([factors, np.full((4000, 1), 7)], axis=1)
    codes = perfect(factors)
    assert mutual_information_gap(codes, with_constant) == mutual_information_gap(codes, factors)
    with pytest.raises(ValueError, match="the same value"):
        mutual_information_gap(codes, np.zeros((4000, 2), int))


def test_constant_codes_score_no_more_than_chance(factors):
    scores = disentanglement_scores(np.zeros((4000, 3)), factors)
    assert scores["mig"] == scores["sap"] == 0
    assert scores["factor_vae"] < 0.35
    assert scores["beta_vae"] < 0.35
    assert scores["dci"]["disentanglement"] == 0


def test_all_scores_come_with_one_seed_the_same(factors):
    codes = perfect(factors[:600], 1.0)
    assert disentanglement_scores(codes, factors[:600], 5) == disentanglement_scores(codes, factors[:600], 5)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\(30, 4\).*\(20, 2\)"):
        mutual_information_gap(np.zeros((30, 4)), np.zeros((20, 2), int))
