"""Whatever is written on a command line, the answer is 0, or 2 and one line; the flags come from the settings' fields."""

import pytest
from hostile import NAMES, TEXTS, answer, check, command_lines, fitting, flags_of
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_vae.evaluation.sections
import keras_vae.explorer.page
import keras_vae.explorer.projector
import keras_vae.serving.server
import keras_vae.sweep.running
from keras_vae import explorer
from keras_vae.cli import evaluate, train
from keras_vae.cli import serve as serving
from keras_vae.cli import sweep as sweep
from keras_vae.cli.explore import Exported
from keras_vae.cli.explore import main as explore
from keras_vae.cli.serve import Serve
from keras_vae.config.flags import command, is_switch
from keras_vae.errors import DatasetError
from keras_vae.evaluation.settings import Evaluation
from keras_vae.serving.prepare import Canary
from keras_vae.sweep.grid import Trial
from keras_vae.training import loop
from keras_vae.training.config import Config

pytestmark = pytest.mark.long

# Words that go before and behind each: the network is left alone, and the images are few and small.
LAST = ["--no-download", "--limit=64"]
TINY = ["--network.widths=4", "--network.dense=8", "--latent=2", "--epochs=1"]
MOST = settings.default.max_examples
PATHS = ("", "/", "~", "a\x00b", "x" * 300, "x/" * 3000, "no/such/run", *NAMES)


def done(*arguments, **named):
    """Stands for what a command does once all that was asked for has been read, loaded and built: it ends well."""
    raise SystemExit(0)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder some levels deep with a trained run, `run`, in it, where commands stop before their long work."""
    folder = tmp_path_factory.mktemp("fuzz") / "a" / "b" / "c" / "d"
    folder.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setenv("TFDS_DATA_DIR", str(folder / "prepared"))
        found = answer(train.main, [*TINY, *LAST, "--output=.", "--name=run"])
        assert found.code == 0, found.err
        patch.setattr(loop, "folder", done)
        patch.setattr(keras_vae.evaluation.sections, "measure", done)
        patch.setattr(sweep, "check_models", done)
        patch.setattr(keras_vae.sweep.running, "run_all", done)
        patch.setattr(explorer.page, "static_page", lambda worlds: "<!doctype html>")
        patch.setattr(explorer.projector, "write_projector", done)
        patch.setattr(serving, "prepare", done)
        patch.setattr(keras_vae.serving.server, "serve", done)
        yield folder


def rarely(*words):
    """Mostly none, else one of `words`, as a list."""
    return st.sampled_from([*[()] * len(words), *((word,) for word in words)]).map(list)


def mostly(usual, *words):
    """The word `usual`, else one of `words`, as a list."""
    return rarely(*words).map(lambda found: found or [usual])


def option(*names):
    """Mostly none, else one of the options that are no setting, with any text."""
    return rarely(*(f"{name}={text}" for name in names for text in TEXTS))


def test_every_flag_takes_or_refuses_every_hostile_text(place):
    read = command("train.py", bad_input=(DatasetError,))(train.read_command_line)
    for flag in flags_of(Config):
        for text in ["true"] if is_switch(flag.field, flag.annotation) else TEXTS:
            check(answer(read, [*flag.chosen, f"{flag.name}={text}"]))


@settings(max_examples=2 * MOST)
@given(command_lines(Config), option("--config", "--resume"))
def test_training_begins_or_is_refused(place, words, others):
    check(answer(train.main, [*TINY, *words, *others, *LAST]))


@settings(max_examples=MOST)
@given(command_lines(Evaluation), mostly("run", *PATHS), rarely("run"))
def test_an_evaluation_begins_or_is_refused(place, words, first, second):
    check(answer(evaluate.main, [*words, *LAST, *first, *second]))


@st.composite
def axes(draw):
    """What follows `--over`: mostly a field of a trial with values that it may take."""
    flag = draw(st.sampled_from(list(flags_of(Trial))))
    values = draw(
        st.lists(draw(st.sampled_from([fitting(flag), fitting(flag), st.sampled_from(TEXTS)])), max_size=3)
    )
    return f"--over={flag.name[2:]}={';'.join(values)}"


@settings(max_examples=MOST)
@given(
    command_lines(Trial, most=2),
    st.lists(axes(), min_size=1, max_size=2),
    option("--jobs", "--resume", "--compare", "--yes", "--over"),
    rarely("run", *PATHS),
)
def test_a_sweep_begins_or_is_refused(place, words, over, others, folders):
    check(answer(sweep.main, [*words, *over, *others, *folders, "--no-download"]))


@settings(max_examples=MOST)
@given(command_lines(Exported), mostly("run", *PATHS), rarely("run"))
def test_an_explorer_is_written_or_refused(place, words, first, second):
    check(answer(explore, [*words, *first, *second]))


@settings(max_examples=MOST // 2)
@given(command_lines(Serve), mostly("run", *PATHS), rarely("run"))
def test_a_server_starts_or_is_refused(place, words, first, second):
    check(answer(serving.main, ["run", *words, *first, *second]))


@settings(max_examples=MOST)
@given(command_lines(Canary), mostly("run", *PATHS), mostly("prepare", "run", *TEXTS))
def test_serving_is_prepared_or_refused(place, words, run, subcommand):
    check(answer(serving.main, [*subcommand, *words, *run]))
