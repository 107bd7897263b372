"""Makes the trials that have no record yet, several at a time, a core each, and tells what each took."""

import dataclasses
import json
import subprocess
import sys
import time

from keras_vae.parallel.slots import find_places

LOOKED_EVERY = 0.5  # seconds
PATIENCE = 10.0  # seconds that a process has to end when asked to
TAIL = 400  # characters of a log


@dataclasses.dataclass
class Work:
    """A trial at work, where, since when, and its process."""

    trial: object
    core: object
    process: subprocess.Popen
    begun: float


def make_all(trials, place, jobs):
    """Makes `trials`, in their order, `jobs` at a time; those that fail are tried once more at the end.

    Returns:
        The names of those that failed twice.
    """
    failed = make_each(trials, place, jobs)
    if failed:
        print(f"once more: {', '.join(trial.name for trial in failed)}", flush=True)
        failed = make_each(failed, place, jobs)
    return [trial.name for trial in failed]


def make_each(trials, place, jobs):
    """Makes `trials`, returns those that failed."""
    waiting, free, working, failed = list(trials), find_places(jobs), [], []
    done, expected, spent = 0, 0.0, 0.0
    try:
        while waiting or working:
            while waiting and free:
                working.append(start(waiting.pop(0), free.pop(0), place))
            time.sleep(LOOKED_EVERY)
            for work in [work for work in working if work.process.poll() is not None]:
                working.remove(work)
                free.append(work.core)
                seconds = time.monotonic() - work.begun
                done, expected, spent = done + 1, expected + work.trial.cost, spent + seconds
                left = sum(trial.cost for trial in waiting) + 0.5 * sum(one.trial.cost for one in working)
                words = f"{seconds:.0f} s (estimated {work.trial.cost:.0f} s)"
                if not place.record(work.trial).is_file():
                    failed.append(work.trial)
                    words = f"FAILED after {seconds:.0f} s: {last_words(place.log(work.trial))}"
                print(
                    f"[{done}/{len(trials)}] {work.trial.name}: {words};"
                    f" {hours(left * spent / expected / jobs)} left",
                    flush=True,
                )
    finally:
        for work in working:
            work.process.terminate()
        for work in working:
            try:
                work.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                work.process.kill()
    return failed


def start(trial, core, place):
    """Starts a trial on a core and returns the `Work`."""
    told = json.dumps(dataclasses.asdict(place), default=str)
    place.log(trial).parent.mkdir(parents=True, exist_ok=True)
    with open(place.log(trial), "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.study.one_trial", told, trial.name],
            stdin=subprocess.PIPE,  # its end is this process' end
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the study alone
        )
    core.pin(process)
    return Work(trial, core, process, time.monotonic())


def last_words(log):
    """Returns the last line of a log."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip()[:TAIL] if lines else "it said nothing"


def hours(seconds):
    """Returns seconds as people say them."""
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"
