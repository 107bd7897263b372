"""What a reader types to start a program of ours, from where a message is printed."""

import os
import pathlib
import shlex
import shutil

# By program: the script of a checkout, the installed command, and the module. A program may lack the first two.
PROGRAMS = {
    "train": ("train.py", "keras-vae-train"),
    "evaluate": ("evaluate.py", "keras-vae-evaluate"),
    "sweep": (None, "keras-vae-sweep"),
}


def program(name):
    """Returns what starts the program `name` here.

    `python train.py` where the current directory has our script, else the installed command. A script of the same
    name that is somebody else's does not count.
    """
    script, installed = PROGRAMS[name]
    if script and is_ours(script):
        return f"python {script}"
    if shutil.which(installed) or name != "sweep":
        return installed
    return "python -m keras_vae.sweep"


def is_ours(script):
    """Returns whether the file `script` in the current directory starts a program of this package."""
    try:
        return "keras_vae" in pathlib.Path(script).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def command_line(name, *arguments):
    """Returns the command line of the program `name` with `arguments`, as one types it in a shell."""
    return " ".join([program(name), *(shlex.quote(str(argument)) for argument in arguments)])


def typed_path(path):
    """Returns `path` as one types it from the current directory: relative where it lies below that."""
    relative = os.path.relpath(path)
    return os.fspath(path) if relative.startswith(os.pardir) else relative
