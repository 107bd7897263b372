"""Command lines of this package's programs, as a user types them in the current directory."""

import os
import pathlib
import shlex
import shutil
import sys

# For each program: its script in a checkout, or None, and its installed command.
PROGRAMS = {
    "train": ("train.py", "keras-vae-train"),
    "evaluate": ("evaluate.py", "keras-vae-evaluate"),
    "sweep": (None, "keras-vae-sweep"),
}


def program(name):
    """Returns the command that starts the program `name`.

    This is `python train.py` if the current directory has this package's script, and the installed command otherwise. A
    script of the same name from another project is ignored.
    """
    script, installed = PROGRAMS[name]
    if script and is_ours(script):
        return f"{of_this_environment('python')} {script}"
    if name != "sweep" or shutil.which(installed):
        return of_this_environment(installed)
    return f"{of_this_environment('python')} -m keras_vae.sweep"


def of_this_environment(command):
    """Returns `command`, with its path if the running environment is below the current directory and not active.

    The path of an environment elsewhere is left out, so reports do not reveal paths of this machine.
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
    """Returns the shell command line of the program `name` with `arguments`."""
    return " ".join([program(name), *(shlex.quote(str(argument)) for argument in arguments)])


def typed_path(path):
    """Returns `path`, relative to the current directory if it is below it."""
    relative = os.path.relpath(path)
    return os.fspath(path) if relative.startswith(os.pardir) else relative
