"""A trial: a run that sections need, told by train.py's flags, and what is kept of it: a record, of numbers alone."""

import json
import pathlib
import shlex
import shutil
import time
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.planted import Plant, grow, with_held_out
from benchmarks.study.codes import measure_codes
from benchmarks.study.fitting import measure_fitting
from benchmarks.study.history import measure_history
from keras_vae.cli import train
from keras_vae.evaluation.conclusion import conclude
from keras_vae.evaluation.repair import Repair
from keras_vae.evaluation.sections import measure
from keras_vae.evaluation.settings import Evaluation
from keras_vae.evaluation.subject import from_model
from keras_vae.report.tables import plain
from keras_vae.runtime.files import whole
from keras_vae.runtime.lazy import keras
from keras_vae.training import loop, setup
from keras_vae.training.run_folder import Run

# What all runs on a set of images have in common. A trial's own flags come after these, and win.
BUDGETS = {
    "mnist": "--dataset mnist --limit 12000 --epochs 12",
    "digits": "--dataset digits --epochs 60",
    "sprites": "--dataset sprites --image_size 32 --epochs 6",
    # 1,500 steps
    "coloured": "--dataset {data}/coloured.npz --limit 150 --epochs 500 --augment flip,shift,zoom,rotate",
    "single": "--dataset {data}/single.npz --limit 1000 --epochs 40",
}
SMOKE = "--limit 200 --epochs 1"
NO_CLASSIFIER = ("coloured", "single")  # 150 training images teach none
# Of the results.
DROPPED = "reasons", "cost", "samplers", "exported", "created", "disentanglement", "keras_vae"
LONGEST_LIST = 8  # of numbers in a record; curves and histograms are longer
DIGITS = 5  # of each number
REPAIR_MINUTES = 1.0  # for a sampler that is trained


@dataclass(frozen=True)
class Place:
    """Where a study lies.

    Attributes:
        output: Its folder: runs, pictures, data, logs.
        records: The folder of the records.
        data_dir: Of MNIST's files, or of prepared TensorFlow Datasets.
        smoke: Whether everything is tiny, and for no more than to see that it runs.
    """

    output: pathlib.Path
    records: pathlib.Path
    data_dir: str | None = None
    smoke: bool = False

    runs = property(lambda self: self.output / "runs")
    data = property(lambda self: self.output / "data")

    def record(self, trial):
        """Returns the file of a trial's record."""
        return self.records / f"{trial.name}.json"

    def pictures(self, trial):
        """Returns the file of a trial's pictures."""
        return self.runs / trial.name / "pictures.npz"

    def log(self, trial):
        """Returns the file of what a trial says."""
        return self.output / "logs" / f"{trial.name}.log"


@dataclass(frozen=True)
class Trained:
    """A run of train.py, which keeps the best model by held-out images, and of evaluate.py.

    Attributes:
        data: A name in `BUDGETS`.
        latent: Its shape.
        flags: What train.py is told besides.
        seed: Of weights and noise, and of the evaluation.
        samplers: What evaluate.py fits, if not what it does by itself.
        cost: Seconds of a core that it was expected to take.
        held_out: How many images for validation, and for testing, are compared at most; None: all.
    """

    data: str
    latent: str
    flags: str = ""
    seed: int = 0
    samplers: tuple = ()
    cost: float = 190
    held_out: int | None = None

    @property
    def name(self):
        """The run's folder and its record."""
        words = f"{self.data} {self.latent} {self.flags} {'-'.join(self.samplers)} seed {self.seed}"
        return "-".join(words.replace("--", "").replace("objective.", "").replace(",", "-").split())

    @property
    def kind(self):
        """What makes it unlike others in what is done."""
        return self.data, self.flags, self.samplers, "x" in self.latent

    def make(self, place):
        """Trains, or goes on, evaluates, and returns the record."""
        seconds = {}
        resumed = Run(place.runs / self.name).config_file.is_file()
        run = timed(seconds, "training", self.trained, place)
        if resumed:
            del seconds["training"]  # those of a part
        model, dataset = keras.saving.load_model(run.model_file), setup.load(run.read_config())
        if self.held_out:
            dataset = with_held_out(dataset, self.held_out)
        features = "random" if self.data in NO_CLASSIFIER else "auto"
        minutes = REPAIR_MINUTES if "flow_matching" in self.samplers else 0.0
        settings = Evaluation(
            seed=self.seed, samplers=self.samplers, features=features, repair_minutes=minutes
        )
        subject = from_model(model, self.name)
        measured = timed(seconds, "evaluation", measure, subject, dataset, settings)
        results = conclude(measured, Repair("program"))
        own = timed(seconds, "codes", measure_codes, subject, dataset, self.seed)
        size = results["latent"]["size"]
        fitting = timed(seconds, "fitting", measure_fitting, subject, dataset, self.samplers, size, self.seed)
        keep_pictures(place.pictures(self), measured.pictures)
        return {
            "results": results,
            "codes": own,
            "fitting": fitting,
            "history": measure_history(run.history_file),
            "weights": model.count_params(),
            "seconds": seconds,
        }

    def trained(self, place):
        """Returns the run, trained from wherever it stands."""
        run = Run(place.runs / self.name)
        if run.config_file.is_file():
            return loop.train(run.read_config(), Run.open(run.path))
        shutil.rmtree(run.path, ignore_errors=True)  # killed before it had written what it is
        flags = f"{BUDGETS[self.data].format(data=place.data)} --latent {self.latent} {self.flags}"
        flags += f" --seed {self.seed} --output {place.runs} --name {self.name}"
        words = shlex.split(f"{flags} {SMOKE if place.smoke else ''}")
        if place.data_dir and self.data == "mnist":
            words += ["--data_dir", place.data_dir]
        return loop.train(train.read_command_line(words)[0])


