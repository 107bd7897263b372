"""SHA-256 checksums in a `checksums.json` beside the files, to detect damage by a disk or a copy.

Folders without that file, from older versions of this package, are not checked.
"""

import hashlib
import os
import pathlib

from keras_vae.errors import Damaged, UsageError
from keras_vae.runtime.files import write_json
from keras_vae.runtime.json_file import read_json

FILE = "checksums.json"


def digest(path):
    """Returns the SHA-256 of a file in hexadecimal."""
    total = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def read(folder):
    """Returns the checksums recorded in `folder`: a dict from file names to lists, empty if there are none."""
    file = pathlib.Path(folder) / FILE
    if not file.is_file():
        return {}
    try:
        noted = read_json(file)
    except UsageError as error:
        raise Damaged(f"{error} (remove it to accept the files beside it unchecked)") from error
    if not all(isinstance(digests, list) for digests in noted.values()):
        raise Damaged(
            f"{file} does not contain checksums (remove it to accept the files beside it unchecked)"
        )
    return noted


def note(path, content):
    """Records that `path` is about to be replaced by the file `content`.

    The old content stays valid too, so the process may be killed before or after the replacement.
    """
    path = pathlib.Path(path)
    noted = read(path.parent)
    right = [old for old in noted.get(path.name, ()) if path.is_file() and old == digest(path)]
    noted[path.name] = list(dict.fromkeys([*right, digest(content)]))
    write_json(path.parent / FILE, noted)


def check(path):
    """Raises `Damaged` if the file `path` does not match its recorded checksum.

    Another process may be replacing the file. The new checksum is recorded first, so this reads the file before it.
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
    """Returns values that change when the file `path` is replaced."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


def seal(folder):
    """Records the checksums of all files in and below `folder`, which must not change any more."""
    folder = pathlib.Path(folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    write_json(folder / FILE, {path.relative_to(folder).as_posix(): [digest(path)] for path in files})


def check_sealed(folder):
    """Raises `Damaged` if a file is missing or has changed since `folder` was sealed."""
    folder = pathlib.Path(folder)
    for name, digests in read(folder).items():
        if not os.path.isfile(folder / name):  # pathlib's method raises if the name is too long
            raise Damaged(f"{folder / name} is missing")
        if digest(folder / name) not in digests:
            raise Damaged(f"{folder / name} is damaged: its checksum is wrong")
