"""Progress of long computations: one line that is overwritten in a terminal, occasional lines elsewhere."""

import contextlib
import sys
import time

FIRST, EVERY = 2.0, 30.0  # seconds before the first line in a terminal, and between two lines elsewhere
WIDTH = 100


class Progress:
    """Shows progress on standard error. A context manager that clears its line at the end.

    Args:
        name: The name of the computation.
    """

    def __init__(self, name):
        self.name, self.stream = name, sys.stderr
        self.begun = time.monotonic()
        self.shown, self.in_line = self.begun, False

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.in_line:
            self.write("\r" + " " * WIDTH + "\r")

    def show(self, words):
        """Shows `words`, unless the last line is too recent."""
        is_terminal = self.stream.isatty()
        now = time.monotonic()
        if now - self.begun < FIRST or now - self.shown < (0.2 if is_terminal else EVERY):
            return
        self.shown, self.in_line = now, is_terminal
        line = f"{self.name}: {words}"
        self.write("\r" + line[:WIDTH].ljust(WIDTH) if is_terminal else line + "\n")

    def learned(self, what, seconds, allowed, looks):
        """Shows the progress of a training.

        Args:
            what: What is learned, in words.
            seconds, allowed: The seconds taken and allowed.
            looks: The `Look`s at the held-out loss so far.
        """
        loss = f", held-out loss {looks[-1].loss:.4f}" if looks else ""
        self.show(f"{what}, {clock(seconds)} of at most {clock(allowed)}{loss}")

    def write(self, text):
        """Writes `text`; does nothing if the stream is closed."""
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(text)
            self.stream.flush()


def clock(seconds):
    """Returns seconds as minutes and seconds, such as 1:05."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
