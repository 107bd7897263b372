"""Files that are written whole or not at all, and folders that one process at a time works in."""

import contextlib
import json
import os
import pathlib
import shutil
import tempfile


@contextlib.contextmanager
def whole(path):
    """Yields a temporary path beside `path`, and gives it that name when the block ends without an error.

    The name keeps its ending, which Keras and matplotlib read the format from.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix=".writing-", dir=path.parent))
    try:
        temporary = folder / path.name
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def locked(folder, wait=False):
    """Locks `folder` against other processes while the block runs; the lock dies with its process.

    Args:
        folder: A folder that is there.
        wait: Whether to wait until whoever holds it lets go.

    Yields:
        True; False where somebody else holds it; None where it cannot be told: Windows and some network drives
        have no such locks.
    """
    mine = descriptor = None
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            mine = True
        except BlockingIOError:
            mine = False
    try:
        yield mine
    finally:
        if descriptor is not None:
            os.close(descriptor)


def write_json(path, data):
    """Writes `data` to `path` as indented JSON."""
    with whole(path) as temporary:
        temporary.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
