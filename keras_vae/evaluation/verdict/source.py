"""Where a measured model comes from, as far as the commands that the verdict prints need to know it."""

import dataclasses

from keras_vae.runtime.programs import command_line


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a measured model comes from.

    Attributes:
        evaluated: Arguments of the evaluation that measured it, from the directory where it was started; None: a
            program measured it, and no command does so again.
        config_file: The configuration of its run as one types it; None: it is not known how the model was trained.
        config: What that file holds, a `Config`.
        data: Arguments that say where the images are, where these are not the configuration's.
    """

    evaluated: tuple | None = None
    config_file: str | None = None
    config: object = None
    data: tuple = ()

    def evaluation(self, without=(), changes=None):
        """Returns the command that evaluates the model again, or None if no command can.

        Args:
            without: Flags, which have no value, that are left out.
            changes: Flag to value, in the place of what was typed.
        """
        if self.evaluated is None:
            return None
        changed = {f"--{name}": value for name, value in (changes or {}).items()}
        before = ("", *self.evaluated)
        kept = [
            part
            for last, part in zip(before, self.evaluated)
            if part not in without and part not in changed and last not in changed
        ]
        return command_line("evaluate", *kept, *(part for pair in changed.items() for part in pair))

    def training(self, changes):
        """Returns the command that trains a model like it with `changes`, flag to value; None: there is none."""
        if self.config_file is None:
            return None
        flags = [part for name, value in changes.items() for part in (f"--{name}", value)]
        return command_line("train", "--config", self.config_file, *self.data, *flags)


UNKNOWN = Source()
