"""Errors of distances and of differences: against closed forms, and against what repetitions show."""

import numpy as np
import pytest
from scipy.stats import norm

from keras_vae.evaluation.metrics.estimate import Estimate, beyond_error
from keras_vae.evaluation.metrics.frechet import frechet_distance, frechet_distance_error
from keras_vae.evaluation.metrics.ladder import cut, measure_ladder
from keras_vae.evaluation.metrics.overfitting import elbo_gap

WIDTH = 4


def normal(*shape, seed):
    return np.random.default_rng(seed).standard_normal(shape)


def ladder(seed, shift=0.3, num_images=200, splits=8, others=None):
    """N(0, I) for real images; reconstructions shrunk by a fifth; a prior that is off by `shift`; two equal samplers."""
    real = normal(num_images, WIDTH, seed=[seed, 0])
    free = {"prior": [normal(num_images // 2, WIDTH, seed=[seed, 1, d]) + shift for d in range(3)]}
    for name in others or ("first", "second"):
        free[name] = [
            normal(num_images // 2, WIDTH, seed=[seed, 2, d, *name.encode()]) + 0.1 for d in range(3)
        ]
    return measure_ladder(real, {"reconstruction": 0.8 * real}, free, splits=splits, seed=seed)


def test_a_number_is_beyond_a_threshold_by_its_error():
    assert Estimate(1.0, 0.4).beyond()
    assert not Estimate(1.0, 0.6).beyond()
    assert not Estimate(1.0, float("nan")).beyond()
    assert beyond_error(Estimate(5, 0.3), Estimate(4, 0.39))  # the difference's error is 0.492
    assert not beyond_error(Estimate(5, 0.3), Estimate(4, 0.41))
    assert Estimate(1.0, 0.5).low == pytest.approx(1 - norm.ppf(0.975) * 0.5, abs=1e-4)


def test_the_elbo_gap_is_called_by_chance_as_often_as_three_errors_say():
    # Against the error of the test ELBO alone: norm.sf(3 / sqrt(2)) = 1.7%.
    train, test = normal(2, 40_000, 60, seed=0)
    error = np.sqrt(train.var(axis=1, ddof=1) / 60 + test.var(axis=1, ddof=1) / 60)
    found = elbo_gap(train[0], test[0], np.ones(60))
    assert found.gap.se == pytest.approx(error[0])
    called = np.mean(train.mean(axis=1) - test.mean(axis=1) > 3 * error)
    assert 0.0007 < called < 0.0028  # 0.135%, a little more for estimated errors; 7 deviations are 0.0013


def test_the_share_of_the_elbo_gap_has_the_error_that_repetitions_show():
    generator = np.random.default_rng(1)
    shares, errors = [], []
    for _ in range(400):
        rate = 10 + generator.standard_normal(80)
        found = elbo_gap(
            generator.standard_normal(50) + 4, 0.9 * rate - 9 + generator.standard_normal(80), rate
        )
        shares.append(found.fraction.value)
        errors.append(found.fraction.se)
    assert np.mean(shares) == pytest.approx(0.4, abs=0.005)
    assert np.mean(errors) == pytest.approx(np.std(shares), rel=0.1)
    with pytest.raises(ValueError, match="one number per image"):
        elbo_gap(np.zeros(3), np.zeros(4), np.zeros(3))


def test_the_distance_beyond_the_floor_holds_the_closed_form_in_95_percent():
    exact = WIDTH * 0.3**2
    found = [ladder(seed).difference("prior", "real") for seed in range(60)]
    covered = np.mean([one.low < exact < one.high for one in found])
    assert covered >= 0.85  # 95%: four deviations of 2.8% below
    values = [one.value for one in found]
    assert np.mean(values) == pytest.approx(exact, rel=0.1)
    assert np.mean([one.se for one in found]) == pytest.approx(np.std(values), rel=0.35)


def test_the_floor_is_the_mean_over_halves_and_its_deviation_theirs():
    real = normal(120, WIDTH, seed=0)
    found = measure_ladder(real, {}, {"prior": [real[:60]]}, splits=50)
    generator = np.random.default_rng(9)
    orders = [generator.permutation(120) for _ in range(50)]
    apart = [frechet_distance(real[order[:60]], real[order[60:]]) for order in orders]
    assert found.distance("real").value == pytest.approx(np.mean(apart), rel=0.15)
    assert found.deviation("real") == pytest.approx(np.std(apart), rel=0.3)


def test_halves_are_apart_and_hold_as_many_of_each_label():
    labels = np.repeat([0, 1, 2], [10, 20, 30])
    first, second = cut(60, labels, np.random.default_rng(0))
    assert sorted([*first, *second]) == list(range(60))
    assert np.bincount(labels[first]).tolist() == np.bincount(labels[second]).tolist() == [5, 10, 15]
    assert len(np.concatenate(cut(7, None, np.random.default_rng(0)))) == 6


def test_labels_make_the_floor_smaller_where_classes_differ():
    labels = np.repeat(np.arange(5), 20)
    real = 3 * np.eye(5)[labels] + 0.1 * normal(100, 5, seed=0)
    with_labels, without = (
        measure_ladder(real, {}, {"prior": [real[:50]]}, given, splits=10).distance("real").value
        for given in (labels, None)
    )
    assert with_labels < 0.2 * without


def test_a_share_is_given_only_where_the_gap_is_beyond_its_error():
    found = ladder(0, shift=0.8)
    gap, share = found.gap(), found.repaired("first")
    # 4 * 0.64 - 4 * 0.2^2 and 4 * (0.64 - 0.01)
    assert gap.low < 2.4 < gap.high
    assert share.low < 4 * 0.63 / 2.4 < share.high
    assert found.repaired("prior").value == pytest.approx(0, abs=1e-9)
    assert ladder(0, shift=0.2).repaired("first") is None
    assert found.gap_ratio().value == pytest.approx(gap.value / found.distance("reconstruction").value)


def test_the_winner_among_equals_is_not_flattered():
    # Eight samplers of one distribution: the best of them is below their mean, the number reported is not.
    names = [f"sampler{index}" for index in range(8)]
    flattered, honest, exact = [], [], []
    for seed in range(12):
        found = ladder(seed, num_images=60, splits=4, others=names)
        choice = found.choose(names)
        honest.append(choice.distance.value)
        flattered.append(found.distance(choice.best).value)
        exact.append(np.mean([found.distance(name).value for name in names]))
        assert choice.best in choice.within_error
    assert np.mean(flattered) < 0.93 * np.mean(exact)
    assert np.mean(honest) == pytest.approx(np.mean(exact), rel=0.05)


def test_a_sampler_is_better_than_the_prior_only_beyond_the_error():
    assert ladder(0, shift=0.8).choose(["first", "second"]).better
    equal = [ladder(seed, shift=0.1).choose(["first"]).better for seed in range(20)]
    assert sum(equal) <= 3  # 2.3% each


def test_the_error_of_two_sets_is_that_of_repetitions():
    found = [
        frechet_distance_error(normal(200, 3, seed=[s, 0]) + 0.5, normal(200, 3, seed=[s, 1]))
        for s in range(60)
    ]
    assert np.mean([one.se for one in found]) == pytest.approx(np.std([one.value for one in found]), rel=0.35)


@pytest.mark.parametrize(
    ("tied", "free", "message"),
    [
        ({"reconstruction": np.zeros((9, 2))}, {}, "reconstruction has 9 rows"),
        ({}, {"prior": [np.zeros((4, 2))]}, "prior has draws of fewer than 5"),
        ({}, {"prior": []}, "prior has draws of fewer"),
    ],
)
def test_rungs_that_do_not_fit_are_refused(tied, free, message):
    with pytest.raises(ValueError, match=message):
        measure_ladder(normal(10, 2, seed=0), tied, free)
