"""Kills commands at random moments and checks what is left: `python benchmarks/kills.py` writes `results/kills.json`.

    --what train,evaluate,one_run,sweep     all of them by default
    --times 50                              kills of each kind, of a sweep as a whole a fifth of that
    --seed 0                                of the moments

Each start is killed and the next one goes on, in chains: after every kill all files that are under a final name have to
be whole, and every chain has to end as the undisturbed command did, a training bit for bit. The same functions as in
`tests/faults`.

A kind that is in the file is done anew; the others stay.
"""

import argparse
import collections
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
ROUNDING = 1e-3  # a sweep's run evaluates with TensorFlow's deterministic operations, evaluate.py with any


def of_trainings(server, undisturbed, evaluated, cwd, random):
    """Kills one training again and again; returns what happened."""
    story = chains.train(server, cwd, shuffled(chains.training_moments(random), random))
    check_same_end(cwd / "run", undisturbed)
    return story


def of_evaluations(server, undisturbed, evaluated, cwd, random):
    """The same of an evaluation."""
    shutil.copytree(undisturbed, cwd / "run")
    story = chains.evaluate(server, cwd, shuffled(chains.evaluation_moments(random), random))
    check_same_end(cwd / "run", undisturbed)
    check_same_results(cwd / "run", evaluated)
    return story


def of_a_sweeps_runs(server, undisturbed, evaluated, cwd, random):
    """The same of the process of one run of a sweep, which trains and evaluates."""
    story = chains.run_of_a_sweep(server, cwd, chains.sweep_moments(random))
    check_same_end(cwd / "sweep" / chains.SWEPT, undisturbed)
    check_same_results(cwd / "sweep" / chains.SWEPT, evaluated, ROUNDING)
    return story


def of_sweeps(server, undisturbed, evaluated, cwd, random):
    """Kills `python -m keras_vae.sweep` of two runs, its processes with it, at random times until it is through."""
    seeds = ",".join(map(str, range(SWEEP_OF)))
    words = [*chains.SETTINGS, "--features", "random", "--samplers", "gaussian", "--over", f"seed={seeds}"]
    story, sweep = [], cwd / "sweep"
    while True:
        begun = time.monotonic()
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "keras_vae.sweep",
                *([str(sweep)] if sweep.exists() else words),
                *NAMED[sweep.exists()],
            ],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        patience = float(random.uniform(0, 40 * (1 + len(story))))  # at last long enough to come to the end
        try:
            _, err = process.communicate(timeout=patience)
            assert process.returncode == 0, err
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        for run in sweep.glob("seed-*"):
            check_whole(run)
        story.append(
            {
                "moment": "at a random time",
                "killed": "at the moment",
                "seconds": round(time.monotonic() - begun, 1),
            }
        )
    check_same_end(sweep / chains.SWEPT, undisturbed)
    check_same_results(sweep / chains.SWEPT, evaluated, ROUNDING)
    for run in sweep.glob("seed-*"):
        check_whole(run)
    assert len(json.loads((sweep / "comparison.json").read_text())["runs"]) == SWEEP_OF
    return story


NAMED = {False: ["--name", "sweep", "--output", "."], True: []}
KINDS = {"train": of_trainings, "evaluate": of_evaluations, "one_run": of_a_sweeps_runs, "sweep": of_sweeps}


def shuffled(moments, random):
    """Returns the first moments of a run first, and the others in any order, those of its end behind."""
    return sorted(moments, key=lambda moment: (order_of(moment), random.random()))


def order_of(moment):
    """Returns 0 for what comes first in a run, 2 for what comes last: after that there is nothing left to kill."""
    if "folder is made" in moment.name or "starts" in moment.name:
        return 0
    return 2 if "export" in moment.name or "decoder" in moment.name or "drawn" in moment.name else 1


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
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        folder = pathlib.Path(folder)
        server = Server()
        first, second = folder / "undisturbed", folder / "evaluated"
        first.mkdir()
        second.mkdir()
        undisturbed = chains.undisturbed_run(server, first)
        evaluated = chains.undisturbed_evaluation(server, undisturbed, second)
        for kind in options.what.split(","):
            times = -(-options.times // 5) if kind == "sweep" else options.times
            random = np.random.default_rng([options.seed, list(KINDS).index(kind)])
            story, number = [], 0
            while sum(part["killed"] is not None for part in story) < times:
                cwd = folder / f"{kind}-{number}"
                cwd.mkdir()
                story += KINDS[kind](server, undisturbed, evaluated, cwd, random)
                number += 1
                results[kind] = {"seed": options.seed, "chains": number, "same_end": number, **summary(story)}
                print(kind, results[kind], flush=True)
                RESULTS.write_text(json.dumps(results, indent=2) + "\n")
        server.close()


if __name__ == "__main__":
    main()
