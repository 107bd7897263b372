"""What messages tell a reader to type runs from where it is printed."""

import pytest

from keras_vae.config.flags import parse, to_flags
from keras_vae.evaluation.settings import Evaluation
from keras_vae.runtime.programs import command_line, program, typed_path


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_checkout_has_scripts_and_an_installation_has_commands(place):
    assert program("train") == "keras-vae-train"
    (place / "train.py").write_text("from keras_vae.cli.train import main\nmain()\n")
    assert program("train") == "python train.py"
    assert program("evaluate") == "keras-vae-evaluate"


def test_an_environment_below_the_directory_that_is_not_active_is_named(place, monkeypatch):
    own = place / ".venv" / "bin"
    own.mkdir(parents=True)
    for name in ("python", "keras-vae-train"):
        (own / name).write_text("")
        (own / name).chmod(0o755)
    monkeypatch.setattr("sys.executable", str(own / "python"))
    assert program("train") == ".venv/bin/keras-vae-train"
    (place / "train.py").write_text("from keras_vae.cli.train import main\nmain()\n")
    assert program("train") == ".venv/bin/python train.py"
    monkeypatch.setenv("PATH", str(own))
    assert program("train") == "python train.py"


def test_a_script_of_somebody_else_is_not_ours(place):
    (place / "train.py").write_text("import torch\n")
    assert command_line("train", "--resume", "a b") == "keras-vae-train --resume 'a b'"


def test_a_path_below_the_current_directory_is_relative(place):
    assert typed_path(place / "saved_models" / "a") == "saved_models/a"
    assert typed_path("saved_models/../saved_models/a") == "saved_models/a"
    assert typed_path(place.parent / "elsewhere") == str(place.parent / "elsewhere")


@pytest.mark.parametrize(
    "words",
    [
        "--dataset mnist --decoder_range logits --encoder e --decoder d",
        "--dataset sprites --dataset.size 300 --seed 4",
        "--dataset digits --image_size 48x64 --samplers gaussian,vamp --no-repair --extended",
        "--likelihood gaussian --likelihood.sigma 0.3 --encoder_outputs a,b",
        "--limit 30 --no-download --data_dir images",
    ],
)
def test_flags_say_again_what_a_command_line_said(words):
    read = parse(Evaluation, words.split())
    flags = to_flags(read.config, read.given)
    assert parse(Evaluation, flags).config == read.config
    assert sorted(flags) == sorted(words.split())


def test_a_folder_of_images_is_typed_as_its_path(place):
    (place / "images" / "cats").mkdir(parents=True)
    read = parse(Evaluation, ["--dataset", "./images"])
    assert to_flags(read.config, read.given) == ["--dataset", "./images"]
