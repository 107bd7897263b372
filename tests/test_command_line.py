import argparse
import dataclasses
import json
import math
import os
import pathlib
import random
import subprocess
import sys
from dataclasses import dataclass, field, replace
from typing import Literal

import pytest

from keras_vae.config import codec, flags
from keras_vae.config.codec import from_json, option, to_json
from keras_vae.errors import UsageError
from keras_vae.runtime import json_file


@dataclass(frozen=True)
class Critic:
    """A network that tells codes from prior samples."""

    width: int = field(default=64, metadata={"help": "units of each layer"})


@dataclass(frozen=True)
class Autoencoder:
    """Reconstruction alone, 100% of the loss."""


@dataclass(frozen=True)
class BetaVAE:
    """Weighs the rate by beta.

    A second paragraph that the help leaves out.
    """

    beta: float = field(default=1.0, metadata={"help": "weight of the rate, 100% at 1"})
    warm: bool = False

    def __post_init__(self):
        if self.beta < 0:
            raise ValueError(f"beta is {self.beta}: it must not be negative")


@dataclass(frozen=True)
class FactorVAE:
    """Penalises total correlation."""

    gamma: float = 10.0
    beta: int = 3
    critic: Critic = option(Critic(), "estimates the ratio", choices={"dense": Critic})


@dataclass(frozen=True)
class Digits:
    """Drawn digits."""


@dataclass(frozen=True)
class Folder:
    """The images of a folder."""

    path: str
    limit: int | None = None


def folder(text):
    if not text.startswith("path/"):
        raise ValueError("no such dataset\nand no such folder")
    return Folder(text)


def read_shape(text):
    try:
        shape = tuple(int(size) for size in text.split("x"))
    except ValueError:
        raise ValueError("a shape is whole numbers joined by x, such as 8x8x16") from None
    return shape


def show_shape(shape):
    return "x".join(map(str, shape))


DATASETS = {"digits": Digits, "folder": Folder}
OBJECTIVES = {"autoencoder": Autoencoder, "beta_vae": BetaVAE, "factor_vae": FactorVAE}


@dataclass(frozen=True)
class Config:
    """A toy configuration."""

    dataset: "Digits | Folder" = option(
        Digits(), "what to learn", choices=DATASETS, fallback=folder, metavar="NAME|PATH"
    )
    objective: Autoencoder | BetaVAE | FactorVAE = option(BetaVAE(beta=2.0), "the loss", choices=OBJECTIVES)
    latent: tuple[int, ...] = option((32,), "shape of the latent", parse=read_shape, show=show_shape)
    epochs: int = option(10, "passes over the data")
    learning_rate: float = 1e-3
    limit: int | None = option(None, "first images to take, at most 100% of them")
    name: str | None = None
    augment: tuple[Literal["flip", "crop"], ...] = option((), "random changes")
    widths: tuple[int, ...] = (32, 64)
    precision: Literal["auto", "float32"] = "auto"
    cache: bool = option(True, "keep the images in memory")
    output: str = "saved_models"

    def __post_init__(self):
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate is {self.learning_rate}:\n  it must be positive")


def parse(*words, **named):
    return flags.parse(Config, list(words), prog="train.py", **named)


def config(*words, **named):
    return parse(*words, **named).config


def refusal(*words, **named):
    with pytest.raises(UsageError) as caught:
        parse(*words, **named)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def help_text(capsys, monkeypatch, columns=100, **named):
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(SystemExit) as caught:
        parse("--help", **named)
    assert caught.value.code == 0
    return capsys.readouterr().out


def test_no_words_give_the_defaults():
    assert parse() == (Config(), argparse.Namespace(), set())


