"""Progress of long computations: one line that is overwritten in a terminal, occasional lines elsewhere."""

import contextlib
import contextvars
import os
import sys
import threading
import time

from keras_vae.runtime.programs import begun

FIRST, EVERY = 2.0, 30.0  # seconds before the first line in a terminal, and between two lines elsewhere
WIDTH = 120
TRUSTED = 5.0  # seconds of forecast that count as if they had been measured
OVERTIME = 0.25  # of what a part has taken too long, which it is expected to take on
RECENT = 5  # epochs that the time of the next ones is expected from

_open: list["Job"] = []  # the jobs in progress: what runs within one of them is shown in its line


class Progress:
    """Shows progress on standard error. A context manager that clears its line at the end.

    Within a `Job` the words are shown in its line.

    Args:
        name: The name of the computation.
    """

    def __init__(self, name):
        self.name, self.stream, self.handle = name, sys.stderr, None
        self.begun = time.monotonic()
        self.shown, self.in_line = self.begun, False

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if _open and self not in _open:
            _open[-1].detail, _open[-1].until = "", min(_open[-1].until, time.monotonic())
        if self.in_line:
            self.overwrite("")
            self.write("\r" if self.handle is None else "")
            self.in_line = False

    def show(self, words, first=FIRST, left=0.0):
        """Shows `words`, unless the last line is too recent. Within a `Job`, its part takes `left` more seconds or longer."""
        if _open and self not in _open:
            _open[-1].detail = f"{self.name}: {words}"
            if left > 0:
                _open[-1].until = time.monotonic() + left
            return
        is_live = self.stream.isatty() or in_notebook()
        now = time.monotonic()
        if now - self.begun < first or now - self.shown < (0.2 if is_live else EVERY):
            return
        self.shown, self.in_line = now, is_live
        line = f"{self.name}: {words}"
        self.overwrite(line) if is_live else self.write(line + "\n")

    def learned(self, what, seconds, allowed, looks):
        """Shows the progress of a training.

        Args:
            what: What is learned, in words.
            seconds, allowed: The seconds taken and allowed.
            looks: The `Look`s at the held-out loss so far.
        """
        loss = f", held-out loss {looks[-1].loss:.4f}" if looks else ""
        self.show(f"{what}, {clock(seconds)} of at most {clock(allowed)}{loss}", left=allowed - seconds)

    def overwrite(self, line):
        """Shows `line` in the place of the last one, in a terminal or a notebook."""
        if not in_notebook():
            columns_shown = width(self.stream)
            self.write("\r" + line[:columns_shown].ljust(columns_shown))
        elif self.handle is None:
            from IPython.display import display

            self.handle = display({"text/plain": line}, raw=True, display_id=True)
        else:
            self.handle.update({"text/plain": line}, raw=True)

    def write(self, text):
        """Writes `text`; does nothing if the stream is closed."""
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(text)
            self.stream.flush()


class Job(Progress):
    """Progress of a job of several parts whose costs are forecast, with the time left over all of them.

    A thread renews the line, because a part may take minutes. The forecast is corrected by the parts that have ended.

    Args:
        name: The name of the job.
        rounds: How often the parts are done, as for several runs.
    """

    def __init__(self, name, rounds=1):
        super().__init__(name)
        self.rounds, self.round = rounds, 0
        self.forecast, self.taken = {}, {}
        self.current, self.detail, self.ended = None, "", threading.Event()
        self.until = 0.0  # when the current part ends at the earliest; 0 if it has no budget
        self.lock = threading.Lock()

    def plan(self, forecast, name=None):
        """Begins a round, whose parts take `forecast` seconds, by name."""
        with self.lock:
            self.name = name or self.name
            self.round, self.forecast, self.taken, self.current = self.round + 1, dict(forecast), {}, None

    def pause(self):
        """Removes the line until the next part, for output of another kind."""
        with self.lock:
            self.current = None
            super().__exit__()

    def __enter__(self):
        _open.append(self)
        # In a notebook the context says to which cell the output belongs.
        threading.Thread(target=contextvars.copy_context().run, args=(self.renew,), daemon=True).start()
        return self

    def __exit__(self, *error):
        self.ended.set()
        _open.remove(self)
        with self.lock:
            super().__exit__(*error)

    def renew(self):
        """Shows the part and the time left until the job has ended.

        A program of somebody else gets no lines outside of terminals and notebooks.
        """
        is_shown = self.stream.isatty() or in_notebook() or begun() is not None
        while not self.ended.wait(0.5):
            with self.lock:
                if is_shown and self.current and not self.ended.is_set():
                    self.show(self.words(time.monotonic()))

    @contextlib.contextmanager
    def part(self, name):
        """Times the block as the part `name`."""
        with self.lock:
            self.current, self.part_begun, self.detail, self.until = name, time.monotonic(), "", 0.0
        yield
        with self.lock:
            # A part with a budget says nothing of the pace of the others.
            self.taken[name] = None if self.until else time.monotonic() - self.part_begun
            self.current = None

    def words(self, now):
        """Returns the part, its place and the time left."""
        number = len(self.taken) + 1
        which = f"run {self.round} of {self.rounds}, " if self.rounds > 1 else ""
        what = f"{which}{self.current.replace('_', ' ')} ({number} of {max(len(self.forecast), number)})"
        detail = f"; {self.detail}" if self.detail else ""
        return f"{what}, about {clock(self.left(now))} left{detail}"

    def left(self, now):
        """Returns the seconds that the rest of the job is expected to take."""
        paced = {name: taken for name, taken in self.taken.items() if taken is not None}
        done = sum(self.forecast.get(name, 0.0) for name in paced)
        pace = (TRUSTED + sum(paced.values())) / (TRUSTED + done)
        ahead = sum(
            seconds
            for name, seconds in self.forecast.items()
            if name not in self.taken and name != self.current
        )
        current = pace * self.forecast.get(self.current, 0.0) - (now - self.part_begun)
        current = max(current, -OVERTIME * current, self.until - now)
        return pace * (ahead + (self.rounds - self.round) * sum(self.forecast.values())) + current


