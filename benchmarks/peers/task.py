"""What every contender is asked for and what it answers: arguments in, one line of JSON out."""

import argparse
import json
import time

import numpy as np
from measure import peak_memory, spread
from peers.networks import IMAGE_SHAPE, NETWORKS

LEARNING_RATE = 1e-3
NUM_IMAGES = 60_000  # as many as MNIST has to train on
FEWEST = 3  # trials of what is to be as fast as it can be


def training_arguments(description, precisions):
    """Returns the arguments of a contender that trains; `--precision` is one of `precisions`, by default the first."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--network", choices=NETWORKS, default="keras_io")
    parser.add_argument("--precision", choices=precisions, default=precisions[0])
    parser.add_argument("--epochs", type=int, default=4, help="measured ones, after one to warm up")
    parser.add_argument("--steps", type=int, default=50, help="optimizer steps an epoch")
    return parser.parse_args()


def likelihood_arguments(description, precisions):
    """Returns the arguments of a contender that measures likelihoods, `--precision` as for training."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--network", choices=NETWORKS, default="keras_io")
    parser.add_argument("--precision", choices=precisions, default=precisions[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--samples", type=int, default=100, help="codes an image")
    return parser.parse_args()


def generated_images(count=NUM_IMAGES, shape=IMAGE_SHAPE):
    """Returns noise, uint8 `[count, height, width, channels]`: no speed measured here depends on what images show."""
    return np.random.default_rng(0).integers(0, 256, (count, *shape), "uint8")


def write_jpegs(folder, count, size):
    """Writes smooth random colour images, `size` pixels square, so that they compress as photographs do."""
    from PIL import Image

    generator = np.random.default_rng(0)
    for number in range(count):
        small = Image.fromarray(generator.integers(0, 256, (8, 8, 3), "uint8"))
        small.resize((size, size), Image.BICUBIC).save(folder / f"{number:06d}.jpg", quality=90)


def whole_batches(split, batch):
    """Returns a `Split` without the images that would make a smaller batch: each epoch is then of steps alike."""
    return split.take(max(len(split) // batch, 1) * batch)


def timed(work):
    """Returns the seconds that `work` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def fastest(work, seconds):
    """Returns the shortest time that `work` takes, of `seconds` of trials after one to warm up."""
    timed(work)
    times = []
    while len(times) < FEWEST or sum(times) < seconds:
        times.append(timed(work))
    return min(times)


def report_training(seconds, steps, batch, **facts):
    """Prints the median over epochs that took `seconds` each, of `steps` steps of `batch` images, and `facts`."""
    step = spread(seconds).median / steps
    report(images_per_second=batch / step, seconds_a_step=step, **facts)


def report(**facts):
    """Prints `facts` and the peak memory of this process as one line of JSON."""
    print(json.dumps({**facts, "peak_memory_bytes": peak_memory()}), flush=True)
