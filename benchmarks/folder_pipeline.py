"""Does a folder of JPEGs feed the model as fast as it eats? `python benchmarks/folder_pipeline.py`

Writes 5,000 JPEGs of 64x64 into a temporary folder, then times, in turn and three times each, the input pipeline
alone and training of the default network on it, and prints the medians in images a second.
"""

import pathlib
import statistics
import tempfile
import time

import numpy as np
from PIL import Image

import keras_vae

COUNT, SIZE, BATCH, STEPS, REPEATS = 5000, 64, 64, 60, 3


def write_images(folder):
    """Writes smooth random colour images, so that they compress as photographs do."""
    generator = np.random.default_rng(0)
    for number in range(COUNT):
        small = Image.fromarray(generator.integers(0, 256, (8, 8, 3), "uint8"))
        small.resize((SIZE, SIZE), Image.BICUBIC).save(folder / f"{number:05d}.jpg", quality=90)


def rate_of(work):
    """Returns images a second of `work`, which takes `STEPS` batches."""
    begun = time.perf_counter()
    work()
    return STEPS * BATCH / (time.perf_counter() - begun)


def main():
    """Measures and prints."""
    with tempfile.TemporaryDirectory() as name:
        write_images(pathlib.Path(name))
        data = keras_vae.load_dataset(name)
        model = keras_vae.VAE(data.image_shape, latent=32)
        model.compile("adam")
        batches = data.train.training_batches(BATCH, seed=0)
        model.fit(batches, steps_per_epoch=5, verbose=0)
        iterator = iter(batches)
        work = {
            "input pipeline alone": lambda: [next(iterator) for _ in range(STEPS)],
            "training on it": lambda: model.fit(batches, steps_per_epoch=STEPS, verbose=0),
        }
        rates = {what: [] for what in work}
        for _ in range(REPEATS):
            for what, measured in work.items():
                rates[what].append(rate_of(measured))
    for what, values in rates.items():
        print(f"{what}: {statistics.median(values):,.0f} images/s ({min(values):,.0f} to {max(values):,.0f})")


if __name__ == "__main__":
    main()
