"""Large sets of images in parts: what is computed, what is not computed again, and what is refused."""

import concurrent.futures
import contextlib
import os
import signal
import sys
import textwrap
import time

import numpy as np
import pytest

from keras_vae.errors import UsageError
from keras_vae.parallel import task
from keras_vae.parallel.schedulers import Scheduler, local
from keras_vae.parallel.sharding import CHUNK, PART, Part, parts_of, run_in_parts, write_arrays
from keras_vae.parallel.slots import Slot
from keras_vae.training.run_folder import Run

# Stands in for `keras-vae encode`: the code of image i is i. The first word is the number of images.
PRETENDED = textwrap.dedent(
    """
    import sys
    import keras_vae_commands  # so that keras_vae does not import Keras
    import numpy as np
    from keras_vae.parallel.sharding import Part, write_arrays
    _, _, total, *_, part, _, out = sys.argv[1:]
    rows = Part.parse(part).rows(int(total))
    names = [str(number) for number in range(int(total))][rows]
    with open(out + ".begun", "a") as file:
        file.write("x")
    if part.startswith("2/") and len(sys.argv) > 8:
        sys.exit("it cannot work")
    write_arrays(out, names, [{"code": np.arange(rows.start, rows.stop)}])
    """
)


@pytest.fixture
def pretended(monkeypatch):
    monkeypatch.setattr(task, "PYTHON", (sys.executable, "-c", PRETENDED))


def computed(tmp_path, total, *words):
    names = [str(number) for number in range(total)]
    found = run_in_parts((str(total), *words), names, tmp_path / "out", local([Slot(), Slot()]))
    return np.concatenate([part["code"] for part in found])


@pytest.mark.parametrize("count", [1, CHUNK - 1, CHUNK, PART, PART + 1, 5 * PART + 7])
def test_parts_have_every_row_once_and_begin_with_whole_chunks(count):
    parts = parts_of(range(count))
    rows = np.concatenate([np.arange(count)[part.rows(count)] for part in parts])
    np.testing.assert_array_equal(rows, np.arange(count))
    assert all(part.rows(count).start % CHUNK == 0 for part in parts)
    assert max(part.rows(count).stop - part.rows(count).start for part in parts) <= PART


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "a/b", "1/2/3"])
def test_a_part_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="expected such as 3/16"):
        Part.parse(text)


def test_parts_are_joined_in_order_and_leave_nothing_behind(pretended, tmp_path, capsys):
    count = 2 * PART + 100
    np.testing.assert_array_equal(computed(tmp_path, count), np.arange(count))
    assert list(tmp_path.iterdir()) == []
    assert f"3 parts of {count:,} images, 0 done, 2 in parallel" in capsys.readouterr().out


def test_what_failed_is_said_and_the_rest_is_not_computed_again(pretended, tmp_path):
    count = 2 * PART + 100
    with pytest.raises(UsageError, match=r"1 of 3 tasks failed, the first is part 2: it cannot work"):
        computed(tmp_path, count, "fail")
    (place,) = (tmp_path / "out.parts").iterdir()
    assert sorted(path.name for path in place.glob("*-of-3")) == ["1-of-3", "3-of-3"]
    write_arrays(
        place / "2-of-3",
        [str(number) for number in range(count)][Part(2, 3).rows(count)],
        [{"code": np.arange(count)[Part(2, 3).rows(count)]}],
    )
    begun = {path.name: path.read_text() for path in place.glob("*.begun")}
    assert begun == {f"{number}-of-3.begun": "x" for number in (1, 2, 3)}
    np.testing.assert_array_equal(computed(tmp_path, count, "fail"), np.arange(count))


def test_ctrl_c_ends_the_wait_in_one_line_that_says_how_to_go_on(pretended, tmp_path, monkeypatch):
    def completed(futures):
        yield next(iter(concurrent.futures.wait(futures).done))
        raise KeyboardInterrupt

    monkeypatch.setattr(concurrent.futures, "as_completed", completed)
    with pytest.raises(
        UsageError, match="stopped by Ctrl-C: 1 of 2 tasks are done; the same command does what is left"
    ):
        computed(tmp_path, PART + 1)