@pytest.mark.parametrize(
    ("words", "change"),
    [
        (["--epochs", "5"], {"epochs": 5}),
        (["--epochs=5"], {"epochs": 5}),
        (["--epochs", "5", "--epochs", "6"], {"epochs": 6}),
        (["--learning_rate", "1e-4"], {"learning_rate": 1e-4}),
        (["--learning_rate", "1"], {"learning_rate": 1.0}),
        (["--no-cache"], {"cache": False}),
        (["--cache"], {"cache": True}),
        (["--limit", "7"], {"limit": 7}),
        (["--limit", "none"], {"limit": None}),
        (["--name", "none"], {"name": None}),
        (["--name", "-x y=ü--"], {"name": "-x y=ü--"}),
        (["--name=--epochs"], {"name": "--epochs"}),
        (["--name", ""], {"name": ""}),
        (["--augment", "flip, crop"], {"augment": ("flip", "crop")}),
        (["--augment", ""], {"augment": ()}),
        (["--widths", "-8,16"], {"widths": (-8, 16)}),
        (["--precision", "float32"], {"precision": "float32"}),
        (["--latent", "8x8x1024"], {"latent": (8, 8, 1024)}),
        (["--latent", "-1"], {"latent": (-1,)}),
    ],
)
def test_a_flag_sets_its_field(words, change):
    assert config(*words) == replace(Config(), **change)
    assert parse(*words).given == set(change)


def test_a_component_takes_its_own_flags_in_any_order():
    expected = replace(Config(), objective=FactorVAE(gamma=6.0, beta=4))
    words = [["--objective", "factor_vae"], ["--objective.beta", "4"], ["--objective.gamma", "6"]]
    for _ in words:
        words = [*words[1:], words[0]]
        parsed = parse(*(word for pair in words for word in pair))
        assert parsed.config == expected
        assert parsed.given == {"objective", "objective.beta", "objective.gamma"}


def test_a_shared_flag_is_read_as_the_chosen_component_wants_it():
    assert config("--objective.beta", "0.5").objective == BetaVAE(beta=0.5)
    assert "'0.5' is not a whole number" in refusal("--objective", "factor_vae", "--objective.beta", "0.5")


def test_components_nest():
    parsed = config("--objective", "factor_vae", "--objective.critic.width", "8")
    assert parsed.objective == FactorVAE(critic=Critic(width=8))


def test_the_same_choice_starts_from_the_default_instance_and_another_from_its_class():
    base = Config(objective=BetaVAE(beta=7.0), epochs=3)
    assert config("--objective.warm").objective == BetaVAE(beta=2.0, warm=True)
    assert config("--objective", "beta_vae", base=base) == base
    assert config("--objective.warm", base=base).objective == BetaVAE(beta=7.0, warm=True)
    assert config("--objective", "factor_vae", base=base) == replace(base, objective=FactorVAE())


def test_a_text_that_is_no_choice_goes_to_the_fallback():
    assert config("--dataset", "path/to", "--dataset.limit", "3").dataset == Folder("path/to", limit=3)
    assert config("--dataset", "folder", "--dataset.path", "elsewhere").dataset == Folder("elsewhere")
    assert refusal("--dataset", "nowhere") == "--dataset 'nowhere': no such dataset and no such folder"


def test_a_field_without_a_default_is_required():
    assert refusal("--dataset", "folder") == "--dataset.path is required: it has no default"
    with pytest.raises(UsageError, match=r"^dataset\.path is required"):
        from_json(Config, {"dataset": {"kind": "folder"}})


