"""The README's picture: `python -m benchmarks.hole_and_repair RUN ... --output docs/figures/hole_and_repair.png`

For each run a block of rows: held-out images, their reconstructions, samples of N(0, I), and samples of flow matching, which
evaluate.py fitted (`samplers/flow_matching.npz` in the run). Samples are those of the seeds 0, 1, ...: none is chosen.
"""

import argparse
import pathlib

import matplotlib
import numpy as np

from keras_vae.evaluation.subject import load_model
from keras_vae.samplers import PriorSampler, load
from keras_vae.training.run_folder import Run
from keras_vae.training.setup import load as load_images

ROWS = ("real images", "reconstructions", "samples of N(0, I)", "samples after repair")


def main():
    """Draws the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=pathlib.Path, help="runs that evaluate.py has measured")
    parser.add_argument("--titles", nargs="*", default=[], help="titles of the blocks, one for each run")
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    count = len(arguments.runs)
    figure, axes = plt.subplots(len(ROWS), count, figsize=(5.6 * count, 2.5), squeeze=False)
    for column, path in enumerate(arguments.runs):
        for row, images in enumerate(rows_of(Run.open(path), arguments.columns)):
            axis = axes[row, column]
            axis.imshow(side_by_side(images), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
            if column == 0:
                axis.set_ylabel(ROWS[row], rotation=0, ha="right", va="center", fontsize=9)
        title = arguments.titles[column] if column < len(arguments.titles) else path.name
        axes[0, column].set_title(title, fontsize=10)
    figure.subplots_adjust(left=0.13, right=0.995, top=0.9, bottom=0.01, wspace=0.02, hspace=0.06)
    figure.savefig(arguments.output, dpi=110)


def rows_of(run, count):
    """Returns the four rows of images of a run, each `[count, height, width, channels]`."""
    model, config = load_model(run), run.read_config()
    images = load_images(config).test.images(0, count)
    seeds = np.arange(count)
    repaired = load(run.path / "samplers" / "flow_matching.npz")
    codes = [
        model.encode(images)[0],
        PriorSampler(model.latent_shape).sample(seeds),
        repaired.sample(seeds),
    ]
    return [images, *(np.asarray(model.decode(np.asarray(part))) for part in codes)]


def side_by_side(images):
    """Returns images in one row, one white pixel apart, `[height, width]` or with three channels."""
    padded = np.pad(np.clip(images, 0, 1), ((0, 0), (0, 0), (0, 1), (0, 0)), constant_values=1)
    return np.concatenate(list(padded), axis=1).squeeze()


if __name__ == "__main__":
    main()
