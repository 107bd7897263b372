"""The documentation's code runs, and its tables are those of the package."""

import dataclasses
import importlib.util
import pathlib
import re
import shlex
import subprocess

import numpy as np
import pytest
from code_blocks import CHECKED, MOST_NOT_RUN, NotCode, NotRun, Run

import keras_vae
import keras_vae_commands
from keras_vae.cli import catalogue
from keras_vae.config.flags import parse
from keras_vae.data import built_in
from keras_vae.errors import UsageError
from keras_vae.evaluation.results.schema import results_schema
from keras_vae.evaluation.settings import Evaluation
from keras_vae.runtime.lazy import keras

ROOT = pathlib.Path(__file__).resolve().parents[1]
GENERATED = {"flags.md", "names.md", "results.md"}
PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if page.name not in GENERATED and "_build" not in page.parts
]


def code_of(page):
    return re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.DOTALL)


def blocks_of(page):
    """Returns the language and the text of each fenced block of a page."""
    return re.findall(r"^```([^\n]*)\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def code_blocks():
    """Yields the place, the check, the language and the text of each block of the documentation."""
    for page in PAGES:
        name = page.relative_to(ROOT).as_posix()
        for number, ((language, text), check) in enumerate(zip(blocks_of(page), CHECKED.get(name, ()))):
            yield f"{name}, block {number + 1}", check, language, text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_each_code_block_is_run_or_carries_the_reason(page):
    name = page.relative_to(ROOT).as_posix()
    assert len(CHECKED.get(name, ())) == len(blocks_of(page)), (
        f"enter the blocks of {name} in tests/code_blocks.py"
    )


def test_no_page_is_entered_that_is_gone():
    assert set(CHECKED) <= {page.relative_to(ROOT).as_posix() for page in PAGES}


def test_blocks_that_are_not_run_only_become_fewer():
    not_run = [place for place, check, *_ in code_blocks() if isinstance(check, NotRun)]
    assert len(not_run) <= MOST_NOT_RUN, not_run
    assert len(not_run) == MOST_NOT_RUN, f"lower MOST_NOT_RUN to {len(not_run)}"


def test_what_runs_a_block_exists():
    for place, check, *_ in code_blocks():
        if isinstance(check, Run):
            file, _, test = check.by.partition("::")
            assert f"def {test}(" in (ROOT / file).read_text() if test else (ROOT / file).exists(), place


# A command of ours in a block: up to a comment, or to three spaces and a description.
OURS = re.compile(
    r"(?:python (train|evaluate)\.py|python -m keras_vae\.(sweep|explorer|serving)|keras-vae (\w+))(?= |\n|$)(.*)"
)


def commands_in(text):
    """Yields the name and the words of each command of this package in a block."""
    for line in text.replace("\\\n", " ").splitlines():
        if found := OURS.search(re.split(r"\s{3,}|\s#", line.strip())[0]):
            name = next(group for group in found.groups()[:3] if group)
            yield {"explorer": "explore", "serving": "serve"}.get(name, name), shlex.split(found.group(4))


def understood(name, words):
    """Parses the words of a command as the command does."""
    from keras_vae.cli import encode, evaluate, explore, pack, sample, score, serve, sweep, train

    if name == "sweep":
        options = sweep.Parser(prog="sweep", add_help=False, allow_abbrev=False)
        sweep.add_options(options)
        own, rest = options.parse_known_args(words)
        sweep.understood(rest, tuple(map(sweep.Axis.read, own.over or ())))
        return
    runs = {"extra": lambda parser: parser.add_argument("runs", nargs="*")}
    if name == "serve":
        words, kind = words[1:], {"run": serve.Serve, "prepare": serve.Canary}[words[0]]
    else:
        kinds = {"evaluate": evaluate.Evaluation, "explore": explore.Exported, "sample": sample.Sampled}
        kinds |= {"encode": encode.CodesOptions, "pack": pack.Packed}
        kind = {"train": train.Config, "score": score.Ranking, **kinds}[name]
    own = {"train": train, "evaluate": evaluate}
    parse(kind, words, **({"extra": own[name].add_arguments} if name in own else runs))


def test_the_commands_in_the_documentation_have_flags_that_exist():
    seen = 0
    for place, check, language, text in code_blocks():
        if language == "python" or isinstance(check, NotCode):
            continue
        for name, words in commands_in(text):
            try:
                understood(name, words)
            except UsageError as error:
                pytest.fail(f"{place}: {name} {shlex.join(words)}: {error}")
            seen += 1
    assert seen > 25


def test_shell_in_the_documentation_is_well_formed():
    for place, check, language, text in code_blocks():
        if language == "" and not isinstance(check, NotCode):
            done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True)
            assert not done.stderr, f"{place}: {done.stderr}"


def test_the_cluster_file_is_yaml():
    yaml = pytest.importorskip("yaml")
    (text,) = [text for _, _, language, text in code_blocks() if language == "yaml"]
    assert [part["kind"] for part in yaml.safe_load_all(text)] == ["Service", "Job"]


