"""`python evaluate.py` as a user runs it: reports, repaired decoders, others' models, and refusals."""

import json
import pathlib
import re
import subprocess
import sys

import jsonschema
import keras
import numpy as np
import pytest
import tensorflow as tf
from test_diagnosis import SCHEMA, explained, nulls

from keras_vae import samplers
from keras_vae.evaluation import main
from keras_vae.training import main as train

EVALUATE = pathlib.Path(__file__).parent.parent / "evaluate.py"
TINY = ["--network.widths", "4", "--network.dense", "8", "--batch_size", "32", "--epochs", "2"]


@pytest.fixture(scope="module", autouse=True)
def place(tmp_path_factory):
    """An empty folder to work in, with a cache of its own."""
    folder = tmp_path_factory.mktemp("evaluate")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.chdir(folder)
        yield folder


def bytes_of(folder):
    return {path: path.read_bytes() for path in pathlib.Path(folder).rglob("*") if path.is_file()}


def run(*arguments):
    """Runs `python evaluate.py` with `arguments` in a process of its own, and returns that, ended."""
    return subprocess.run(
        [sys.executable, EVALUATE, *map(str, arguments)], capture_output=True, text=True, timeout=300
    )


def measured(run_folder):
    """results.json without what tells the time."""
    results = json.loads((pathlib.Path(run_folder) / "report" / "results.json").read_text())
    return timeless(results)


def timeless(node):
    if isinstance(node, dict):
        return {
            key: timeless(value)
            for key, value in node.items()
            if key not in ("seconds", "created", "cost", "exported")
        }
    return [timeless(value) for value in node] if isinstance(node, list) else node


@pytest.fixture(scope="module")
def autoencoder(place):
    """A plain autoencoder, of which N(0, I) is no prior: its best sampler is a fitted one."""
    kind = ["--latent", "2", "--objective", "autoencoder", "--name", "plain"]
    train(["--limit", "600", *kind, *TINY, "--epochs", "20", "--learning_rate", "0.01"])
    return pathlib.Path("saved_models/plain")


@pytest.fixture(scope="module")
def variational(autoencoder):
    """A variational run, newer than the other one."""
    train(["--limit", "600", "--latent", "3", "--name", "variational", *TINY])
    return pathlib.Path("saved_models/variational")


@pytest.fixture(scope="module")
def first(autoencoder, variational):
    """What the run's folder held before the command, and the ended command."""
    before = bytes_of(autoencoder)
    return before, run(autoencoder)


def test_a_report_stands_in_the_run_and_the_verdict_on_the_screen(autoencoder, first):
    process = first[1]
    assert process.returncode == 0, process.stderr
    assert [word for word in ("plain:", "now:", "completeness:") if word not in process.stdout] == []
    assert len(process.stdout.strip().splitlines()) < 25
    assert (autoencoder / "report" / "index.html").stat().st_size > 10_000
    assert list((autoencoder / "report" / "figures").glob("*.png"))
    results = json.loads((autoencoder / "report" / "results.json").read_text(), parse_constant=pytest.fail)
    jsonschema.validate(results, SCHEMA)
    assert [path for path in nulls(results) if not explained(results["reasons"], path)] == []


def test_the_best_sampler_is_saved_and_served_and_the_old_version_stays(autoencoder, first):
    before = first[0]
    assert {path: path.read_bytes() for path in before} == before
    results = json.loads((autoencoder / "report" / "results.json").read_text())
    best = results["generation_gap"]["best_sampler"]
    assert best in ("gaussian", "mixture")
    assert results["exported"] == "serving/decoder/2"
    decoder = tf.saved_model.load(str(autoencoder / "serving" / "decoder" / "2"))
    seeds = np.arange(5)
    served = decoder.signatures["sample"](seed=tf.constant(seeds))
    for name in ("gaussian", "mixture"):
        assert results["samplers"][name]["file"] == f"samplers/{name}.npz"
    drawn = samplers.load(autoencoder / "samplers" / f"{best}.npz").sample(seeds)
    np.testing.assert_allclose(served["latent"], drawn, atol=1e-5)
    decoded = decoder.signatures["decode"](latent=served["latent"])["image"]
    np.testing.assert_allclose(served["image"], decoded, atol=1e-5)


def test_the_same_seed_gives_the_same_results_and_another_seed_others(autoencoder, first):
    once = measured(autoencoder)
    main([str(autoencoder), "--no-repair"])
    again = measured(autoencoder)
    for results in (once, again):
        results.pop("samplers")
        for name in ("file", "exported"):
            results["reasons"].pop(name, None)
    assert again == once
    main([str(autoencoder), "--no-repair", "--seed", "1", "--features", "random"])
    other = measured(autoencoder)
    assert other["generation_gap"]["prior"]["frechet"] != once["generation_gap"]["prior"]["frechet"]
    assert other["generation_gap"]["features"]["name"] == "random"


def test_a_bare_command_measures_the_newest_run_and_several_are_put_side_by_side(
    autoencoder, variational, capsys
):
    main(["--no-repair"])
    assert "variational:" in capsys.readouterr().out
    main([str(autoencoder), str(variational), "--no-repair"])
    assert "side by side" in capsys.readouterr().out
    assert (variational.parent / "comparison" / "index.html").is_file()


