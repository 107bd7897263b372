"""Executes a task in a process of its own, on this machine, and waits for its end."""

import contextlib
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from keras_vae.errors import UsageError
from keras_vae.runtime.files import writing

PYTHON = (sys.executable,)
FROM_A_TASK = "KERAS_VAE_FROM_A_TASK"  # environment variable of the process of a task
LOOKED_EVERY = 0.2  # seconds between looks at the process
PATIENCE = 10.0  # seconds for a process to end after it has been asked to
LOG_TAIL = 4096  # bytes
ERROR_LENGTH = 400  # characters
OF_A_COMMAND = re.compile(r"^[\w.-]+( [\w-]+)?: error: ")


@dataclass(frozen=True)
class Task:
    """A command to execute.

    Attributes:
        words: The arguments of Python, such as ("-m", "keras_vae.sweep.one_run", FOLDER, NAME).
        folder: An absolute path of a folder that every machine must have.
        log: The absolute path of the file to which the output is appended.
    """

    words: tuple[str, ...]
    folder: str
    log: str


@dataclass(frozen=True)
class Ended:
    """How a task's process has ended.

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


def execute(task, slot, stopped, cwd=None):
    """Starts or continues a `Task`, waits for its end, and returns how it `Ended`.

    Args:
        task: The task.
        slot: The `Slot` whose devices it uses.
        stopped: A function that returns whether the task has to end now. It can be started again later.
        cwd: The working folder, for relative paths of images; ignored if this machine does not have it.

    Raises:
        UsageError: This machine does not have the task's folder.
    """
    if not os.path.isdir(task.folder):
        raise UsageError(
            f"{socket.gethostname()} has no folder {task.folder}: all machines need it by the same path"
        )
    begun, log_start = time.monotonic(), size(task.log)
    process = start(task, slot.environment(), cwd)
    with process.stdin:
        with contextlib.suppress(OSError):  # it has already ended; its code and output say why
            slot.pin(process)
        while process.poll() is None and not stopped():
            time.sleep(LOOKED_EVERY)
        end(process)
    return Ended(
        process.returncode, time.monotonic() - begun, tail(task.log, log_start), socket.gethostname()
    )


def start(task, environment, cwd):
    """Starts the process of a task and returns it."""
    with writing(task.log):
        pathlib.Path(task.log).parent.mkdir(exist_ok=True)
        with open(task.log, "ab") as output:
            return subprocess.Popen(
                [*PYTHON, *task.words],
                stdin=subprocess.PIPE,  # closed when this process ends, which ends the task
                stdout=output,
                stderr=output,
                env={**environment, FROM_A_TASK: "1"},
                cwd=cwd if cwd and os.path.isdir(cwd) else None,
                start_new_session=True,  # Ctrl-C reaches only this process
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


def end_with_the_parent():
    """Ends this process when its parent ends, which holds the other end of its standard input.

    All files are written atomically, so none is damaged.
    """
    while os.read(0, 1):  # not sys.stdin, whose lock Python needs at exit
        pass
    os._exit(1)


def follow_parent():
    """Makes this process end when the one ends that has started it as a task; does nothing in other processes."""
    if os.environ.get(FROM_A_TASK):
        threading.Thread(target=end_with_the_parent, daemon=True).start()


def why_failed(code, said):
    """Returns why a task failed: the signal that killed it, or else its last line of output."""
    if code < 0:
        return f"killed by signal {-code}" + (" (out of memory?)" if code == -9 else "")
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    last = lines[-1] if lines else f"it ended with code {code} and no output"
    return OF_A_COMMAND.sub("", last)[:ERROR_LENGTH]
