"""The origin of a measured model, which the commands in the verdict need."""

import dataclasses
import os

from keras_vae.runtime.programs import command_line
from keras_vae.training.resuming import is_unfinished

STALLED = 0.8  # of the epochs: if the best one lies before, the held-out loss had stopped falling


@dataclasses.dataclass(frozen=True)
class Source:
    """The origin of a measured model.

    Attributes:
        evaluated: Command-line arguments of the evaluation, relative to its working directory. None if a program ran it.
        config_file: Path of the run's configuration as typed, or None if it is unknown how the model was trained.
        config: The content of that file, a `Config`.
        data: Arguments that select the images if they are not those of the configuration.
        epoch: The number of completed epochs, or None if unknown.
        best_epoch: The epoch whose weights were kept.
    """

    evaluated: tuple | None = None
    config_file: str | None = None
    config: object = None
    data: tuple = ()
    epoch: int | None = None
    best_epoch: int = 0

    @property
    def is_unfinished(self):
        """Whether the training was stopped before its last epoch, and not for want of progress."""
        known = None not in (self.epoch, self.config) and self.config.epochs
        return bool(known) and is_unfinished(self.config, self)

    @property
    def has_stalled(self):
        """Whether the held-out loss had stopped falling, so that more epochs would not help."""
        return bool(self.epoch) and self.best_epoch < STALLED * self.epoch

    def resuming(self):
        """Returns the command that continues the training, or None if the run's folder is unknown."""
        if self.config_file is None:
            return None
        return command_line("train", "--resume", os.path.dirname(self.config_file))

    def evaluation(self, without=(), changes=None):
        """Returns the command that evaluates the model again, or None if there is none.

        Args:
            without: Flags without a value to leave out.
            changes: Flag to value, replacing the flags as typed.
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
        """Returns the command that trains the same model with `changes`, flag to value, or None if there is none."""
        if self.config_file is None:
            return None
        flags = [part for name, value in changes.items() for part in (f"--{name}", value)]
        return command_line("train", "--config", self.config_file, *self.data, *flags)


UNKNOWN = Source()
