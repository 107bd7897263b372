"""Values computed for the page and kept with the run, so that the page opens quickly the next time.

They are files in `explorer/` in the run's folder, or in the user's cache if that folder cannot be written to. A file
starts with the checksum of everything that its value depends on, and with the checksum of its own content; a file that
matches neither is computed again.
"""

import hashlib
import json
import pathlib

from keras_vae.config.codec import to_json
from keras_vae.data.preparing import is_writable
from keras_vae.errors import WriteError
from keras_vae.explorer.packing import to_text, unpacked
from keras_vae.runtime.checksums import digest
from keras_vae.runtime.files import cache_folder, whole

VERSION = 1  # increase it when the computation of a kept value changes in a module that is not in COMPUTED_BY
COMPUTED_BY = ("world.py", "dead_zones.py", "network.py")


class Kept:
    """The kept values of a `Run`."""

    def __init__(self, run):
        self.run, self.key = run, dependencies(run)
        self.samplers = samplers_of(run)

    def __call__(self, name, compute, of_samplers=False):
        """Returns the kept value `name`, made of dicts, lists, plain values and arrays, or computes and keeps it.

        Only values `of_samplers` depend on the run's fitted samplers.
        """
        key = checksum([self.key, self.samplers]) if of_samplers else self.key
        found = self.read(name, key)
        if found is None:
            found = compute()
            self.write(name, key, found)
        return found

    def folders(self):
        """Returns the folders in which values may be kept, the run's own first."""
        path = self.run.path.resolve()
        alias = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:16]
        return path / "explorer", cache_folder() / "explorer" / alias

    def read(self, name, key):
        """Returns a kept value, or None if it is missing, damaged or outdated."""
        for folder in self.folders():
            try:
                head, _, content = (folder / f"{name}.json").read_text(encoding="utf-8").partition("\n")
                if head == head_of(key, content):
                    return unpacked(json.loads(content))
            except (OSError, ValueError):
                continue
        return None

    def write(self, name, key, value):
        """Keeps a value; if neither folder can be written to, it is computed again the next time."""
        content = to_text(value)
        for folder in filter(is_writable, self.folders()):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                with whole(folder / f"{name}.json") as temporary:
                    temporary.write_text(f"{head_of(key, content)}\n{content}", encoding="utf-8")
                return
            except (OSError, WriteError):
                continue


def head_of(key, content):
    """Returns the first line of a file with this content."""
    return f"{key} {hashlib.sha256(content.encode()).hexdigest()}"


def samplers_of(run):
    """Returns the checksums of a run's fitted samplers by file name."""
    return {path.name: digest(path) for path in run.sampler_files().values()}


def checksum(value):
    """Returns the checksum of `value`, made of dicts, lists and plain values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def dependencies(run):
    """Returns the checksum of model, settings and data files of a run, and of the code that computes."""
    config = run.read_config()
    code = [VERSION, *(digest(pathlib.Path(__file__).with_name(name)) for name in COMPUTED_BY)]
    return checksum([code, run.model_checksum(), to_json(config), data_files(config.dataset)])


def data_files(dataset):
    """Returns size and time of change of every file or folder that the settings of a dataset name."""
    named = [pathlib.Path(value) for value in vars(dataset).values() if isinstance(value, str) and value]
    there = [(path, path.stat()) for path in named if path.exists()]
    return [(str(path), status.st_size, status.st_mtime_ns) for path, status in there]
