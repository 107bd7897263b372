"""Files that are written whole or not at all, and folders that one process at a time works in."""

import contextlib
import errno
import json
import os
import pathlib
import re
import shutil
import uuid

from keras_vae.errors import WriteError

UNFINISHED = ".writing-"
# What a rename answers where another process has just taken the name.
TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


@contextlib.contextmanager
def whole(path):
    """Yields a temporary path beside `path`, and gives it that name when the block ends without an error.

    The name keeps its ending, which Keras and matplotlib read the format from.

    Raises:
        WriteError: The system refuses it; what was there before stays.
    """
    path = pathlib.Path(path)
    with writing(path), unfinished(path.parent) as folder:
        temporary = folder / path.name
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)


@contextlib.contextmanager
def writing(path, *others):
    """Turns what the system has against writing `path` into a `WriteError`: `OSError`s and, of libraries, `others`."""
    try:
        yield
    except WriteError:
        raise
    except (OSError, *others) as error:
        raise WriteError(f"{path} cannot be written: {why(error)}") from error


def why(error):
    """Returns what the system said, such as "No space left on device", without what libraries put around it."""
    if getattr(error, "errno", None):
        return os.strerror(error.errno)
    # TensorFlow's: {{a node}} the path; what was said [Op:operation]
    if message := getattr(error, "message", None):
        return re.sub(r"^.*; |^\{\{.*?\}\} | \[Op:.*", "", message.strip().splitlines()[0])
    return str(error)


@contextlib.contextmanager
def unfinished(parent):
    """Yields a new folder in `parent`, made where it is missing; what is still there at the end is removed.

    So is what killed processes have left.
    """
    parent = pathlib.Path(parent)
    parent.mkdir(parents=True, exist_ok=True)
    sweep(parent)
    while True:
        folder = parent / f"{UNFINISHED}{uuid.uuid4().hex}"
        folder.mkdir()
        with locked(folder) as mine:
            if mine is False or not folder.is_dir():
                continue  # another process took it for abandoned before it was locked
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            return


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


def sweep(parent):
    """Removes from `parent` what killed processes have left: a folder is locked while the process lives that made it."""
    for folder in pathlib.Path(parent).glob(f"{UNFINISHED}*"):
        with locked(folder) as abandoned:
            if abandoned:
                shutil.rmtree(folder, ignore_errors=True)


def rename(folder, path):
    """Gives `folder` the name `path`, and returns whether it could: not where that is taken."""
    if os.path.lexists(path):
        return False
    try:
        os.rename(folder, path)
        return True
    except OSError as error:  # fails where another process was faster: a folder with content is not replaced
        if error.errno not in TAKEN:
            raise
        return False


def write_json(path, data):
    """Writes `data` to `path` as indented JSON, in which file names that are no UTF-8 stand as JSON's own escapes."""
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
