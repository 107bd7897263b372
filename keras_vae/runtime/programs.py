"""Command lines of this package's programs, as a user types them in the current directory."""

import importlib.util
import os
import pathlib
import shlex
import shutil
import sys

SCRIPTS = {"train": "train.py", "evaluate": "evaluate.py"}  # of a checkout
COMMAND, MODULE = "keras-vae", "keras_vae_commands"
# How examples spell the programs.
SPELLINGS = {
    "python train.py": "train",
    "python evaluate.py": "evaluate",
    "python -m keras_vae.sweep": "sweep",
    "python -m keras_vae.explorer": "explore",
    "python -m keras_vae.serving": "serve",
}


def program(name):
    """Returns the command that starts the program `name`, without paths of this machine.

    This is `python train.py` if the current directory has this package's script, `keras-vae train` if that is installed,
    and `python -m keras_vae_commands train` otherwise. A script of the same name from another project is ignored.
    """
    script = SCRIPTS.get(name)
    if script and is_ours(script):
        return f"{of_this_environment('python')} {script}"
    if own_path(COMMAND) or shutil.which(COMMAND):
        return f"{of_this_environment(COMMAND)} {name}"
    return f"{of_this_environment('python')} -m {MODULE} {name}"


def command_line(name, *arguments):
    """Returns the shell command line of the program `name` with `arguments`, for files that others may read."""
    return " ".join([program(name), *(shlex.quote(str(argument)) for argument in arguments)])


def to_type(name, *arguments):
    """Returns the command line of the program `name` with `arguments`, for this terminal (`runnable`)."""
    return runnable(command_line(name, *arguments))


def explorer_command(path, spell=to_type):
    """Returns the command that shows the run at `path` in the explorer: live, if what the server needs is installed.

    `spell` is `to_type`, or `command_line` for files.
    """
    live = all(importlib.util.find_spec(name) for name in ("fastapi", "uvicorn"))
    return spell("serve", "run", typed_path(path)) if live else spell("explore", typed_path(path), "--static")


def runnable(command):
    """Returns a command line with the path of its program if this shell would not find the one of our environment."""
    word, space, rest = command.partition(" ")
    own = own_path(word)
    if own is None or found_first(word, own):
        return command
    return shlex.quote(os.fspath(own)) + space + rest


def spelled(text):
    """Returns the examples `text` with each program as it is typed here."""
    for spelling, name in SPELLINGS.items():
        if spelling in text:
            text = text.replace(spelling, runnable(program(name)))
    return text


def of_this_environment(word):
    """Returns `word`, with its path if the running environment is below the current directory and not active.

    The path of an environment elsewhere is left out, so reports do not reveal paths of this machine.
    """
    own = own_path(word)
    if own is None or found_first(word, own) or os.path.isabs(typed_path(own)):
        return word
    return shlex.quote(typed_path(own))


def own_path(word):
    """Returns the path of a program of the running environment, or None if it has none of this name."""
    if os.path.basename(word) != word:
        return None
    beside = pathlib.Path(sys.executable).with_name(word)
    if beside.is_file():
        return beside
    return pathlib.Path(sys.executable) if word == "python" and sys.executable else None


def found_first(word, own):
    """Returns whether the shell finds the program `own` under the name `word`."""
    found = shutil.which(word)
    return bool(found) and pathlib.Path(found).parent.resolve() == own.parent.resolve()


def is_ours(script):
    """Returns whether the file `script` in the current directory starts a program of this package."""
    try:
        return "keras_vae" in pathlib.Path(script).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def typed_path(path):
    """Returns `path`, relative to the current directory if it is below it."""
    relative = os.path.relpath(path)
    return os.fspath(path) if relative.startswith(os.pardir) else relative


def begun():
    """Returns `time.monotonic()` at the start of the running command, or None in a program of somebody else."""
    return getattr(sys.modules.get(MODULE), "begun", None)
