"""Where do the verdict's thresholds lie? `python -m benchmarks.thresholds --output DIR --data_dir MNIST`

Trains models with a planted condition, evaluates each, and writes DIR/table.md: what the rules of the verdict look
at, model by model, and for every threshold the numbers on its two sides. A model that DIR has results of is not
trained again. `docs/thresholds.md` says what was made of it. About 35 minutes on two cores.
"""

import argparse
import json
import pathlib
import time
from dataclasses import dataclass

import numpy as np

from benchmarks.planted import PLANTS, grow
from keras_vae.evaluation.verdict import THRESHOLDS, Facts, judge
from keras_vae.report.tables import plain
from keras_vae.runtime.files import write_json
from keras_vae.runtime.lazy import keras


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
    "spare_dimensions": Side(
        "dimensions a direction", ("spread_code",), ("vae", "under_regularised", "correlated")
    ),
    "low_beta": Side("beta", ("under_regularised",), ("vae", "spread_code"), above=False),
    "overcalibrated": Side("calibration", ("under_regularised",), ("vae", "spread_code")),
    "rough": Side("rough", ("discontinuous",), SOUND),
    "torn": Side("jump", ("discontinuous",), SOUND),
}


def value_of(estimate):
    """Returns the value of an `Estimate`, None of None."""
    return None if estimate is None else estimate.value


# What the rules look at, by the heading of its column.
NUMBERS = {
    "rate": lambda facts: facts.rate,
    "unexplained": lambda facts: facts.get("reconstruction", "train", "unexplained"),
    "mse ratio": lambda facts: facts.get("memorisation", "mse_ratio"),
    "ELBO gap": lambda facts: facts.get("memorisation", "elbo_gap_fraction"),
    "floors": lambda facts: value_of(facts.blur_ratio),
    "gap": lambda facts: value_of(facts.gap_ratio),
    "dead zone": lambda facts: facts.dead_zone,
    "dead, mixture": lambda facts: facts.get("completeness", "by_rung", "mixture", "dead_zone"),
    "mismatch": lambda facts: facts.mismatch,
    "of the rate": lambda facts: facts.mismatch_share,
    "dimensions a direction": lambda facts: facts.spare_dimensions,
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
        grown.append((plant, Facts(json.loads(file.read_text(encoding="utf-8")))))
    text = "\n".join([*models_table(grown), "", *sides_table(grown)])
    (arguments.output / "table.md").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
