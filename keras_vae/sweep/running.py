"""Runs the remaining trials of a sweep on a scheduler, and shows the progress."""

import concurrent.futures
import re
import shutil
import sys
import time

from tqdm import tqdm

from keras_vae.errors import UsageError
from keras_vae.evaluation.results.file import read_results
from keras_vae.parallel.task import ERROR_LENGTH, size, tail, why_failed
from keras_vae.report.tables import get
from keras_vae.runtime.devices import say
from keras_vae.runtime.programs import to_type

LOOKED_EVERY = 0.5  # seconds between looks at the runs
LATEST = 70.0  # seconds: a network drive may show a file that another machine has written as late as this
TRAINING_SHARE = 0.8  # of a run's time, the rest is evaluation; used for the progress bar only
EPOCH = re.compile(rb"epoch (\d+)/(\d+)[:,]")
NAME_LENGTH = 40  # characters beside the bar


def run_all(sweep, scheduler, after_some):
    """Runs all of the sweep's trials that are not done.

    Args:
        sweep: A `Sweep`.
        scheduler: A `Scheduler`.
        after_some: Called without arguments whenever runs have ended, once for all that have ended meanwhile.

    Raises:
        UsageError: The connection to the scheduler is lost.
        KeyboardInterrupt: On Ctrl-C. The scheduler then ends the runs that are at work.
    """
    names = list(sweep.grid.points())
    waiting = [name for name in names if not sweep.is_done(name)]
    log_starts = {name: size(sweep.log(name)) for name in waiting}
    pending = {scheduler.submit(sweep.task(name)): name for name in waiting}
    with progress_bar(len(names), len(names) - len(waiting)) as bar:
        while pending:
            concurrent.futures.wait(pending, LOOKED_EVERY, concurrent.futures.FIRST_COMPLETED)
            ended = [future for future in pending if future.done()]
            for future in ended:
                name = pending.pop(future)
                with tqdm.external_write_mode():
                    say(f"[{len(names) - len(pending)}/{len(names)}] {name}: {conclude(sweep, name, future)}")
            if ended:
                after_some()
            if not bar.disable:
                show(bar, sweep, {name: log_starts[name] for name in pending.values()})


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


def show(bar, sweep, log_starts):
    """Shows the runs that are not done; those that have begun are known by their logs, wherever they are executed."""
    begun = {name: start for name, start in log_starts.items() if size(sweep.log(name)) > start}
    shares = [share_done(tail(sweep.log(name), start)) for name, start in begun.items()]
    bar.n = bar.total - len(log_starts) + sum(shares)
    bar.set_description_str(in_short(list(begun)), refresh=False)
    bar.refresh()


def in_short(names):
    """Returns a short description of the runs in progress, leaving space for the progress bar."""
    others = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return "".join(names[:1])[:NAME_LENGTH] + others


def share_done(said):
    """Returns the share of a run that is done, from the last epoch in the end of its log."""
    epochs = EPOCH.findall(said)
    return TRAINING_SHARE * int(epochs[-1][0]) / int(epochs[-1][1]) if epochs else 0.0


def conclude(sweep, name, future):
    """Records how a run has ended and returns a line about it."""
    if future.cancelled():
        raise UsageError(
            f"the connection to the scheduler is lost; resume with {to_type('sweep', sweep.path)} --scheduler ADDRESS"
        )
    if error := future.exception():
        why = str(error) if isinstance(error, UsageError) else f"{type(error).__name__}: {error}"
        sweep.note(name, why[:ERROR_LENGTH])
        return f"FAILED: {why[:ERROR_LENGTH]}"
    ended = future.result()
    if ended.code == 0 and appears(sweep, name):
        sweep.note(name, None)
        verdict = get(read_results(sweep.run(name).report / "results.json"), "verdict.name")
        return f"{str(verdict).replace('_', ' ')}, {ended.seconds:.0f} s"
    why = why_failed(ended.code, ended.said)
    sweep.note(name, why)
    return f"FAILED after {ended.seconds:.0f} s: {why}"


def appears(sweep, name):
    """Returns whether the run is done, and waits for files that another machine has just written."""
    deadline = time.monotonic() + LATEST
    while not sweep.is_done(name) and time.monotonic() < deadline:
        time.sleep(LOOKED_EVERY)
    return sweep.is_done(name)
