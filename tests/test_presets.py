"""Presets: written, read, found, downloaded by a stub of the Hub's client, and turned into runs."""

import json
import os
import pathlib
import re
import shutil
import sys
import types
import warnings

import h5py
import numpy as np
import pytest
import yaml
from PIL import Image
from test_older import OLDER

import keras_vae
from keras_vae import presets
from keras_vae.cli import pack, sample
from keras_vae.errors import Damaged, UsageError
from keras_vae.evaluation.results.file import read_results
from keras_vae.presets.folder import without_commands
from keras_vae.runtime import checksums
from keras_vae.runtime.half import halved, widened
from keras_vae.runtime.lazy import keras
from keras_vae.samplers import Codes, GaussianSampler
from keras_vae.training.preset_runs import kept_sampler, open_run, recommended_sampler, write_preset
from keras_vae.training.run_folder import Run

SMALL, LARGE = 5 * 2**20, 25 * 2**20  # bytes of a preset, and of the one with 65,536 latent numbers
RESULTS = {
    "run": "tiny",
    "dataset": "digits",
    "objective": "vae",
    "prior": "standard",
    "decoder_likelihood": "bernoulli",
    "num_train": 1437,
    "num_test": 180,
    "rate_distortion": {
        "distortion": 20.26,
        "distortion_se": 0.514,
        "rate": 3.0,
        "rate_se": None,
        "elbo": -23.3,
        "elbo_se": 2,
    },
    "told_apart": {
        "prior": {"auc": 1.0, "auc_se": 0.0},
        "gaussian": {"auc": 0.713, "auc_se": 0.021},
        "reconstruction": {"auc": 0.9, "auc_se": 0.01},
    },
    "latent": {"active": 2},
    "verdict": {
        "name": "prior_hole",
        "sub_verdict": "spread_code",
        "confidence": "high",
        "findings": [
            {"symptom": "It cannot generate.", "evidence": "Evidence\n# of <b>it</b>.", "cause": "A cause."},
            {"symptom": "It overfits."},
        ],
    },
}


@pytest.fixture(scope="module")
def model():
    """A compiled model with a sampler that is not its prior."""
    keras.utils.set_random_seed(0)
    made = keras_vae.VAE((8, 8, 1), latent=2, network={"kind": "convolutional", "widths": [4], "dense": 256})
    made.compile("adam")
    images = np.random.default_rng(0).random((64, 8, 8, 1), "float32")
    made.fit(images, epochs=1, verbose=0)
    means = np.random.default_rng(1).normal(3, 2, (50, 2)).astype("float32")
    made.sampler = GaussianSampler((2,)).fit(Codes(means, np.full_like(means, -2)))
    return made


@pytest.fixture
def folder(model, tmp_path):
    return model.save_to_preset(tmp_path / "tiny", RESULTS, "apache-2.0", "Some digits", "BSD-3-Clause")


def unsealed(folder):
    """The folder without its checksums, as somebody with bad intent would leave it."""
    (folder / checksums.FILE).unlink()
    return folder


def test_a_model_draws_the_same_images_after_a_round_trip(model, folder):
    found = keras_vae.VAE.from_preset(folder)
    np.testing.assert_array_equal(found.sample(5, seed=3), model.sample(5, seed=3))
    codes = model.sampler.sample(np.arange(5))
    np.testing.assert_allclose(found.sample(5), model.decode(codes), atol=1e-6)
    found.sampler = None
    expected = model.decode(model.prior.draw(5, 3))
    np.testing.assert_allclose(found.sample(5, seed=3), expected, atol=1e-6)
    assert np.abs(expected - model.sample(5, seed=3)).max() > 1e-3


def test_different_seeds_share_no_images(model):
    first, second = (np.asarray(model.sample(8, seed=seed)).reshape(8, -1) for seed in (0, 1))
    assert np.abs(first[:, None] - second).max(axis=2).min() > 1e-4


def test_the_folder_is_one_that_keras_loads_and_has_no_optimizer(model, folder):
    loaded = keras.saving.load_model(folder)
    assert not loaded.compiled
    for own, other in zip(model.get_weights(), loaded.get_weights()):
        np.testing.assert_array_equal(own, other)
    with h5py.File(folder / "model.weights.h5") as weights:
        assert "optimizer" not in weights


