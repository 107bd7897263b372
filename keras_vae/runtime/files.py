"""Atomic writes of files, folders that one process at a time works in, and the user's cache folder."""

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
# Error codes of a rename if another process has just taken the name.
TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


def cache_folder():
    """Returns the user's cache folder for this package, which may not exist yet."""
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "keras_vae"


@contextlib.contextmanager
def whole(path):
    """Yields a temporary path beside `path`, and renames it to `path` if the block ends without an error.

    The temporary path keeps its suffix, from which Keras and matplotlib infer the format.

    Raises:
        WriteError: The file cannot be written. A previous file stays unchanged.
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
    """Turns an `OSError` while `path` is written, and exceptions of the types `others`, into a `WriteError`."""
    try:
        yield
    except WriteError:
        raise
    except (OSError, *others) as error:
        raise WriteError(f"{path} cannot be written: {why(error)}") from error


def why(error):
    """Returns the system's message, such as "No space left on device", without additions by libraries."""
    if getattr(error, "errno", None):
        return os.strerror(error.errno)
    # TensorFlow's format: {{node}} path; message [Op:operation]
    if message := getattr(error, "message", None):
        return re.sub(r"^.*; |^\{\{.*?\}\} | \[Op:.*", "", message.strip().splitlines()[0])
    return str(error)


@contextlib.contextmanager
def unfinished(parent):
    """Yields a new folder in `parent` and removes it at the end, if it is still there.

    Creates `parent` if it does not exist, and removes what killed processes have left there.
    """
    parent = pathlib.Path(parent)
    parent.mkdir(parents=True, exist_ok=True)
    sweep(parent)
    while True:
        folder = parent / f"{UNFINISHED}{uuid.uuid4().hex}"
        folder.mkdir()
        with locked(folder) as mine:
            if mine is False or not folder.is_dir():
                continue  # another process considered it abandoned before it was locked
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            return


@contextlib.contextmanager
def locked(path, wait=False):
    """Locks `path` against other processes while the block runs. The lock ends with its process.

    Args:
        path: An existing folder or file. NFS locks files only, among all machines, and only if they can be written.
        wait: Whether to wait until another process releases the lock.

    Yields:
        True if this process has the lock, False if another one has it, None if that is unknown: Windows and some
        network drives have no such locks.
    """
    mine = descriptor = None
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        descriptor = os.open(path, os.O_RDONLY if os.path.isdir(path) else os.O_RDWR)
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
    """Removes from `parent` the folders that killed processes have left: running processes hold a lock on theirs."""
    for folder in pathlib.Path(parent).glob(f"{UNFINISHED}*"):
        with locked(folder) as abandoned:
            if abandoned:
                shutil.rmtree(folder, ignore_errors=True)


def rename(folder, path):
    """Renames `folder` to `path` unless that exists, and returns whether it did."""
    if os.path.lexists(path):
        return False
    try:
        os.rename(folder, path)
        return True
    except OSError as error:  # another process was faster: a folder that is not empty is not replaced
        if error.errno not in TAKEN:
            raise
        return False


def write_json(path, data):
    """Writes `data` to `path` as indented JSON. File names that are not valid UTF-8 become JSON escapes."""
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
