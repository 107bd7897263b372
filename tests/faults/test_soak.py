"""benchmarks/soak.py: what it calls flat is flat, and it measures and draws what it says."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.long

FILE = pathlib.Path(__file__).parents[2] / "benchmarks" / "soak.py"
TIMES = np.arange(0, 1800, 2.0)


@pytest.fixture(scope="module")
def soak():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FILE.parent))
        spec = importlib.util.spec_from_file_location("soak", FILE)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module


def noise(scale, seed=0):
    """Noise that remembers: each value is mostly the one before."""
    steps = np.random.default_rng(seed).normal(size=TIMES.size)
    values = np.zeros(TIMES.size)
    for place in range(1, TIMES.size):
        values[place] = 0.9 * values[place - 1] + steps[place]
    return scale * values / values.std()


def test_a_level_is_flat_whatever_the_warm_up_was(soak):
    level = 1000 + 500 * (1 - np.exp(-TIMES / 60)) + noise(5)
    found = soak.judge(TIMES, level, 45)
    assert found["verdict"] == "flat"
    assert abs(found["mean"] - 1500) < 10
    assert abs(found["rise"]) < 10
    assert soak.judge(TIMES, np.full(TIMES.size, 17), 1)["verdict"] == "flat"


@pytest.mark.parametrize("seed", range(20))
def test_the_error_of_a_rise_holds_where_values_remember(soak, seed):
    """A line of slope 0.05 a second rises by 54 from the middle of the first of ten blocks to that of the last."""
    found = soak.judge(TIMES, 0.05 * TIMES + noise(5, seed), 40)
    assert found["minutes"] == pytest.approx(18, abs=0.1)
    assert abs(found["rise"] - 54) < 4 * found["rise_se"]
    assert found["verdict"] in ("growing", "not known")


def test_a_leak_is_growing_and_a_short_noisy_run_is_not_known(soak):
    assert soak.judge(TIMES, 1000 + TIMES, 30)["verdict"] == "growing"
    assert soak.judge(TIMES, 17 + (TIMES // 300), 1)["verdict"] == "growing"  # a handle every five minutes
    short = np.random.default_rng(0).normal(1000, 50, 60)
    assert soak.judge(TIMES[:60], short, 30)["verdict"] == "not known"
    with pytest.raises(SystemExit, match="too few"):
        soak.judge(TIMES[:20], TIMES[:20], 1)


@pytest.mark.skipif(not pathlib.Path("/proc/self/statm").exists(), reason="Linux alone has these figures")
def test_what_is_open_is_counted(soak, tmp_path):
    before = soak.snapshot(os.getpid())
    with open(tmp_path / "file", "w"):
        after = soak.snapshot(os.getpid())
    assert after[1] == before[1] + 1
    assert 2**20 < before[0] < 2**40
    assert before[2] >= 1


@pytest.mark.skipif(not pathlib.Path("/proc/self/statm").exists(), reason="Linux alone has these figures")
def test_a_short_soak_of_both_parts(tmp_path):
    words = [
        "--minutes",
        "0.15",
        "--clients",
        "2",
        "--output",
        tmp_path / "soak.json",
        "--figure",
        tmp_path / "soak.png",
    ]
    process = subprocess.run(
        [sys.executable, str(FILE), *map(str, words)],
        capture_output=True,
        text=True,
        timeout=500,
        cwd=tmp_path,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    facts = json.loads((tmp_path / "soak.json").read_text())
    assert facts["parts"]["training"]["done"]["epochs, exports and evaluations"] >= 1
    assert sum(facts["parts"]["serving"]["done"].values()) >= 10
    for part in ("training", "serving"):
        assert set(facts["parts"][part]["judged"]) == {"memory", "handles", "threads"}
        assert f"| {part} | memory, MiB | " in process.stdout
    assert Image.open(tmp_path / "soak.png").size[0] > 500
    assert sorted(path.name for path in tmp_path.iterdir()) == ["soak.json", "soak.png"]
