"""Survival of the class along paths."""

import numpy as np
import pytest

from keras_vae.evaluation.metrics.survival import median_angle, survival

CLASSES = np.array([[1, 1, 1, 2], [1, 2, 1, 1], [3, 3, 3, 3], [0, 0, 0, 0]])


def test_a_path_that_returns_to_its_class_stays_dead():
    share, error = survival(CLASSES, np.array([1, 1, 3, 3]))
    assert share.tolist() == [0.75, 0.5, 0.5, 0.25]
    assert error[1] == pytest.approx(0.25)  # sqrt(1/2 1/2 / 4)


@pytest.mark.parametrize(
    ("share", "expected"),
    [([1, 0.75, 0.25, 0], 45), ([1, 1, 0, 0], 45), ([0.4, 0, 0, 0], 0), ([1, 1, 0.9, 0.5], None)],
)
def test_the_median_is_where_half_are_dead(share, expected):
    assert median_angle([0, 30, 60, 90], np.array(share)) == (
        None if expected is None else pytest.approx(expected)
    )
