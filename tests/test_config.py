"""Settings that a program gives: understood as on the command line, or refused as there."""

import pathlib
import shutil
import subprocess

import numpy as np
import pytest

from keras_vae.config.flags import parse
from keras_vae.data import load_dataset
from keras_vae.errors import DatasetError
from keras_vae.evaluation.settings import Evaluation
from keras_vae.training import run_folder as runs
from keras_vae.training.config import Config


@pytest.mark.parametrize(
    ("name", "given", "typed"),
    [
        ("image_size", "32x128", "32x128"),
        ("image_size", (32, 128), "32x128"),
        ("image_size", [32], "32"),
        ("image_size", np.int64(32), "32"),
        ("image_size", None, None),
        ("latent", (8, 8, 16), "8x8x16"),
        ("latent", 8, "8"),
        ("epochs", "10", "10"),
        ("epochs", np.int32(10), "10"),
        ("learning_rate", "1e-3", "1e-3"),
        ("learning_rate", 1, "1"),
        ("augment", "flip,crop", "flip,crop"),
        ("augment", ["flip", "crop"], "flip,crop"),
        ("output", pathlib.Path("x"), "x"),
        ("objective", "beta_vae", "beta_vae"),
        ("dataset", pathlib.Path("a.npz"), "a.npz"),
    ],
)
def test_a_setting_is_what_the_command_line_makes_of_it(name, given, typed):
    expected = parse(Config, [] if typed is None else [f"--{name}", typed]).config
    found = Config(**{name: given})
    assert found == expected
    assert type(getattr(found, name)) is type(getattr(expected, name))


@pytest.mark.parametrize(
    ("settings", "name", "given"),
    [
        (Config, "image_size", "large"),
        (Config, "image_size", (1, 2, 3)),
        (Config, "image_size", 32.5),
        (Config, "image_size", True),
        (Config, "latent", None),
        (Config, "latent", 2.5),
        (Config, "epochs", "ten"),
        (Config, "epochs", 2.0),
        (Config, "epochs", True),
        (Config, "batch_size", None),
        (Config, "learning_rate", float("nan")),
        (Config, "deterministic", "perhaps"),
        (Config, "name", 5),
        (Config, "schedule", 3),
        (Config, "objective", 3),
        (Config, "objective", "betavae"),
        (Evaluation, "nll_samples", 1.5),
        (Evaluation, "decoder_range", "words"),
    ],
)
def test_what_no_command_line_could_say_is_refused_by_name(settings, name, given):
    with pytest.raises(ValueError, match=f"^{name}"):
        settings(**{name: given})


@pytest.mark.parametrize("size", ["16x12", (16, 12), [16, 12], np.array([16, 12])])
def test_a_dataset_takes_a_size_as_it_is_typed(size):
    assert load_dataset("digits", image_size=size).train.image_shape == (16, 12, 1)
    assert load_dataset("digits", image_size=16).train.image_shape == (16, 16, 1)


@pytest.mark.parametrize(
    ("name", "given"), [("image_size", "wide"), ("image_size", 2.5), ("limit", "10"), ("channels", 1.0)]
)
def test_a_dataset_refuses_what_is_of_another_type(name, given):
    with pytest.raises(DatasetError, match=f"^{name} is {given!r}: expected"):
        load_dataset("digits", **{name: given})


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not here")
def test_the_commit_is_that_of_the_repository_that_tracks_the_code_alone(tmp_path):
    def git(*words):
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words]
        return subprocess.run(
            command, cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    code, installed = tmp_path / "package" / "module.py", tmp_path / "venv" / "module.py"
    for file in (code, installed):
        file.parent.mkdir()
        file.write_text("")
    git("init")
    assert runs.commit(code) is None  # no commit yet
    git("add", "package")
    git("commit", "-m", "first")
    assert runs.commit(code) == git("rev-parse", "HEAD")
    assert runs.commit(installed) is None
    assert runs.commit(tmp_path.parent / "elsewhere" / "module.py") is None


def test_a_command_without_settings_takes_those_that_suit_the_digits(tmp_path, monkeypatch):
    from keras_vae.cli.train import read_command_line

    monkeypatch.chdir(tmp_path)
    config = read_command_line(["--seed", "3", "--name", "first"])[0]
    assert (config.latent, config.epochs, config.seed) == ((8,), 40, 3)
    for words in (["--limit", "100"], ["--dataset", "sprites"], ["--objective", "autoencoder"]):
        config = read_command_line(words)[0]
        assert (config.latent, config.epochs) == ((16,), None)
    assert read_command_line(["--epochs", "5"])[0].latent == (16,)
