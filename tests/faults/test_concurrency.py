"""Several commands on one run, or one name, at once; and runs that move: all right, or refused in a line."""

import json
import pathlib
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import chains
import numpy as np
import pytest
from killing import check_same_end, check_same_results, check_whole, leftovers

from keras_vae.runtime.files import unfinished
from keras_vae.training.run_folder import Run

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not chains.POSSIBLE, reason="processes are watched in /proc"),
]


def wait_for(command, folder, pattern):
    while not any(folder.glob(pattern)):
        assert command.is_running(), command.end()


def test_of_two_runs_of_one_name_one_is_refused(server, undisturbed, tmp_path):
    commands = [server.start("train", *chains.RUN, cwd=tmp_path) for _ in range(2)]
    (_, _, _), (code, _, err) = sorted((command.end() for command in commands), key=lambda answer: answer[0])
    assert sorted(command.end()[0] for command in commands) == [0, 2]
    assert (code, "Traceback" in err) == (2, False)
    assert "run exists already: choose another --name" in err.splitlines()[-1]
    check_same_end(tmp_path / "run", undisturbed)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_an_evaluation_during_training_is_of_a_whole_model_and_replaces_no_newer_one(server, tmp_path):
    longer = [*chains.RUN, "--epochs", "4000"]
    training = server.start("train", *longer, cwd=tmp_path)
    run = Run(tmp_path / "run")
    wait_for(training, tmp_path, "run/model.keras")
    code, _, err = server.run("evaluate", *chains.EVALUATION, cwd=tmp_path)
    assert code == 0, err
    assert training.is_running()
    results = json.loads((run.report / "results.json").read_text())
    check_whole(run.path)
    if results["exported"] is None and "in the meantime" in results["reasons"]["exported"]:
        assert not list(run.serving.glob("decoder/*"))
    training.kill()
    code, _, err = server.run("train", "--resume", "run", "--epochs", len(rows(run)) + 1, cwd=tmp_path)
    assert code == 0, err
    versions = {name: int(run.newest_version(name).name) for name in ("decoder", "encoder")}
    assert versions["decoder"] == versions["encoder"] + bool(results["exported"])  # training's is the newest


def rows(run):
    return run.history_file.read_text().splitlines()[1:]


def test_an_evaluation_of_a_model_that_is_newer_meanwhile_exports_nothing(server, undisturbed, tmp_path):
    run = Run(shutil.copytree(undisturbed, tmp_path / "run"))
    with run.publishing():  # as somebody who is about to export
        command = server.start("evaluate", *chains.EVALUATION, cwd=tmp_path)
        while not has_lock_waiting(command.process):
            assert command.is_running(), command.end()
        with run.written(run.model_file) as temporary:
            shutil.copy(run.model_file, temporary)
            with open(temporary, "ab") as file:
                file.write(b"as another one")
    code, _, err = command.end()
    assert code == 0, err
    results = json.loads((run.report / "results.json").read_text())
    assert results["exported"] is None
    assert results["reasons"]["exported"] == "the run was trained further in the meantime: evaluate it again"
    assert [path.name for path in (run.serving / "decoder").iterdir()] == ["1"]


def has_lock_waiting(process):
    """Whether a process waits for a lock of a folder, as Linux lists them."""
    lines = pathlib.Path("/proc/locks").read_text().splitlines()
    return any("->" in line and f" {process} " in line for line in lines)


def test_two_evaluations_of_one_run_leave_the_report_of_one(server, undisturbed, evaluated, tmp_path):
    shutil.copytree(undisturbed, tmp_path / "run")
    commands = [server.start("evaluate", *chains.EVALUATION, cwd=tmp_path) for _ in range(2)]
    for command in commands:
        code, _, err = command.end()
        assert code == 0, err
    check_whole(tmp_path / "run")
    check_same_results(tmp_path / "run", evaluated)


def test_a_run_that_is_moved_while_it_trains_stops_and_goes_on_where_it_is(server, undisturbed, tmp_path):
    command = server.start("train", *chains.RUN, cwd=tmp_path)
    wait_for(command, tmp_path, "run/checkpoints/epoch-000001")
    (tmp_path / "run").rename(tmp_path / "elsewhere")
    code, _, err = command.end()
    assert code == 2, err
    assert err.splitlines()[-1].endswith("run was moved or removed: continue at its new path with --resume")
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere"]
    code, _, err = server.run("train", "--resume", "elsewhere", cwd=tmp_path)
    assert code == 0, err
    check_same_end(tmp_path / "elsewhere", undisturbed)


def test_a_copied_run_goes_on_with_its_images_wherever_they_lie_and_with_no_others(server, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (70, 8, 8), dtype=np.uint8)
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    np.save(here / "images.npy", images)
    settings = [*chains.RUN, "--dataset", "images.npy"]
    code, _, err = server.run("train", *settings, "--epochs", 1, cwd=here)
    assert code == 0, err
    shutil.copytree(here / "run", there / "copied")
    (there / "moved").mkdir()
    np.save(there / "other.npy", 255 - images)
    shutil.move(here / "images.npy", there / "moved/images.npy")
    go_on = ("train", "--resume", "copied", "--epochs", 2)
    code, _, err = server.run(*go_on, cwd=there)
    assert (code, "images.npy: there is no such file" in err.splitlines()[-1]) == (2, True)
    code, _, err = server.run(*go_on, "--dataset", "other.npy", cwd=there)
    assert (code, "are not those that copied was trained on" in err.splitlines()[-1]) == (2, True)
    code, out, err = server.run(*go_on, "--dataset", "moved/images.npy", cwd=there)
    assert code == 0, err
    assert "resuming after epoch 1" in out
    assert len(rows(Run(there / "copied"))) == 2
    code, _, err = server.run("evaluate", "copied", *chains.EVALUATION[1:], cwd=there)
    assert code == 0, err


def test_many_who_write_into_one_folder_sweep_nobody_elses_work(tmp_path):
    def work(number):
        for turn in range(40):
            with unfinished(tmp_path) as folder:
                (folder / "who").write_text(f"{number} {turn}")
                time.sleep(0.0001)
                assert (folder / "who").read_text() == f"{number} {turn}"

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert leftovers(tmp_path) == []