def test_base_may_depend_on_the_extra_arguments():
    def extra(parser):
        parser.add_argument("--config")
        parser.add_argument("runs", nargs="*")

    def base(namespace):
        return Config(epochs=int(namespace.config)) if namespace.config else None

    words = ["one", "--config", "50", "--limit", "2", "two", "--cache", "three"]
    parsed = parse(*words, base=base, extra=extra)
    assert parsed.config == Config(epochs=50, limit=2)
    assert vars(parsed.extra) == {"config": "50", "runs": ["one", "two", "three"]}
    assert parsed.given == {"limit", "cache"}
    assert config(base=base, extra=extra) == Config()
    assert parse("--", "odd", base=base, extra=extra).extra.runs == ["odd"]
    assert refusal("--config", extra=extra) == "--config: a value is missing (write --config=VALUE)"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--epochs", "ten"], "--epochs: 'ten' is not a whole number"),
        (["--epochs", "5.0"], "--epochs: '5.0' is not a whole number"),
        (["--epochs", ""], "--epochs: '' is not a whole number"),
        (["--epochs="], "--epochs: '' is not a whole number"),
        (["--epochs", "-h"], "--epochs: '-h' is not a whole number"),
        (["--limit", "x"], "--limit: 'x' is not a whole number or none"),
        (["--learning_rate", "nan"], "--learning_rate: 'nan' is not a number"),
        (["--learning_rate", "-inf"], "--learning_rate: '-inf' is not a number"),
        (["--learning_rate", "1e999"], "--learning_rate: '1e999' is not a number"),
        (["--learning_rate", "-1"], "learning_rate is -1.0: it must be positive"),
        (["--learning_rate", "-1e-3"], "learning_rate is -0.001: it must be positive"),
        (["--objective.beta", "-2"], "objective: beta is -2.0: it must not be negative"),
        (["--widths", "32;64"], "--widths: '32;64' is not a list of whole numbers, separated by commas"),
        (["--augment", "spin"], "--augment: 'spin' is not a list of any of flip, crop, separated by commas"),
        (["--precision", "half"], "--precision: 'half' is not one of auto, float32"),
        (["--latent", "8y"], "--latent '8y': a shape is whole numbers joined by x, such as 8x8x16"),
        (["--epochs"], "--epochs: a value is missing (write --epochs=VALUE)"),
        (["--epochs", "--cache"], "--epochs: a value is missing (write --epochs=VALUE)"),
        (["--epoch", "5"], "unknown option --epoch (did you mean --epochs?)"),
        (["--zzz=a b"], "unknown option --zzz"),
        (["--gamma", "5"], "unknown option --gamma (did you mean --objective.gamma?)"),
        (["-epochs", "5"], "unknown option -epochs (did you mean --epochs?)"),
        (["--cache=yes"], "--cache takes no value (write --cache or --no-cache)"),
        (["stray"], "unexpected argument 'stray'"),
        (
            ["--objective", "bta_vae"],
            "--objective: 'bta_vae' is not one of autoencoder, beta_vae, factor_vae (did you mean beta_vae?)",
        ),
        (
            ["--objective.gamma", "1"],
            "--objective.gamma belongs to factor_vae; the objective is beta_vae, whose fields are beta, warm",
        ),
        (
            ["--objective", "autoencoder", "--objective.beta", "4"],
            "--objective.beta belongs to beta_vae and factor_vae; "
            "the objective is autoencoder, which has no fields",
        ),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_is_expected(words, message):
    assert refusal(*words) == message


def test_a_long_value_is_cut_in_the_message():
    assert len(refusal("--epochs", "9x" * 10_000)) < 200


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], r"expected a JSON object, got \[\]"),
        ({"epoch": 1}, r"unknown key 'epoch' \(did you mean epochs\?\)"),
        ({"epochs": True}, "epochs: expected a whole number, got True"),
        ({"epochs": 5.0}, "epochs: expected a whole number, got 5.0"),
        ({"epochs": None}, "epochs: expected a whole number, got None"),
        ({"limit": "none"}, "limit: expected a whole number or null, got 'none'"),
        ({"learning_rate": math.nan}, "learning_rate: expected a number, got nan"),
        ({"learning_rate": 10**400}, "learning_rate: expected a number, got 1000"),
        ({"learning_rate": True}, "learning_rate: expected a number, got True"),
        ({"learning_rate": 0}, "learning_rate is 0.0: it must be positive"),
        ({"cache": 1}, "cache: expected one of true, false, got 1"),
        ({"cache": "true"}, "cache: expected one of true, false, got 'true'"),
        ({"name": 3}, "name: expected text or null, got 3"),
        ({"widths": "32"}, "widths: expected a list of whole numbers, got '32'"),
        ({"widths": [32, "64"]}, r"widths: expected a list of whole numbers, got \[32, '64'\]"),
        ({"latent": 32}, "latent: expected text, got 32"),
        ({"latent": "a"}, "latent 'a': a shape is whole numbers"),
        ({"objective": "beta_vae"}, "objective: expected an object with the key kind, got 'beta_vae'"),
        ({"objective": {"kind": ["beta_vae"]}}, r"objective: \['beta_vae'\] is not one of autoencoder"),
        ({"objective": {"beta": "x"}}, "objective.beta: expected a number, got 'x'"),
        ({"objective": {"bet": 1}}, r"objective.bet is unknown; .* are beta, warm \(did you mean beta\?\)"),
        ({"objective": {"gamma": 1}}, "objective.gamma belongs to factor_vae; the objective is beta_vae"),
        ({"dataset": {"kind": "path/to"}}, "dataset: 'path/to' is not one of digits, folder"),
    ],
)
def test_json_that_does_not_fit_is_refused_by_its_dotted_name(data, message):
    with pytest.raises(UsageError, match=f"^{message}"):
        from_json(Config, data)


