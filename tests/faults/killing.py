"""Commands in processes that can be killed at a chosen moment, and what has to hold of a folder after that.

TensorFlow takes seconds to import. So one process imports it, and each command is a fork of that process, made before
TensorFlow has started a thread.
"""

import contextlib
import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import zipfile
from dataclasses import dataclass

import h5py
import numpy as np

from keras_vae.runtime import checksums
from keras_vae.runtime.json_file import read_json

ROOT = pathlib.Path(__file__).parent.parent.parent
LONGEST = 900  # seconds that a command may take on a machine that is busy with other things
SLICE = 0.001  # seconds
MODULES = {
    "train": "keras_vae.cli.train",
    "evaluate": "keras_vae.cli.evaluate",
    "one_run": "keras_vae.sweep.one_run",
}

SERVER = """
    import ctypes, importlib, json, os, resource, signal, sys

    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    import h5py, matplotlib.figure, scipy.linalg, sklearn.mixture, keras, tensorflow
    import keras_vae.model.autoencoder, keras_vae.evaluation.sections, keras_vae.export.saved_models, keras_vae.report
    from keras_vae.training import callbacks



    def serve(order):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.chdir(order["cwd"])
        os.dup2(os.pipe()[0], 0)  # it never ends: a sweep's run takes the end for the sweep's
        for descriptor, name in ((1, order["out"]), (2, order["err"])):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT), descriptor)
        callbacks.CHECKPOINT_SECONDS = 0
        if order["largest"] is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (order["largest"],) * 2)
        if order["ordinary"]:  # version 3 of capset's header, of this process; and no capability
            assert ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(0x20080522), (ctypes.c_uint32 * 6)()) == 0
        sys.argv = [order["module"], *order["arguments"]]
        code = 0
        try:
            importlib.import_module(order["module"]).main()
        except SystemExit as exit:
            code = exit.code or 0
        except BaseException:
            import traceback

            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        with open(order["code"], "w") as file:
            file.write(str(code))
        os._exit(code)

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    print(len(os.listdir("/proc/self/task")), flush=True)
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            serve(json.loads(line))
        print(process, flush=True)
"""


class Command:
    """A command at work.

    Attributes:
        process: Its number.
    """

    def __init__(self, process, folder):
        self.process, self.folder = process, folder

    def is_running(self):
        return pathlib.Path(f"/proc/{self.process}").exists()

    def send(self, number):
        """Sends it a signal, and returns whether it is there to receive it."""
        try:
            os.kill(self.process, number)
            return True
        except ProcessLookupError:
            return False

    def kill(self):
        """Kills it, and returns whether it had not ended by itself."""
        if not self.send(signal.SIGKILL):
            return False
        while self.is_running():
            time.sleep(0.001)
        return not (self.folder / "code").exists()

    def end(self):
        """Waits for its end and returns (exit code or None where it was killed, standard output, standard error)."""
        deadline = time.monotonic() + LONGEST
        while self.is_running():
            assert time.monotonic() < deadline
            time.sleep(0.005)
        code = self.folder / "code"
        said = [(self.folder / name).read_text(errors="replace") for name in ("out", "err")]
        return (int(code.read_text()) if code.exists() else None, *said)