def generated():
    spec = importlib.util.spec_from_file_location("generated", ROOT / "docs" / "generated.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_has_every_public_name_and_every_component():
    page = generated().names()
    for name in keras_vae.PUBLIC:
        value = getattr(keras_vae, name)
        assert f"\n## {name}\n" in page
        for entry in value if isinstance(value, dict) else ():
            assert f"* `{entry}`: " in page


def test_the_reference_has_every_flag_of_every_command():
    from keras_vae.cli.serve import Serve

    page = generated().flags()
    for name in keras_vae_commands.COMMANDS:
        assert f"## keras-vae {name}" in page
    for kind in (keras_vae.Config, Evaluation, Serve):
        for field in dataclasses.fields(kind):
            assert re.search(rf"^ +--{field.name}\b", page, re.MULTILINE), field.name
            for choice in field.metadata.get("choices", {}).values():
                for inner in dataclasses.fields(choice):
                    if "help" in inner.metadata:
                        assert f"--{field.name}.{inner.name}" in page
    assert ".venv" not in page


def test_the_reference_has_every_entry_of_the_results():
    page = generated().results()

    def check(node, path):
        for name, inner in node.get("properties", {}).items():
            assert ("`" + ".".join((*path, name)) if "properties" in inner else f"| `{name}` |") in page, name
            check(inner, (*path, name))

    check(results_schema(), ())


def test_the_guide_from_pytorch_gives_a_subject():
    names = {"__name__": "page"}
    for block in code_of("guides/from_pytorch.md"):
        exec(compile(block, "from_pytorch.md", "exec"), names)
    images = keras_vae.load_dataset("digits").test.images()
    codes = names["subject"].encode(images)[0]
    assert names["subject"].decode(codes).shape == images.shape


@pytest.mark.long
def test_the_guide_on_repair_draws_from_fitted_samplers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    for block in code_of("guides/repair.md"):
        exec(compile(block, "repair.md", "exec"), names)
    assert np.shape(names["pictures"]) == (16, 8, 8, 1)
    assert np.array_equal(names["again"].sample(range(4)), names["sampler"].sample(range(4)))


@pytest.mark.long
def test_the_page_on_jax_trains_on_any_backend(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = np.random.default_rng(0).random((64, 28, 28, 1), "float32")
    names = {"images": images, "held_out": images[:16]}
    exec(code_of("jax.md")[0].replace("epochs=10", "epochs=1"), names)
    assert keras.saving.load_model("model.keras").decode(np.zeros((2, 32))).shape == (2, 28, 28, 1)


@pytest.mark.long
def test_the_page_on_adding_an_objective_adds_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    known = set(keras_vae.OBJECTIVES)
    blocks = code_of("adding_an_objective.md")
    assert len(blocks[0].splitlines()) < 30
    names = {"__name__": "page"}
    try:
        for block in blocks:
            exec(compile(block, "adding_an_objective.md", "exec"), names)
        model, images = names["model"], names["digits"].test.images()
        # The hinge by hand, on the mean over each batch of 256; there is one.
        found = model.evaluate(images, batch_size=256, verbose=0, return_dict=True)
        hinge = max(found["rate"] - 15.0, 0)
        assert found["loss"] == pytest.approx(found["distortion"] + hinge, rel=1e-4)
        loaded = keras.saving.load_model("hinge.keras")
        assert loaded.objective == names["RateHinge"](15.0)
        np.testing.assert_array_equal(loaded.predict(images, verbose=0), model.predict(images, verbose=0))
    finally:
        for name in set(keras_vae.OBJECTIVES) - known:
            del keras_vae.OBJECTIVES[name]


def test_the_page_on_architecture_adds_a_source_and_a_metric():
    from keras_vae.evaluation.scores import SCORES

    kinds = (keras_vae.DATASETS, SCORES)
    known = [set(kind) for kind in kinds]
    try:
        for block in code_of("architecture.md"):
            exec(compile(block, "architecture.md", "exec"), {"__name__": "page"})
        assert [set(kind) - before for kind, before in zip(kinds, known)] == [{"stripes"}, {"brightness"}]
    finally:
        for kind, before in zip(kinds, known):
            for name in set(kind) - before:
                del kind[name]


@pytest.mark.long
def test_the_guide_on_anomalies_finds_them_and_is_served_the_same_scores(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    for block in code_of("guides/anomaly_detection.md"):
        exec(compile(block, "anomaly_detection.md", "exec"), names)
    scores, is_unknown = names["scores"], names["test"].labels == 4
    assert np.mean(scores[is_unknown, None] > scores[None, ~is_unknown]) > 0.8  # the AUC
    assert len(names["alarms"]) == np.sum(scores > names["threshold"])
    np.testing.assert_allclose(names["served"], scores, atol=1e-3)


def test_the_page_on_images_and_the_help_have_every_built_in_source():
    page = (ROOT / "docs" / "guides" / "your_images.md").read_text(encoding="utf-8")
    words = keras_vae.Config.__dataclass_fields__["dataset"].metadata["help"].split(", ")
    assert built_in()
    for name in built_in():
        assert re.search(rf"^\| `{name}` \|", page, re.MULTILINE), f"{name} needs a row in your_images.md"
        assert name in words


def test_the_page_of_components_has_the_catalogue_of_the_registries():
    text = (ROOT / "docs" / "components.md").read_text(encoding="utf-8")
    assert catalogue.catalogue() in text, (
        "python -m keras_vae.cli.catalogue docs/components.md writes it anew"
    )


@pytest.mark.parametrize("name", keras_vae.OBJECTIVES)
def test_an_objective_has_its_line_in_the_table(name):
    kind = keras_vae.OBJECTIVES[name]
    assert kind.formula
    assert kind.paper == "none" or re.search(r"(19|20)\d\d$", kind.paper), (
        f'{kind.__name__}.paper is {kind.paper!r}: it must end in the year of the paper, or be "none"'
    )
    assert kind.good_for
    assert kind.__doc__.strip()
