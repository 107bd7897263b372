"""Progress of what takes long."""

import io
import sys
import types

import pytest

from keras_vae.runtime import progress
from keras_vae.runtime.progress import EpochPace, Job, Progress, clock
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


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (65, "1:05"), (3600, "60:00"), (7500, "2 h 05 min")]
)
def test_minutes_and_seconds(seconds, text):
    assert clock(seconds) == text


def test_a_job_says_the_time_left_over_all_parts_and_corrects_its_forecast(monkeypatch, now):
    monkeypatch.setattr(progress, "_open", [])
    job = Job("run")
    job.plan({"quick": 5.0, "slow_part": 20.0, "last": 10.0})
    with job.part("quick"):
        assert job.left(0.0) == 35  # as forecast
        now[0] = 15.0  # three times as long
    with job.part("slow_part"):
        # (5 s that are trusted + 15) / (5 + 5): everything takes twice as long.
        assert job.left(15.0) == 2 * 30
        assert job.words(35.0) == "slow part (2 of 3), about 0:40 left"
        assert job.left(75.0) == 0.25 * 20 + 2 * 10  # 20 s too long already


def test_the_time_left_counts_the_runs_to_come(monkeypatch, now):
    monkeypatch.setattr(progress, "_open", [])
    job = Job("evaluation", rounds=3)
    job.plan({"a": 4.0, "b": 6.0}, "first")
    with job.part("a"):
        assert job.left(1.0) == 9 + 2 * 10
        assert job.words(1.0) == "run 1 of 3, a (1 of 2), about 0:29 left"


def test_what_runs_within_a_job_is_shown_in_its_line(monkeypatch, now):
    screen = Terminal()
    monkeypatch.setattr(progress.sys, "stderr", screen)
    monkeypatch.setattr(progress, "_open", [])
    with Job("run") as job:
        job.plan({"samplers": 60.0})
        with job.part("samplers"), Progress("flow_matching") as inner:
            now[0] = 10.0
            inner.show("velocities")
            assert job.words(10.0) == "samplers (1 of 1), about 0:50 left; flow_matching: velocities"
    assert "\n" not in screen.getvalue()


def test_a_training_with_a_budget_is_not_expected_to_end_before_it(monkeypatch, now):
    monkeypatch.setattr(progress, "_open", [])
    job = Job("run")
    job.plan({"quick": 45.0, "samplers": 60.0, "last": 10.0})
    with job.part("quick"):
        now[0] = 5.0  # a fifth of the forecast, which the budget of a training does not follow
    monkeypatch.setattr(progress, "_open", [job])
    with job.part("samplers"), Progress("flow_matching") as inner:
        assert job.left(5.0) == 0.2 * 70
        inner.learned("velocities", 10.0, 50.0, [])
        assert job.left(5.0) == 40.0 + 0.2 * 10
        assert job.left(25.0) == 20.0 + 0.2 * 10
        now[0] = 600.0  # far more than the forecast
    with job.part("last"):
        assert job.left(600.0) == 0.2 * 10


def test_a_training_has_the_time_of_its_epochs_left_without_that_of_compiling():
    pace = EpochPace(epochs=5, steps=10)
    pace.begin(0, 0.0)
    assert pace.step(1, 8.0) is None  # compiling took 8 s, which says nothing of a step
    assert pace.step(6, 13.0) == 1.0 * 44  # 5 steps in 5 s; 44 steps are left
    assert pace.end(20.0) == 4 * 12.0  # 20 s without 8, with validation
    pace.begin(1, 20.0)
    assert pace.step(5, 26.0) == 3.5 * 12.0
    assert pace.end(29.0) == 3 * 9.0  # of the epochs after the first


def test_in_a_notebook_one_output_is_replaced_and_emptied_and_lines_are_on_standard_output(monkeypatch, now):
    shown = []
    module = types.ModuleType("IPython.display")

    def display(data, raw, display_id):
        assert raw
        assert display_id
        shown.append(data["text/plain"])
        return types.SimpleNamespace(update=lambda data, raw: shown.append(data["text/plain"]))

    module.display = display
    for name, value in (("ipykernel", types.ModuleType("ipykernel")), ("IPython.display", module)):
        monkeypatch.setitem(sys.modules, name, value)
    with Progress("work") as line:
        for now[0], words in ((3, "first"), (4, "second")):
            line.show(words)
    assert shown == ["work: first", "work: second", ""]
    assert progress.main_stream() is sys.stdout
    monkeypatch.delitem(sys.modules, "ipykernel")
    assert progress.main_stream() is sys.stderr