@dataclass(frozen=True)
class Planted:
    """A model of a planted condition, trained to its last epoch.

    Attributes:
        plant: A `Plant`.
        cost: As of `Trained`.
    """

    plant: Plant
    cost: float = 90

    @property
    def name(self):
        """Its record."""
        return f"planted-{self.plant.name}".replace(",", "-")

    @property
    def kind(self):
        """What makes it unlike others in what is done."""
        return self.plant.condition, self.plant.made

    def make(self, place):
        """Trains, evaluates, and returns the record."""
        seconds = {}
        plant = self.plant
        if place.smoke:
            plant = replace(plant, flags=f"{plant.flags} {SMOKE}", amount=min(plant.amount, 100))
        results = timed(seconds, "training and evaluation", grow, plant, place.data_dir)
        return {"results": results, "seconds": seconds}


def timed(seconds, name, function, *arguments):
    """Returns `function(*arguments)`; notes under `name` the seconds that it took, by the clock and of the core."""
    clock, core = time.monotonic(), time.process_time()
    value = function(*arguments)
    seconds[name] = {"clock": time.monotonic() - clock, "core": time.process_time() - core}
    return value


def kept(record):
    """Returns a record as it is written: numbers of five digits, no curves, no sentences of the verdict."""
    if isinstance(record, dict):
        return {
            key: kept(value) for key, value in record.items() if key != "findings" and not is_curve(value)
        }
    if isinstance(record, list):
        return [kept(value) for value in record]
    return float(f"{record:.{DIGITS}g}") if isinstance(record, float) else record


def is_curve(value):
    """Returns whether `value` holds a long list of numbers."""
    return isinstance(value, list) and len(value) > LONGEST_LIST and not isinstance(value[0], dict)


def write_record(file, trial, record):
    """Writes what a trial has found, whole, a line for each part of the results."""
    numbers = kept(plain(record))
    results = numbers.pop("results")
    lines = [f"{json.dumps(name)}: {json.dumps(results[name])}" for name in results if name not in DROPPED]
    outer = [
        f"{json.dumps(name)}: {json.dumps(value)}" for name, value in {"name": trial.name, **numbers}.items()
    ]
    with whole(file) as temporary:
        temporary.write_text("{" + ",\n".join([*outer, '"results": {\n' + ",\n".join(lines) + "}"]) + "}\n")


def read_record(file):
    """Returns what `write_record` wrote, or None."""
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def keep_pictures(file, pictures):
    """Writes the pictures, a dict of arrays and of such dicts, as bytes and by dotted names."""
    with whole(file) as temporary, open(temporary, "wb") as opened:
        np.savez_compressed(opened, **dict(flattened(pictures)))


def flattened(pictures, prefix=""):
    """Yields names and arrays; images as bytes."""
    for name, value in pictures.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{prefix}{name}.")
        elif value is not None:
            array = np.asarray(value)
            is_image = array.dtype.kind == "f" and array.ndim >= 4
            yield prefix + name, np.rint(255 * array).astype("uint8") if is_image else array


def read_pictures(file):
    """Returns a dict of arrays by dotted names, images in [0, 1]; an empty one where there is no file."""
    if not file.is_file():
        return {}
    with np.load(file) as stored:
        arrays = {name: stored[name] for name in stored.files}
    return {
        name: array / np.float32(255) if array.dtype == np.uint8 else array for name, array in arrays.items()
    }
