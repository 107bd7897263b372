"""Progress of what takes long."""

import io

import pytest

from keras_vae.runtime import progress
from keras_vae.runtime.progress import Progress, clock
from keras_vae.samplers.learning import Look


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def now(monkeypatch):
    """A clock that the test moves."""
    time = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: time[0])
    return time


def test_a_terminal_has_one_line_that_is_written_over_and_removed(monkeypatch, now):
    screen = Terminal()
    monkeypatch.setattr(progress.sys, "stderr", screen)
    with Progress("flow_matching") as shown:
        shown.show("too early")
        now[0] = 3
        shown.learned("velocities", 3.2, 60, [Look(50, 3.0, 0.91234)])
    assert "too early" not in screen.getvalue()
    assert "flow_matching: velocities, 0:03 of at most 1:00, held-out loss 0.9123" in screen.getvalue()
    assert screen.getvalue().endswith("\r")
    assert "\n" not in screen.getvalue()


def test_a_log_has_a_line_now_and_then(monkeypatch, now):
    log = io.StringIO()
    monkeypatch.setattr(progress.sys, "stderr", log)
    with Progress("step") as shown:
        for second in range(100):
            now[0] = second
            shown.show(f"second {second}")
    assert log.getvalue().splitlines() == ["step: second 30", "step: second 60", "step: second 90"]


def test_nobody_reading_ends_nothing(monkeypatch, now):
    stream = Terminal()
    stream.close()
    monkeypatch.setattr(progress.sys, "stderr", stream)
    monkeypatch.setattr(stream, "isatty", lambda: True)
    with Progress("step") as shown:
        now[0] = 10
        shown.show("words")


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (65, "1:05"), (3600, "60:00")])
def test_minutes_and_seconds(seconds, text):
    assert clock(seconds) == text
