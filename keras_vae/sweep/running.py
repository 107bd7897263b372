"""Runs the remaining trials of a sweep, as many at once as there are slots, and shows the progress."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from tqdm import tqdm

from keras_vae.evaluation.results.file import read_results
from keras_vae.report.tables import get
from keras_vae.runtime.devices import say
from keras_vae.runtime.files import writing
from keras_vae.sweep.one_run import PROG
from keras_vae.sweep.slots import Slot

LOOKED_EVERY = 0.2  # seconds between checks of the processes
TRAINING_SHARE = 0.8  # of a run's time, the rest is evaluation; used for the progress bar only
EPOCH = re.compile(rb"epoch (\d+)/(\d+)[:,]")
LOG_TAIL = 4096  # bytes
ERROR_LENGTH = 400  # characters
NAME_LENGTH = 40  # characters beside the bar
PATIENCE = 10.0  # seconds for a process to end after it has been asked to


@dataclass
class Work:
    """A run in progress."""

    name: str
    place: Slot
    process: subprocess.Popen
    begun: float
    log_start: int  # bytes in its log from earlier starts


def run_all(sweep, places, after_each):
    """Runs all of the sweep's trials that are not done, one per slot at a time.

    Args:
        sweep: A `Sweep`.
        places: `Slot`s.
        after_each: Called without arguments whenever a run has ended.

    Raises:
        KeyboardInterrupt: On Ctrl-C, after the processes have been ended.
    """
    names = list(sweep.grid.points())
    waiting = [name for name in names if not sweep.is_done(name)]
    free, working, ended = list(places), [], len(names) - len(waiting)
    bar = progress_bar(len(names), ended)
    try:
        while waiting or working:
            while waiting and free:
                with uninterrupted():  # otherwise a process that has just started might never be ended
                    working.append(start(sweep, waiting.pop(0), free.pop(0)))
            time.sleep(LOOKED_EVERY)
            for work in [work for work in working if work.process.poll() is not None]:
                working.remove(work)
                free.append(work.place)
                ended += 1
                with tqdm.external_write_mode():
                    say(f"[{ended}/{len(names)}] {work.name}: {conclude(sweep, work)}")
                after_each()
            bar.n = ended + sum(share_done(sweep, work) for work in working)
            bar.set_description_str(in_short(working), refresh=False)
            bar.refresh()
    finally:
        with uninterrupted():
            stop(working)
        bar.close()


@contextlib.contextmanager
def uninterrupted():
    """Defers Ctrl-C until the end of the block.

    Other threads than the main thread are never interrupted by Ctrl-C.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came = []
    handler = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if handler is None else handler)
    if came:
        signal.raise_signal(signal.SIGINT)


def in_short(working):
    """Returns a short description of the runs in progress, leaving space for the progress bar."""
    names = [work.name for work in working]
    others = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return "".join(names[:1])[:NAME_LENGTH] + others


def progress_bar(total, done):
    """Returns a progress bar on standard error, disabled if that is not a terminal."""
    return tqdm(
        total=total,
        initial=done,
        leave=False,
        ncols=shutil.get_terminal_size().columns - 1,
        nrows=2,  # on terminals of unknown size, tqdm would otherwise show nothing
        bar_format="{desc} |{bar}| {n:.1f}/{total} runs, {remaining} left",
        smoothing=0,
        disable=not sys.stderr.isatty(),
    )


def start(sweep, name, place):
    """Starts a run and returns the `Work`."""
    with writing(sweep.logs):
        sweep.logs.mkdir(exist_ok=True)
    sweep.note(name, None)
    with writing(sweep.log(name)), open(sweep.log(name), "ab") as log:
        log_start = log.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "keras_vae.sweep.one_run", str(sweep.path), name],
            stdin=subprocess.PIPE,  # closed when this process ends, which ends the run
            stdout=log,
            stderr=log,
            env=place.environment(),
            start_new_session=True,  # Ctrl-C reaches only the sweep
        )
    with contextlib.suppress(OSError):  # it has already ended; `conclude` reports why
        place.pin(process)
    return Work(name, place, process, time.monotonic(), log_start)


def conclude(sweep, work):
    """Records how a run has ended and returns a line about it."""
    seconds = f"{time.monotonic() - work.begun:.0f} s"
    if sweep.is_done(work.name):
        verdict = get(read_results(sweep.run(work.name).report / "results.json"), "verdict.name")
        return f"{str(verdict).replace('_', ' ')}, {seconds}"
    error = why_failed(work.process.returncode, tail(sweep.log(work.name), work.log_start))
    sweep.note(work.name, error)
    return f"FAILED after {seconds}: {error}"


def why_failed(code, said):
    """Returns why a run failed: the signal that killed it, or else its last line of output."""
    if code < 0:
        return f"killed by signal {-code}" + (" (out of memory?)" if code == -9 else "")
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    last = lines[-1] if lines else f"it ended with code {code} and no output"
    return last.removeprefix(f"{PROG}: error: ")[:ERROR_LENGTH]


def share_done(sweep, work):
    """Returns the share of a run that is done, from the last epoch in its log."""
    epochs = EPOCH.findall(tail(sweep.log(work.name), work.log_start))
    return TRAINING_SHARE * int(epochs[-1][0]) / int(epochs[-1][1]) if epochs else 0.0


def tail(path, start=0):
    """Returns the last `LOG_TAIL` bytes of a file, not before `start`."""
    with open(path, "rb") as file:
        file.seek(max(start, os.path.getsize(path) - LOG_TAIL))
        return file.read()


def stop(working):
    """Ends the processes of all `working` runs, which can continue later from their last checkpoints."""
    for work in working:
        work.process.terminate()
    for work in working:
        try:
            work.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            work.process.kill()
            work.process.wait()
