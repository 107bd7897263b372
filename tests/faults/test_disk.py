"""Disks that are full, limited or read-only: one clear line, status 2, and the last good state as it was."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess

import chains
import numpy as np
import pytest
from killing import check_same_end, check_whole, leftovers
from PIL import Image

from keras_vae.data import ImageFolder, load_dataset
from keras_vae.errors import DatasetError, WriteError
from keras_vae.runtime.devices import say
from keras_vae.runtime.files import whole, write_json

SIZE = "8m"

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]


@pytest.fixture
def disk(tmp_path):
    """A folder that is a disk of its own, of `SIZE`."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None or not mount(folder, f"size={SIZE}"):
        pytest.skip("a small disk cannot be mounted here: that takes root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def mount(folder, options):
    """Mounts a tmpfs on `folder` and returns whether that is allowed."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
    return subprocess.run(command, capture_output=True).returncode == 0


def fill(disk):
    """Leaves no byte of `disk`, and returns the file that takes them all."""
    file = disk / "filler"
    with contextlib.suppress(OSError), open(file, "ab", buffering=0) as opened:
        while True:
            opened.write(bytes(1 << 12))
    return file


def content(folder):
    """Returns what is in the files of `folder`, but for logs."""
    files = (path for path in folder.rglob("*") if path.is_file() and "logs" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def wait_for(command, folder, pattern):
    while not any(folder.glob(pattern)):
        assert command.is_running()


def only_line(answer, prog):
    """Returns the one line of a command that ended with 2."""
    code, _, err = answer
    lines = [line for line in err.splitlines() if line.startswith(f"{prog}: error: ")]
    assert (code, len(lines)) == (2, 1), answer
    assert "Traceback" not in err
    return lines[0]


@pytest.mark.parametrize("moment", ["run/checkpoints/epoch-000002", "run/serving/decoder/1"])
def test_a_disk_that_fills_up_stops_a_training_that_goes_on_when_there_is_room(
    server, undisturbed, disk, moment
):
    command = server.start("train", *chains.RUN, cwd=disk)
    wait_for(command, disk, moment)
    filler = fill(disk)
    line = only_line(command.end(), "train.py")
    assert "No space left on device" in line
    assert "(solve this, then continue with " in line
    assert line.endswith(" --resume run)")
    run = disk / "run"
    check_whole(run)
    assert leftovers(disk) == []
    before = content(run)
    again = only_line(server.run("train", "--resume", "run", cwd=disk), "train.py")
    assert "No space left on device" in again
    assert content(run) == before
    filler.unlink()
    code, _, err = server.run("train", "--resume", "run", cwd=disk)
    assert code == 0, err
    check_same_end(run, undisturbed)


def test_an_evaluation_without_room_says_so_and_leaves_the_run_as_it_was(server, undisturbed, disk):
    run = pathlib.Path(shutil.copytree(undisturbed, disk / "run"))
    before = content(run)
    fill(disk)
    line = only_line(server.run("evaluate", *chains.EVALUATION, cwd=disk), "evaluate.py")
    assert "No space left on device" in line
    assert str(pathlib.Path("run")) in line
    assert content(run) == before


def check_refused(server, folder, said):
    """Asserts that commands which would write to `folder`, or to the run in it, end with what is `said`, or do without."""
    before = content(folder)
    named = {"cwd": folder, "ordinary": True}
    assert said in only_line(
        server.run("train", "--resume", "run", "--epochs", chains.EPOCHS + 1, **named), "train.py"
    )
    code, out, _ = server.run("train", "--resume", "run", **named)
    assert (code, "is complete" in out) == (0, True)
    line = only_line(server.run("evaluate", *chains.EVALUATION, **named), "evaluate.py")
    assert "run is read-only: copy the run elsewhere" in line
    assert "cannot be written to (try another --output)" in only_line(
        server.run("train", *chains.SETTINGS, **named), "train.py"
    )
    assert content(folder) == before


def test_a_disk_that_may_only_be_read_is_refused_before_anything_is_computed(server, undisturbed, disk):
    shutil.copytree(undisturbed, disk / "run")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    check_refused(server, disk, "Read-only file system")


def test_a_folder_without_the_right_to_write_is_refused_before_anything_is_computed(
    server, undisturbed, tmp_path
):
    run = pathlib.Path(shutil.copytree(undisturbed, tmp_path / "run"))
    for folder in (tmp_path, run, *filter(pathlib.Path.is_dir, run.rglob("*"))):
        folder.chmod(0o555)
    check_refused(server, tmp_path, "Permission denied")
    tmp_path.chmod(0o755)


def test_a_limit_on_the_size_of_files_stops_a_training_in_one_line(server, tmp_path):
    # Stands for a quota, which only the owner of a disk can set: it is the same refusal by another number.
    line = only_line(server.run("train", *chains.RUN, cwd=tmp_path, largest=30_000), "train.py")
    assert "File too large (solve this, then continue with " in line
    check_whole(tmp_path / "run")
    assert leftovers(tmp_path) == []


def test_a_file_that_cannot_be_written_stays_as_it_was(disk):
    file = disk / "facts.json"
    write_json(file, {"good": True})
    before = file.read_bytes()
    fill(disk)
    with pytest.raises(WriteError, match=r"facts\.json cannot be written: No space left on device$"):
        write_json(file, {"long": "x" * 10_000})
    assert file.read_bytes() == before
    assert leftovers(disk) == []


@pytest.mark.parametrize("number", ["EDQUOT", "EIO", "EROFS", "EACCES", "ENOSPC"])
def test_whatever_the_system_has_against_it_is_named(tmp_path, number):
    import errno

    code = getattr(errno, number)
    with pytest.raises(WriteError) as caught, whole(tmp_path / "file"):
        raise OSError(code, "words of a library")
    assert str(caught.value) == f"{tmp_path / 'file'} cannot be written: {os.strerror(code)}"


def test_a_log_on_a_full_disk_stops_nothing():
    with open("/dev/full", "w") as full:
        say("dropped", file=full)
        say("dropped too", file=full)


def test_a_full_disk_for_a_cache_is_one_line_and_leaves_no_half_file(disk, tmp_path):
    for number in range(40):
        image = np.random.default_rng(number).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        folder = tmp_path / "pictures"
        folder.mkdir(exist_ok=True)
        Image.fromarray(image).save(folder / f"{number}.png")
    filler = fill(disk)
    os.truncate(filler, filler.stat().st_size - 100_000)  # room for 8 of the images
    source = ImageFolder(path=str(folder), cache=str(disk))
    with pytest.raises(DatasetError, match="No space left on device") as caught:
        load_dataset(source, image_size=64)
    assert "\n" not in str(caught.value)
    left = [path for path in disk.iterdir() if path.name != "filler"]
    assert [set(json.loads(path.read_text())) for path in left] == [
        {"found", "sha256"}
    ]  # what the headers said, whole
    filler.unlink()
    assert len(load_dataset(source, image_size=64).train) == 32
