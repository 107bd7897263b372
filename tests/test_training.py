"""Training from a program: what `train` and `main` make of settings, images and Ctrl-C."""

import fcntl
import os
import pathlib
import pty
import re
import shutil
import signal
import struct
import sys
import termios
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from commands import TINY, is_finite, rows_of, run_main, run_well
from PIL import Image

import keras_vae
from keras_vae.cli import train
from keras_vae.config.codec import read_config
from keras_vae.data import Digits, ImageFolder
from keras_vae.errors import UsageError
from keras_vae.model.objectives import BetaVAE
from keras_vae.training import callbacks, loop
from keras_vae.training.config import Config
from keras_vae.training.run_folder import Run

README = pathlib.Path(__file__).parent.parent / "README.md"


def versions(folder, servable="decoder"):
    return sorted(path.name for path in (folder / "serving" / servable).iterdir())


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """The folder of a complete run of three epochs."""
    output = tmp_path_factory.mktemp("complete")
    run_well("--limit", 64, "--epochs", 3, *TINY, "--output", output)
    return output / "digits-vae-2"


@pytest.fixture
def copy(complete, tmp_path):
    """A copy of the folder of a complete run."""
    return pathlib.Path(shutil.copytree(complete, tmp_path / "copy"))


# Resuming


def test_resuming_a_complete_run_says_so_and_changes_nothing(complete):
    before = {path: path.stat().st_mtime_ns for path in complete.rglob("*")}
    out = run_well("--resume", complete)
    assert "is complete: 3 epochs (continue with --epochs 6)" in out
    assert {path: path.stat().st_mtime_ns for path in complete.rglob("*")} == before


@pytest.mark.long
def test_resuming_with_more_epochs_goes_on(copy):
    before = rows_of(copy)
    out = run_well("--resume", copy, "--epochs", 4)
    assert "resuming after epoch 3" in out
    assert rows_of(copy)[:3] == before
    assert len(rows_of(copy)) == 4
    assert read_config(Config, copy / "config.json").epochs == 4
    assert versions(copy) == ["1", "2"]


@pytest.mark.long
def test_resuming_makes_good_what_is_missing_of_a_complete_run(copy):
    shutil.rmtree(copy / "serving" / "encoder")
    assert "done in" in run_well("--resume", copy)
    assert versions(copy, "encoder") == ["1"]


def test_a_setting_that_makes_another_run_is_refused(complete):
    code, out, err = run_main("--resume", complete, "--latent", 4)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--latent cannot change" in err
    assert "--config" in err


@pytest.mark.long
def test_a_checkpoint_with_a_flipped_bit_is_named_and_the_one_before_is_used(copy):
    weights = copy / "checkpoints" / "epoch-000003" / "model.weights.h5"
    shutil.copytree(weights.parent, copy / "checkpoints" / "epoch-000002")  # stands for an older one
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    out = run_well("--resume", copy, "--epochs", 4)
    assert re.search(r"warning: .*epoch-000003 was skipped: .*h5 is damaged: its checksum is wrong", out)
    assert "resuming after epoch 3" in out  # what its state says
    assert sorted(path.name for path in (copy / "checkpoints").glob("epoch-*"))[-1] == "epoch-000004"


def test_checkpoints_of_epochs_to_come_do_not_crowd_out_the_good_ones(tmp_path):
    run = Run(tmp_path)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd")
    (run.checkpoints / "epoch-000009").mkdir(parents=True)  # could not be read
    for epoch in (2, 3, 4):
        run.write_checkpoint(model, loop.State(epoch=epoch))
    assert [path.name for path in run.list_checkpoints()] == ["epoch-000004", "epoch-000003"]


@pytest.mark.long
def test_other_images_are_refused_in_a_resumed_run(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8), dtype=np.uint8)
    file = tmp_path / "images.npy"
    np.save(file, images)
    run_well("--dataset", file, "--epochs", 1, *TINY, "--output", tmp_path, "--name", "run")
    np.save(file, 255 - images)
    code, _, err = run_main("--resume", tmp_path / "run", "--epochs", 2)
    assert (code, err.count("\n")) == (2, 1)
    assert "are not those that" in err
    assert read_config(Config, tmp_path / "run" / "config.json").epochs == 1


