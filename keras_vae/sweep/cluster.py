"""Runs of a sweep on a Dask cluster. Only this module imports `distributed`."""

import contextlib
import functools
import os
import signal

import distributed

from keras_vae.errors import UsageError
from keras_vae.sweep.schedulers import Scheduler, filled, in_free_slot
from keras_vae.sweep.slots import available_cores, find_places, visible_gpus
from keras_vae_commands import run_of_sweep

ANSWER_WITHIN = 20  # seconds


@contextlib.contextmanager
def cluster(client):
    """Yields the `Scheduler` of a cluster, which executes as many runs at once as its workers have threads.

    A run is taken up by another worker when its worker dies. If four workers have died during a run, the run fails
    (Dask's `allowed-failures`).
    """
    executor = client.get_executor(pure=False)
    try:
        yield Scheduler(
            lambda folder, name: executor.submit(run_of_sweep, os.path.abspath(folder), name, os.getcwd()),
            f"{sum(client.nthreads().values())} in parallel by {len(client.nthreads())} workers of"
            f" {client.scheduler.address} (they may become more or fewer)",
        )
    finally:
        executor.shutdown(wait=False)  # cancels, which ends the runs that are at work
        client.close()


def connected(scheduler):
    """Returns a client of the scheduler with that address or scheduler file; raises a `UsageError` if none answers."""
    way = {"scheduler_file": scheduler} if os.path.isfile(scheduler) else {"address": scheduler}
    try:
        return distributed.Client(**way, timeout=ANSWER_WITHIN, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--scheduler {scheduler}: no Dask scheduler answers there ({error}): start one with dask scheduler"
        ) from error


def on_worker(folder, name, cwd):
    """Executes a run on a worker and returns how it `Ended`."""
    worker = distributed.get_worker()
    key = worker.get_current_task()

    def stopped():
        """Whether the sweep has ended, or wants the run no longer. Dask does not interrupt tasks by itself."""
        task = worker.state.tasks.get(key)
        return task is None or task.state == "cancelled"

    ended = in_free_slot(slots_of(worker), folder, name, stopped, cwd)
    if ended.code == -signal.SIGTERM and not stopped():  # its machine is going away, or a Slurm job ends
        raise distributed.Reschedule
    return ended


@functools.cache
def slots_of(worker):
    """Returns a queue of the worker's slots, as many as it has threads, which share its GPUs or cores."""
    at_once = worker.state.nthreads
    return filled(find_places(at_once if visible_gpus() else min(at_once, len(available_cores()))))
