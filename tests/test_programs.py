"""What messages tell a reader to type runs from where it is printed."""

import pathlib
import subprocess
import sys

import pytest

from keras_vae.config.flags import parse, to_flags
from keras_vae.evaluation.settings import Evaluation
from keras_vae.runtime.programs import command_line, program, runnable, spelled, to_type, typed_path

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


SCRIPT = "from keras_vae.cli.train import main\nmain()\n"


def environment(folder, *names):
    """Makes the programs `names` of an environment in `folder` and returns its folder of programs."""
    own = folder / "bin"
    own.mkdir(parents=True)
    for name in names:
        (own / name).write_text("")
        (own / name).chmod(0o755)
    return own


def test_a_checkout_has_scripts_and_an_installation_has_commands(place, monkeypatch):
    own = environment(place.parent / f"{place.name}-active", "python", "keras-vae")
    monkeypatch.setattr("sys.executable", str(own / "python"))
    monkeypatch.setenv("PATH", str(own))
    assert program("train") == "keras-vae train"
    (place / "train.py").write_text(SCRIPT)
    assert program("train") == "python train.py"
    assert program("evaluate") == "keras-vae evaluate"
    assert to_type("serve", "run", "a b") == "keras-vae serve run 'a b'"


def test_an_environment_below_the_directory_that_is_not_active_is_named(place, monkeypatch):
    own = environment(place / ".venv", "python", "keras-vae")
    monkeypatch.setattr("sys.executable", str(own / "python"))
    assert program("train") == ".venv/bin/keras-vae train"
    (place / "train.py").write_text(SCRIPT)
    assert program("train") == ".venv/bin/python train.py"
    assert to_type("train") == ".venv/bin/python train.py"
    monkeypatch.setenv("PATH", str(own))
    assert program("train") == "python train.py"


def test_an_environment_elsewhere_is_named_in_the_terminal_and_not_in_reports(place, monkeypatch):
    own = environment(place.parent / f"{place.name} away", "python", "keras-vae")
    monkeypatch.setattr("sys.executable", str(own / "python"))
    monkeypatch.setenv("PATH", "/nowhere")
    assert command_line("evaluate") == "keras-vae evaluate"
    assert to_type("evaluate") == f"'{own}/keras-vae' evaluate"
    assert runnable("ls -l") == "ls -l"


def test_without_an_installed_command_the_module_is_run(place, monkeypatch):
    own = environment(place.parent / f"{place.name}-bare", "python3.11")  # a system's Python has no `python`
    monkeypatch.setattr("sys.executable", str(own / "python3.11"))
    monkeypatch.setenv("PATH", "/nowhere")
    assert to_type("sweep") == f"{own}/python3.11 -m keras_vae_commands sweep"


def test_examples_are_spelled_as_they_are_typed_here(place, monkeypatch):
    own = environment(place / "venv", "python", "keras-vae")
    monkeypatch.setattr("sys.executable", str(own / "python"))
    text = "python train.py --epochs 3, python -m keras_vae.serving run"
    assert spelled(text) == "venv/bin/keras-vae train --epochs 3, venv/bin/keras-vae serve run"


def test_the_module_answers_like_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "keras_vae_commands"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.startswith("usage: keras-vae COMMAND")


def test_a_script_of_somebody_else_is_not_ours(place):
    (place / "train.py").write_text("import torch\n")
    assert command_line("train", "--resume", "a b").endswith("keras-vae train --resume 'a b'")


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
