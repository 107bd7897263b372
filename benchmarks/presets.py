"""Makes the presets: `python -m benchmarks.presets [NAME ...] --data_dir FOLDER` trains, measures and packs them.

The runs are kept in --runs. A run that is there is not trained again, and one that has a report is not measured again:
killed, the command continues where it was. docs/guides/presets.md has the presets, and what lies in the wheel.
"""

import argparse
import pathlib
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass

from keras_vae.presets.finding import CHECKOUT, SHIPPED
from keras_vae.training.preset_runs import write_preset
from keras_vae.training.run_folder import Run

BESIDE = CHECKOUT / "presets"
APACHE, SHARE_ALIKE = "apache-2.0", "cc-by-sa-3.0"
DIGITS = {
    "data": "scikit-learn's copy of the UCI handwritten digits (Alpaydin and Kaynak 1998), 1,797 images of 8x8",
    "data_license": "BSD-3-Clause, as scikit-learn distributes them",
    "license": APACHE,
}
SPRITES = {
    "data": "shapes drawn by keras_vae with the factors of dSprites, 10,000 images of 64x64 reduced to 32x32",
    "data_license": "Apache-2.0, as keras_vae",
    "license": APACHE,
}
MNIST = {
    "data": "the first 10,000 training images of MNIST (Y. LeCun, C. Cortes and C. Burges), http://yann.lecun.com/exdb/mnist",
    "data_license": "CC BY-SA 3.0; the weights have the same licence",
    "license": SHARE_ALIKE,
}
ON_MNIST = "--dataset mnist --limit 10000 --likelihood.binarize dynamic --likelihood bernoulli"


@dataclass(frozen=True)
class Recipe:
    """How a preset is made.

    Attributes:
        training, evaluation: Flags of train.py and evaluate.py.
        about: Licence and data, as in `keras_vae.presets.About`.
        place: The folder of the preset's folder.
    """

    training: str
    evaluation: str
    about: dict
    place: pathlib.Path = SHIPPED


RECIPES = {
    "digits-8": Recipe("", "", DIGITS),
    "digits-hole": Recipe("--objective autoencoder --latent 16 --epochs 40", "", DIGITS),
    "digits-codebook": Recipe(
        "--objective vq_vae --objective.codebook 64 --latent 4x4x16 --epochs 60", "", DIGITS
    ),
    "sprites-conditional": Recipe(
        "--dataset sprites --image_size 32 --objective conditional_vae --latent 6 --epochs 8 --network.dense 128",
        "--repair_minutes 0",
        SPRITES,
    ),
    "mnist-16": Recipe(f"{ON_MNIST} --latent 16 --epochs 8", "--repair_minutes 0", MNIST, BESIDE),
    "mnist-8x8x1024": Recipe(
        f"{ON_MNIST} --latent 8x8x1024 --objective beta_vae --objective.beta 0.015625 --epochs 3",
        "--repair_minutes 9.5",
        MNIST,
        BESIDE,
    ),
}


def main():
    """Makes the presets that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(RECIPES)}")
    parser.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("saved_models"))
    parser.add_argument("--data_dir", help="folder with MNIST, as train.py takes it")
    asked = parser.parse_args()
    for name in asked.names or RECIPES:
        made = make(name, RECIPES[name], asked)
        print(f"{made}: {sum(file.stat().st_size for file in made.iterdir()) / 2**20:.2f} MiB")


def make(name, recipe, asked):
    """Makes one preset, replacing the old one, and returns its folder."""
    run = Run(asked.runs / name)
    place = ["--data_dir", asked.data_dir] if asked.data_dir and recipe.about is MNIST else []
    if not run.model_file.is_file():
        program("train.py", *shlex.split(recipe.training), *place, "--name", name, "--output", asked.runs)
    if not (run.report / "results.json").is_file():
        program("evaluate.py", run.path, *shlex.split(recipe.evaluation))
    shutil.rmtree(recipe.place / name, ignore_errors=True)
    return write_preset(run, recipe.place / name, **recipe.about)


def program(script, *arguments):
    """Runs a script of the checkout."""
    subprocess.run([sys.executable, CHECKOUT / script, *map(str, arguments)], check=True)


if __name__ == "__main__":
    main()