def test_absent_keys_take_the_defaults():
    assert from_json(Config, {}) == Config()
    assert from_json(Config, {"objective": {"warm": True}}).objective == BetaVAE(beta=2.0, warm=True)
    assert from_json(Config, {"objective": {"kind": "factor_vae"}}).objective == FactorVAE()


def test_an_integer_becomes_the_float_that_the_field_wants():
    value = from_json(Config, {"learning_rate": 1}).learning_rate
    assert isinstance(value, float)
    assert value == 1.0


def test_json_holds_every_field_in_plain_values():
    assert to_json(Config(dataset=Folder("path/to"), objective=FactorVAE(), augment=("flip",))) == {
        "dataset": {"kind": "folder", "path": "path/to", "limit": None},
        "objective": {
            "kind": "factor_vae",
            "gamma": 10.0,
            "beta": 3,
            "critic": {"kind": "dense", "width": 64},
        },
        "latent": "32",
        "epochs": 10,
        "learning_rate": 1e-3,
        "limit": None,
        "name": None,
        "augment": ["flip"],
        "widths": [32, 64],
        "precision": "auto",
        "cache": True,
        "output": "saved_models",
    }


def test_optional_parsed_fields_and_mixed_unions_survive_both_ways():
    @dataclass(frozen=True)
    class Sizes:
        crop: tuple[int, ...] | None = option(None, "crop", parse=read_shape, show=show_shape)
        width: int | float | str | None = 1.5
        flags: tuple[bool, ...] = (True,)
        fast: bool | None = None

    words = ["--crop", "2x2", "--width", "3", "--flags", "true,false", "--no-fast"]
    sizes = flags.parse(Sizes, words, prog="x").config
    assert sizes == Sizes(crop=(2, 2), width=3, flags=(True, False), fast=False)
    for value in (sizes, Sizes(), Sizes(width=None), Sizes(width="wide")):
        assert from_json(Sizes, json.loads(json.dumps(to_json(value)))) == value
    assert flags.parse(Sizes, ["--crop", "none"], base=sizes, prog="x").config.crop is None


def test_a_type_that_has_no_flag_is_a_defect_of_the_configuration():
    @dataclass(frozen=True)
    class Odd:
        table: dict = field(default_factory=dict)

    with pytest.raises(TypeError, match="dict"):
        flags.parse(Odd, [], prog="x")


def test_choices_that_disagree_on_a_switch_are_a_defect_of_the_configuration():
    @dataclass(frozen=True)
    class Switch:
        beta: bool = True

    @dataclass(frozen=True)
    class Odd:
        part: object = option(Switch(), "part", choices={"switch": Switch, "beta_vae": BetaVAE})

    with pytest.raises(TypeError, match=r"--part\.beta"):
        flags.parse(Odd, [], prog="x")


