"""Whatever stands in a JSON file of ours, what reads it takes it or refuses it in one line; nothing is a traceback."""

import contextlib
import json
import pathlib
import shutil
import zipfile

import numpy as np
import pytest
from hostile import answer, check, spoilt
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sweep_runs import swept

import keras_vae.evaluation.sections
import keras_vae.sweep.running
from keras_vae.cli import evaluate, train
from keras_vae.cli import serve as serving
from keras_vae.cli import sweep as sweep
from keras_vae.cli.explore import main as explore
from keras_vae.data import ImageFolder, load_dataset
from keras_vae.errors import DatasetError, UsageError
from keras_vae.export.saved_models import DESCRIPTION
from keras_vae.runtime import checksums
from keras_vae.training import loop, resuming
from keras_vae.training.run_folder import Run

pytestmark = pytest.mark.long

MOST = settings.default.max_examples
TINY = ["--network.widths=4", "--network.dense=8", "--latent=2", "--epochs=1", "--limit=64", "--no-download"]


def done(*arguments, **named):
    """Stands for the long work of a command once all its files have been read: it ends well."""
    raise SystemExit(0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a trained run, `run`, and a sweep, `sweep`; commands stop before their long work.

    There are no checksums: a file is read, and not only found changed.
    """
    folder = tmp_path_factory.mktemp("files")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setenv("TFDS_DATA_DIR", str(folder / "prepared"))
        found = answer(train.main, [*TINY, "--output=.", "--name=run"])
        assert found.code == 0, found.err
        for file in folder.rglob("checksums.json"):
            file.unlink()
        swept(folder / "sweep", failed={"latent-8_objective-vae_seed-1": "it broke"})
        patch.setattr(loop, "folder", done)
        patch.setattr(keras_vae.evaluation.sections, "choose_features", done)
        patch.setattr(keras_vae.sweep.running, "run_all", done)
        yield folder


@contextlib.contextmanager
def holding(*files, content):
    """Puts the bytes `content` into all `files` for as long as the block runs."""
    before = [(file, file.read_bytes()) for file in map(pathlib.Path, files)]
    for file, _ in before:
        file.write_bytes(content)
    try:
        yield
    finally:
        for file, kept in before:
            file.write_bytes(kept)


def spoilt_file(path):
    """Bytes in the place of a JSON file whose content is known only once the fixture has been made."""
    return st.deferred(lambda: spoilt(json.loads(pathlib.Path(path).read_text())))


@settings(max_examples=MOST)
@given(
    spoilt_file("run/config.json"),
    st.sampled_from([train.main, train.main, evaluate.main, sweep.main]),
)
def test_the_configuration_of_a_run(folder, content, main):
    words = {
        train.main: [*TINY, "--config=run/config.json"],
        evaluate.main: ["run", "--no-download"],
        sweep.main: ["--compare", "run", "--output=compared"],
    }
    with holding("run/config.json", content=content):
        check(answer(main, words[main]))
        if main is train.main:
            check(answer(main, ["--resume=run", "--no-download"]))


class Weights:
    """Stands for a model: it takes whatever weights."""

    def load_weights(self, path):
        pass


def gone_on_with(run):
    """Does what a resumed training does with the files of `run`, and writes its history anew; it may refuse."""
    with contextlib.suppress(UsageError):
        config = run.read_config()
        state, _ = run.restore(Weights())
        resuming.is_unfinished(config, state)
        run.what_is_missing(state)
        run.write_history(state.rows)


CHECKPOINT = "run/checkpoints/epoch-000001"


@contextlib.contextmanager
def as_before(folder):
    """Leaves the history in `folder` as it was, and no checksums."""
    with holding(folder / "history.csv", content=(folder / "history.csv").read_bytes()):
        try:
            yield
        finally:
            for file in folder.rglob(checksums.FILE):
                file.unlink()


@settings(max_examples=MOST)
@given(st.data(), st.sampled_from([f"{CHECKPOINT}/state.json", "run/checkpoints/finished.json"]))
def test_what_a_training_goes_on_from(folder, data, file):
    with as_before(folder / "run"), holding(file, content=data.draw(spoilt_file(file))):
        gone_on_with(Run("run"))


@settings(max_examples=MOST // 4)
@given(st.data(), st.sampled_from(["run", CHECKPOINT, "run/serving/decoder/1"]))
def test_the_checksums_of_a_run(folder, data, place):
    with as_before(folder / "run"):
        checksums.seal(place)
        file = pathlib.Path(place) / checksums.FILE
        file.write_bytes(data.draw(spoilt_file(file)))
        check(answer(evaluate.main, ["run", "--no-download"]))
        gone_on_with(Run("run"))


@settings(max_examples=MOST)
@given(spoilt_file("sweep/sweep.json"), st.sampled_from([["sweep"], ["--compare", "sweep"]]))
def test_the_grid_of_a_sweep(folder, content, words):
    with holding("sweep/sweep.json", content=content):
        check(answer(sweep.main, words))
    assert outside(folder) == []


@settings(max_examples=MOST // 2)
@given(spoilt_file("sweep/failures.json"))
def test_the_failures_of_a_sweep(folder, content):
    with holding("sweep/failures.json", content=content):
        check(answer(sweep.main, ["--compare", "sweep"]))


RESULTS = "sweep/latent-8_objective-vae_seed-0/report/results.json"


@settings(max_examples=MOST)
@given(spoilt_file(RESULTS))
def test_the_results_of_a_run(folder, content):
    with holding(RESULTS, content=content):
        check(answer(sweep.main, ["--compare", "sweep"]))


@settings(max_examples=MOST // 10)
@given(spoilt_file(RESULTS))
def test_the_results_that_the_explorer_shows(folder, content):
    report = folder / "run" / "report"
    report.mkdir(exist_ok=True)
    shutil.copy(RESULTS, report / "results.json")
    with holding(report / "results.json", content=content):
        check(answer(explore, ["run", "--static"]))


def rezipped(source, entry, content):
    """The bytes of the archive `source` with other `content` in the place of an entry."""
    target = pathlib.Path("rezipped.zip")
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, content if name == entry else old.read(name))
    return target.read_bytes()


def entry_of(path, entry):
    """What stands in a JSON file within an archive."""
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(entry))


@settings(max_examples=MOST // 2)
@given(st.data(), st.sampled_from(["config.json", "config.json", "metadata.json"]))
def test_the_json_in_a_keras_file(folder, data, entry):
    content = data.draw(spoilt(entry_of("run/model.keras", entry)))
    with holding("run/model.keras", content=rezipped("run/model.keras", entry, content)):
        check(answer(evaluate.main, ["run", "--no-download"]))
        check(answer(evaluate.main, ["--encoder=run/model.keras", "--decoder=run/model.keras", "--limit=64"]))


VERSIONS = ["run/serving/encoder/1", "run/serving/decoder/1"]


@settings(max_examples=MOST // 4)
@given(spoilt_file(f"{VERSIONS[0]}/{DESCRIPTION}"))
def test_the_description_of_a_saved_model(folder, content):
    with holding(*(f"{version}/{DESCRIPTION}" for version in VERSIONS), content=content):
        check(answer(evaluate.main, [f"--encoder={VERSIONS[0]}", f"--decoder={VERSIONS[1]}", "--limit=64"]))
        check(answer(serving.main, ["prepare", "run"]))


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """The folder of some pictures, and the file that says what is kept of them in a cache."""
    folder = tmp_path_factory.mktemp("packed")
    (folder / "pictures").mkdir()
    random = np.random.default_rng(0)
    for number in range(12):
        Image.fromarray(random.integers(0, 256, (8, 8), "uint8")).save(folder / "pictures" / f"{number}.png")
    load_packed(folder)
    (facts,) = (folder / "cache").glob("*.json")
    return folder, facts


def load_packed(folder):
    return load_dataset(
        ImageFolder(str(folder / "pictures"), str(folder / "cache")), image_size=8, channels=1
    )


@settings(max_examples=MOST)
@given(st.data())
def test_what_is_known_of_packed_images(packed, data):
    folder, facts = packed
    whole = load_packed(folder)
    content = data.draw(spoilt(json.loads(facts.read_text())))
    with holding(facts, content=content), contextlib.suppress(DatasetError):
        np.testing.assert_array_equal(load_packed(folder).train.images(), whole.train.images())


@settings(max_examples=MOST // 4)
@given(st.binary(max_size=200), st.integers(0, 10_000), st.booleans())
def test_the_file_of_a_sampler(folder, rubbish, place, cut):
    """Bytes of it changed, or all but its beginning gone."""
    from keras_vae.samplers import PriorSampler, save

    path = folder / "run" / "samplers" / "mixture.npz"
    save(PriorSampler((2,)), path)
    content = bytearray(path.read_bytes())
    place %= len(content)
    content[place : None if cut else place + len(rubbish)] = rubbish
    with holding(path, content=bytes(content)):
        check(answer(explore, ["run", "--static"]))
    path.unlink()


def outside(folder):
    """What lies beside `folder` or at the root and was not there before: nothing, that is."""
    return [
        path
        for path in (folder.parent / "outside", pathlib.Path("/outside"), pathlib.Path("/x-2"))
        if path.exists()
    ]


def test_a_sweep_whose_fields_are_paths_stays_in_its_folder(folder):
    """What a run is called, and so where its log is written, is made of them."""
    grid = json.loads((folder / "sweep" / "sweep.json").read_text())
    for field in ("../../x", "/tmp/outside", "..", "a.b/../../c"):
        content = json.dumps({**grid, "over": {field: ["1", "../2"]}}).encode()
        with holding("sweep/sweep.json", content=content):
            found = sweep.Sweep.open("sweep")
            for name in found.grid.points():
                assert found.log(name).resolve().parent == (folder / "sweep" / "logs").resolve()
                assert found.run(name).path.resolve().parent == (folder / "sweep").resolve()
            refused = answer(sweep.main, ["sweep"])
            check(refused)
            assert refused.code == 2
            assert "unknown option" in refused.err
