"""Where do the verdict's thresholds lie? `python benchmarks/thresholds.py --output DIR --data_dir MNIST`

Trains models with a planted condition, evaluates each, and writes DIR/table.md: what the rules of the verdict look
at, model by model, and for every threshold the numbers on its two sides. A model that DIR has results of is not
trained again. `docs/thresholds.md` says what was made of it. About 35 minutes on two cores.
"""

import argparse
import json
import pathlib
import shlex
import time
from dataclasses import dataclass

import numpy as np

import keras_vae
from keras_vae import training
from keras_vae.files import write_json
from keras_vae.lazy import keras
from keras_vae.metrics.neighbours import nearest
from keras_vae.report.tables import plain
from keras_vae.verdict import THRESHOLDS, Facts, judge

DATA = {
    "mnist": "--dataset mnist --limit 10000 --epochs 6",
    "sprites": "--dataset sprites --image_size 32 --epochs 4 --likelihood gaussian_optimal",
    "digits": "--dataset digits --epochs 40",
}


@dataclass(frozen=True)
class Plant:
    """A model whose condition is known, because it was made so.

    Attributes:
        condition: A verdict, or a kind of one; `vae` is a plain one, which may be healthy or patchy. `mis_scaled`
            was not planted but found, and sets no threshold.
        data: A name in `DATA`.
        flags: What train.py is told besides.
        seed: Of weights and noise.
        snapped: The decoder takes each code for the nearest of those of so many training images. 0: as it is.
        copied: And gives that training image.
    """

    condition: str
    data: str
    flags: str
    seed: int = 0
    snapped: int = 0
    copied: bool = False

    @property
    def name(self):
        """A file's name."""
        words = f"{self.condition} {self.data} {self.flags} seed {self.seed}".replace("--", "")
        return "-".join(words.replace("objective beta_vae objective.", "").split())


BETA = "--objective beta_vae --objective.beta"
PLANTS = (
    Plant("vae", "mnist", "--latent 16"),
    Plant("vae", "mnist", "--latent 8"),
    Plant("vae", "digits", "--latent 8"),
    Plant("mis_scaled", "sprites", "--latent 10 --epochs 8"),
    Plant("no_prior", "mnist", "--latent 16 --objective autoencoder"),
    Plant("no_prior", "digits", "--latent 8 --objective autoencoder --epochs 100"),
    Plant("under_regularised", "mnist", f"--latent 16 {BETA} 0.02"),
    Plant("under_regularised", "digits", f"--latent 8 {BETA} 0.02 --epochs 100"),
    Plant("spread_code", "digits", "--latent 4x4x128"),
    Plant("collapsed", "digits", f"--latent 8 {BETA} 300"),
    Plant("overfitted", "digits", "--latent 8 --epochs 100"),
    Plant("overfitted", "digits", "--latent 8 --limit 100 --epochs 400"),
    Plant("overfitted", "mnist", "--latent 16 --limit 300 --epochs 50"),
    Plant("copying", "mnist", "--latent 16 --epochs 1", snapped=10_000, copied=True),
    Plant("collapsed", "digits", "--latent 8 --likelihood gaussian --likelihood.sigma 1"),
    Plant("discontinuous", "digits", "--latent 8", snapped=50),
    Plant("blurry", "mnist", "--latent 2 --epochs 2"),
    Plant("insufficient_data", "sprites", "--latent 10 --dataset.size 900 --epochs 10"),
    Plant("discontinuous", "mnist", "--latent 8 --epochs 1", snapped=100),
    Plant("vae", "digits", "--latent 8", seed=1),
    Plant("collapsed", "mnist", f"--latent 16 {BETA} 50 --epochs 1"),
    Plant("under_regularised", "sprites", f"--latent 10 {BETA} 0.02"),
    Plant("spread_code", "mnist", "--latent 8x8x64 --epochs 3"),
    Plant("copying", "sprites", "--latent 10 --epochs 2", snapped=8000, copied=True),
    Plant("blurry", "sprites", "--latent 2"),
    Plant("overfitted", "sprites", "--latent 10 --limit 300 --epochs 50"),
    Plant("overfitted", "digits", "--latent 8 --limit 100 --epochs 400", seed=1),
    Plant("no_prior", "sprites", "--latent 10 --objective autoencoder"),
    Plant("spread_code", "sprites", "--latent 8x8x64 --epochs 2"),
    Plant("vae", "mnist", "--latent 8", seed=1),
)


def grow(plant, data_dir):
    """Returns the results of the model that `plant` describes, trained to its last epoch."""
    flags = shlex.split(f"{DATA[plant.data]} {plant.flags} --seed {plant.seed}")
    flags += ["--data_dir", data_dir] if data_dir and plant.data == "mnist" else []
    config, _ = training.read_command_line(flags)
    dataset = training.load(config)
    config = training.settle(config, dataset)
    keras.utils.set_random_seed(config.seed)
    model = training.build(config, dataset)
    model.fit(
        dataset.train.training_batches(config.batch_size, seed=config.seed),
        steps_per_epoch=training.steps_per_epoch(config, dataset),
        epochs=config.epochs,
        verbose=0,
    )
    return keras_vae.evaluate(snap(model, dataset, plant) if plant.snapped else model, dataset)


def snap(model, dataset, plant):
    """Returns `model` with a decoder that knows no codes but those of the first training images."""
    images = dataset.train.images(0, plant.snapped)
    means = np.concatenate([np.asarray(model.encode(part)[0]) for part in np.array_split(images, 40)])
    known = images if plant.copied else np.asarray(model.decode(means))

    def decode(codes):
        return known[nearest(np.asarray(codes), means)[0][:, 0]]

    return keras_vae.from_functions(model.encode, decode)