def test_two_processes_do_not_train_in_one_folder(complete):
    with Run(complete).held():
        code, _, err = run_main("--resume", complete, "--epochs", 5)
    assert (code, err.count("\n")) == (2, 1)
    assert "another process" in err
    assert "is complete" in run_well("--resume", complete)


# Ctrl-C


def small():
    return keras_vae.NETWORKS["convolutional"](widths=(4,), dense=8)


def interrupt_at(monkeypatch, owner, name):
    """Sends this process one SIGINT when `owner.name` is called for the first time."""
    original, calls = getattr(owner, name), []

    def replacement(*positional, **named):
        if not calls:
            calls.append(name)
            os.kill(os.getpid(), signal.SIGINT)
        return original(*positional, **named)

    monkeypatch.setattr(owner, name, replacement)


@pytest.mark.long
def test_ctrl_c_while_the_run_is_finished_leaves_no_half_export_and_resume_completes_it(copy, monkeypatch):
    from keras_vae.export import saved_models as export

    shutil.rmtree(copy / "serving")
    with monkeypatch.context() as patch:
        interrupt_at(patch, export, "publish")
        code, _, err = run_main("--resume", copy)
    assert (code, err.count("\n")) == (2, 1)
    assert re.search("Ctrl-C during the export: complete it with .* --resume ", err)
    assert [path for path in copy.rglob("*") if path.name == "saved_model.pb"] == []
    assert "done in" in run_well("--resume", copy)
    assert (versions(copy), versions(copy, "encoder")) == (["1"], ["1"])


