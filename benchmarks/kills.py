"""Kills commands at random moments and checks what is left: `python benchmarks/kills.py` writes `results/kills.json`.

    --what train,evaluate,one_run,sweep     all of them by default
    --times 50                              kills of each kind, of a sweep as a whole a fifth of that
    --seed 0                                of the moments

Each start is killed and the next one goes on, in chains: after every kill all files that are under a final name have to
be whole, and every chain has to end as the undisturbed command did, a training bit for bit. The same functions as in
`tests/faults`; and in each chain `AT_ANY_TIME` starts are killed at times that nothing chose.

A kind that is in the file is done anew; the others stay. Where something does not hold, the folder stays and is named.
"""

import argparse
import collections
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "faults")]

import chains  # noqa: E402
from killing import Server, check_same_end, check_same_results, check_whole  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "kills.json"
SWEEP_OF = 2  # runs
AT_ANY_TIME = 4
ROUNDING = 1e-3  # a sweep's run evaluates with TensorFlow's deterministic operations, evaluate.py with any


@dataclasses.dataclass(frozen=True)
class Undisturbed:
    """The folders of a run that nothing happened to and of the same evaluated, and how long both took."""

    run: pathlib.Path
    evaluated: pathlib.Path
    training_seconds: float
    evaluation_seconds: float

    @classmethod
    def made(cls, server, folder):
        """Returns them, made in `folder`."""
        begun = time.monotonic()
        (folder / "trained").mkdir()
        run = chains.undisturbed_run(server, folder / "trained")
        trained = time.monotonic()
        (folder / "evaluated").mkdir()
        evaluated = chains.undisturbed_evaluation(server, run, folder / "evaluated")
        return cls(run, evaluated, trained - begun, time.monotonic() - trained)


def of_trainings(server, undisturbed, cwd, random):
    """Kills one training again and again; returns what happened."""
    moments = [*chains.training_moments(random), *any_times(random, undisturbed.training_seconds)]
    story = chains.train(server, cwd, shuffled(moments, random))
    check_same_end(cwd / "run", undisturbed.run)
    return story


def of_evaluations(server, undisturbed, cwd, random):
    """The same of an evaluation."""
    shutil.copytree(undisturbed.run, cwd / "run")
    moments = [*chains.evaluation_moments(random), *any_times(random, undisturbed.evaluation_seconds)]
    story = chains.evaluate(server, cwd, shuffled(moments, random))
    check_same_end(cwd / "run", undisturbed.run)
    check_same_results(cwd / "run", undisturbed.evaluated)
    return story


def of_a_sweeps_runs(server, undisturbed, cwd, random):
    """The same of the process of one run of a sweep, which trains and evaluates."""
    folder = f"sweep/{chains.SWEPT}"
    training = [*chains.training_moments(random, folder), *any_times(random, undisturbed.training_seconds)]
    moments = [*shuffled(training, random), *shuffled(chains.evaluation_moments(random, folder), random)]
    story = chains.run_of_a_sweep(server, cwd, moments)
    check_same_end(cwd / folder, undisturbed.run)
    check_same_results(cwd / folder, undisturbed.evaluated, ROUNDING)
    return story


def of_sweeps(server, undisturbed, cwd, random):
    """Kills `python -m keras_vae.sweep` of two runs, its processes with it, at random times until it is through."""
    seeds, sweep = ",".join(map(str, range(SWEEP_OF))), cwd / "sweep"
    words = [*chains.SETTINGS, "--features", "random", "--samplers", "gaussian", "--over", f"seed={seeds}"]
    words += ["--name", sweep.name, "--output", str(cwd)]
    longest = undisturbed.training_seconds + undisturbed.evaluation_seconds
    story = []
    while True:
        begun = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "keras_vae.sweep", *([str(sweep)] if sweep.exists() else words)],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        patience = random.uniform(0, longest * (1 + len(story)) / 3)  # at last enough to come to the end
        try:
            _, err = process.communicate(timeout=float(patience))
            assert process.returncode == 0, err
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            while is_at_work(sweep):
                time.sleep(0.01)
        for run in sweep.glob("seed-*"):
            check_whole(run)
        story.append(
            {
                "moment": "at a random time",
                "killed": "at the moment",
                "seconds": round(time.monotonic() - begun, 1),
            }
        )
    check_same_end(sweep / chains.SWEPT, undisturbed.run)
    check_same_results(sweep / chains.SWEPT, undisturbed.evaluated, ROUNDING)
    for run in sweep.glob("seed-*"):
        check_whole(run)
    assert len(json.loads((sweep / "comparison.json").read_text())["runs"]) == SWEEP_OF
    return story


def is_at_work(sweep):
    """Whether a process of `sweep` is there, which ends a moment after the sweep."""
    return any(str(sweep).encode() in words_of(process) for process in pathlib.Path("/proc").glob("[0-9]*"))


def words_of(process):
    """Returns the command line of a process, empty where it has ended meanwhile."""
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def any_times(random, seconds):
    """Returns `Moment`s in the first half of the `seconds` that a command takes from a start that nothing was before."""
    return chains.some(random, *[("at a random time", None, 1, seconds / 2)] * AT_ANY_TIME)


KINDS = {"train": of_trainings, "evaluate": of_evaluations, "one_run": of_a_sweeps_runs, "sweep": of_sweeps}


def shuffled(moments, random):
    """Returns the first moments of a run first, and the others in any order, those of its end behind."""
    return sorted(moments, key=lambda moment: (order_of(moment), random.random()))


def order_of(moment):
    """Returns 0 for what comes first in a run, 2 for what comes last: after that there is nothing left to kill."""
    if "folder is made" in moment.name or "starts" in moment.name:
        return 0
    return 2 if chains.AT_THE_END.search(moment.pattern or "") else 1


def summary(story):
    """Returns how often it was killed at each moment, how often two epochs later, and how often it was missed."""
    by_moment = {
        outcome or "missed": collections.Counter(
            part["moment"] for part in story if part["killed"] == outcome
        )
        for outcome in ("at the moment", "late", None)
    }
    return {"killed": sum(part["killed"] is not None for part in story), **by_moment}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--what", default=",".join(KINDS))
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kills-"))
    print(f"in {folder}", flush=True)
    server = Server()
    undisturbed = Undisturbed.made(server, folder)
    for kind in options.what.split(","):
        times = -(-options.times // 5) if kind == "sweep" else options.times
        random = np.random.default_rng([options.seed, list(KINDS).index(kind)])
        story, number = [], 0
        while sum(part["killed"] is not None for part in story) < times:
            cwd = folder / f"{kind}-{number}"
            cwd.mkdir()
            story += KINDS[kind](server, undisturbed, cwd, random)
            number += 1
            found = {"seed": options.seed, "chains": number, "same_end": number, **summary(story)}
            print(time.strftime("%X"), kind, json.dumps(found), flush=True)
            results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            RESULTS.write_text(json.dumps({**results, kind: found}, indent=2) + "\n")
    server.close()
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
