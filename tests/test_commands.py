"""`python train.py` as a user runs it: whole runs, bad input, and processes that are killed or interrupted."""

import csv
import dataclasses
import io
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import textwrap

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import keras_vae.model.autoencoder  # noqa: F401  (registers the model with Keras)
from keras_vae.config.codec import from_json, read_config, to_json
from keras_vae.export.saved_models import float32_twin
from keras_vae.training.config import Config

TRAIN = pathlib.Path(__file__).parent.parent / "train.py"
TINY = ["--network.widths", "4", "--network.dense", "8", "--latent", "2", "--batch_size", "32"]

# Runs train.py's main with a checkpoint every epoch, and sends the process a signal as it calls something for
# the n-th time: `SIGKILL keras_vae.training.run_folder:digest 3 --resume ...`.
DRIVER = """
    import importlib, os, signal, sys
    from keras_vae.training import callbacks
    from keras_vae.training import pace
    from keras_vae.cli.train import main

    signal_name, moment, count, *arguments = sys.argv[1:]
    callbacks.CHECKPOINT_SECONDS = 0
    pace.MOST_STEPS = 1  # callbacks hear of each
    module, _, dotted = moment.partition(":")
    owner = importlib.import_module(module)
    *parents, name = dotted.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    original, calls = getattr(owner, name), []

    def replacement(*positional, **named):
        calls.append(moment)
        if len(calls) == int(count):
            os.kill(os.getpid(), getattr(signal, signal_name))
        return original(*positional, **named)

    setattr(owner, name, replacement)
    main(arguments)
"""
STEP = "keras_vae.training.callbacks:Guard.on_train_batch_end"