def test_half_precision_halves_the_weights_and_hardly_changes_the_images(model, tmp_path):
    whole, half = (model.save_to_preset(tmp_path / name, half=name == "half") for name in ("whole", "half"))
    sizes = [(path / "model.weights.h5").stat().st_size for path in (whole, half)]
    assert sizes[1] < 0.8 * sizes[0]
    found = keras_vae.VAE.from_preset(half)
    assert {weight.dtype for weight in found.weights} >= {"float32"}
    difference = np.abs(found.sample(16) - model.sample(16)).max()
    assert 0 < difference < 2e-3


def test_a_sampler_of_a_codebook_is_stored_as_it_is():
    folder = presets.known()["digits-codebook"]
    with np.load(folder / "sampler.npz", allow_pickle=False) as stored:
        assert not any(stored[name].dtype == "float16" for name in stored.files)
        assert max(stored[name].size for name in stored.files) > 4096


def test_only_large_arrays_whose_numbers_fit_are_halved():
    large = np.full(5000, 1 / 3, "float32")
    assert halved(large).dtype == "float16"
    assert widened(halved(large)).dtype == "float32"
    for kept in (large[:100], large * 1e6, large.astype("float64"), "text"):
        assert halved(kept) is kept


def test_results_are_reduced_to_the_essential_ones(folder):
    results = read_results(folder / "results.json")
    assert "latent" not in results
    assert results["told_apart"]["gaussian"]["auc"] == 0.713


def test_results_in_a_preset_name_no_folder_of_the_machine():
    said = {"name": "patchy", "command": "evaluate /home/me/run", "steps": [{"command": "/home/me"}]}
    assert without_commands({"verdict": said}) == {
        "verdict": {"name": "patchy", "command": None, "steps": [{"command": None}]}
    }


@pytest.mark.parametrize("name", sorted(presets.known()))
def test_no_file_of_our_presets_names_a_folder_of_the_machine(name):
    for file in ("results.json", "README.md", "preset.json"):
        text = (presets.find(name) / file).read_text(encoding="utf-8")
        assert not re.search(r"(?<![:/\w.])/[a-z]+/[a-z]", text)


def test_the_card_says_verdict_nats_limits_data_and_licence(folder):
    text = (folder / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    front = yaml.safe_load(front)
    assert front["license"] == "apache-2.0"
    assert front["datasets"] == ["digits"]
    assert front["tags"] == ["keras_vae", "variational-autoencoder", "vae"]
    assert "**Prior hole: spread code** (confidence: high). It cannot generate." in body
    assert "\nEvidence # of &lt;b>it&lt;/b>.\n" in body  # one line: it cannot become a heading
    assert "| 20.26 ± 0.51 nats |" in body
    assert "| 3 nats |" in body
    assert "| -23.3 ± 2.0 nats |" in body
    assert re.search(r"`gaussian` from decoded codes .* \| 71\.3% ± 2\.1% of pairs", body)
    assert "drawn from the fitted `gaussian`" in body
    limits = body[body.index("## Limits") : body.index("## Data")]
    assert "8x8, grey" in limits
    assert "It overfits." in limits
    assert "Weights: apache-2.0. Data: Some digits (BSD-3-Clause)." in body
    assert "half precision" not in body


def test_a_card_without_results_claims_nothing(model, tmp_path):
    text = (model.save_to_preset(tmp_path / "bare") / "README.md").read_text()
    assert "Verdict" not in text
    assert "Numbers" not in text
    assert "no licence is stated" in text
    assert yaml.safe_load(text.split("---\n")[1])["license"] == "other"


def test_a_folder_that_exists_is_not_replaced(model, folder):
    before = sorted(folder.iterdir())
    with pytest.raises(UsageError, match="exists already"):
        model.save_to_preset(folder)
    assert sorted(folder.iterdir()) == before


def test_a_wrong_name_lists_the_presets_and_the_one_that_may_be_meant(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"Presets are .*digits-8.*did you mean digits-8\?"):
        keras_vae.VAE.from_preset("digts-8")
    with pytest.raises(UsageError, match=r"is not a run folder.*did you mean digits-8\?"):
        open_run("digts-8")
    assert not list(tmp_path.iterdir())


# The Hub.


@pytest.fixture
def hub(folder, tmp_path, monkeypatch):
    """The arguments of `snapshot_download`, which is a stub that finds `folder`."""
    asked = {}

    def snapshot_download(**arguments):
        asked.update(arguments)
        if arguments["repo_id"] != "someone/tiny":
            raise OSError(f"404: {arguments['repo_id']}\nmore")
        return str(folder)

    monkeypatch.setitem(
        sys.modules, "huggingface_hub", types.SimpleNamespace(snapshot_download=snapshot_download)
    )
    return asked


def test_a_preset_comes_from_the_hub(model, hub):
    found = keras_vae.VAE.from_preset("hf://someone/tiny")
    np.testing.assert_array_equal(found.sample(4), model.sample(4))
    assert (hub["repo_id"], hub["revision"]) == ("someone/tiny", None)
    assert set(hub["allow_patterns"]) == set(presets.FILES)
    assert not any(set(pattern) & set("*?[") for pattern in hub["allow_patterns"])


def test_a_revision_is_passed_on(hub):
    keras_vae.VAE.from_preset("hf://someone/tiny@v2")
    assert (hub["repo_id"], hub["revision"]) == ("someone/tiny", "v2")
    assert presets.name_of("hf://someone/tiny@v2") == "tiny"


def test_what_the_hub_does_not_have_is_said_in_one_line(hub):
    with pytest.raises(UsageError, match=r"^hf://someone/else cannot be downloaded: 404: someone/else$"):
        keras_vae.VAE.from_preset("hf://someone/else")


def test_a_repository_without_a_preset_is_refused(hub, folder):
    (folder / "preset.json").unlink()
    with pytest.raises(UsageError, match="is not a preset"):
        keras_vae.VAE.from_preset("hf://someone/tiny")


def test_without_the_hubs_client_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UsageError, match=r"pip install --editable '\.\[hub\]'"):
        keras_vae.VAE.from_preset("hf://someone/tiny")