def test_a_file_gives_its_configuration_or_one_sentence_that_names_it(tmp_path):
    path = tmp_path / "config.json"
    with pytest.raises(UsageError, match=r"config\.json cannot be read: No such file"):
        json_file.read_json(path)
    with pytest.raises(UsageError, match="cannot be read"):
        json_file.read_json(tmp_path)
    for content, message in [
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", r"expected a JSON object, got \[\]"),
        (b'{"epochs": "x"}', "epochs: expected a whole number"),
    ]:
        path.write_bytes(content)
        with pytest.raises(UsageError, match=f"config.json:? {message}"):
            codec.read_config(Config, path)
    path.write_text(json.dumps(to_json(Config(epochs=3))))
    assert codec.read_config(Config, str(path)) == Config(epochs=3)


def test_help_lists_every_flag_choice_and_default(capsys, monkeypatch):
    text = help_text(
        capsys, monkeypatch, description="Trains.", epilog="examples:\n    train.py   --epochs 5  100%\n"
    )
    for line in [
        "usage: train.py [options]",
        "  --epochs N                    passes over the data (default: 10)",
        "  --limit N                     first images to take, at most 100% of them",
        "  --augment {flip,crop},...     random changes",
        "  --widths N,...                (default: 32,64)",
        "  --cache, --no-cache           keep the images in memory (default: true)",
        "    --objective NAME            the loss (default: beta_vae)",
        "    autoencoder                 Reconstruction alone, 100% of the loss.",
        "    beta_vae                    Weighs the rate by beta.",
        "      --objective.beta NUMBER   weight of the rate, 100% at 1 (default: 2.0)",
        "      --objective.beta N        (default: 3)",
        "    --dataset NAME|PATH         what to learn (default: digits)",
        "    train.py   --epochs 5  100%",
    ]:
        assert line in text.splitlines()
    assert "(required)" in text
    assert "second paragraph" not in text
    assert "--objective.critic.width N" in text


def test_help_names_the_extra_arguments_and_not_every_flag_in_its_usage(capsys, monkeypatch):
    def extra(parser):
        parser.add_argument("runs", nargs="*", metavar="RUN", help="folders of runs")
        parser.add_argument("--resume", metavar="RUN", help="goes on with RUN")

    lines = help_text(capsys, monkeypatch, extra=extra).splitlines()
    assert lines[0].startswith("usage: train.py [options] [RUN")
    assert "  RUN                           folders of runs" in lines
    assert "  --resume RUN                  goes on with RUN" in lines


def test_help_fits_the_terminal_and_shows_the_values_of_base(capsys, monkeypatch):
    text = help_text(capsys, monkeypatch, columns=60, base=Config(epochs=77))
    assert max(map(len, text.splitlines())) <= 60
    assert "(default: 77)" in text


def test_a_command_turns_bad_input_into_one_line_and_exit_code_2(capsys):
    @flags.command("train.py", bad_input=(KeyError,))
    def main(error):
        raise error

    for error, line in [
        (UsageError("one\n  two"), "train.py: error: one two\n"),
        (KeyError("x"), "train.py: error: 'x'\n"),
    ]:
        with pytest.raises(SystemExit) as caught:
            main(error)
        assert caught.value.code == 2
        assert capsys.readouterr() == ("", line)
    with pytest.raises(ValueError, match="a defect"):
        main(ValueError("a defect"))


def test_importing_takes_no_heavy_library():
    code = (
        "import sys; import keras_vae_commands; import keras_vae.config.flags; "
        "sys.exit(any(name in sys.modules for name in ('numpy', 'keras', 'tensorflow')))"
    )
    root = pathlib.Path(__file__).parent.parent
    assert subprocess.run([sys.executable, "-c", code], cwd=root, env={**os.environ}).returncode == 0


# Property tests: whatever is written, the answer is a configuration, help or a UsageError.