class Server:
    """Starts commands; to be closed in the end."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="killing-")
        self.count = 0
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(SERVER)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.threads = int(self.process.stdout.readline())

    def start(self, command, *arguments, cwd, largest=None, ordinary=False):
        """Starts "train" or "evaluate" with `arguments` in the folder `cwd`.

        Args:
            command: A key of `MODULES`.
            arguments: Are made texts.
            cwd: A path.
            largest: The bytes that no file may be larger than, or None.
            ordinary: Whether permissions hold for it also where the tests are run by root.
        """
        self.count += 1
        folder = pathlib.Path(self.folder.name) / str(self.count)
        folder.mkdir()
        order = {name: str(folder / name) for name in ("out", "err", "code")}
        order |= {"module": MODULES[command], "arguments": list(map(str, arguments)), "cwd": str(cwd)}
        order |= {"largest": largest, "ordinary": ordinary}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return Command(int(self.process.stdout.readline()), folder)

    def run(self, command, *arguments, **named):
        """As `start`, and returns the exit code, standard output and standard error."""
        return self.start(command, *arguments, **named).end()

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()
        self.folder.cleanup()


@dataclass(frozen=True)
class Moment:
    """When a command is killed: `delay` seconds after something new matches `pattern` for the `count`-th time.

    Attributes:
        name: For people.
        pattern: Of paths in the folder that is watched, those not counted that a killed command has left; None is there
            at once.
        count: Of paths that match one after the other: a temporary file is a new one each time.
        delay: In seconds.
    """

    name: str
    pattern: str | None = None
    count: int = 1
    delay: float = 0.0


def kill(command, folder, moment, is_late=lambda: False):
    """Kills `command` at a `Moment`, or as soon as `is_late()`.

    Files are written in milliseconds: the command works in slices, and stands still while the folder is looked at. On a
    busy machine a slice may be long all the same.

    Returns:
        "at the moment", "late", or None where it had ended by itself.
    """
    seen = set()
    before = matches(folder, moment.pattern) if moment.pattern else seen
    deadline = time.monotonic() + LONGEST
    while moment.pattern and len(seen) < moment.count:
        if not (command.send(signal.SIGSTOP) and command.is_running()):
            return None
        seen |= matches(folder, moment.pattern) - before
        if len(seen) < moment.count and is_late():
            return "late" if command.kill() else None
        command.send(signal.SIGCONT)
        time.sleep(0 if len(seen) == moment.count else SLICE)
        assert time.monotonic() < deadline
    until = time.monotonic() + moment.delay
    while (left := until - time.monotonic()) > 0 and command.is_running():
        if moment.pattern is None and is_late():
            return "late" if command.kill() else None
        time.sleep(min(left, 0.01))
    return "at the moment" if command.kill() else None


def matches(folder, pattern):
    """Returns the paths in `folder` that match `pattern`, or some where a folder is gone when it is looked into."""
    found = set()
    with contextlib.suppress(OSError):
        found.update(folder.glob(pattern))
    return found


# What has to hold


def leftovers(folder):
    """Returns what stands under a temporary name."""
    return [str(path) for path in folder.rglob(".writing-*")]


def check_whole(folder):
    """Asserts that every file under a final name is whole, by its format and by its checksum."""
    # os.walk passes over a folder that is gone before it is read: a training may be writing meanwhile.
    for path in (pathlib.Path(parent, name) for parent, _, names in os.walk(folder) for name in names):
        if not path.is_file() or any(part.startswith(".writing-") for part in path.parts):
            continue
        if path.name == checksums.FILE and path.parent != folder:
            checksums.check_sealed(path.parent)
        elif path.suffix == ".json":
            read_json(path)
        elif path.suffix in (".keras", ".npz"):
            assert zipfile.ZipFile(path).testzip() is None, path
        elif path.suffix == ".h5":
            h5py.File(path).close()
        elif path.suffix == ".png":
            assert path.read_bytes().endswith(b"IEND\xaeB`\x82"), path
        elif path.suffix == ".html":
            assert path.read_text(encoding="utf-8").rstrip().endswith("</html>"), path
        elif path.name == "history.csv":
            rows_of(folder)
    for name in checksums.read(folder):
        if (folder / name).exists():  # the checksum comes first
            checksums.check(folder / name)
    for version in folder.glob("serving/*/[0-9]*"):
        checksums.check_sealed(version)
        assert (version / checksums.FILE).is_file()
    for checkpoint in folder.glob("checkpoints/epoch-*"):
        assert sorted(path.name for path in checkpoint.iterdir()) == [
            "checksums.json",
            "model.weights.h5",
            "state.json",
        ]


def rows_of(folder):
    """Returns the rows of a run's history, each with a value in every column."""
    with open(folder / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(None not in row and None not in row.values() for row in rows)
    return rows


def arrays_of(file):
    """Returns all arrays in an HDF5 file, by name, as bytes."""
    arrays = {}
    with h5py.File(file) as opened:
        opened.visititems(
            lambda name, item: arrays.update({name: item[()].tobytes()}) if hasattr(item, "shape") else None
        )
    return arrays


def model_of(folder):
    """Returns the weights in a run's `model.keras`, by name, as bytes."""
    with zipfile.ZipFile(folder / "model.keras") as archive, archive.open("model.weights.h5") as weights:
        return arrays_of(weights)


def check_same_end(folder, undisturbed):
    """Asserts that a run ended as the undisturbed one did: bit for bit."""
    (checkpoint,) = sorted(path.name for path in undisturbed.glob("checkpoints/epoch-*"))[-1:]
    assert (folder / "history.csv").read_bytes() == (undisturbed / "history.csv").read_bytes()
    mine, other = (path / "checkpoints" / checkpoint for path in (folder, undisturbed))
    assert (mine / "state.json").read_bytes() == (other / "state.json").read_bytes()
    assert arrays_of(mine / "model.weights.h5") == arrays_of(other / "model.weights.h5")
    assert model_of(folder) == model_of(undisturbed)
    assert leftovers(folder) == []


def check_same_results(folder, undisturbed, rounding=0.0):
    """Asserts that an evaluation ended with the numbers and files of the undisturbed one, but for times.

    Args:
        folder, undisturbed: Runs.
        rounding: By how much a number may differ, relatively: where a computation was done by other algorithms.
    """
    mine, other = (read_json(path / "report/results.json") for path in (folder, undisturbed))
    assert set(mine) == set(other)
    for key in set(mine) - {"run", "created", "cost", "exported", "repair", "samplers", "verdict"}:
        check_same(mine[key], other[key], rounding, key)
    assert mine["verdict"]["name"] == other["verdict"]["name"]
    for name in sorted(path.name for path in undisturbed.glob("samplers/*.npz")):
        one, two = (np.load(path / "samplers" / name) for path in (folder, undisturbed))
        assert set(one.files) == set(two.files)
        if not rounding:
            assert all(one[key].tobytes() == two[key].tobytes() for key in one.files), name
    # The number of the version depends on how often the run was evaluated.
    for results in (mine, other):
        assert results["repair"]["version"] == results["exported"]
    assert [mine["repair"][key] for key in ("outcome", "sampler")] == [
        other["repair"][key] for key in ("outcome", "sampler")
    ]
    assert bool(mine["exported"]) == bool(other["exported"])
    if mine["exported"]:
        newest = max((folder / "serving/decoder").iterdir(), key=lambda path: int(path.name))
        assert newest == folder / mine["exported"]
    assert leftovers(folder) == []


def check_same(mine, other, rounding, where):
    """Asserts that two JSON values are the same, numbers but for `rounding`."""
    if isinstance(mine, dict) and isinstance(other, dict):
        assert set(mine) == set(other), where
        for key in set(mine) - {"seconds"}:
            check_same(mine[key], other[key], rounding, f"{where}.{key}")
    elif isinstance(mine, list) and isinstance(other, list):
        assert len(mine) == len(other), where
        for number, (one, two) in enumerate(zip(mine, other)):
            check_same(one, two, rounding, f"{where}[{number}]")
    elif isinstance(mine, float) and isinstance(other, float) and rounding:
        assert abs(mine - other) <= rounding * max(1, abs(mine)), (where, mine, other)
    else:
        assert mine == other, where