# What is damaged or hostile.


def test_a_damaged_file_is_named(folder):
    with open(folder / "sampler.npz", "ab") as file:
        file.write(b"x")
    with pytest.raises(Damaged, match=r"sampler\.npz is damaged"):
        keras_vae.VAE.from_preset(folder)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "sampler.npz", "preset.json"])
def test_a_missing_file_is_refused(folder, name):
    (unsealed(folder) / name).unlink()
    with pytest.raises(UsageError):
        keras_vae.VAE.from_preset(folder)


@pytest.mark.parametrize(
    "changed", [{"sampler": 7}, {"sampler": "mixture"}, {"training": "x"}, {"half": None}]
)
def test_facts_of_another_type_are_refused(folder, changed):
    path = unsealed(folder) / "preset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    with pytest.raises(UsageError):
        keras_vae.VAE.from_preset(folder)


def test_a_sampler_of_another_shape_is_refused(model, folder):
    other = GaussianSampler((3,)).fit(Codes(np.eye(3, dtype="float32"), np.zeros((3, 3), "float32")))
    keras_vae.samplers.save(other, unsealed(folder) / "sampler.npz")
    with pytest.raises(UsageError, match=r"sampler\.npz is not the gaussian of this model"):
        keras_vae.VAE.from_preset(folder)


class Bomb:
    """An object whose pickle makes a folder when it is loaded."""

    def __reduce__(self):
        return os.mkdir, ("ran",)


FOREIGN = (
    {"module": "os", "class_name": "mkdir", "config": {"path": "ran"}},
    {"module": "builtins", "class_name": "exec", "config": {"source": "import os; os.mkdir('ran')"}},
    {"class_name": "__lambda__", "config": {"value": ["4wEAAAA=", None, None]}},
    {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "serving/decoder/1"}},
)


