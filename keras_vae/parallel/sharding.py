"""A large set of images in parts, each of which a task computes and writes into a folder of its own.

A folder of arrays has a `.npy` file for each array. It is written whole or not at all, so a part that is there is done,
and the same command continues where it was stopped.
"""

import hashlib
import json
import math
import pathlib
import shutil
from typing import NamedTuple

import numpy as np

from keras_vae.errors import UsageError
from keras_vae.parallel.schedulers import complete
from keras_vae.parallel.task import Task
from keras_vae.runtime.devices import say
from keras_vae.runtime.files import rename, unfinished, write_json, writing
from keras_vae.runtime.json_file import read_json

CHUNK = 512  # images that are computed at once
PART = 8 * CHUNK  # images in a part
NAMES = "images.json"  # the number of images in a folder, and the digest of their names


class Part(NamedTuple):
    """One of several parts of a set of images, counted from 1."""

    number: int
    total: int

    @classmethod
    def parse(cls, text):
        """Returns the part that a text such as `3/16` means; raises a ValueError otherwise."""
        number, _, total = text.partition("/")
        if not (number.isdecimal() and total.isdecimal() and 1 <= int(number) <= int(total)):
            raise ValueError(f"part is {text}: expected such as 3/16, the third of 16 parts")
        return cls(int(number), int(total))

    def rows(self, count):
        """Returns the slice of its rows among `count`, which begins with a whole chunk."""
        chunks = math.ceil(count / CHUNK)
        begin, end = (chunks * number // self.total for number in (self.number - 1, self.number))
        return slice(min(count, begin * CHUNK), min(count, end * CHUNK))


WHOLE = Part(1, 1)


def write_arrays(folder, names, parts):
    """Writes the arrays of `names` into the new folder `folder`, part by part, without holding them in memory.

    Args:
        folder: A path that does not exist.
        names: The names of the images, in the order of the rows.
        parts: Yields dicts of arrays `[k, ...]`, which are the rows one after the other.

    Raises:
        WriteError: It cannot be written.
    """
    folder, place = pathlib.Path(folder), 0
    with writing(folder), unfinished(folder.absolute().parent) as temporary:
        new, arrays = temporary / "new", {}
        new.mkdir()
        for part in parts:
            for name, rows in part.items():
                if name not in arrays:
                    arrays[name] = np.lib.format.open_memmap(
                        new / f"{name}.npy", "w+", rows.dtype, (len(names), *rows.shape[1:])
                    )
                arrays[name][place : place + len(rows)] = rows
            place += len(rows)
        if place != len(names):
            raise AssertionError(f"{place} rows for {len(names)} images")
        arrays.clear()  # closes the files
        write_json(new / NAMES, {"count": len(names), "digest": digest(names)})
        if not rename(new, folder):
            raise UsageError(f"{folder} exists already: choose another path")


def digest(values):
    """Returns a text that is the same for the same list of texts."""
    return hashlib.blake2b(json.dumps(list(values)).encode(), digest_size=8).hexdigest()


def parts_of(names):
    """Returns the `Part`s of so many images."""
    count = max(1, math.ceil(len(names) / PART))
    return [Part(number, count) for number in range(1, count + 1)]


def run_in_parts(words, names, out, scheduler, about=()):
    """Has all parts computed, and yields their arrays in order, dicts of memory-mapped arrays.

    The folders of the parts are removed at the end, when all have been used.

    Args:
        words: The arguments of `keras-vae` that compute a part, apart from --part and --out.
        names: The names of all images.
        out: The path of the result, beside which the parts are kept.
        scheduler: A context manager that yields a `Scheduler`.
        about: Texts on which the result depends besides `words` and `names`, such as the model's checksum.

    Raises:
        UsageError: A part failed, or the machines do not see the same images.
    """
    place = pathlib.Path(f"{out}.parts").absolute() / digest([*words, *names, *about])
    with writing(place):
        place.mkdir(parents=True, exist_ok=True)
    parts = parts_of(names)
    folders = {part: place / f"{part.number}-of-{part.total}" for part in parts}
    with scheduler as opened:
        left = {
            f"part {part.number}": task(words, part, folder, place)
            for part, folder in folders.items()
            if not folder.is_dir()
        }
        say(f"{len(parts)} parts of {len(names):,} images, {len(parts) - len(left)} done, {opened.words}")
        complete(left, opened, len(parts))
    for part, folder in folders.items():
        if read_json(folder / NAMES)["digest"] != digest(names[part.rows(len(names))]):
            raise UsageError(
                f"{folder} is of other images: all machines must have the same files; remove {place.parent}"
            )
        yield {
            file.stem: np.load(file, mmap_mode="r", allow_pickle=False)
            for file in sorted(folder.glob("*.npy"))
        }
    shutil.rmtree(place.parent)


def task(words, part, folder, place):
    """Returns the `Task` that computes a part into `folder`."""
    asked = ("--part", f"{part.number}/{part.total}", "--out", str(folder))
    return Task(("-m", "keras_vae_commands", *words, *asked), str(place), f"{folder}.log")
