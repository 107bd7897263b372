"""Where tasks are executed: by this machine, or by the workers of a Dask cluster.

Both are context managers that yield a `Scheduler`. Tasks that are at work at the end of the block are ended.
"""

import concurrent.futures
import contextlib
import os
import queue
import threading
from collections.abc import Callable
from typing import NamedTuple

from keras_vae.errors import UsageError
from keras_vae.parallel.slots import find_places
from keras_vae.parallel.task import execute, why_failed
from keras_vae.runtime.devices import say
from keras_vae.runtime.progress import clock

LOCAL = "local"


class Scheduler(NamedTuple):
    """What executes tasks.

    Attributes:
        submit: Takes a `Task`; returns a `concurrent.futures.Future` of how it `Ended`.
        words: How many tasks are executed at once, and where.
    """

    submit: Callable
    words: str


def chosen(scheduler, jobs):
    """Returns the context manager for `--scheduler` and `--jobs`.

    Raises:
        UsageError: They cannot be used.
    """
    if scheduler == LOCAL:
        return local(find_places(jobs))
    if jobs is not None:
        raise UsageError(
            f"--jobs is {jobs}, but the runs of --scheduler {scheduler} are counted by its workers: leave out --jobs, and"
            " start each worker with as many --nthreads as it should execute runs at once"
        )
    if not os.path.isfile(scheduler) and "://" not in scheduler:
        raise UsageError(
            f"--scheduler {scheduler}: expected local, an address such as tcp://HOST:8786, or an existing scheduler file"
        )
    try:
        from keras_vae.parallel.cluster import cluster, connected
    except ImportError as error:
        raise UsageError(
            f"--scheduler {scheduler} needs Dask, which is not installed: pip install --editable '.[cluster]'"
        ) from error
    return cluster(connected(scheduler))


@contextlib.contextmanager
def local(slots):
    """Yields the `Scheduler` of this machine, which executes one task per `Slot` at a time."""
    free, ending = filled(slots), threading.Event()
    with concurrent.futures.ThreadPoolExecutor(len(slots)) as threads:
        try:
            yield Scheduler(
                lambda task: threads.submit(in_free_slot, free, task, ending.is_set),
                f"{len(slots)} in parallel",
            )
        finally:
            ending.set()
            threads.shutdown(cancel_futures=True)


def filled(items):
    """Returns a queue of the items."""
    free = queue.SimpleQueue()
    for item in items:
        free.put(item)
    return free


def in_free_slot(free, task, stopped, cwd=None):
    """Executes a task in a slot from the queue `free`, and puts the slot back."""
    slot = free.get()
    try:
        return execute(task, slot, stopped, cwd)
    finally:
        free.put(slot)


def complete(tasks, scheduler, total, again="the same command does what is left"):
    """Executes tasks, with a line for each that is done.

    Args:
        tasks: A dict from names to `Task`s.
        scheduler: A `Scheduler`.
        total: The number of tasks, including those that were done before.
        again: What the same command does if it is given again.

    Raises:
        UsageError: A task failed, after the others have finished; or the tasks were stopped by Ctrl-C.
    """
    failed, done = [], total - len(tasks)
    known = {scheduler.submit(one): (name, one.log) for name, one in tasks.items()}
    try:
        for future in concurrent.futures.as_completed(known):
            name, log = known[future]
            if future.cancelled():
                raise UsageError(f"the connection to the scheduler is lost; {again}")
            ended = future.result()
            if ended.code:
                failed.append(f"{name}: {why_failed(ended.code, ended.said)} ({log})")
                continue
            done += 1
            say(f"[{done}/{total}] {name}: {clock(ended.seconds)} on {ended.host}")
    except KeyboardInterrupt:
        raise UsageError(f"stopped by Ctrl-C: {done} of {total} tasks are done; {again}") from None
    if failed:
        raise UsageError(f"{len(failed)} of {total} tasks failed, the first is {failed[0]}; {again}")
