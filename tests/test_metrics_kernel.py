import itertools

import numpy as np
import pytest

from keras_vae.evaluation.metrics.kernel import kernel_distance


def gaussian(count, width, seed, mean=0.0):
    return np.random.default_rng(seed).standard_normal((count, width)) + mean


def unit_rows(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def by_loops(first, second, scale):
    def kernel(x, y):
        return (x @ y / scale + 1) ** 3

    n, m = len(first), len(second)
    within_first = sum(kernel(first[i], first[j]) for i, j in itertools.permutations(range(n), 2)) / (
        n * (n - 1)
    )
    within_second = sum(kernel(second[i], second[j]) for i, j in itertools.permutations(range(m), 2))
    across = sum(kernel(x, y) for x in first for y in second) / (n * m)
    return within_first + within_second / (m * (m - 1)) - 2 * across


def test_distance_is_the_u_statistic_summed_by_loops():
    first, second = gaussian(5, 3, 0), gaussian(7, 3, 1, 0.5)
    assert kernel_distance(first, second, scale=3)[0] == pytest.approx(by_loops(first, second, 3), rel=1e-12)


def test_the_default_scale_is_the_mean_squared_length_of_the_references_rows():
    first, second = gaussian(6, 4, 0), gaussian(9, 4, 1)
    scale = np.square(second).sum(axis=1).mean()
    assert kernel_distance(first, second)[0] == pytest.approx(by_loops(first, second, scale), rel=1e-12)


def test_standard_error_is_the_jackknife_by_leaving_out_each_row():
    first, second = gaussian(6, 3, 0), gaussian(8, 3, 1, 0.5)
    # v = (n - 1) / n sum_l (t_(l) - mean)^2 for each set, added
    left = [by_loops(np.delete(first, i, 0), second, 3) for i in range(6)]
    right = [by_loops(first, np.delete(second, j, 0), 3) for j in range(8)]
    expected = np.sqrt(5 * np.var(left) + 7 * np.var(right))
    assert kernel_distance(first, second, scale=3)[1] == pytest.approx(expected, rel=1e-9)


def test_blocks_do_not_change_the_numbers(monkeypatch):
    first, second = gaussian(23, 3, 0), gaussian(17, 3, 1)
    at_once = kernel_distance(first, second)
    monkeypatch.setattr("keras_vae.evaluation.metrics.kernel.ROWS_AT_ONCE", 5)
    assert kernel_distance(first, second) == pytest.approx(at_once, rel=1e-12)


def test_equal_distributions_have_mean_zero_at_any_size_and_an_error_that_is_not_too_small():
    for n in (10, 60):
        results = np.array([kernel_distance(gaussian(n, 8, s), gaussian(n, 8, 1000 + s)) for s in range(300)])
        spread = results[:, 0].std()
        assert abs(results[:, 0].mean()) < 3.5 * spread / np.sqrt(300)
        # The kernel is degenerate here: the jackknife's variance is up to twice the true one.
        assert spread < np.sqrt(np.mean(results[:, 1] ** 2)) < 2 * spread


def test_where_sets_differ_the_error_is_the_spread_over_repetitions():
    results = np.array(
        [kernel_distance(gaussian(80, 4, s, 0.7), gaussian(120, 4, 500 + s)) for s in range(200)]
    )
    assert np.sqrt(np.mean(results[:, 1] ** 2)) == pytest.approx(results[:, 0].std(), rel=0.2)


def test_sets_that_differ_are_many_errors_apart():
    distance, error = kernel_distance(gaussian(200, 8, 0, 1.0), gaussian(200, 8, 1))
    assert distance > 10 * error > 0


def test_rows_of_length_one_of_equal_mean_and_other_covariance_are_told_apart():
    # Tricky: +-e_1, +-e_2 against +-e_3, +-e_4 in many dimensions. With the paper's s = F the kernel is next to
    # linear in x.y / F and the distance is next to nothing.
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(400, 1))
    axes = np.eye(128)
    first, second = (signs * axes[i + np.arange(400) % 2] for i in (0, 2))
    first, second = (unit_rows(rows + 0.01 * gaussian(400, 128, s)) for s, rows in enumerate((first, second)))
    distance, error = kernel_distance(first, second)
    # k within a set: half its pairs are on one axis, x.y = +-1 with equal chance: (2^3 + 0^3) / 2 = 4, the
    # others 1, so 2.5; across 1. MMD^2 = 2.5 + 2.5 - 2 = 3.
    assert distance == pytest.approx(3, rel=0.05)
    assert distance > 20 * error
    assert kernel_distance(first, second, scale=128)[0] < 0.001


def test_too_few_rows_are_refused():
    with pytest.raises(ValueError, match="at least 3"):
        kernel_distance(np.zeros((2, 4)), np.zeros((5, 4)))