@pytest.mark.long
def test_ctrl_c_in_the_first_epoch_keeps_the_weights_of_the_moment(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_at(patch, callbacks.Guard, "on_train_batch_end")
        out = run_well("--limit", 64, "--epochs", 3, *TINY, "--output", tmp_path)
    folder = tmp_path / "digits-vae-2"
    assert "best model: weights of an unfinished epoch" in out
    assert re.search(f"continue with .* --resume {re.escape(str(folder))}", out)
    assert is_finite(keras.saving.load_model(folder / "model.keras"))
    run_well("--resume", folder)
    assert len(rows_of(folder)) == 3


@pytest.mark.long
def test_ctrl_c_at_the_end_of_an_epoch_keeps_that_epoch(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_at(patch, callbacks.Guard, "on_epoch_end")
        run_well("--limit", 64, "--epochs", 3, *TINY, "--output", tmp_path)
    assert len(rows_of(tmp_path / "digits-vae-2")) == 1


def test_ctrl_c_is_given_back_after_training(complete):
    assert complete.is_dir()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# Settings


@pytest.mark.long
def test_a_configuration_and_a_change_make_a_second_run(complete, tmp_path):
    config = ["--config", complete / "config.json", "--output", tmp_path, "--epochs", 1]
    run_well(*config, "--seed", 0)
    run_well(*config, "--seed", 1)
    first, second = (rows_of(tmp_path / name)[0] for name in ("digits-vae-2", "digits-vae-2-2"))
    again, old = (
        read_config(Config, folder / "config.json") for folder in (tmp_path / "digits-vae-2", complete)
    )
    assert (again.latent, again.network, again.limit) == (old.latent, old.network, old.limit)
    assert float(first["loss"]) != float(second["loss"])


@pytest.mark.long
def test_the_same_seed_gives_the_same_history(tmp_path):
    arguments = ["--limit", 40, "--epochs", 2, "--augment", "noise", *TINY, "--output", tmp_path]
    run_well(*arguments)
    run_well(*arguments)
    first, second = (rows_of(tmp_path / name) for name in ("digits-vae-2", "digits-vae-2-2"))
    for row, other in zip(first, second):
        assert [float(row[name]) for name in row] == pytest.approx(
            [float(other[name]) for name in row], rel=1e-5
        )


@pytest.mark.long
def test_a_run_that_accumulates_gradients_resumes_within_a_step(tmp_path):
    # 5 batches an epoch, 3 to a step: an epoch ends in the middle of one.
    arguments = [*TINY, "--limit", "160", "--accumulate", "3", "--output", tmp_path]
    run_well(*arguments, "--epochs", "2", "--schedule", "constant", "--name", "whole")
    run_well(*arguments, "--epochs", "1", "--schedule", "constant", "--name", "parts")
    run_well("--resume", tmp_path / "parts", "--epochs", "2")
    assert rows_of(tmp_path / "whole") == rows_of(tmp_path / "parts")


def test_the_name_in_a_configuration_is_kept_where_it_is_free(tmp_path):
    file = tmp_path / "config.json"
    file.write_text(f'{{"name": "mine", "output": "{tmp_path}"}}')
    assert train.read_command_line(["--config", str(file)])[0].name == "mine"
    (tmp_path / "mine").mkdir()
    assert train.read_command_line(["--config", str(file)])[0].name is None


@pytest.mark.long
def test_patience_stops_early_and_resume_says_what_would_go_on(tmp_path):
    # At a rate of a millionth, hardly two epochs in a row are better.
    slow = ["--learning_rate", "1e-12", "--schedule", "constant", "--patience", 1, "--epochs", 50]
    run_well("--limit", 64, *slow, *TINY, "--output", tmp_path)
    folder = tmp_path / "digits-vae-2"
    assert len(rows_of(folder)) < 50
    assert "it stopped early; continue with --patience 2" in run_well("--resume", folder)


@pytest.mark.long
def test_a_loss_far_from_the_bound_is_pointed_out_once_with_its_number(tmp_path):
    code, out, err = run_main(
        "--limit", 5, "--objective.reduction", "mean", "--epochs", 1, *TINY, "--output", tmp_path
    )
    assert code == 0
    assert out.count("effective beta of 32 ") == 1  # 64 pixels to 2 latents
    assert "beta" not in err


HELD_OUT = {"val_loss": 9.0, "val_distortion": 5.0, "val_rate": 2.0}


@pytest.mark.parametrize(
    ("logs", "value"),
    [
        (HELD_OUT, 9.0),
        ({**HELD_OUT, "val_bound": 6.0}, 6.0),
        ({**HELD_OUT, "val_critic_loss": 1.0}, 7.0),
        ({"loss": 3.0, "distortion": 4.0, "rate": 2.0}, 6.0),
        ({"loss": 3.0, "distortion": 4.0}, 4.0),
    ],
)
def test_a_model_is_judged_by_what_it_is_trained_for(logs, value):
    from keras_vae.training.callbacks import judged

    assert judged(logs) == value


def test_an_elbo_is_spoken_of_only_where_the_distortion_is_of_a_density():
    terms = {"distortion": 3.0, "rate": 2.0}
    assert loop.describe_test(terms, True).startswith("test: ELBO -5.00 nats per image")
    assert loop.describe_test(terms, False).startswith(
        "test: distortion 3.00 + rate 2.00 nats per image; this is not an ELBO"
    )


@pytest.mark.long
def test_a_plain_autoencoder_has_no_rate(tmp_path):
    out = run_well("--limit", 5, "--objective", "autoencoder", "--epochs", 1, *TINY, "--output", tmp_path)
    (row,) = rows_of(tmp_path / "digits-autoencoder-2")
    assert set(row) == {"epoch", "loss", "distortion", "val_loss", "val_distortion", "learning_rate"}
    assert "test: distortion" in out


@pytest.mark.long
def test_colour_images_of_odd_sizes_train_with_a_spatial_latent_in_bfloat16(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (40, 11, 7, 3), dtype=np.uint8)
    np.savez(tmp_path / "odd.npz", images=images)
    arguments = ["--latent", "3x2x2", "--precision", "mixed_bfloat16", "--epochs", 1, "--network.widths", 4]
    run_well("--dataset", tmp_path / "odd.npz", *arguments, "--output", tmp_path)
    folder = tmp_path / "odd-vae-3x2x2"
    decoder = tf.saved_model.load(str(folder / "serving/decoder/1"))
    images = decoder.signatures["sample"](seed=tf.constant([0, 1], tf.int64))["image"]
    assert (images.shape, images.dtype) == ((2, 11, 7, 3), tf.float32)
    assert read_config(Config, folder / "config.json").precision == "mixed_bfloat16"


@pytest.mark.long
@pytest.mark.parametrize("count", [1, 3])
def test_a_folder_of_very_few_images_trains(tmp_path, count):
    (tmp_path / "pictures").mkdir()
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (20, 17, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{number}.png")
    arguments = ["--image_size", "13x9", "--augment", "flip,crop", "--epochs", 2, *TINY]
    out = run_well("--dataset", tmp_path / "pictures", *arguments, "--output", tmp_path)
    folder = tmp_path / "pictures-vae-2"
    assert ("too few images for a held-out set" in out) == (count == 1)
    assert ("val_loss" in rows_of(folder)[0]) == (count == 3)
    with Image.open(folder / "preview.png") as picture:
        assert picture.height < 2.5 * picture.width


@pytest.mark.parametrize(
    ("arguments", "help"),
    [
        (["--latent", "9x9x2"], "--latent 4x4x2"),
        (["--precision", "mixed_float16"], "--precision auto"),
        (["--dataset", "no_such_set", "--no-download"], "no_such_set"),
    ],
)
def test_what_the_images_or_the_machine_refuse_ends_with_2_and_one_line(tmp_path, arguments, help):
    if "mixed_float16" in arguments and tf.config.list_physical_devices("GPU"):
        pytest.skip("a GPU computes in float16")
    code, out, err = run_main(*arguments, "--output", tmp_path)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert help in err
    assert list(tmp_path.iterdir()) == []


# Progress


@pytest.mark.parametrize("size", [(24, 80), (0, 0)])  # rows and columns; some terminals do not know
def test_a_terminal_gets_a_bar_with_all_terms_that_fits_its_width(monkeypatch, size):
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    with os.fdopen(terminal, "w") as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        progress = callbacks.EpochProgress()
        progress.set_params({"epochs": 20, "steps": 1000})
        progress.on_epoch_begin(0)
        progress.bar.mininterval = 0
        progress.on_train_batch_end(499, {"loss": 123.456, "distortion": 120.0, "rate": 3.456})
        progress.on_epoch_end(0, {"loss": 99.0})
        shown = b""
        while b"loss 99.00\r\n" not in shown:  # a terminal hands over what it has, which may be less
            shown += os.read(main, 10_000)
    os.close(main)
    shown = shown.decode()
    bars = [line for line in re.split("[\r\n]+", shown) if "loss 123" in line]
    assert bars[0].startswith("epoch 1/20: loss 123.46  distortion 120.00  rate 3.46 |")
    assert bars[0].rstrip().endswith("| 2%")  # 500 of 20,000 steps
    assert len(bars[0]) < 80
    assert re.search(r"epoch 1/20(, [\d:]+ left)?: loss 99.00\r\n$", shown)


# From a program


@pytest.mark.long
def test_train_returns_the_run_also_outside_of_the_main_thread(tmp_path):
    config = Config(limit=32, epochs=1, latent=2, network=small(), output=str(tmp_path))
    runs = []
    thread = threading.Thread(target=lambda: runs.append(keras_vae.train(config)))
    thread.start()
    thread.join()
    (run,) = runs
    assert run.path == tmp_path / "digits-vae-2"
    assert run.read_config().epochs == 1


def test_a_configuration_takes_what_one_would_type():
    config = Config(
        dataset="digits", objective="beta_vae", latent="8x8x4", image_size=16, augment="flip,crop"
    )
    assert (config.dataset, config.objective) == (Digits(), BetaVAE())
    assert (config.latent, config.image_size, config.augment) == ((8, 8, 4), (16, 16), ("flip", "crop"))
    assert Config(latent=32).latent == (32,)
    assert Config(dataset=pathlib.Path(__file__).parent).dataset == ImageFolder(
        str(pathlib.Path(__file__).parent)
    )
    with pytest.raises(ValueError, match=r"objective is 'veo': expected one of .*, autoencoder"):
        Config(objective="veo")


def test_a_taken_name_is_refused_and_a_default_one_numbered(tmp_path):
    config = Config(output=str(tmp_path))
    assert [Run.create(config, "run").path.name for _ in range(3)] == ["run", "run-2", "run-3"]
    with pytest.raises(UsageError, match="choose another --name"):
        Run.create(Config(output=str(tmp_path), name="run"), "run")


def code_blocks():
    return re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


def test_the_programs_in_the_readme_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    training_program, serving_program = code_blocks()
    assert "epochs=100" in training_program
    names = {}
    exec(training_program.replace("epochs=100", "epochs=1, steps_per_epoch=2"), names)
    assert np.asarray(names["model"].sample(16, seed=0)).shape == (16, 8, 8, 1)
    served = serving_program.replace("saved_models/digits-vae-8/", "")
    assert served != serving_program
    exec(served, names)
    assert is_finite(keras.saving.load_model("digits.keras"))
