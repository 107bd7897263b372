"""Evaluates planted models that are trained already: `python -m benchmarks.replant --models DIR --data_dir MNIST`

DIR holds NAME.keras for each planted model of the tested half (`benchmarks/study/verdicts.py`), trained to its last
epoch. Each is evaluated with the rules as they are now, one at a time, and its results are kept, rounded, in
tests/planted/, which tests/test_verdict.py judges. Prints what was planted and what is said of it. A model whose
results are there already is not evaluated again unless `--again` is said.
"""

import argparse
import json
import pathlib
import time

from benchmarks.planted import judge_saved
from benchmarks.study.trials import kept
from benchmarks.study.verdicts import TESTED, in_words, is_right
from keras_vae.evaluation.verdict import judge
from keras_vae.report.tables import plain
from keras_vae.runtime.files import write_json
from keras_vae.runtime.lazy import keras

FIXTURES = pathlib.Path(__file__).parent.parent / "tests" / "planted"
# Of the results: what a verdict is made of.
NEEDED = (
    "image_shape",
    "latent_shape",
    "objective",
    "prior",
    "decoder_likelihood",
    "dataset",
    "num_train",
    "num_test",
    "num_held_out",
    "reconstruction",
    "rate_distortion",
    "latent",
    "prior_mismatch",
    "generation_gap",
    "told_apart",
    "spaces",
    "completeness",
    "continuity",
    "memorisation",
    "samplers",
    "repair",
    "reasons",
)
DROPPED = ("settings", "seconds", "by_rung", "rungs")  # of these, at any depth


def main():
    """Evaluates what is missing and prints a line a model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", required=True, type=pathlib.Path, help="folder of the saved models")
    parser.add_argument("--data_dir", help="folder of MNIST's files, or of prepared TensorFlow Datasets")
    parser.add_argument("--only", default="", help="the models whose names hold this text")
    parser.add_argument("--again", action="store_true", help="evaluate also what is there already")
    parser.add_argument(
        "--data_rules", type=int, default=1, help="rules of the splits that the models were trained on"
    )
    arguments = parser.parse_args()
    for plant in TESTED:
        model, file = arguments.models / f"{plant.name}.keras", FIXTURES / f"{file_name(plant)}.json"
        if arguments.only not in plant.name or not (model.exists() or file.exists()):
            continue
        begun = time.monotonic()
        if model.exists() and (arguments.again or not file.exists()):
            keras.backend.clear_session()
            results = judge_saved(plant, model, arguments.data_dir, arguments.data_rules)
            write_fixture(file, plant, results)
        print(line(plant, file, time.monotonic() - begun), flush=True)


def file_name(plant):
    """Returns a plant's name as a file's."""
    return plant.name.replace(",", "-")


def write_fixture(file, plant, results):
    """Writes what a verdict is made of, five digits of each number."""
    numbers = kept(plain({name: results[name] for name in NEEDED if name in results}))
    write_json(file, {"condition": plant.condition, "results": without(numbers)})


def without(node):
    """Returns `node` without what no verdict looks at."""
    if not isinstance(node, dict):
        return node
    return {key: without(value) for key, value in node.items() if key not in DROPPED}


def line(plant, file, seconds):
    """Returns what was planted, what is said of it, and whether that is right."""
    results = json.loads(file.read_text(encoding="utf-8"))["results"]
    words = [in_words(finding) for finding in judge(results)["findings"]]
    mark = "right" if is_right(plant.condition, words[0]) else "WRONG"
    return f"{mark} {plant.name}: {', also '.join(words)} ({seconds:.0f} s)"


if __name__ == "__main__":
    main()
