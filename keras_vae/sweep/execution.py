"""Executes one run in a process of its own, on this machine, and waits for its end."""

import contextlib
import os
import pathlib
import socket
import subprocess
import sys
import time
from dataclasses import dataclass

from keras_vae.runtime.files import writing
from keras_vae.sweep.folder import Sweep

COMMAND = (sys.executable, "-m", "keras_vae.sweep.one_run")
LOOKED_EVERY = 0.2  # seconds between looks at the process
PATIENCE = 10.0  # seconds for a process to end after it has been asked to
LOG_TAIL = 4096  # bytes


@dataclass(frozen=True)
class Ended:
    """How a run's process has ended.

    Attributes:
        code: The exit code, or minus the number of the signal that killed the process.
        seconds: From its start to its end.
        said: The end of its output.
        host: The name of its machine.
    """

    code: int
    seconds: float
    said: bytes
    host: str


def execute(folder, name, slot, stopped, cwd=None):
    """Starts or continues the run `name`, waits for its end, and returns how it `Ended`.

    Args:
        folder: The sweep's folder.
        name: The run.
        slot: The `Slot` whose devices it uses.
        stopped: A function that returns whether the run has to end now. It can be continued later.
        cwd: The working folder, for relative paths of images; ignored if this machine does not have it.

    Raises:
        UsageError: This machine does not have the sweep's folder.
    """
    log = Sweep.open(folder).log(name)
    begun, log_start = time.monotonic(), size(log)
    process = start(folder, name, log, slot.environment(), cwd)
    with process.stdin:
        with contextlib.suppress(OSError):  # it has already ended; its code and output say why
            slot.pin(process)
        while process.poll() is None and not stopped():
            time.sleep(LOOKED_EVERY)
        end(process)
    return Ended(process.returncode, time.monotonic() - begun, tail(log, log_start), socket.gethostname())


def start(folder, name, log, environment, cwd):
    """Starts the process of a run and returns it."""
    with writing(log):
        log.parent.mkdir(exist_ok=True)
        with open(log, "ab") as output:
            return subprocess.Popen(
                [*COMMAND, str(folder), name],
                stdin=subprocess.PIPE,  # closed when this process ends, which ends the run
                stdout=output,
                stderr=output,
                env=environment,
                cwd=cwd if cwd and os.path.isdir(cwd) else None,
                start_new_session=True,  # Ctrl-C reaches only the sweep
            )


def end(process):
    """Ends a process that has not ended by itself."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def tail(path, start=0):
    """Returns the last `LOG_TAIL` bytes of a file, not before `start`; nothing if it does not exist."""
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        file.seek(max(start, os.path.getsize(path) - LOG_TAIL))
        return file.read()
    return b""


def size(path):
    """Returns the size of a file in bytes, 0 if it does not exist."""
    with contextlib.suppress(FileNotFoundError):
        return pathlib.Path(path).stat().st_size
    return 0
