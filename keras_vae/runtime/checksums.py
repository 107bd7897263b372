"""SHA-256 of files, kept in `checksums.json` beside them: what a disk or a copy has changed is noticed, and named.

A folder without that file, from an older version of this package, is believed.
"""

import hashlib
import os
import pathlib

from keras_vae.errors import Damaged, UsageError
from keras_vae.runtime.files import write_json
from keras_vae.runtime.json_file import read_json

FILE = "checksums.json"


def digest(path):
    """Returns the SHA-256 of a file, in hexadecimal."""
    total = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def read(folder):
    """Returns the checksums noted in `folder`, lists by file; an empty dict where there are none."""
    file = pathlib.Path(folder) / FILE
    if not file.is_file():
        return {}
    try:
        noted = read_json(file)
    except UsageError as error:
        raise Damaged(f"{error} (remove it, to believe the files beside it as they are)") from error
    if not all(isinstance(digests, list) for digests in noted.values()):
        raise Damaged(f"{file} holds no checksums (remove it, to believe the files beside it as they are)")
    return noted


def note(path, content):
    """Notes that `path` is about to become what the file `content` holds.

    What it holds until then stays right: nothing is wrong where the process is killed before or after.
    """
    path = pathlib.Path(path)
    noted = read(path.parent)
    right = [old for old in noted.get(path.name, ()) if path.is_file() and old == digest(path)]
    noted[path.name] = list(dict.fromkeys([*right, digest(content)]))
    write_json(path.parent / FILE, noted)


def check(path):
    """Raises `Damaged` where the file `path` is not what was noted.

    Another process may be writing it anew: its checksum is noted before it has its name, so the file is read first.
    """
    path = pathlib.Path(path)
    while True:
        try:
            before = identity(path)
            found = digest(path)
        except OSError as error:
            raise Damaged(f"{path} cannot be read: {error.strerror or error}") from error
        noted = read(path.parent)
        if not noted or found in noted.get(path.name, ()):
            return
        if identity(path) == before:
            raise Damaged(f"{path} is damaged: its checksum is wrong")


def identity(path):
    """Returns what changes when the file `path` is replaced."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


def seal(folder):
    """Notes all files in and below `folder`, which stay as they are from now on."""
    folder = pathlib.Path(folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    write_json(folder / FILE, {path.relative_to(folder).as_posix(): [digest(path)] for path in files})


def check_sealed(folder):
    """Raises `Damaged` where a file that was there when `folder` was sealed is not what it was."""
    folder = pathlib.Path(folder)
    for name, digests in read(folder).items():
        if not os.path.isfile(folder / name):  # pathlib's raises where the name is too long to be one
            raise Damaged(f"{folder / name} is missing")
        if digest(folder / name) not in digests:
            raise Damaged(f"{folder / name} is damaged: its checksum is wrong")
