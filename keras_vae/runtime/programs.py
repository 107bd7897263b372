"""What a reader types to start a program of ours, from where a message is printed."""

import os
import pathlib
import shlex
import shutil
import sys

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
        return f"{of_this_environment('python')} {script}"
    if name != "sweep" or shutil.which(installed):
        return of_this_environment(installed)
    return f"{of_this_environment('python')} -m keras_vae.sweep"


def of_this_environment(command):
    """Returns `command`, with its path where the running environment lies below the current directory and is not active.

    An environment elsewhere is not named: a report that is sent to somebody carries no path of this machine.
    """
    own, found = pathlib.Path(sys.executable).with_name(command), shutil.which(command)
    typed = typed_path(own)
    if (
        not own.is_file()
        or os.path.isabs(typed)
        or (found and pathlib.Path(found).absolute() == own.absolute())
    ):
        return command
    return shlex.quote(typed)


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
