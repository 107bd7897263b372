"""Files that a disk or a copy has truncated, or flipped a bit of: noticed, named, and not believed."""

import json
import os
import pathlib
import shutil

import chains
import numpy as np
import pytest
from killing import check_same_end, check_whole, rows_of
from PIL import Image

from keras_vae.data import ImageFolder, dataset_errors, load_dataset
from keras_vae.errors import Damaged, DatasetError, UsageError
from keras_vae.runtime import checksums
from keras_vae.training.run_folder import Run

SEED = 20261121
FLIPS = 200

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]


@pytest.fixture
def run(undisturbed, tmp_path):
    """A copy of the run, as one gets it from another machine."""
    return Run(shutil.copytree(undisturbed, tmp_path / "run"))


def flip(path, place=None):
    """Flips a bit of a file: that at `place`, in the middle by default."""
    content = bytearray(path.read_bytes())
    place = 4 * len(content) if place is None else place
    content[place // 8] ^= 1 << place % 8
    path.write_bytes(content)


def truncate(path, size=None):
    """Leaves the first `size` bytes of a file, half of them by default."""
    os.truncate(path, path.stat().st_size // 2 if size is None else size)


SPOILERS = pytest.mark.parametrize("spoil", [flip, truncate])


def newest(run):
    return run.list_checkpoints()[0]


def error_of(answer):
    """Returns the last line of a command that ended with 2 and no traceback."""
    code, _, err = answer
    assert code == 2, answer
    assert "Traceback" not in err
    return err.splitlines()[-1]


def read_all(run):
    """Reads all of a run that a command believes; raises `UsageError` where something is damaged."""
    run.read_config()
    for file in (run.model_file, run.history_file, run.preview_file, run.path / "environment.json"):
        checksums.check(file)
    for folder in (*run.list_checkpoints(), *run.serving.glob("*/*")):
        checksums.check_sealed(folder)


def believed_files(run):
    folders = [run.path, *run.list_checkpoints(), *run.serving.glob("*/*")]
    listed = [folder / name for folder in folders for name in checksums.read(folder)]
    return sorted([*listed, *(folder / checksums.FILE for folder in folders)])


def test_any_flipped_bit_and_any_cut_is_noticed_and_named_in_every_file(run):
    read_all(run)
    random = np.random.default_rng(SEED)
    files = believed_files(run)
    assert len(files) > 15
    for number in range(FLIPS):
        file = files[number % len(files)]
        good = file.read_bytes()
        if number // len(files) % 2:
            truncate(file, int(random.integers(len(good))))
        else:
            flip(file, int(random.integers(8 * len(good))))
        with pytest.raises(UsageError) as caught:
            read_all(run)
        about = str(file.parent) if file.name == checksums.FILE else str(file)
        assert about in str(caught.value), number
        file.write_bytes(good)
    read_all(run)


@SPOILERS
def test_a_damaged_configuration_is_named_and_nothing_is_done(server, run, spoil):
    spoil(run.config_file)
    for command, *arguments in (("train", "--resume", run.path), ("evaluate", run.path)):
        line = error_of(server.run(command, *arguments, cwd=run.path.parent))
        assert f"{run.config_file} is damaged: its checksum is wrong" in line
        assert "checksums.json" in line  # what to do


@SPOILERS
def test_a_damaged_history_is_written_anew_from_the_checkpoint(server, run, undisturbed, spoil):
    spoil(run.history_file)
    code, out, err = server.run("train", "--resume", run.path, cwd=run.path.parent)
    assert code == 0, err
    assert f"warning: {run.history_file} is damaged: its checksum is wrong; it is written again" in out
    check_same_end(run.path, undisturbed)
    assert "is complete" in out


@SPOILERS
def test_a_damaged_model_is_refused_and_resume_puts_the_checkpoints_in_its_place(server, run, spoil):
    spoil(run.model_file)
    line = error_of(server.run("evaluate", run.path, cwd=run.path.parent))
    assert f"{run.model_file} is damaged: its checksum is wrong (" in line
    assert "keras-vae train --resume " in line
    code, out, err = server.run("train", "--resume", run.path, cwd=run.path.parent)
    assert code == 0, err
    assert (
        f"{run.model_file} is damaged: its checksum is wrong; the checkpoint's model of epoch {chains.EPOCHS} replaces"
        in out
    )
    assert f"best model: epoch {chains.EPOCHS} of {chains.EPOCHS}" in out
    check_whole(run.path)
    read_all(run)


def test_a_flipped_digit_in_a_checkpoints_state_is_not_believed(server, run, undisturbed):
    state = newest(run) / "state.json"
    spoiled = state.read_text().replace('"best_epoch": ', '"best_epoch": 1', 1)
    state.write_text(spoiled)
    json.loads(spoiled)
    code, out, err = server.run("train", "--resume", run.path, cwd=run.path.parent)
    assert code == 0, err
    assert f"{newest(run)} was skipped: {state} is damaged: its checksum is wrong" in out
    assert f"resuming after epoch {chains.EPOCHS - 1} in" in out
    check_same_end(run.path, undisturbed)


def test_where_no_checkpoint_is_whole_the_run_stays_as_it_is(server, run):
    for folder in run.list_checkpoints():
        flip(folder / "model.weights.h5")
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    line = error_of(
        server.run("train", "--resume", run.path, "--epochs", chains.EPOCHS + 3, cwd=run.path.parent)
    )
    assert "none of the checkpoints can be read" in line
    assert all(str(folder / "model.weights.h5") in line for folder in run.list_checkpoints())
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before


def test_a_damaged_export_is_named_and_made_anew_and_not_loaded(server, run):
    version = run.serving / "decoder/1"
    (shard,) = (version / "variables").glob("*.data-*")
    flip(shard)
    encoder = run.serving / "encoder/1"
    both = ("--encoder", encoder, "--decoder", version)
    assert f"{shard} is damaged: its checksum is wrong" in error_of(
        server.run("evaluate", *both, cwd=run.path.parent)
    )
    code, out, err = server.run("train", "--resume", run.path, cwd=run.path.parent)
    assert code == 0, err
    assert f"completing {run.path}: {shard} is damaged: its checksum is wrong" in out
    assert run.newest_version("decoder").name == "2"
    checksums.check_sealed(run.newest_version("decoder"))


def test_damaged_checksums_are_named_and_can_be_removed(run):
    file = run.path / checksums.FILE
    truncate(file)
    with pytest.raises(Damaged, match=r"checksums\.json is not JSON.*\(remove it to accept"):
        run.read_config()
    file.unlink()
    assert run.read_config().epochs == chains.EPOCHS


def test_a_name_in_checksums_that_no_file_can_have_is_of_a_missing_one(tmp_path):
    for name in ("n" * 300, "a\0b"):
        (tmp_path / checksums.FILE).write_text(json.dumps({name: ["0"]}))
        with pytest.raises(Damaged, match=r"is missing$"):
            checksums.check_sealed(tmp_path)


def test_a_kill_between_a_checksum_and_its_file_is_no_damage(tmp_path):
    file, new = tmp_path / "file", tmp_path / "new"
    file.write_text("one")
    checksums.note(file, file)
    for text in ("two", "three"):
        new.write_text(text)
        checksums.note(file, new)  # and no more
        checksums.check(file)
    shutil.copy(new, file)
    checksums.check(file)
    file.write_text("four")
    checksums.note(file, new)  # what is there is damaged, and not made right by that
    with pytest.raises(Damaged):
        checksums.check(file)


def test_checkpoints_of_older_versions_are_believed(run):
    rows = rows_of(run.path)
    for folder in run.list_checkpoints():
        (folder / checksums.FILE).unlink()
        state = json.loads((folder / "state.json").read_text())
        (folder / "state.json").write_text(json.dumps({**state, "sha256": "of the weights"}))

    class Model:
        def load_weights(self, path):
            self.path = path

    state, faults = run.restore(model := Model())
    assert (state.epoch, len(state.rows), faults) == (chains.EPOCHS, len(rows), [])
    assert model.path == newest(run) / "model.weights.h5"


# Caches


def pictures(folder):
    folder.mkdir()
    for number in range(24):
        image = np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(image).save(folder / f"{number}.png")
    return folder


def images_of(source):
    dataset = load_dataset(source, image_size=16)
    parts = (dataset.train, dataset.validation, dataset.test)
    return dataset.fingerprint, [split.images().tobytes() for split in parts]


def what_is_read(source):
    """Returns `images_of` the source, or what the error says."""
    try:
        return images_of(source)
    except DatasetError as error:
        return str(error)


def test_no_flipped_bit_of_an_array_record_cache_changes_an_image(tmp_path):
    source = ImageFolder(path=str(pictures(tmp_path / "pictures")), cache=str(tmp_path / "cache"))
    expected = images_of(source)
    (records,) = (tmp_path / "cache").glob("*.array_record")
    good, noticed = records.read_bytes(), 0
    random = np.random.default_rng(SEED)
    for number in range(40):
        if number % 3:
            flip(records, int(random.integers(8 * len(good))))
        else:
            truncate(records, int(random.integers(len(good))))
        found = what_is_read(source)
        assert (
            found == expected or f"{records.parent}: the cache is damaged: remove it and start again" in found
        )
        noticed += found != expected
        records.write_bytes(good)
    assert noticed > 10  # the others fell into what fills the file up between records


def test_damaged_facts_of_an_array_record_cache_are_made_anew(tmp_path):
    source = ImageFolder(path=str(pictures(tmp_path / "pictures")), cache=str(tmp_path / "cache"))
    expected = images_of(source)
    of_headers, of_files = sorted(
        pathlib.Path(tmp_path / "cache").glob("*.json"), key=lambda file: file.stat().st_size
    )
    random = np.random.default_rng(SEED)
    for facts in (of_headers, of_files):
        for spoil in (flip, truncate):
            for _ in range(5):
                size = facts.stat().st_size
                spoil(facts, int(random.integers(8 * size if spoil is flip else size)))
                assert images_of(source) == expected


def test_what_is_found_damaged_in_the_middle_of_an_epoch_is_named_too(tmp_path):
    source = ImageFolder(path=str(pictures(tmp_path / "pictures")), cache=str(tmp_path / "cache"))
    batches = load_dataset(source, image_size=16).train.training_batches(8, seed=0)
    (records,) = (tmp_path / "cache").glob("*.array_record")
    truncate(records, 100)
    with (
        pytest.raises(DatasetError, match="the cache is damaged: remove it and start again"),
        dataset_errors(),
    ):
        for _ in batches.take(8):
            pass
