"""Do the verdicts hold on photographs? `python -m benchmarks.photographs --models DIR --data_dir MNIST --animals FOLDER`

Trains and evaluates the sixty models of `benchmarks/study/photographs.py`, or with `--test second` those of
`photographs_second.py`, one at a time, the animals first, and of each set of images every condition once before any comes
twice, so that a part of the list says something already. DIR gets of each training NAME.keras and of each model NAME.png,
the rungs of its ladder as pictures; benchmarks/results/photographs/ or photographs_second/ gets its results, rounded.
Conditions that are made of the same VAE share one training. What is there already is not made again, so the program can be
stopped and started, and two of them can share DIR: each model is made by the one that comes first. At the end it prints
the tables of docs/latent_size.md. `--tables` prints them alone, of the results that there are.
"""

import argparse
import collections
import json
import pathlib
import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from benchmarks.planted import Plant, config_of, made_of, trained, with_held_out
from benchmarks.replant import file_name, write_fixture
from benchmarks.study import photographs as first
from benchmarks.study import photographs_second as second
from benchmarks.study.found import table
from benchmarks.study.verdicts import in_words, is_right
from keras_vae.evaluation.adapters import model_of
from keras_vae.evaluation.conclusion import conclude
from keras_vae.evaluation.metrics.two_sample import share_low
from keras_vae.evaluation.repair import Repair
from keras_vae.evaluation.sections import measure
from keras_vae.evaluation.settings import Evaluation
from keras_vae.evaluation.verdict import judge
from keras_vae.runtime.figures import grid
from keras_vae.runtime.files import locked
from keras_vae.runtime.lazy import keras
from keras_vae.training import setup

RESULTS = pathlib.Path(__file__).parent / "results"
SETS = ("animals", "sprites", "mnist")  # in this order
# Test images, and as many for validation: half of what an evaluation compares, at half of its time.
HELD_OUT = 1000
LARGER = 3  # pixels of the PNG for each of an image
LEFT_ERROR = 0.05  # of the lower bound of a share
LEVELS = ("high", "medium", "low")


class Test(NamedTuple):
    """A list of planted models.

    Attributes:
        plants: Its `Plant`s.
        results: The folder of their results.
    """

    plants: tuple
    results: pathlib.Path


TESTS = {
    "first": Test(first.TESTED_ON_PHOTOGRAPHS, RESULTS / "photographs"),
    "second": Test(second.TESTED_AGAIN, RESULTS / "photographs_second"),
}


class Judged(NamedTuple):
    """What is said of a planted model.

    Attributes:
        plant: The `Plant`.
        verdict: Its verdict, as `judge` returns it.
        words: All findings in words, the main one first.
    """

    plant: Plant
    verdict: dict
    words: list

    @property
    def right(self):
        """Whether the verdict is the one that was written down for the condition."""
        return is_right(self.plant.condition, self.words[0])

    @property
    def line(self):
        """What was planted, what is said of it, and whether that is right."""
        mark = "right" if self.right else "WRONG"
        said = ", also ".join(self.words)
        return f"{mark} {self.plant.name}: {said}, confidence {self.verdict['confidence']}"


def main():
    """Makes what is missing, a line for each model, and prints the tables."""
    arguments = read_arguments()
    folders = {"mnist": arguments.data_dir, "animals": arguments.animals}
    test = TESTS[arguments.test]
    for together in () if arguments.tables else trainings(test, arguments.only):
        with taken(training_file(arguments.models, together[0])) as is_ours:
            for plant in () if is_ours is False else together:
                begun, file = time.monotonic(), result_of(plant, test)
                if not file.exists():
                    keras.backend.clear_session()
                    make(plant, arguments.models, folders.get(plant.data), file)
                print(f"{judged(plant, test).line} ({time.monotonic() - begun:.0f} s)", flush=True)
    found = [judged(plant, test) for plant in in_order(test) if result_of(plant, test).exists()]
    print(f"\n{tables(found)}")


def trainings(test, only):
    """Returns lists of plants that share a training, in the order of their first ones; those whose names hold `only`."""
    shared = {}
    for plant in in_order(test):
        if only in plant.name:
            shared.setdefault(training_of(plant), []).append(plant)
    return list(shared.values())


