"""A sweep on a Dask cluster of two workers on this machine. `distributed` is in the extra `cluster`."""

import concurrent.futures
import contextlib
import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("distributed", reason="needs Dask: pip install --editable '.[cluster]'")

import distributed
from pretended import RESULTS, Pretend, said
from sweep_runs import results_of

from keras_vae.errors import UsageError
from keras_vae.parallel import cluster
from keras_vae.parallel.schedulers import chosen
from keras_vae.parallel.task import Task
from keras_vae.runtime.files import write_json
from keras_vae.sweep.folder import Sweep
from keras_vae.sweep.grid import Axis, Grid
from keras_vae.sweep.running import run_all

ROOT = pathlib.Path(__file__).parents[1]
PATIENCE = 300  # seconds, on a busy machine
NAMES = ["latent-2", "latent-4", "latent-8"]


@contextlib.contextmanager
def two_workers():
    """Yields the client of two workers, which are processes and are started again when they die."""
    with (
        distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as workers,
        distributed.Client(workers) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def client():
    with two_workers() as client:
        client.register_plugin(Pretend())
        yield client


@pytest.fixture
def sweep(tmp_path):
    sweep = Sweep.create(Grid((), (Axis("latent", ("2", "4", "8")),)), tmp_path, "sweep", asked=True)
    write_json(sweep.path / RESULTS, results_of("run", 2, 0.1))
    return sweep


@pytest.fixture
def running(client, sweep):
    """The future of running the sweep, meanwhile, and its scheduler."""
    with (
        chosen(client.scheduler.address, None) as scheduler,
        concurrent.futures.ThreadPoolExecutor() as threads,
    ):
        try:
            yield threads.submit(run_all, sweep, scheduler, lambda: None)
        finally:
            (sweep.path / "go").touch()  # otherwise a test that fails never ends


def wait_for(happened):
    """Waits until `happened()` is true, and returns what it returned."""
    deadline = time.monotonic() + PATIENCE
    while not (found := happened()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def is_alive(process):
    """Whether a process has not ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, 0)
        return True
    return False


def begun(sweep, count):
    """The (run, process) that have begun, as soon as there are `count`."""
    return wait_for(lambda: len(found := said(sweep, "begun")) >= count and found)


def test_a_run_is_taken_up_when_its_worker_dies_and_nothing_runs_twice(client, sweep, running):
    begun(sweep, 2)
    number = next(iter(client.run(os.getpid).values()))
    (lost,) = (process for _, process in said(sweep, "begun") if parent_of(process) == number)
    os.kill(number, signal.SIGKILL)
    wait_for(lambda: not is_alive(lost))
    (sweep.path / "go").touch()
    running.result(PATIENCE)
    ended = said(sweep, "ended")
    assert sorted(name for name, _ in ended) == NAMES
    assert set(said(sweep, "begun")) - set(ended) == {
        pair for pair in said(sweep, "begun") if pair[1] == lost
    }
    assert sweep.failures() == {}


def parent_of(process):
    """The number of the process that has started this one."""
    with open(f"/proc/{process}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def test_a_run_that_fails_is_noted_and_the_others_go_on(sweep, running):
    (sweep.path / "latent-4.fails").touch()
    (sweep.path / "go").touch()
    running.result(PATIENCE)
    assert sweep.failures() == {"latent-4": "it cannot work"}
    assert sorted(name for name, _ in said(sweep, "ended")) == ["latent-2", "latent-8"]


@pytest.mark.long
def test_a_run_whose_machine_asks_it_to_end_is_started_again(sweep, running):
    (name, process), *_ = begun(sweep, 2)
    os.kill(process, signal.SIGTERM)  # as a Slurm job at its time limit
    wait_for(lambda: not is_alive(process))
    (sweep.path / "go").touch()
    running.result(PATIENCE)
    assert sorted(one for one, _ in said(sweep, "ended")) == NAMES
    assert [one for one, _ in said(sweep, "begun")].count(name) == 2
    assert sweep.failures() == {}


def test_runs_end_with_their_sweep(client, sweep):
    with chosen(client.scheduler.address, None) as scheduler:
        scheduler.submit(sweep.task("latent-2"))
        begun(sweep, 1)
    wait_for(lambda: not is_alive(said(sweep, "begun")[0][1]))
    assert said(sweep, "ended") == []


def test_a_folder_that_a_worker_does_not_have_is_said(client, tmp_path):
    with chosen(client.scheduler.address, None) as scheduler:
        error = scheduler.submit(
            Task(("-c", ""), str(tmp_path / "elsewhere"), str(tmp_path / "log"))
        ).exception(PATIENCE)
    assert isinstance(error, UsageError)
    assert "elsewhere: all machines need it" in str(error)


def test_a_scheduler_that_does_not_answer_ends_with_one_line(monkeypatch):
    monkeypatch.setattr(cluster, "ANSWER_WITHIN", 1)
    with pytest.raises(UsageError, match=r"tcp://127\.0\.0\.1:9: no Dask scheduler answers there"):
        chosen("tcp://127.0.0.1:9", None)


@pytest.mark.long
def test_a_sweep_whose_scheduler_is_lost_ends_with_one_line_and_its_runs_end(sweep, tmp_path):
    file = tmp_path / "scheduler.json"
    where = ["--scheduler-file", str(file), "--no-dashboard"]
    commands = [["scheduler", "--port", "0", *where], ["worker", "--nthreads", "1", *where]]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests"))),
    }  # of Pretend
    scheduler, worker = (
        subprocess.Popen([sys.executable, "-m", "dask", *words], env=environment) for words in commands
    )
    try:
        wait_for(file.exists)
        with chosen(str(file), None) as opened, distributed.Client(scheduler_file=str(file)) as client:
            client.register_plugin(Pretend())
            with concurrent.futures.ThreadPoolExecutor() as threads:
                running = threads.submit(run_all, sweep, opened, lambda: None)
                ((_, process),) = begun(sweep, 1)
                scheduler.kill()
                with pytest.raises(UsageError, match="the connection to the scheduler is lost; resume with"):
                    running.result(PATIENCE)
        wait_for(lambda: not is_alive(process))
    finally:
        scheduler.kill()
        worker.terminate()
        worker.wait(PATIENCE)


STUBS = {
    "srun": """#!/bin/sh\n"$@" & "$@" & wait\n""",
    "keras-vae": f"""#!{sys.executable}
import sys, distributed
with distributed.Client(scheduler_file=sys.argv[-1]) as client:
    client.wait_for_workers(2, {PATIENCE})
    print(sorted(client.nthreads().values()), sys.argv[1:3])
""",
}


@pytest.mark.long
def test_the_slurm_script_of_the_guide_starts_a_cluster(tmp_path):
    """The script as it is in the guide; two commands stand in for Slurm's `srun` and for the sweep."""
    page = (ROOT / "docs/guides/many_machines.md").read_text(encoding="utf-8")
    _, *blocks = page.split("```sh\n")
    (script,) = (text for text in (block.partition("```")[0] for block in blocks) if "dask scheduler" in text)
    for name, text in STUBS.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    process = subprocess.Popen(
        ["bash", "-c", script.replace("/shared/runs", str(tmp_path))],
        env={**os.environ, "PATH": f"{tmp_path}:{os.path.dirname(sys.executable)}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout.readline() == "[1, 1] ['sweep', '--over']\n"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=PATIENCE)


FLAGS = ["--over", "latent=2,3", "--limit", "64", "--epochs", "4", "--features", "random"]
FLAGS += ["--repair_minutes", "0", "--network.widths", "4", "--network.dense", "0", "--output", "."]


def started(name, *flags, cwd):
    return subprocess.Popen(
        [sys.executable, "-m", "keras_vae.sweep", *FLAGS, "--name", name, *flags],
        cwd=cwd,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_trainings_whose_worker_is_killed_have_the_results_of_a_local_sweep(tmp_path):
    local = started("local", cwd=tmp_path)
    assert local.wait(1500) == 0, local.stdout.read()
    folder = tmp_path / "cluster"
    with two_workers() as client:
        process = started("cluster", "--scheduler", client.scheduler.address, cwd=tmp_path)
        wait_for(lambda: list(folder.glob("latent-*/checkpoints/epoch-*")))
        os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
        assert process.wait(1500) == 0, process.stdout.read()
    for name in ("latent-2", "latent-3"):
        with open(folder / name / "history.csv", newline="") as file:
            assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2", "3", "4"]
        theirs, ours = (
            json.loads((tmp_path / where / name / "report/results.json").read_text())
            for where in ("cluster", "local")
        )
        assert theirs["rate_distortion"]["elbo"] == pytest.approx(ours["rate_distortion"]["elbo"], rel=1e-4)
        assert theirs["verdict"]["name"] == ours["verdict"]["name"]