TEXTS = [
    *["", "-1", "1", "8x8", "1e-3", "nan", "-inf", "none", "true", "ü=ñ", "a b", "--", "-", "-h", "=", ","],
    *[
        "1,2",
        "%s",
        "flip,crop",
        "path/to",
        "beta_vae",
        "factor_vae",
        "autoencoder",
        "folder",
        "\udc80",
        "9" * 5000,
    ],
    *["\x00", "--epochs", "kind", "\n", "٣", "{}", "-e", "--no-cache", "--help=1", "--objective.kind"],
]
FLAGS = [
    *[
        "--dataset",
        "--dataset.path",
        "--dataset.limit",
        "--objective",
        "--objective.beta",
        "--objective.warm",
    ],
    *[
        "--objective.gamma",
        "--objective.critic",
        "--objective.critic.width",
        "--latent",
        "--epochs",
        "--limit",
    ],
    *["--learning_rate", "--name", "--augment", "--widths", "--precision", "--cache", "--no-cache", "--help"],
]


def json_copy(value):
    return from_json(Config, json.loads(json.dumps(to_json(value))))


def test_no_command_line_leads_to_a_traceback(capsys):
    chance = random.Random(1)
    outcomes = dict.fromkeys(["config", "help", "refused"], 0)
    for _ in range(2000):
        words = []
        for _ in range(chance.randint(0, 4)):
            flag, text = chance.choice(FLAGS), chance.choice(TEXTS)
            words += chance.choice([[flag, text], [f"{flag}={text}"], [flag], [text], [flag[:-1], text]])
        try:
            parsed = config(*words)
        except UsageError as error:
            assert len(str(error).splitlines()) == 1  # noqa: PT017
            outcomes["refused"] += 1
        except SystemExit as exit:
            assert exit.code == 0  # noqa: PT017
            outcomes["help"] += 1
        else:
            assert json_copy(parsed) == parsed
            outcomes["config"] += 1
    assert min(outcomes.values()) > 20


def random_config(chance):
    """A configuration from flags that all fit."""
    words = [
        *("--epochs", str(chance.randint(-9, 9)), "--learning_rate", str(chance.uniform(1e-9, 9))),
        *("--latent", chance.choice(["4", "2x3"]), "--name", chance.choice(["none", "a,b", ""])),
        *("--augment", chance.choice(["", "flip", "crop,flip"]), "--limit", chance.choice(["none", "3"])),
        *("--dataset", chance.choice(["digits", "path/ü"]), chance.choice(["--cache", "--no-cache"])),
        *chance.choice(
            [
                ["--objective", "autoencoder"],
                ["--objective.beta", "0.25", "--objective.warm"],
                ["--objective.critic.width", "3", "--objective", "factor_vae"],
            ]
        ),
    ]
    return config(*words)


def test_json_brings_back_every_configuration():
    chance = random.Random(2)
    for _ in range(300):
        value = random_config(chance)
        assert json_copy(value) == value
        assert config(base=value) == value


def mutate(chance, data):
    """Changes one place in nested `data`."""
    values = [
        None,
        True,
        0,
        -1.5,
        10**400,
        math.inf,
        "",
        "x",
        [],
        [1, "a"],
        {},
        {"kind": 1},
        {"kind": "beta_vae"},
    ]
    key = chance.choice([*data, "new"])
    if isinstance(data.get(key), dict) and chance.random() < 0.7:
        mutate(chance, data[key])
    elif key in data and chance.random() < 0.2:
        del data[key]
    else:
        data[key] = chance.choice(values)


def test_no_json_leads_to_a_traceback():
    chance = random.Random(3)
    outcomes = dict.fromkeys(["config", "refused"], 0)
    for _ in range(2000):
        data = to_json(random_config(chance))
        for _ in range(chance.randint(1, 3)):
            mutate(chance, data)
        try:
            value = from_json(Config, data)
        except UsageError as error:
            assert len(str(error).splitlines()) == 1  # noqa: PT017
            outcomes["refused"] += 1
        else:
            assert json_copy(value) == value
            outcomes["config"] += 1
    assert min(outcomes.values()) > 20


def test_components_are_never_changed_in_place():
    before = dataclasses.asdict(Config())
    config("--objective.beta", "9", "--dataset", "path/x")
    assert dataclasses.asdict(Config()) == before