def run(*arguments, cwd):
    """Runs `python train.py` with `arguments` and returns the process, ended."""
    return subprocess.run(
        [sys.executable, TRAIN, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=300
    )


def drive(signal_name, moment, count, *arguments, cwd):
    """Runs `DRIVER` and returns the process, ended."""
    words = [sys.executable, "-c", textwrap.dedent(DRIVER), signal_name, moment, count, *arguments]
    return subprocess.run(list(map(str, words)), cwd=cwd, capture_output=True, text=True, timeout=300)


def rows_of(folder):
    with open(folder / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


def leftovers(folder):
    return [str(path) for path in folder.rglob("*") if path.name.startswith((".writing", ".unfinished"))]


# A whole run


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run from the command line: its process and its folder."""
    cwd = tmp_path_factory.mktemp("whole")
    process = run("--limit", 64, "--epochs", 3, "--augment", "flip", *TINY, cwd=cwd)
    assert process.returncode == 0, process.stderr
    return process, cwd / "saved_models" / "digits-vae-2"


def test_a_run_leaves_the_files_that_the_readme_lists_and_nothing_half_written(whole):
    _, folder = whole
    listed = [
        "config.json",
        "environment.json",
        "history.csv",
        "model.keras",
        "preview.png",
        "checkpoints",
        "logs",
    ]
    listed += ["serving/decoder/1/saved_model.pb", "serving/encoder/1/saved_model.pb"]
    assert [name for name in listed if not (folder / name).exists()] == []
    assert leftovers(folder) == []


def test_config_json_holds_every_field_decided_and_reads_back_equal(whole):
    _, folder = whole
    data = json.loads((folder / "config.json").read_text())
    assert set(data) == {field.name for field in dataclasses.fields(Config)}
    assert "auto" not in json.dumps(data)
    assert data["likelihood"] == {"kind": "gaussian_optimal"}
    config = read_config(Config, folder / "config.json")
    assert (config.epochs, config.latent, config.augment, config.limit) == (3, (2,), ("flip",), 64)
    assert from_json(Config, to_json(config)) == config


def test_environment_json_tells_versions_devices_and_command_line(whole):
    _, folder = whole
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["packages"]["keras"] == keras.__version__
    assert "1 CPU" in environment["devices"]
    assert environment["onednn"] == "yes"  # tests/conftest.py says so
    assert environment["command_line"][1:3] == ["--limit", "64"]


def test_history_has_a_row_an_epoch_whose_terms_add_up_to_the_loss(whole):
    _, folder = whole
    rows = rows_of(folder)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    for row in rows:
        for prefix in ("", "val_"):
            total = float(row[f"{prefix}distortion"]) + float(row[f"{prefix}rate"])
            assert float(row[f"{prefix}loss"]) == pytest.approx(total, rel=1e-5)
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])


def test_the_picture_is_a_png_with_light_and_dark(whole):
    _, folder = whole
    with Image.open(folder / "preview.png") as picture:
        assert picture.format == "PNG"
        assert np.ptp(np.asarray(picture.convert("L"))) > 200


def logged(folder):
    """Returns what TensorBoard's files below `folder` hold: step and value by tag, by name of the run."""
    seen = {}
    for file in sorted(folder.rglob("events.out.tfevents.*")):
        run = seen.setdefault(str(file.parent.relative_to(folder)), {})
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                run.setdefault(value.tag, []).append((event.step, value))
    return seen


def test_logs_have_a_name_and_one_chart_for_training_and_validation(whole):
    """Runs with equal tags share a chart."""
    _, folder = whole
    name, seen = folder.name, logged(folder / "logs")
    assert set(seen) == {name, f"{name}/train", f"{name}/validation"}
    rows = list(csv.DictReader((folder / "history.csv").open()))
    for term in ("loss", "rate", "distortion"):
        for split, column in (("train", term), ("validation", f"val_{term}")):
            points = seen[f"{name}/{split}"][f"losses/{term}"]
            assert [step for step, _ in points] == [1, 2, 3]
            values = [float(tf.make_ndarray(value.tensor)) for _, value in points]
            assert values == pytest.approx([float(row[column]) for row in rows], rel=1e-5)
    rates = [
        float(tf.make_ndarray(value.tensor)) for _, value in seen[f"{name}/train"]["training/learning_rate"]
    ]
    assert rates == pytest.approx([float(row["learning_rate"]) for row in rows], rel=1e-5)


def test_logs_hold_the_settings_as_a_table_and_as_hyperparameters(whole):
    from tensorboard.plugins.hparams import plugin_data_pb2

    _, folder = whole
    seen = logged(folder / "logs")[folder.name]
    ((_, table),) = seen["settings"]
    assert "| epochs | 3 |" in tf.make_ndarray(table.tensor).item().decode()
    ((_, start),) = seen["_hparams_/session_start_info"]
    content = plugin_data_pb2.HParamsPluginData.FromString(start.metadata.plugin_data.content)
    values = content.session_start_info.hparams
    assert (values["epochs"].number_value, values["objective"].string_value) == (3, "vae")
    assert "output" not in values


def test_logs_hold_a_grid_of_three_rows_of_images(whole):
    _, folder = whole
    seen = logged(folder / "logs")[f"{folder.name}/train"]
    (grid_tag,) = [tag for tag in seen if "reconstructions" in tag]
    width, height, png = tf.make_ndarray(seen[grid_tag][-1][1].tensor)
    # eight images of 8x8 in three rows, with a pixel between them
    assert (int(width), int(height)) == (8 * 8 + 7, 3 * 8 + 2)
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.size == (71, 26)


def test_the_saved_models_give_what_the_kept_model_gives(whole):
    _, folder = whole
    model = float32_twin(keras.saving.load_model(folder / "model.keras"))
    codes = np.random.default_rng(0).normal(size=(3, 2)).astype("float32")
    decoder = tf.saved_model.load(str(folder / "serving/decoder/1"))
    served = decoder.signatures["serving_default"](latent=tf.constant(codes))["image"]
    np.testing.assert_allclose(served, model.decode(codes), atol=1e-6)
    encoder = tf.saved_model.load(str(folder / "serving/encoder/1"))
    mean = encoder.signatures["encode"](image=served)["mean"]
    np.testing.assert_allclose(mean, model.encode(served)[0], atol=1e-6)


def test_standard_error_shows_the_epochs_and_none_of_tensorflows_noise(whole):
    process, _ = whole
    lines = process.stderr.splitlines()
    assert [line[:9] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert all("distortion" in line and "rate" in line and "loss" in line for line in lines)


def test_the_summary_says_how_good_the_model_is_and_where_its_files_are(whole):
    process, _ = whole
    assert "64 train, 180 validation, 180 test images of 8x8x1" in process.stdout
    assert "test: ELBO" in process.stdout
    end = process.stdout[process.stdout.index("best model: epoch") :]
    assert len(end.splitlines()) < 24
    for name in (
        "saved_models/digits-vae-2",
        "preview.png",
        "model.keras",
        "serving/",
        "history.csv",
        "logs/",
    ):
        assert name in end


# Bad input

BAD = {
    "unknown flag": (["--epochz", "3"], "--epochs"),
    "flag without value": (["--epochs"], "--epochs"),
    "a word": (["mnist"], "mnist"),
    "epochs": (["--epochs", "0"], "at least 1"),
    "epochs text": (["--epochs", "many"], "whole number"),
    "batch size": (["--batch_size", "0"], "batch_size"),
    "batch size fraction": (["--batch_size", "1.5"], "whole number"),
    "limit": (["--limit", "-3"], "limit"),
    "patience": (["--patience", "0"], "patience"),
    "seed": (["--seed", "-1"], "seed"),
    "large seed": (["--seed", str(2**31)], "2147483648"),
    "learning rate": (["--learning_rate", "0"], "above 0"),
    "learning rate nan": (["--learning_rate", "nan"], "learning_rate"),
    "learning rate inf": (["--learning_rate", "inf"], "learning_rate"),
    "clip norm": (["--clip_norm", "-1"], "above 0"),
    "channels": (["--channels", "2"], "1 (grey) or 3 (colour)"),
    "image size": (["--image_size", "0"], "--image_size 64"),
    "image size text": (["--image_size", "8x8x8"], "height x width"),
    "image size letters": (["--image_size", "big"], "--image_size 64"),
    "latent": (["--latent", "8x8x0"], "8x8x16"),
    "latent of two": (["--latent", "8x8"], "--latent 32"),
    "latent text": (["--latent", "big"], "8x8x1024"),
    "objective": (["--objective", "veo"], "vae"),
    "beta": (["--objective", "beta_vae", "--objective.beta", "-1"], "0 or more"),
    "beta of another": (["--objective.beta", "4"], "beta_vae"),
    "warmup": (["--objective.warmup", "-1"], "warmup"),
    "likelihood": (["--likelihood", "gauss"], "gaussian"),
    "widths": (["--network.widths", "0"], "widths"),
    "activation": (["--network.activation", "rellu"], "relu"),
    "schedule": (["--schedule", "linear"], "cosine"),
    "precision": (["--precision", "float64"], "float32"),
    "augment": (["--augment", "flop"], "flip"),
    "switch": (["--deterministic=yes"], "--deterministic"),
    "name": (["--name", "a/b"], "slashes"),
    "name of two lines": (["--name", "a\nb"], "folder"),
    "empty name": (["--name", " "], "folder"),
    "name taken": (["--output", ".", "--name", "taken"], "--resume"),
    "output a file": (["--output", "file"], "--output"),
    "output below a file": (["--output", "file/below"], "--output"),
    "missing array": (["--dataset", "missing.npz"], "missing.npz"),
    "missing folder": (["--dataset", "./missing"], "./missing"),
    "config missing": (["--config", "missing.json"], "missing.json"),
    "config not JSON": (["--config", "file"], "file is not JSON"),
    "config a list": (["--config", "list.json"], "object"),
    "config unknown key": (["--config", "unknown.json"], "epochs"),
    "config wrong type": (["--config", "type.json"], "whole number"),
    "config refused value": (["--config", "value.json"], "at least 1"),
    "resume missing": (["--resume", "missing"], "config.json"),
    "resume a file": (["--resume", "file"], "config.json"),
    "resume no run": (["--resume", "taken"], "config.json"),
    "resume and config": (["--resume", "a", "--config", "b"], "one of them"),
}

# What is each fine by itself and does not go together, or not with the images.
MISFITS = {
    "spatial latent of a network for vectors": (["--network", "mlp", "--latent", "2x2x3"], "--latent 12"),
    "prior of what has none": (["--objective", "autoencoder", "--prior", "vamp"], "--prior standard"),
    "codebook without positions": (["--objective", "vq_vae", "--latent", "16"], "--latent 7x7x16"),
    "no labels": (["--objective", "conditional_vae", "--dataset", "bare.npy"], "a dataset with labels"),
    "prior without labels": (["--objective", "conditional_vae", "--prior", "vamp"], "--prior mixture"),
    "prior of posteriors with a flow": (["--objective", "iaf", "--prior", "vamp"], "--prior mixture"),
    "weights of no density": (["--objective", "iwae", "--likelihood", "ms_ssim"], "gaussian_optimal"),
}

# All of them in one process: it must not have imported TensorFlow at the end.
TABLE = """
    import contextlib, io, json, sys
    import keras_vae_commands
    from keras_vae.cli.train import main

    results = {}
    for name, arguments in json.load(sys.stdin).items():
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main(arguments)
            except SystemExit as exit:
                code = exit.code
        results[name] = code, out.getvalue(), err.getvalue(), "tensorflow" in sys.modules
    print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What main answers to each of `BAD`: exit code, output, errors, whether TensorFlow was imported."""
    cwd = tmp_path_factory.mktemp("bad")
    (cwd / "taken").mkdir()
    (cwd / "file").write_text("{ no JSON")
    (cwd / "list.json").write_text("[]")
    (cwd / "unknown.json").write_text('{"epoch": 3}')
    (cwd / "type.json").write_text('{"epochs": "three"}')
    (cwd / "value.json").write_text('{"epochs": 0}')
    found = answers_of(BAD, cwd)
    assert sorted(path.name for path in cwd.iterdir() if path.is_dir()) == ["taken"]
    return found


def answers_of(table, cwd):
    """What main answers to each row of `table`, in the folder `cwd`."""
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(TABLE)],
        input=json.dumps({name: arguments for name, (arguments, _) in table.items()}),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


@pytest.mark.parametrize("name", BAD)
def test_bad_input_ends_with_2_and_one_line_that_helps_before_tensorflow_is_imported(answers, name):
    code, out, err, slow = answers[name]
    assert (code, out) == (2, "")
    assert err.startswith("train.py: error: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert BAD[name][1] in err
    assert not slow


@pytest.mark.long
def test_what_does_not_go_together_ends_with_2_and_one_line_and_leaves_nothing(tmp_path):
    np.save(tmp_path / "bare.npy", np.random.default_rng(0).random((60, 8, 8, 1)).astype("float32"))
    for name, (code, out, err, _) in answers_of(MISFITS, tmp_path).items():
        said = [line for line in err.splitlines() if line.startswith("train.py: error: ")]
        assert (code, out, len(said)) == (2, "", 1), name
        assert MISFITS[name][1] in said[0], name
        assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["bare.npy"]


def test_a_usage_error_in_a_process_takes_less_than_a_second(tmp_path):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = run("--latent", "8x8x0", cwd=tmp_path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert process.returncode == 2
    assert process.stderr.count("\n") == 1
    # processor time: the machine may be busy
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1


def test_help_names_every_field_within_a_second(tmp_path):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = run("--help", "all", cwd=tmp_path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (process.returncode, process.stderr) == (0, "")
    assert [f.name for f in dataclasses.fields(Config) if f"--{f.name}" not in process.stdout] == []
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1


# Killed

RESUMED = [
    "--limit",
    "70",
    "--epochs",
    "4",
    "--deterministic",
    "--precision",
    "float32",
    "--augment",
    "flip,shift",
    "--objective.warmup",
    "6",
    "--clip_norm",
    "5",
    "--name",
    "run",
    "--output",
    ".",
]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The folder of a run of `RESUMED` that nothing happens to."""
    cwd = tmp_path_factory.mktemp("undisturbed")
    process = drive(
        "SIGKILL", STEP, 10**9, *RESUMED, *TINY, cwd=cwd
    )  # as many steps a call as the other: one
    assert process.returncode == 0, process.stderr
    return cwd / "run"


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory):
    """The folder of the same run, killed four times, and the processes of all five starts."""
    cwd = tmp_path_factory.mktemp("disturbed")
    resume = ("--resume", "run")
    processes = [drive("SIGKILL", STEP, 2, *RESUMED, *TINY, cwd=cwd)]  # in the first epoch
    assert not (cwd / "run" / "model.keras").exists()
    # The checkpoint of the third epoch has weights and a state, but no checksums yet.
    processes.append(drive("SIGKILL", "keras_vae.runtime.checksums:seal", 3, *resume, cwd=cwd))
    newest = cwd / "run/checkpoints/epoch-000002/model.weights.h5"
    os.truncate(newest, newest.stat().st_size // 2)
    processes.append(drive("SIGKILL", STEP, 5, *resume, cwd=cwd))  # from epoch 1, so: in the third
    processes.append(
        drive("SIGKILL", "keras_vae.export.saved_models:publish", 2, *resume, cwd=cwd)
    )  # decoder, no encoder
    half = sorted(path.name for path in (cwd / "run/serving/encoder").iterdir())
    processes.append(run(*resume, cwd=cwd))
    return cwd / "run", processes, half


@pytest.mark.long
def test_each_kill_was_one_and_the_last_start_ended_well(disturbed):
    _, processes, _ = disturbed
    codes = [process.returncode for process in processes]
    assert codes == [-signal.SIGKILL] * 4 + [0], processes[-1].stderr


@pytest.mark.long
def test_a_truncated_checkpoint_is_named_and_the_one_before_is_used(disturbed):
    _, processes, _ = disturbed
    assert "epoch-000002/model.weights.h5 is damaged: its checksum is wrong" in processes[2].stdout
    assert "resuming after epoch 1 in run" in processes[2].stdout


def arrays_of(file):
    """Returns all arrays in an HDF5 file, by name, as bytes."""
    arrays = {}
    with h5py.File(file) as opened:
        opened.visititems(
            lambda name, item: arrays.update({name: item[()].tobytes()}) if hasattr(item, "shape") else None
        )
    return arrays


@pytest.mark.long
def test_a_run_that_was_killed_ends_with_the_same_bits(undisturbed, disturbed):
    folder, _, _ = disturbed
    straight = max((undisturbed / "checkpoints").glob("epoch-*"))
    resumed = folder / "checkpoints" / straight.name
    expected = arrays_of(straight / "model.weights.h5")
    assert arrays_of(resumed / "model.weights.h5") == expected
    assert sum("optimizer" in name for name in expected) > sum("optimizer" not in name for name in expected)
    assert (resumed / "state.json").read_text() == (straight / "state.json").read_text()


@pytest.mark.long
def test_a_run_that_was_killed_has_the_same_history_and_best_model(undisturbed, disturbed):
    folder, _, _ = disturbed
    assert (folder / "history.csv").read_text() == (undisturbed / "history.csv").read_text()
    assert [row["epoch"] for row in rows_of(folder)] == ["1", "2", "3", "4"]
    one, other = (keras.saving.load_model(path / "model.keras") for path in (undisturbed, folder))
    for weights, expected in zip(other.get_weights(), one.get_weights()):
        np.testing.assert_array_equal(weights, expected)


@pytest.mark.long
def test_an_export_that_was_killed_is_no_version_and_is_made_good(disturbed):
    folder, processes, half = disturbed
    assert len(half) == 1
    assert half[0].startswith(".writing")
    assert "done in" in processes[-1].stdout
    assert (folder / "serving/encoder/1/saved_model.pb").is_file()
    assert (folder / "serving/decoder/2/saved_model.pb").is_file()  # decoder 1 was complete: it stays
    assert leftovers(folder) == []


# Interrupted


@pytest.mark.long
def test_ctrl_c_keeps_and_exports_what_there_is_and_resume_goes_on(tmp_path):
    arguments = ["--limit", 64, "--epochs", 200, "--name", "run", "--output", ".", *TINY]
    process = drive("SIGINT", STEP, 6, *arguments, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert "Traceback" not in process.stderr
    assert "stopped by Ctrl-C" in process.stdout
    assert "best model: epoch 2 of 2" in process.stdout
    folder = tmp_path / "run"
    assert [row["epoch"] for row in rows_of(folder)] == ["1", "2"]
    assert (folder / "serving/decoder/1").is_dir()
    assert (folder / "model.keras").is_file()
    process = run("--resume", "run", "--epochs", 4, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert "resuming after epoch 2" in process.stdout
    assert [row["epoch"] for row in rows_of(folder)] == ["1", "2", "3", "4"]
    assert (folder / "serving/decoder/2").is_dir()
    assert leftovers(folder) == []


@pytest.mark.long
def test_ctrl_c_before_training_is_one_line_and_no_run(tmp_path):
    process = drive("SIGINT", "keras_vae.training.loop:load", 1, *TINY, cwd=tmp_path)
    assert process.returncode == 2
    assert "Traceback" not in process.stderr
    assert process.stderr.splitlines()[-1] == "train.py: error: stopped by Ctrl-C before training began"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_what_is_said_to_a_closed_pipe_is_dropped():
    code = "import keras_vae.runtime.devices as d, sys\nfor _ in range(3): d.say('line')\nd.say('end', file=sys.stderr)"
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run(
        [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60
    )
    os.close(writer)
    assert (process.returncode, process.stderr) == (0, "end\n")
