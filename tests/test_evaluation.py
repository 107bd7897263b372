"""`python evaluate.py` as a user runs it: reports, repaired decoders, others' models, and refusals."""

import json
import pathlib
import subprocess
import sys

import jsonschema
import keras
import numpy as np
import pytest
import tensorflow as tf
from test_diagnosis import SCHEMA, explained, nulls

from keras_vae import Autoencoder, evaluate, load_dataset, samplers
from keras_vae.cli.evaluate import main
from keras_vae.cli.train import main as train
from keras_vae.evaluation.subject import from_export, from_model
from keras_vae.export.saved_models import export

pytestmark = pytest.mark.long

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


def measured(report):
    """The results.json in the folder `report`, without what tells the time."""
    results = json.loads((pathlib.Path(report) / "results.json").read_text())
    return timeless(results)


def unrepaired(results):
    """Results without what was done for the model, and what is said of that."""
    reasons = {
        name: reason
        for name, reason in results["reasons"].items()
        if name not in ("file", "exported", "repair.version", "repair.sampler")
    }
    left_out = ("samplers", "repair", "verdict")
    return {**{name: value for name, value in results.items() if name not in left_out}, "reasons": reasons}


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
    return before, run(autoencoder, "--repair_minutes", 0)


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
    once = measured(autoencoder / "report")
    main([str(autoencoder), "--no-repair"])
    again = measured(autoencoder / "report")
    assert once["repair"]["outcome"] == "exported"
    assert "serving/decoder/2 does this" in str(once["verdict"]["findings"])
    assert again["repair"] == {"outcome": "not_asked", "sampler": None, "version": None}
    assert json.loads((autoencoder / "report" / "results.json").read_text())["exported"] is None
    assert "serving/decoder" not in str(again["verdict"])
    steps = [step for finding in again["verdict"]["findings"] for step in finding["steps"]]
    assert any((step["command"] or "").endswith("saved_models/plain") for step in steps)
    assert unrepaired(again) == unrepaired(once)
    main([str(autoencoder), "--no-repair", "--seed", "1", "--features", "random"])
    other = measured(autoencoder / "report")
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


# The run's own figures and those from its SavedModels alone. The arithmetic is the same, but for the order of some
# sums: derivatives go through functions that were stored.
ROUNDING = 1e-5


def differences(one, two, path=""):
    """Yields (path, value, value) of all leaves of two results that differ by more than rounding."""
    if isinstance(one, dict) and isinstance(two, dict) and one.keys() == two.keys():
        for key in one:
            yield from differences(one[key], two[key], f"{path}.{key}")
    elif isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        for index, pair in enumerate(zip(one, two)):
            yield from differences(*pair, f"{path}.{index}")
    elif isinstance(one, float) and isinstance(two, float):
        if abs(one - two) > ROUNDING * max(abs(one), abs(two), 1e-3):
            yield path, one, two
    elif one != two:
        yield path, one, two


def test_the_exported_networks_of_a_run_give_its_figures(variational):
    ways = ["--no-repair", "--features", "random"]
    main([str(variational), *ways])
    servables = [f"--{name}={variational}/serving/{name}/1" for name in ("encoder", "decoder")]
    main([*servables, "--limit", "600", *ways])
    own, others = measured(variational / "report"), measured("saved_models/reports/variational")
    assert own["verdict"]["name"] == others["verdict"]["name"]
    assert (own["objective"], own["prior"]) == ("vae", "standard")
    assert others["repair"]["outcome"] == "files"
    assert list(differences(unrepaired(own), unrepaired(others))) == []


MODELS = {
    "bernoulli": {"likelihood": "bernoulli", "objective": {"kind": "beta_vae", "beta": 2.0}},
    "learned variance": {"likelihood": "gaussian_learned", "latent": "2x2x1"},
    "optimal variance": {"likelihood": "gaussian_optimal", "dtype": "mixed_bfloat16"},
    "a variance a pixel": {"likelihood": "gaussian_per_pixel"},
    "autoencoder": {"likelihood": "gaussian", "objective": "autoencoder"},
}


@pytest.mark.parametrize("kind", MODELS)
def test_exported_networks_give_the_figures_of_the_model(kind, tmp_path):
    data = load_dataset("digits", limit=100)
    keras.utils.set_random_seed(0)
    network = {"kind": "convolutional", "widths": [4], "dense": 8}
    model = Autoencoder(data.image_shape, **{"latent": 2, "network": network, **MODELS[kind]})
    model.compile(keras.optimizers.Adam(0.003))
    model.fit(data.train.images(), epochs=10, verbose=0)
    paths = export(model, tmp_path)
    settings = {"features": "random", "nll_samples": 2, "samplers": ("gaussian",)}
    own = evaluate(from_model(model, "model"), data, **settings)
    others = evaluate(from_export(paths["encoder"], paths["decoder"]), data, **settings)
    assert others.pop("run") != own.pop("run")
    assert own["continuity"]["jacobian"]["prior"]["median"] > 0.01  # else derivatives were not compared
    assert own["rate_distortion"]["distortion"] is not None
    has_sigma = kind in ("learned variance", "autoencoder")
    assert (own["rate_distortion"]["implied_sigma"] is not None) == has_sigma
    assert list(differences(timeless(own), timeless(others))) == []


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
        (["nowhere"], ["nowhere", "not a run"]),
        (["--output", "empty"], ["empty", "train"]),
        (["folder"], ["not a run"]),
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
        (["--samplers", "vamp,mixtur"], ["'mixtur'", "did you mean mixture"]),
        (["--channels", "2"], ["channels", "1 (grey) or 3 (colour)"]),
        (["--limit", "0"], ["limit", "at least 1"]),
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
    from keras_vae.evaluation import features

    monkeypatch.setenv("KERAS_HOME", "nothing")
    monkeypatch.setattr(features, "INCEPTION_URL", "http://127.0.0.1:9/none.h5")
    assert "Inception" in refusal(capsys, variational, "--features", "inception")