def test_ctrl_c_ends_any_command_in_one_line(monkeypatch, capsys):
    from keras_vae.cli import encode

    def interrupted(parsed):
        raise KeyboardInterrupt

    monkeypatch.setattr(encode, "begin", interrupted)
    with pytest.raises(SystemExit) as ended:
        encode.main(["digits-8", "a.png"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("keras-vae encode: error: stopped by Ctrl-C")


def test_parts_of_another_model_are_not_used(pretended, tmp_path):
    names = [str(number) for number in range(PART + 1)]
    words, out = (str(len(names)), "fail"), tmp_path / "out"
    for model in ("first", "second"):
        with pytest.raises(UsageError, match="part 2: it cannot work"):
            list(run_in_parts(words, names, out, local([Slot()]), (model,)))
    assert len(list((tmp_path / "out.parts").glob("*/1-of-2"))) == 2


def test_runs_of_the_same_name_are_all_measured(tmp_path, monkeypatch, capsys):
    from keras_vae.cli import evaluate

    monkeypatch.chdir(tmp_path)
    submitted = []

    def submit(one):
        submitted.append(one.folder)
        future = concurrent.futures.Future()
        future.set_result(task.Ended(0, 1.0, b"", "here"))
        return future

    runs = [Run(tmp_path / folder / "same") for folder in "ab"]
    evaluate.measure_on(contextlib.nullcontext(Scheduler(submit, "at once")), runs, [])
    assert submitted == [str(run.path) for run in runs]
    assert "--compare a/same b/same" in capsys.readouterr().out


def test_a_part_of_other_images_is_refused(pretended, tmp_path):
    names = [f"other {number}" for number in range(10)]
    with pytest.raises(UsageError, match="all machines must have the same files"):
        list(run_in_parts(("10",), names, tmp_path / "out", local([Slot()])))


def test_arrays_are_written_whole_or_not_at_all(tmp_path):
    def broken():
        yield {"code": np.zeros((2, 3))}
        raise KeyError

    with pytest.raises(KeyError):
        write_arrays(tmp_path / "codes", ["a", "b", "c"], broken())
    assert list(tmp_path.iterdir()) == []
    write_arrays(tmp_path / "codes", ["a", "b", "c"], [{"code": np.ones((2, 3))}, {"code": np.zeros((1, 3))}])
    np.testing.assert_array_equal(np.load(tmp_path / "codes" / "code.npy"), [[1, 1, 1], [1, 1, 1], [0, 0, 0]])
    with pytest.raises(UsageError, match="exists already"):
        write_arrays(tmp_path / "codes", ["a"], [{"code": np.ones((1, 3))}])


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_codes_of_a_cluster_whose_worker_is_killed_are_those_of_this_machine(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="needs Dask: pip install --editable '.[cluster]'")
    from keras_vae.cli import encode, score

    monkeypatch.chdir(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (PART + 600, 8, 8, 1), dtype=np.uint8)
    np.save("images.npy", images)
    with (
        distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as workers,
        distributed.Client(workers) as client,
    ):
        with concurrent.futures.ThreadPoolExecutor() as threads:
            words = ["digits-8", "images.npy", "--scheduler", client.scheduler.address]
            running = threads.submit(encode.main, [*words, "--out", "theirs"])
            deadline = time.monotonic() + 600
            while not list(tmp_path.glob("theirs.parts/*/*.log")) and not running.done():
                assert time.monotonic() < deadline
                time.sleep(0.1)
            os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
            running.result(1200)
        score.main([*words, "--out", "theirs.csv"])
    encode.main(["digits-8", "images.npy", "--out", "ours"])
    score.main(["digits-8", "images.npy", "--out", "ours.csv"])
    for name in ("mean", "log_var"):
        ours, theirs = (np.load(tmp_path / where / f"{name}.npy") for where in ("ours", "theirs"))
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert (tmp_path / "ours" / "files.csv").read_text() == (tmp_path / "theirs" / "files.csv").read_text()
    ours, theirs = (
        sorted(line.split(",") for line in (tmp_path / f"{where}.csv").read_text().splitlines()[1:])
        for where in ("ours", "theirs")
    )
    assert [row[0] for row in ours] == [row[0] for row in theirs]
    np.testing.assert_allclose(*([float(row[1]) for row in rows] for rows in (ours, theirs)), atol=1e-3)
    assert not list(tmp_path.glob("*.parts"))