# Directional derivatives are differences there (0.4% off), and Gaussian means are clipped to [0, 1], as an exported
# decoder's are (0.1 nats a small image).
TOLERANCE = 0.01
NATS = re.compile("distortion|elbo")


def closest(one, two, path=""):
    """Yields (path, value, value) of all pairs of numbers in two results that differ by more than rounding."""
    if isinstance(one, dict):
        for key in one:
            yield from closest(one[key], two[key], f"{path}.{key}")
    elif isinstance(one, list):
        for index, pair in enumerate(zip(one, two, strict=True)):
            yield from closest(*pair, f"{path}.{index}")
    elif isinstance(one, float) and isinstance(two, float):
        if abs(one - two) > TOLERANCE * max(abs(one), abs(two), 20 if NATS.search(path) else 1):
            yield path, one, two
    elif one != two:
        yield path, one, two


@pytest.mark.parametrize("name", ["plain", "variational"])
def test_the_exported_networks_give_the_figures_of_the_run(name, autoencoder, variational, first):
    folder = pathlib.Path("saved_models") / name
    main([str(folder), "--no-repair"])
    own = measured(folder)
    main(
        [
            "--encoder",
            f"{folder}/serving/encoder/1",
            "--decoder",
            f"{folder}/serving/decoder/1",
            "--limit",
            "600",
        ]
    )
    report = pathlib.Path("saved_models/reports") / name / "report" / "results.json"
    report = report if report.is_file() else pathlib.Path("saved_models/reports") / name / "results.json"
    others = timeless(json.loads(report.read_text()))
    for results in (own, others):
        for unknown in ("objective", "reasons", "samplers", "verdict"):
            results.pop(unknown)
        results["rate_distortion"].pop("effective_beta")
    assert list(closest(own, others)) == []


# Refusals: exit code 2, one line, no traceback


def refusal(capsys, *arguments):
    with pytest.raises(SystemExit) as raised:
        main([str(argument) for argument in arguments])
    assert raised.value.code == 2
    text = capsys.readouterr().err.strip()
    assert "Traceback" not in text
    return text.splitlines()[-1]


@pytest.fixture(scope="module")
def networks(place):
    """Somebody's encoder of 28x28 images to codes of 2, and decoders of codes of 2 and of 5."""
    inputs = keras.Input((28, 28, 1))
    flat = keras.layers.Flatten()(inputs)
    outputs = [keras.layers.Dense(2, name=name)(flat) for name in ("z_mean", "z_log_var")]
    keras.Model(inputs, outputs).save("encoder.keras")
    for size in (2, 5):
        codes = keras.Input((size,))
        pixels = keras.layers.Dense(64, activation="sigmoid")(codes)
        keras.Model(codes, keras.layers.Reshape((8, 8, 1))(pixels)).save(f"decoder{size}.keras")
    small = keras.Input((8, 8, 1))
    flat = keras.layers.Flatten()(small)
    outputs = [keras.layers.Dense(2, name=name)(flat) for name in ("z_mean", "z_log_var")]
    keras.Model(small, outputs).save("small_encoder.keras")
    pathlib.Path("broken.keras").write_text("no model")
    pathlib.Path("folder").mkdir()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], ["nowhere", "no run"]),
        (["--output", "empty"], ["empty", "train"]),
        (["folder"], ["no run"]),
        (["--features", "best"], ["features", "classifier"]),
        (["--encoder", "encoder.keras"], ["--decoder"]),
        (["--encoder", "gone.keras", "--decoder", "decoder2.keras"], ["gone.keras", "does not exist"]),
        (["--encoder", "broken.keras", "--decoder", "decoder2.keras"], ["broken.keras", "cannot be loaded"]),
        (["--encoder", "folder", "--decoder", "decoder2.keras"], ["folder", "cannot be loaded"]),
        (["--encoder", "encoder.keras", "--decoder", "decoder2.keras"], ["8x8x1", "--image_size"]),
        (["--encoder", "small_encoder.keras", "--decoder", "decoder5.keras"], ["decoder", "codes, 2"]),
        (["--encoder", "small_encoder.keras", "--decoder", "decoder2.keras", "--encoder_outputs", "a,b"], ["'a'", "z_mean"]),
        (["--dataset", "gone.npz"], ["gone.npz", "no such file"]),
        (["--seed", "-1"], ["seed"]),
    ],
)  # fmt: skip
def test_bad_input_ends_in_one_sentence_with_the_way_out(arguments, words, networks, variational, capsys):
    sentence = refusal(capsys, *arguments)
    assert [word for word in words if word not in sentence] == []


def test_a_run_without_a_model_says_how_to_train_it_further(variational, capsys):
    folder = pathlib.Path("half")
    folder.mkdir()
    (folder / "config.json").write_bytes((variational / "config.json").read_bytes())
    assert "--resume half" in refusal(capsys, folder)


def test_inception_without_its_weights_is_refused_within_seconds(variational, capsys, monkeypatch):
    from keras_vae import features

    monkeypatch.setenv("KERAS_HOME", "nothing")
    monkeypatch.setattr(features, "INCEPTION_URL", "http://127.0.0.1:9/none.h5")
    assert "Inception" in refusal(capsys, variational, "--features", "inception")