def test_pickles_and_code_in_a_preset_are_not_run(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = json.loads((unsealed(folder) / "config.json").read_text())
    for part in FOREIGN:
        for config in (part, {**own, "config": {**own["config"], "dtype": part}}):
            (folder / "config.json").write_text(json.dumps(config))
            with pytest.raises(UsageError, match="cannot be loaded"):
                keras_vae.VAE.from_preset(folder)
    bombs = np.array([Bomb()], object)
    np.savez(folder / "sampler.npz", sampler="gaussian", latent_shape=bombs)
    with pytest.raises(UsageError, match="does not contain a sampler"):
        keras_vae.VAE.from_preset(folder)
    assert not (tmp_path / "ran").exists()


def test_a_model_that_is_none_of_ours_is_refused(folder):
    inputs = keras.Input((8, 8, 1))
    keras.Model(inputs, keras.layers.Flatten()(inputs)).save(unsealed(folder), zipped=False)
    (folder / "sampler.npz").unlink()
    path = folder / "preset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "sampler": None}))
    with pytest.raises(UsageError, match="expected an Autoencoder"):
        keras_vae.VAE.from_preset(folder)


# Runs.


@pytest.fixture(scope="module")
def of_a_run(tmp_path_factory):
    """A preset of a run of an earlier version, with a sampler that its evaluation recommends."""
    folder = tmp_path_factory.mktemp("packed")
    shutil.unpack_archive(OLDER / "run.zip", folder / "run")
    run = Run(folder / "run")
    shape = keras.saving.load_model(run.model_file).latent_shape
    means = np.random.default_rng(1).normal(3, 2, (50, *shape)).astype("float32")
    (run.path / "samplers").mkdir(exist_ok=True)
    sampler = GaussianSampler(shape).fit(Codes(means, np.full_like(means, -2)))
    keras_vae.samplers.save(sampler, run.path / "samplers" / "gaussian.npz")
    run.report.mkdir(exist_ok=True)
    repaired = {"outcome": "exported", "sampler": "gaussian", "version": None}
    (run.report / "results.json").write_text(json.dumps({**RESULTS, "repair": repaired}))
    return write_preset(run, folder / "packed", half=False, license="apache-2.0")


@pytest.fixture(scope="module")
def place(of_a_run, tmp_path_factory):
    """A folder, and the run that was made there from the preset, which has somebody's program in it."""
    (of_a_run / "serving" / "decoder" / "1").mkdir(parents=True)
    (of_a_run / "serving" / "decoder" / "1" / "saved_model.pb").write_bytes(b"a program")
    folder = tmp_path_factory.mktemp("place")
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", UserWarning
        )  # the version of that run stored no variance, so there is no `score`
        return folder, open_run(of_a_run, folder)


def test_a_preset_becomes_a_complete_run_with_nothing_but_its_own_files(place, of_a_run):
    folder, run = place
    assert run.path == folder / "packed"
    assert run.read_config().name == "packed"
    assert run.fault(run.model_file) is None
    assert json.loads((run.report / "results.json").read_text())["verdict"] == RESULTS["verdict"]
    assert (run.newest_version("encoder") / "saved_model.pb").stat().st_size > 1000
    # Version 1 draws from the prior, and version 2 from the recommended sampler.
    assert run.newest_version("decoder").name == "2"
    assert all(path.stat().st_size > 1000 for path in run.serving.rglob("saved_model.pb"))
    decoder = keras.layers.TFSMLayer(run.newest_version("decoder"), call_endpoint="sample")
    expected = keras_vae.VAE.from_preset(of_a_run).sample(3)
    np.testing.assert_allclose(decoder(np.arange(3))["image"], expected, atol=1e-5)


def test_a_preset_is_not_unpacked_twice_and_replaces_no_other_run(place, of_a_run, tmp_path):
    folder, run = place
    written = run.model_file.stat().st_mtime_ns
    assert open_run(of_a_run, folder).model_file.stat().st_mtime_ns == written
    assert open_run(run.path).path == run.path
    (tmp_path / "packed").mkdir()
    with pytest.raises(UsageError, match="is not made from the preset packed"):
        open_run(of_a_run, tmp_path)


def test_an_evaluation_uses_the_presets_sampler_until_the_model_is_another(place, tmp_path):
    run = Run(shutil.copytree(place[1].path, tmp_path / "copied"))
    folder = run.path / "samplers"
    found = kept_sampler(folder, "gaussian")
    np.testing.assert_array_equal(found.sample([7]), recommended_sampler(run).sample([7]))
    assert kept_sampler(folder, "mixture") is None
    assert kept_sampler(None, "gaussian") is None
    with open(run.model_file, "ab") as file:
        file.write(b"x")
    assert kept_sampler(folder, "gaussian") is None


def test_a_preset_without_the_settings_of_its_training_is_no_run(folder, tmp_path):
    with pytest.raises(UsageError, match="does not say which images it was trained on"):
        open_run(folder, tmp_path / "runs")
    assert not (tmp_path / "runs" / "tiny").exists()


