"""Paths between codes, and their smoothness."""

import numpy as np
import pytest

from keras_vae.evaluation.metrics import paths

FRACTIONS = np.linspace(0, 1, 11)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, "float32")


@pytest.mark.parametrize("path", [paths.linear, paths.slerp, paths.variance_preserving])
def test_a_path_leads_from_start_to_end_in_the_codes_own_dtype(path):
    start, end = normal(5, 30), normal(5, 30, seed=1)
    found = path(start, end, FRACTIONS)
    assert found.shape == (5, 11, 30)
    assert found.dtype == "float32"
    np.testing.assert_allclose(found[:, 0], start, atol=1e-6)
    np.testing.assert_allclose(found[:, -1], end, atol=1e-6)
    np.testing.assert_allclose(path(end, start, FRACTIONS)[:, ::-1], found, atol=1e-5)


def test_paths_between_axes_by_hand():
    # From (2, 0) to (0, 2), a third of the way: the arc is at 30 degrees, at radius 2.
    start, end = np.array([[2.0, 0.0]]), np.array([[0.0, 2.0]])
    np.testing.assert_allclose(paths.linear(start, end, [1 / 3])[0, 0], [4 / 3, 2 / 3])
    np.testing.assert_allclose(paths.slerp(start, end, [1 / 3])[0, 0], [np.sqrt(3), 1])
    np.testing.assert_allclose(paths.variance_preserving(start, end, [0.5])[0, 0], [np.sqrt(2), np.sqrt(2)])
    np.testing.assert_allclose(paths.posterior_to_prior(start, end, [30])[0, 0], [np.sqrt(3), 1])


def test_midpoints_of_draws_are_on_the_shell_but_for_the_straight_line():
    # Norms over sqrt(d), standard deviation 0.7 / sqrt(d) = 0.005.
    start, end = normal(20, 20_000), normal(20, 20_000, seed=1)
    relative = {
        path: np.linalg.norm(path(start, end, [0.5])[:, 0], axis=1) / np.sqrt(20_000)
        for path in (paths.linear, paths.slerp, paths.variance_preserving)
    }
    np.testing.assert_allclose(relative[paths.linear], np.sqrt(0.5), atol=0.02)
    np.testing.assert_allclose(relative[paths.slerp], 1, atol=0.02)
    np.testing.assert_allclose(relative[paths.variance_preserving], 1, atol=0.02)


def test_slerp_moves_at_equal_angles_and_keeps_to_the_sphere():
    start = normal(4, 6)
    end = normal(4, 6, seed=1)
    start, end = (codes / np.linalg.norm(codes, axis=1, keepdims=True) for codes in (start, end))
    found = paths.slerp(start, end, FRACTIONS)
    np.testing.assert_allclose(np.linalg.norm(found, axis=2), 1, atol=1e-5)
    cosines = np.einsum("npd,npd->np", found[:, 1:], found[:, :-1])
    np.testing.assert_allclose(cosines, np.tile(cosines[:, :1], 10), atol=1e-5)


@pytest.mark.parametrize("end", [[1.0, 2.0], [3.0, 6.0], [-1.0, -2.0], [0.0, 0.0]])
def test_slerp_without_an_arc_is_the_straight_line(end):
    start, end = np.array([[1.0, 2.0]]), np.array([end])
    np.testing.assert_allclose(
        paths.slerp(start, end, FRACTIONS), paths.linear(start, end, FRACTIONS), atol=1e-9
    )


def test_posterior_to_prior_keeps_standard_normal_draws_standard_normal_all_the_way():
    found = paths.posterior_to_prior(normal(400, 200), normal(400, 200, seed=1), [0, 22, 45, 67, 90])
    # Variance of 80,000 numbers: standard deviation 0.005.
    np.testing.assert_allclose(found.var(axis=(0, 2)), 1, atol=0.025)
    np.testing.assert_allclose(found[:, 0], normal(400, 200), atol=1e-6)
    np.testing.assert_allclose(found[:, -1], normal(400, 200, seed=1), atol=1e-6)


def along(*positions):
    return np.array(positions, "float32")[None, :, None]


@pytest.mark.parametrize(
    ("features", "jump", "detour"),
    [
        (along(0, 1, 2, 3, 4), 1, 1),
        (along(0, 0, 0, 4, 4), 4, 1),  # all at once: the number of steps
        (along(0, 2, 0, 2), 1, 3),
        (along(0, 1, 3), 4 / 3, 1),
        (along(5, 5, 5), 1, 1),  # nothing changes
        (along(0, 1, 0), 1, np.inf),  # back where it began
    ],
)
def test_jump_and_detour(features, jump, detour):
    assert paths.jump(features) == pytest.approx([jump])
    assert paths.detour(features) == pytest.approx([detour])


def test_the_detour_of_a_half_circle_is_half_of_pi():
    angles = np.linspace(0, np.pi, 500)
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1)[None]
    assert paths.detour(features) == pytest.approx([np.pi / 2], rel=1e-4)
    assert paths.jump(features) == pytest.approx([1], rel=1e-4)
