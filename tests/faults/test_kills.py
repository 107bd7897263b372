"""SIGKILL at random moments: `--resume` works, nothing is half there, and the end is that of the undisturbed run.

`benchmarks/kills.py` does the same some fifty times.
"""

import shutil

import chains
import numpy as np
import pytest
from killing import check_same_end, check_same_results, check_whole, leftovers

SEED = 20261121  # of the moments; printed where a test fails

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not chains.POSSIBLE, reason="processes are watched in /proc"),
]


def test_a_training_killed_again_and_again_ends_as_the_undisturbed_one(server, undisturbed, tmp_path):
    moments = chains.training_moments(np.random.default_rng(SEED))
    print(f"seed {SEED}:", *moments, sep="\n  ")
    story = chains.train(server, tmp_path, moments)
    assert sum(part["killed"] is not None for part in story) >= len(moments) - 3, (
        story
    )  # some files are written in no time
    check_same_end(tmp_path / "run", undisturbed)
    assert {path.name for path in (tmp_path / "run/serving").iterdir()} == {"decoder", "encoder"}
    assert leftovers(tmp_path) == []


def test_an_evaluation_killed_again_and_again_ends_as_the_undisturbed_one(
    server, undisturbed, evaluated, tmp_path
):
    moments = chains.evaluation_moments(np.random.default_rng(SEED))[:2]
    print(f"seed {SEED}:", *moments, sep="\n  ")
    shutil.copytree(undisturbed, tmp_path / "run")
    story = chains.evaluate(server, tmp_path, moments)
    assert any(part["killed"] for part in story), story
    check_same_results(tmp_path / "run", evaluated)
    check_same_end(tmp_path / "run", undisturbed)


def test_a_run_of_a_sweep_killed_again_and_again_ends_as_one_that_was_not(
    server, undisturbed, evaluated, tmp_path
):
    moments = chains.sweep_moments(np.random.default_rng(SEED))[:2]
    print(f"seed {SEED}:", *moments, sep="\n  ")
    story = chains.run_of_a_sweep(server, tmp_path, moments)
    assert any(part["killed"] for part in story), story
    run = tmp_path / "sweep" / chains.SWEPT
    check_whole(run)
    check_same_end(run, undisturbed)
    check_same_results(
        run, evaluated, rounding=1e-3
    )  # it evaluates with TensorFlow's deterministic operations
