"""Tasks on a Dask cluster. Only this module imports `distributed`."""

import contextlib
import dataclasses
import functools
import os
import signal

import distributed

from keras_vae.errors import UsageError
from keras_vae.parallel.schedulers import Scheduler, filled, in_free_slot
from keras_vae.parallel.slots import available_cores, find_places, visible_gpus
from keras_vae.parallel.task import Task
from keras_vae_commands import run_of_cluster

ANSWER_WITHIN = 20  # seconds


@contextlib.contextmanager
def cluster(client):
    """Yields the `Scheduler` of a cluster, which executes as many tasks at once as its workers have threads.

    A task is taken up by another worker when its worker dies. If four workers have died during a task, it fails
    (Dask's `allowed-failures`).
    """
    executor = client.get_executor(pure=False)
    try:
        yield Scheduler(
            lambda task: executor.submit(run_of_cluster, *dataclasses.astuple(task), os.getcwd()),
            f"{sum(client.nthreads().values())} in parallel by {len(client.nthreads())} workers of"
            f" {client.scheduler.address} (they may become more or fewer)",
        )
    finally:
        executor.shutdown(wait=False)  # cancels, which ends the tasks that are at work
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


def on_worker(words, folder, log, cwd):
    """Executes a task on a worker and returns how it `Ended`."""
    worker = distributed.get_worker()
    key = worker.get_current_task()

    def stopped():
        """Whether the client has ended, or wants the task no longer. Dask does not interrupt tasks by itself."""
        task = worker.state.tasks.get(key)
        return task is None or task.state == "cancelled"

    ended = in_free_slot(slots_of(worker), Task(tuple(words), folder, log), stopped, cwd)
    if ended.code == -signal.SIGTERM and not stopped():  # its machine is going away, or a Slurm job ends
        raise distributed.Reschedule
    return ended


@functools.cache
def slots_of(worker):
    """Returns a queue of the worker's slots, as many as it has threads, which share its GPUs or cores."""
    at_once = worker.state.nthreads
    return filled(find_places(at_once if visible_gpus() else min(at_once, len(available_cores()))))