@dataclass(frozen=True)
class Side:
    """What one threshold has to tell apart.

    Attributes:
        number: A name in `NUMBERS`.
        beyond: The conditions whose models have to lie beyond the threshold.
        short: Those whose models must not; models of other conditions may do either.
        above: Whether beyond is above.
    """

    number: str
    beyond: tuple
    short: tuple
    above: bool = True


ALIVE = ("vae", "no_prior", "under_regularised", "spread_code", "overfitted")
HOLES = ("no_prior", "under_regularised", "spread_code")
SOUND = ("vae", *HOLES)
SIDES = {
    "collapsed_rate": Side("rate", ("collapsed",), ALIVE, above=False),
    "useless_reconstruction": Side("unexplained", ("collapsed",), ALIVE),
    "overfitted_mse": Side("mse ratio", ("copying",), ("vae", "spread_code")),
    "overfitted_elbo": Side("ELBO gap", ("overfitted",), ("vae", "spread_code")),
    "blurry": Side("floors", ("blurry",), SOUND),
    "hole": Side("gap", HOLES, ("vae",)),
    "dead": Side("dead zone", HOLES, ("vae",)),
    "mismatch": Side("mismatch", ("under_regularised", "spread_code"), ("vae",)),
    "mismatch_share": Side("of the rate", ("under_regularised", "spread_code"), ("vae",)),
    "spread_rate": Side("rate a dimension", ("spread_code",), ("vae", "under_regularised"), above=False),
    "low_beta": Side("beta", ("under_regularised",), ("vae", "spread_code"), above=False),
    "overcalibrated": Side("calibration", ("under_regularised",), ("vae", "spread_code")),
    "rough": Side("rough", ("discontinuous",), SOUND),
    "torn": Side("jump", ("discontinuous",), SOUND),
}

# What the rules look at, by the heading of its column.
NUMBERS = {
    "rate": lambda facts: facts.rate,
    "unexplained": lambda facts: facts.get("reconstruction", "train", "unexplained"),
    "mse ratio": lambda facts: facts.get("memorisation", "mse_ratio"),
    "ELBO gap": lambda facts: facts.get("memorisation", "elbo_gap_fraction"),
    "floors": lambda facts: facts.reconstruction / facts.floor,
    "gap": lambda facts: facts.gap_ratio,
    "dead zone": lambda facts: facts.dead_zone,
    "dead, mixture": lambda facts: facts.get("completeness", "by_rung", "mixture", "dead_zone"),
    "mismatch": lambda facts: facts.mismatch,
    "of the rate": lambda facts: facts.mismatch_share,
    "rate a dimension": lambda facts: facts.get("rate_distortion", "rate_per_dim"),
    "beta": lambda facts: facts.beta,
    "calibration": lambda facts: facts.get("rate_distortion", "calibration"),
    "rough": lambda facts: facts.get("continuity", "jacobian", "posterior", "p95_over_median"),
    "jump": lambda facts: facts.get("continuity", "jump"),
}


def show(value):
    """Returns a cell of the table."""
    return "-" if value is None else f"{value:.3g}"


def table(headings, rows):
    """Returns the lines of a table in Markdown."""
    return ["| " + " | ".join(map(str, row)) + " |" for row in (headings, ["---"] * len(headings), *rows)]


def models_table(grown):
    """Returns a row a model, of `grown`: pairs of a plant and its facts."""
    rows = []
    for plant, facts in grown:
        verdict = judge(facts.results)
        words = [verdict["name"], *filter(None, [verdict["sub_verdict"]])]
        others = [finding["name"] for finding in verdict["findings"][1:]]
        rows.append([plant.name, ": ".join(words), ", ".join(others), *map(show, numbers_of(facts).values())])
    return table(["model", "verdict", "also", *NUMBERS], rows)


def numbers_of(facts):
    """Returns the numbers of one model by their headings."""
    return {heading: number(facts) for heading, number in NUMBERS.items()}


def sides_table(grown):
    """Returns a row a threshold: the nearest models on both sides, and the geometric middle between them.

    Where one side has no model there is no middle, nor where the two sides overlap.
    """
    rows = []
    for name, side in SIDES.items():
        known = [(plant.condition, numbers_of(facts)[side.number]) for plant, facts in grown]
        beyond, short = (
            [value for condition, value in known if condition in wanted and value is not None]
            for wanted in (side.beyond, side.short)
        )
        low, high = (short, beyond) if side.above else (beyond, short)
        below, above = max(low, default=None), min(high, default=None)
        apart = below is not None and above is not None and 0 < below < above
        middle = np.sqrt(below * above) if apart else None
        rows.append([name, *map(show, (getattr(THRESHOLDS, name), below, above, middle))])
    return table(["threshold", "set to", "nearest below", "nearest above", "geometric middle"], rows)


def main():
    """Grows what is missing, and writes and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", required=True, type=pathlib.Path, help="folder of the results")
    parser.add_argument("--data_dir", help="folder of MNIST's files, or of prepared TensorFlow Datasets")
    parser.add_argument("--only", default="", help="the models whose names hold this text")
    arguments = parser.parse_args()
    grown = []
    for plant in PLANTS:
        file = arguments.output / f"{plant.name}.json"
        if arguments.only not in plant.name:
            continue
        if not file.exists():
            keras.backend.clear_session()
            begun = time.monotonic()
            write_json(file, plain(grow(plant, arguments.data_dir)))
            print(f"{plant.name}: {time.monotonic() - begun:.0f} s", flush=True)
        grown.append((plant, Facts(json.loads(file.read_text(encoding="utf-8")), "")))
    text = "\n".join([*models_table(grown), "", *sides_table(grown)])
    (arguments.output / "table.md").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
