"""One start on a folder of images: seconds until it can be trained on, and what the pipeline then gives."""

import argparse

from peers.task import report, timed

import keras_vae
from keras_vae.data import DATASETS
from keras_vae.runtime import devices

SIZE, BATCH, BATCHES = 32, 128, 400


def main():
    """Measures and reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--cache", help="folder of decoded images")
    arguments = parser.parse_args()
    devices.start()
    source = DATASETS["folder"](path=arguments.folder, cache=arguments.cache)
    found = []
    seconds = timed(lambda: found.append(keras_vae.load_dataset(source, image_size=SIZE)))
    iterator = iter(found[0].train.training_batches(BATCH, seed=0))
    next(iterator)
    reading = timed(lambda: [next(iterator) for _ in range(BATCHES)])
    report(seconds=seconds, images_per_second=BATCH * BATCHES / reading)


if __name__ == "__main__":
    main()
