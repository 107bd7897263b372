"""The two-sample test's statistics against closed forms and against counting."""

import numpy as np
import pytest
from scipy.stats import norm

from keras_vae.evaluation.metrics.estimate import Estimate
from keras_vae.evaluation.metrics.two_sample import (
    Fold,
    area_and_error,
    best_threshold,
    removed_share,
    share_low,
    told_apart,
)


def test_the_area_counts_pairs_and_half_of_ties():
    reference, samples = np.array([0.0, 1.0, 1.0]), np.array([1.0, 2.0])
    # Pairs won: 1 > 0; 2 > 0, 1, 1. Tied: 1 with 1, twice.
    assert area_and_error(reference, samples)[0] == pytest.approx((4 + 0.5 * 2) / 6)


def test_a_score_that_says_the_same_of_all_tells_nothing():
    area, error = area_and_error(np.zeros(9), np.zeros(7))
    assert (area, error) == (0.5, 0.0)


def test_the_error_of_the_area_is_the_deviation_over_repetitions():
    generator = np.random.default_rng(0)
    found = [
        area_and_error(generator.normal(size=150), generator.normal(0.7, 1, size=100)) for _ in range(400)
    ]
    areas, errors = np.array(found).T
    assert areas.mean() == pytest.approx(norm.cdf(0.7 / np.sqrt(2)), abs=0.005)
    assert errors.mean() == pytest.approx(areas.std(), rel=0.1)


def gaussian_folds(generator, n, shift):
    """Two folds of a score that is the likelihood ratio of N(0, 1) and N(shift, 1), with thresholds from other draws."""
    folds = []
    for _ in range(2):
        inner = generator.normal(size=max(n // 8, 4)), generator.normal(shift, 1, size=max(n // 8, 4))
        folds.append(
            Fold(
                generator.normal(size=n // 2),
                generator.normal(shift, 1, size=n // 2),
                best_threshold(*inner),
            )
        )
    return folds


@pytest.mark.parametrize("n", [60, 200, 2000])
@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0, 3.0])
def test_the_bound_exceeds_the_total_variation_in_at_most_8_of_100(n, shift):
    generator = np.random.default_rng([n, int(10 * shift)])
    truth = 2 * norm.cdf(shift / 2) - 1  # of N(0, 1) and N(shift, 1)
    wrong = sum(told_apart(gaussian_folds(generator, n, shift)).tv_low > truth for _ in range(100))
    assert wrong <= 8


def test_the_bound_approaches_the_total_variation():
    found = told_apart(gaussian_folds(np.random.default_rng(0), 20_000, 1.0))
    truth = 2 * norm.cdf(0.5) - 1
    assert truth - 0.03 < found.tv_low < found.tv < truth + 0.02


def test_samples_that_are_off_and_reference_that_is_missing_are_two_things():
    generator = np.random.default_rng(0)
    half = generator.normal(size=2000)
    both = np.concatenate([half, generator.normal(-20, 1, size=2000)])
    # A sampler that omits half of the reference: nothing of it is off.
    omitting = told_apart([Fold(both, generator.normal(size=2000), -10.0)])
    assert omitting.missing == pytest.approx(0.5, abs=0.02)
    assert omitting.off < 0.05
    # Its mirror: half of the samples are nowhere near the reference.
    straying = told_apart([Fold(-half, -both, 10.0)])
    assert straying.off == pytest.approx(0.5, abs=0.02)
    assert straying.missing < 0.05


def test_the_lower_bound_of_a_share_is_the_rule_of_three_at_its_end():
    # All n of n: the bound is error^(1/n).
    assert share_low(20, 20, 0.05) == pytest.approx(0.05 ** (1 / 20))
    assert share_low(0, 20, 0.05) == 0.0


def test_the_threshold_separates_what_can_be_separated():
    assert best_threshold(np.array([0.0, 1.0]), np.array([2.0, 3.0])) == 1.0


def test_the_share_that_is_removed_adds_up_over_directions():
    # N(0, I) of three dimensions against N(m, I): the best classifier's AUC is cdf(|m| / sqrt(2)).
    def area(*middle):
        return Estimate(float(norm.cdf(np.linalg.norm(middle) / np.sqrt(2))), 0.002)

    for scale in (0.5, 1.0, 1.7):  # however far: an AUC of 0.72 to 0.98
        found = removed_share(area(scale, 0.0, 0.0), area(scale, scale, scale))
        assert found.value == pytest.approx(2 / 3)
    assert removed_share(area(0.0, 0.0, 0.0), area(1.0, 1.0, 1.0)).value == 1.0
    assert removed_share(area(2.0, 0.0, 0.0), area(1.0, 1.0, 0.0)).value == pytest.approx(-1.0)


def test_the_error_of_the_share_that_is_removed_is_its_spread():
    generator, errors = np.random.default_rng(0), (0.008, 0.01)
    drawn = [0.93, 0.8] + generator.normal(size=(4000, 2)) * errors
    shares = [removed_share(Estimate(near, errors[1]), Estimate(far, errors[0])).value for far, near in drawn]
    found = removed_share(Estimate(0.8, errors[1]), Estimate(0.93, errors[0]))
    assert found.se == pytest.approx(np.std(shares), rel=0.1)


def test_no_share_is_removed_of_nothing_and_none_is_known_where_all_is_told_apart():
    assert removed_share(Estimate(0.5, 0.01), Estimate(0.515, 0.01)) is None
    assert removed_share(Estimate(0.998, 0.001), Estimate(1.0, 0.0)) is None
    assert removed_share(Estimate(0.8, 0.01), Estimate(1.0, 0.0)).value > 0.9
