"""Nothing in a run's folder, or in a model or data of somebody else's, is run: neither pickles nor layers with code."""

import ast
import json
import os
import pathlib
import pickle
import zipfile

import keras
import numpy as np
import pytest
from hostile import answer, check

import keras_vae
from keras_vae.cli import evaluate, train
from keras_vae.cli.explore import main as explore
from keras_vae.evaluation.features import load_classifier

ROOT = pathlib.Path(keras_vae.__file__).parent
FILES = sorted([*ROOT.rglob("*.py"), ROOT.parent / "train.py", ROOT.parent / "evaluate.py"])
UNSAFE = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml"}
CALLS = {"eval", "exec", "compile_command", "enable_unsafe_deserialization", "read_pickle", "__import__"}
TINY = ["--network.widths=4", "--network.dense=8", "--latent=2", "--epochs=1", "--limit=64", "--no-download"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_package_loads_no_pickles_and_runs_no_text(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [name.name for name in node.names]
            )
            assert not UNSAFE & {module.partition(".")[0] for module in modules}, node.lineno
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            named = {word.arg: ast.unparse(word.value) for word in node.keywords}
            assert called.rpartition(".")[2] not in CALLS, node.lineno
            assert named.get("safe_mode", "True") == "True", node.lineno
            assert not called.startswith(("torch.load", "keras.layers.Lambda")), node.lineno
            if called in ("np.load", "numpy.load"):
                assert named.get("allow_pickle") == "False", node.lineno
            assert not (called == "subprocess.run" and named.get("shell", "False") != "False"), node.lineno


class Bomb:
    """What a pickle of runs code that leaves a file, once somebody loads it."""

    def __reduce__(self):
        return os.mkdir, ("ran",)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a trained run, `run`, whose files are believed as they are: there are no checksums."""
    folder = tmp_path_factory.mktemp("foreign")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        found = answer(train.main, [*TINY, "--output=.", "--name=run"])
        assert found.code == 0, found.err
        for file in folder.rglob("checksums.json"):
            file.unlink()
        yield folder


@pytest.mark.long
def test_the_bomb_goes_off_where_it_is_loaded(folder):
    np.load(planted(folder / "bomb.npy"), allow_pickle=True)
    assert ran(folder)


def planted(path):
    """An array file of Python objects that run code, an `.npz` where it is called so."""
    bombs = np.array([Bomb()], object)
    if path.suffix == ".npz":
        np.savez(path, sampler="mixture", accuracy=bombs, weight_0=bombs, images=bombs, latent_shape=bombs)
    else:
        np.save(path, bombs)
    return path


def ran(folder):
    """Whether code ran, which is then forgotten."""
    return (folder / "ran").is_dir() and ((folder / "ran").rmdir() or True)


def refused(folder, main, *words):
    """Asserts that a command ends with 2 and one line, and that no code ran; returns the line."""
    found = answer(main, words)
    check(found)
    assert found.code == 2, found
    assert not ran(folder)
    return found.err


@pytest.mark.parametrize("name", ["images.npy", "images.npz"])
def test_data_with_pickles_are_refused(folder, name):
    planted(folder / name)
    assert "Python objects" in refused(folder, train.main, *TINY, f"--dataset={name}")


def test_a_sampler_with_pickles_is_refused(folder):
    (folder / "run" / "samplers").mkdir(exist_ok=True)
    path = planted(folder / "run" / "samplers" / "mixture.npz")
    assert "does not contain a sampler" in refused(folder, explore, "run", "--static")
    path.unlink()


def test_a_prior_with_pickles_is_refused(folder):
    path = folder / "run/serving/decoder/1/assets.extra/prior.npz"
    kept = path.read_bytes()
    planted(path)
    versions = ["--encoder=run/serving/encoder/1", "--decoder=run/serving/decoder/1"]
    assert "does not contain a sampler" in refused(folder, evaluate.main, *versions)
    path.write_bytes(kept)


def test_a_classifier_with_pickles_is_trained_anew(folder):
    assert load_classifier(None, planted(folder / "classifier.npz")) is None
    assert not ran(folder)


def test_a_file_that_is_a_pickle_is_refused(folder):
    for name in ("model.keras", "model.h5", "data.npy", "data.npz"):
        (folder / name).write_bytes(pickle.dumps(Bomb()))
    for name in ("model.keras", "model.h5"):
        refused(folder, evaluate.main, f"--encoder={name}", f"--decoder={name}")
    for name in ("data.npy", "data.npz"):
        refused(folder, train.main, *TINY, f"--dataset={name}")


@pytest.mark.parametrize("name", ["lambda.keras", "lambda.h5"])
def test_a_model_with_a_lambda_layer_is_refused(folder, name):
    inputs = keras.Input((8, 8, 1))
    code = keras.layers.Lambda(lambda x: (__import__("os").mkdir("ran"), x)[1], output_shape=(8, 8, 1))
    model = keras.Model(inputs, code(inputs))
    model(np.zeros((1, 8, 8, 1)))
    assert ran(folder)
    model.save(folder / name)
    assert "cannot be loaded" in refused(folder, evaluate.main, f"--encoder={name}", f"--decoder={name}")


FOREIGN = {
    "a function of the system": {"module": "os", "class_name": "mkdir", "config": {"path": "ran"}},
    "a function of Python": {
        "module": "builtins",
        "class_name": "exec",
        "config": {"source": "import os; os.mkdir('ran')"},
    },
    "a module": {"module": "bomb_module", "class_name": "Model", "config": {}, "registered_name": None},
    "a lambda": {"class_name": "__lambda__", "config": {"value": ["4wEAAAA=", None, None]}},
    "a SavedModel": {
        "module": "keras.layers",
        "class_name": "TFSMLayer",
        "config": {"filepath": "run/serving/decoder/1"},
    },
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_model_that_names_code_is_refused(folder, name):
    """As the model itself, and as one of its parts."""
    (folder / "bomb_module.py").write_text("import os\nos.mkdir('ran')\nclass Model: pass\n")
    config = json.loads(zipfile.ZipFile("run/model.keras").read("config.json"))
    part = {**config, "config": {**config["config"], "dtype": FOREIGN[name]}}
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        for content in (FOREIGN[name], part):
            with zipfile.ZipFile("run/model.keras") as old, zipfile.ZipFile("foreign.keras", "w") as new:
                for entry in old.namelist():
                    new.writestr(entry, json.dumps(content) if entry == "config.json" else old.read(entry))
            refused(folder, evaluate.main, "--encoder=foreign.keras", "--decoder=foreign.keras")


def test_a_configuration_names_only_what_is_registered(folder):
    config = json.loads((folder / "run" / "config.json").read_text())
    for field in ("objective", "likelihood", "network", "prior", "dataset"):
        for kind in ("os.system", "keras.layers.Lambda", {"module": "os", "class_name": "mkdir"}):
            (folder / "foreign.json").write_text(json.dumps({**config, "name": None, field: {"kind": kind}}))
            assert f"{field}: " in refused(folder, train.main, "--config=foreign.json")
