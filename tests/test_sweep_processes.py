"""A sweep as real processes: stopped by Ctrl-C, killed, gone on with, and with a run that fails."""

import csv
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest
from sweep_runs import swept

from keras_vae.parallel.schedulers import local
from keras_vae.parallel.slots import Slot
from keras_vae.sweep.running import run_all

GOOD, FAILING = "learning_rate-0.003", "learning_rate-1e30"
GRID = ["--over", "learning_rate=0.003,1e30", "--limit", "64", "--epochs", "3", "--features", "random"]
GRID += ["--repair_minutes", "0"]
GRID += ["--network.widths", "4", "--network.dense", "0", "--latent", "2", "--name", "sweep", "--output", "."]
PATIENCE = 900  # seconds; of processor time it takes some 40


class Started:
    """A process of `python -m keras_vae.sweep`, and what it says."""

    def __init__(self, *arguments, cwd):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "keras_vae.sweep", *arguments],
            cwd=cwd,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for(self, happened):
        deadline = time.monotonic() + PATIENCE
        while not happened():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def end(self, number=None):
        """The exit code, standard output and standard error, after the signal `number`."""
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err


def processes_of(folder):
    """The runs that are at work in `folder`."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
            if b"keras_vae.sweep.one_run" in words and os.readlink(path.with_name("cwd")) == str(folder):
                found.append(words)
        except OSError:  # it has ended meanwhile
            continue
    return found


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """The folder of a sweep that was interrupted, then killed, then went to its end; and the three endings."""
    cwd = tmp_path_factory.mktemp("processes").resolve()
    log, checkpoints = cwd / "sweep/logs" / f"{GOOD}.log", cwd / "sweep" / GOOD / "checkpoints"
    started = Started(*GRID, cwd=cwd)
    started.wait_for(log.exists)
    interrupted = started.end(signal.SIGINT)
    left = [processes_of(cwd)]
    started = Started("sweep", cwd=cwd)
    started.wait_for(lambda: list(checkpoints.glob("epoch-*")))
    killed = started.end(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while processes_of(cwd) and time.monotonic() < deadline:
        time.sleep(0.1)
    left.append(processes_of(cwd))
    ended = Started("sweep", cwd=cwd).end()
    return cwd / "sweep", interrupted, killed, ended, left


pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(4 * PATIENCE),
    pytest.mark.skipif(
        not pathlib.Path("/proc/self/cmdline").exists(), reason="processes are found in /proc"
    ),
]


def test_ctrl_c_ends_with_one_line_that_says_how_to_go_on(story):
    code, _, err = story[1]
    assert code == 2
    said, _, again = err.partition("; resume with ")
    assert said == "keras-vae sweep: error: stopped by Ctrl-C: 0 of 2 runs are done"
    # After the path of the environment, if the shell does not know it.
    assert again.endswith("keras-vae sweep sweep\n")


def test_no_run_outlives_its_sweep_whatever_ends_it(story):
    assert story[2][0] == -signal.SIGKILL
    assert story[4] == [[], []]


def test_a_killed_run_goes_on_where_it_was(story):
    log = (story[0] / "logs" / f"{GOOD}.log").read_text()
    assert re.search(
        r"resuming after epoch [123] |is complete: 3 epochs", log
    )  # slow machines checkpoint earlier
    with open(story[0] / GOOD / "history.csv", newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2", "3"]


def test_a_run_that_fails_is_named_and_stops_no_other(story):
    code, out, err = story[3]
    assert (code, err) == (1, "")
    assert f"[1/2] {GOOD}: " in out
    assert f"[2/2] {FAILING}: FAILED after " in out
    assert "1 of 2 runs failed:" in out
    (name, error), *others = json.loads((story[0] / "failures.json").read_text()).items()
    assert (name, others) == (FAILING, [])
    assert "became nan" in error or "became inf" in error


def test_what_a_sweep_leaves_is_a_run_like_any_other_and_the_comparison(story):
    folder = story[0]
    config = json.loads((folder / GOOD / "config.json").read_text())
    assert (config["name"], config["learning_rate"], config["epochs"]) == (GOOD, 0.003, 3)
    assert (folder / GOOD / "serving/decoder/1/saved_model.pb").is_file()
    results = json.loads((folder / GOOD / "report/results.json").read_text())
    comparison = json.loads((folder / "comparison.json").read_text())
    good, failing = comparison["runs"]
    assert good["values"]["rate_distortion.elbo"] == results["rate_distortion"]["elbo"]
    assert (good["state"], failing["state"]) == ("done", "failed")
    # Three steps leave a collapsed model, which is not recommended.
    assert results["verdict"]["name"] == "collapsed"
    assert comparison["recommendations"][0]["words"] is None
    assert "posterior collapse (1 of 1 runs)" in comparison["recommendations"][0]["reason"]
    assert "comparison.html" in story[3][1]
    assert (folder / "comparison.html").is_file()


def test_ctrl_c_in_the_moment_in_which_a_run_begins_ends_that_run_too(tmp_path, monkeypatch):
    begun, popen = [], subprocess.Popen

    def begin_and_interrupt(*arguments, **named):
        begun.append(popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
        signal.raise_signal(signal.SIGINT)  # before anybody has the process
        return begun[-1]

    sweep = swept(tmp_path / "sweep")
    monkeypatch.setattr(type(sweep), "is_done", lambda *_: False)
    monkeypatch.setattr(subprocess, "Popen", begin_and_interrupt)
    with pytest.raises(KeyboardInterrupt), local([Slot()]) as scheduler:
        run_all(sweep, scheduler, lambda: None)
    assert [process.poll() for process in begun] == [-signal.SIGTERM]


def test_runs_that_are_done_are_not_run_again(tmp_path, monkeypatch):
    sweep = swept(tmp_path / "sweep")
    monkeypatch.setattr(subprocess, "Popen", None)
    ended = []
    with local([Slot()]) as scheduler:
        run_all(sweep, scheduler, lambda: ended.append(1))
    assert ended == []