def taken(file):
    """Returns a context that is True in the first of the programs that reach a training, and False in the others.

    It is None where that is unknown, see `keras_vae.runtime.files.locked`.
    """
    lock = file.with_suffix(".lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    return locked(lock)


def training_of(plant):
    """Returns the plant without what is made of it: those that share a training are alike."""
    return replace(plant, condition="trained", made="", amount=0)


def training_file(folder, plant):
    """Returns the file of the trained model that a plant is made of."""
    return folder / f"{file_name(training_of(plant))}.keras"


def read_arguments():
    """Returns the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--test", choices=TESTS, default="first", help="the list of models")
    parser.add_argument("--models", type=pathlib.Path, help="folder of the models and pictures")
    parser.add_argument("--data_dir", help="folder of MNIST's files, or of prepared TensorFlow Datasets")
    parser.add_argument("--animals", help="folder of CIFAR-10's animals: train/CLASS/*.jpg, test/CLASS/*.jpg")
    parser.add_argument("--only", default="", help="the models whose names hold this text")
    parser.add_argument(
        "--tables", action="store_true", help="the tables alone, of the results that there are"
    )
    arguments = parser.parse_args()
    if not arguments.tables and None in (arguments.models, arguments.animals):
        parser.error("--models and --animals are needed, without --tables")
    return arguments


def in_order(test):
    """Returns the plants: set by set, and of each set every condition once before any comes twice."""
    turns, seen = {}, collections.Counter()
    for plant in test.plants:
        turns[plant] = seen[plant.data, plant.condition]
        seen[plant.data, plant.condition] += 1
    return sorted(test.plants, key=lambda plant: (SETS.index(plant.data), turns[plant]))


def result_of(plant, test):
    """Returns the file of a plant's results."""
    return test.results / f"{file_name(plant)}.json"


def make(plant, folder, images, results):
    """Trains a model, or reads it where it was trained before, evaluates it, and writes model, pictures and results.

    Args:
        plant: A `Plant`.
        folder: Of the models.
        images: Where the images are, or None for those that need no folder.
        results: The file of its results.
    """
    begun = time.monotonic()
    model, dataset = read_or_trained(plant, training_file(folder, plant), images)
    print(f"{plant.name}: trained, {time.monotonic() - begun:.0f} s", flush=True)
    given, dataset = made_of(plant, model, dataset)
    dataset = with_held_out(dataset, HELD_OUT)
    # What is tested is the verdict: no kind of it asks what a learned sampler reaches.
    settings = Evaluation(repair_minutes=0.0)
    measured = measure(model_of(given).subject(dataset, settings), dataset, settings)
    draw_rungs(folder / f"{file_name(plant)}.png", measured.pictures)
    results.parent.mkdir(parents=True, exist_ok=True)
    write_fixture(results, plant, conclude(measured, Repair("program")))


def read_or_trained(plant, file, images):
    """Returns the trained model of a plant and its images; the model is read from `file` if that is there, else written."""
    if file.exists():
        return keras.saving.load_model(file), setup.load(config_of(plant, images))
    model, dataset = trained(plant, images)
    file.parent.mkdir(parents=True, exist_ok=True)
    model.save(file)
    return model, dataset


def draw_rungs(path, pictures):
    """Writes the rungs of the ladder as a PNG, a row each: real images, reconstructions, draws of the posterior, samples."""
    rows = [*pictures["ladder"].values()]
    rows += [shown[key] for shown in pictures.get("told_apart", {}).values() for key in ("most", "least")]
    width = min(map(len, rows))
    picture = grid([np.clip(row[:width], 0, 1) for row in rows])
    keras.utils.save_img(path, picture.repeat(LARGER, 0).repeat(LARGER, 1))


def judged(plant, test):
    """Returns the `Judged` of a plant that has results."""
    verdict = judge(json.loads(result_of(plant, test).read_text(encoding="utf-8"))["results"])
    return Judged(plant, verdict, [in_words(finding) for finding in verdict["findings"]])


def tables(verdicts):
    """Returns the tables of a list of `Judged`."""
    return "\n\n".join((by_set(verdicts), by_condition(verdicts), calibration(verdicts), wrong(verdicts)))


def by_set(verdicts):
    """How many are right, with a lower bound of the share (Clopper and Pearson 1934)."""
    rows = [
        (name, *counted([found for found in verdicts if name in ("all", found.plant.data)]))
        for name in (*SETS, "all")
    ]
    return table(("images", "models", "right", "share", "at least (95%)"), rows)


def counted(verdicts):
    """Returns the number of verdicts, how many are right, their share, and its lower bound."""
    count, total = sum(found.right for found in verdicts), len(verdicts)
    if not total:
        return 0, 0, "-", "-"
    return total, count, percent(count / total), percent(share_low(count, total, LEFT_ERROR))


def percent(share):
    """Returns a share in per cent."""
    return f"{100 * share:.0f}%"


def by_condition(verdicts):
    """How many are right, by condition and set of images."""
    rows = []
    for condition in dict.fromkeys(found.plant.condition for found in verdicts):
        own = [found for found in verdicts if found.plant.condition == condition]
        cells = (counted([found for found in own if found.plant.data == name]) for name in SETS)
        rows.append(
            (condition.replace("_", " "), *(f"{cell[1]} of {cell[0]}" if cell[0] else "-" for cell in cells))
        )
    return table(("planted", *SETS), rows)


def calibration(verdicts):
    """How many are right by stated confidence, and how many of the right ones state it."""
    right = [found for found in verdicts if found.right]
    rows = []
    for level in LEVELS:
        own = counted([found for found in verdicts if found.verdict["confidence"] == level])
        rows.append((level, *own, percent(own[1] / len(right)) if right else "-"))
    return table(("confidence", "models", "right", "share", "at least (95%)", "of the right ones"), rows)


def wrong(verdicts):
    """Each wrong verdict: what is said, how surely, on what evidence, and whether the right one is among the findings."""
    rows = [
        (
            found.plant.name,
            found.words[0],
            found.verdict["confidence"],
            found.verdict["findings"][0]["evidence"],
            "yes" if any(is_right(found.plant.condition, one) for one in found.words) else "no",
        )
        for found in verdicts
        if not found.right
    ]
    return table(("planted", "verdict", "confidence", "because", "right one among the findings"), rows)


if __name__ == "__main__":
    main()