class EpochPace:
    """The time that a training has left, from the time of its epochs so far.

    An epoch's time includes its validation and files. The first call, which compiles the step, is left out.

    Args:
        epochs: The number of all epochs.
        steps: The steps of an epoch.
    """

    def __init__(self, epochs, steps):
        self.epochs, self.steps = epochs, steps
        self.seconds = []  # of each epoch
        self.first = None  # time and step after the first call
        self.epoch, self.begun = 0, 0.0

    def begin(self, epoch, now):
        """Begins the epoch of this index."""
        self.epoch, self.begun = epoch, now

    def step(self, done, now):
        """Returns the seconds left after `done` steps of the epoch; None if that cannot be said yet."""
        if self.first is None:
            self.first = now, done
        return self.left(self.epoch + done / self.steps, self.typical(done, now))

    def end(self, now):
        """Ends the epoch and returns the seconds left."""
        compiled = self.first[0] - self.begun if self.first and not self.seconds else 0.0
        self.seconds.append(now - self.begun - compiled)
        is_known = len(self.seconds) > 1 or (self.first and self.first[1] < self.steps)
        return self.left(self.epoch + 1, self.typical(self.steps, now)) if is_known else None

    def typical(self, done, now):
        """Returns the expected seconds of an epoch, or None."""
        if self.seconds:
            recent = (self.seconds[1:] or self.seconds)[-RECENT:]
            return sum(recent) / len(recent)
        time_of_first, first = self.first
        return None if done <= first else (now - time_of_first) / (done - first) * self.steps

    def left(self, passed, typical):
        """Returns the seconds of the epochs that are left after `passed`."""
        return None if typical is None else max(0.0, self.epochs - passed) * typical


@contextlib.contextmanager
def notice(words):
    """Shows `words` in a terminal while the block runs."""
    shown = sys.stderr.isatty() and not _open
    progress = Progress(words)
    if shown:
        progress.in_line = True
        progress.overwrite(words)
    try:
        yield
    finally:
        progress.__exit__()


def in_notebook():
    """Returns whether this process is the kernel of a notebook."""
    return "ipykernel" in sys.modules


def main_stream():
    """Returns the stream of lines that stay: standard error, or in a notebook standard output, like all others."""
    return sys.stdout if in_notebook() else sys.stderr


def columns(stream):
    """Returns the width of the terminal of `stream` in characters; 80 if it is unknown."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):  # not a terminal, or no file descriptor
        return 80


def width(stream):
    """Returns the characters of a line that is overwritten; a full line would move to the next."""
    return min(WIDTH, columns(stream) - 1)


def clock(seconds):
    """Returns seconds as minutes and seconds, such as 1:05, or from two hours on as hours and minutes."""
    minutes = int(seconds) // 60
    return (
        f"{minutes // 60} h {minutes % 60:02d} min"
        if minutes >= 120
        else f"{minutes}:{int(seconds) % 60:02d}"
    )