def test_samples_are_written_as_a_picture(place, of_a_run, tmp_path, capsys):
    for number, model in enumerate((of_a_run, place[1].path)):
        path = tmp_path / f"{number}.png"
        sample.main([str(model), "--count", "12", "--out", str(path)])
        assert "12 samples" in capsys.readouterr().out
    first, second = (np.asarray(Image.open(tmp_path / f"{number}.png")) for number in (0, 1))
    np.testing.assert_array_equal(first, second)  # a run draws from its recommended sampler too
    sample.main([str(of_a_run), "--count", "12", "--prior", "--out", str(tmp_path / "prior.png")])
    assert "drawn from the prior" in capsys.readouterr().out
    assert np.any(np.asarray(Image.open(tmp_path / "prior.png")) != first)


def test_an_evaluated_run_is_packed_by_a_command(place, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pack.main([str(place[1].path), "--license", "apache-2.0", "--no-half"])
    printed = capsys.readouterr().out
    name = place[1].path.name
    assert f"presets/{name}: a preset" in printed
    assert "the card does not say what --data, --data_license would" in printed
    assert 'license: "apache-2.0"' in (tmp_path / "presets" / name / "README.md").read_text()
    sample.main([f"presets/{name}", "--out", "packed.png"])
    assert "drawn from gaussian" in capsys.readouterr().out
    (place[1].path / "report" / "results.json").rename(tmp_path / "results.json")
    try:
        with pytest.raises(SystemExit):
            pack.main([str(place[1].path)])
    finally:
        (tmp_path / "results.json").rename(place[1].path / "report" / "results.json")
    assert "evaluate" in capsys.readouterr().err


def test_what_cannot_be_sampled_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words, said in (
        (["digts-8"], "did you mean digits-8?"),
        (["digits-8", "--count", "0"], "it must be from 1 to"),
        (["digits-8", "--labels", "3"], "not conditional"),
    ):
        with pytest.raises(SystemExit) as exit:
            sample.main(words)
        assert exit.value.code == 2
        assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# The presets that come with the package.


def test_there_are_six_and_those_in_the_wheel_are_small():
    folders = presets.known()
    assert len(folders) == 6
    sizes = {name: sum(file.stat().st_size for file in path.iterdir()) for name, path in folders.items()}
    for name, size in sizes.items():
        assert size <= (LARGE if name == "mnist-8x8x1024" else SMALL), name
    shipped = [name for name, path in folders.items() if "shipped" in path.parts]
    assert sum(sizes[name] for name in shipped) <= 6 * 2**20
    assert not any(name.startswith("mnist") for name in shipped)  # their licence is not the package's
    assert sum(sizes.values()) <= 20 * 2**20


@pytest.mark.parametrize("name", presets.known())
def test_a_preset_samples_its_images_and_has_a_whole_card(name):
    model = keras_vae.VAE.from_preset(name)
    images = np.asarray(model.sample(4))
    assert images.shape == (4, *model.image_shape)
    assert 0 <= images.min() <= images.max() <= 1
    assert images.std(axis=0).max() > 0.05  # they differ from each other
    folder = presets.known()[name]
    text = (folder / "README.md").read_text(encoding="utf-8")
    results = json.loads((folder / "results.json").read_text())
    assert results["verdict"]["name"].replace("_", " ").capitalize() in text
    assert f"{results['told_apart']['prior']['auc']:.1%}" in text
    assert ("CC BY-SA 3.0" in text) == name.startswith("mnist")
    assert {path.name for path in folder.iterdir()} <= set(presets.FILES)
    assert presets.read_facts(folder).training["output"] == "saved_models"


def test_the_programs_of_the_guide_run(tmp_path, monkeypatch):
    guide = pathlib.Path(__file__).parents[1] / "docs" / "guides" / "presets.md"
    names = {}
    monkeypatch.chdir(tmp_path)
    for program in re.findall(r"```python\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL):
        exec(program, names)
    assert names["images"].shape == (16, 8, 8, 1)
    np.testing.assert_allclose(names["again"].sample(16), names["images"], atol=1e-6)
    assert "BSD-3-Clause" in (tmp_path / "digits-of-mine" / "README.md").read_text(encoding="utf-8")
