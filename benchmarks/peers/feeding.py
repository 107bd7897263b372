"""One source of images: how fast its pipeline is alone, and how fast a model trains on it."""

import argparse

import keras
from measure import spread
from peers.networks import IMAGE_SHAPE
from peers.own_networks import build
from peers.task import LEARNING_RATE, generated_images, report, timed, whole_batches

import keras_vae
from keras_vae.data import Annotations, LoadOptions, in_memory
from keras_vae.errors import DatasetError
from keras_vae.layers.precision import choose_precision
from keras_vae.runtime import devices

BATCH, REPEATS = 128, 3


def dataset_of(arguments):
    """Returns the images asked for, a `Dataset`."""
    if arguments.folder:
        return keras_vae.load_dataset(arguments.folder)
    if arguments.tfds:
        return keras_vae.load_dataset(arguments.tfds, data_dir=arguments.data_dir, download=False)
    return in_memory("generated", generated_images(), LoadOptions(), Annotations())


def model_of(data):
    """Returns what eats: keras.io's network of 28x28 grey images, keras_vae's default one of all others."""
    precision = choose_precision("auto")
    if data.image_shape == IMAGE_SHAPE:
        return build("keras_io", precision)
    model = keras_vae.VAE(data.image_shape, latent=32, dtype=precision)
    model.compile(keras.optimizers.Adam(LEARNING_RATE))
    return model


def main():
    """Measures both in turn and reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", help="of images")
    parser.add_argument("--tfds", help="name in TensorFlow Datasets, prepared or in files under --data_dir")
    parser.add_argument("--data_dir")
    parser.add_argument("--steps", type=int, default=50, help="batches that the model eats at a time")
    arguments = parser.parse_args()
    devices.start()
    try:
        data = dataset_of(arguments)
    except DatasetError as error:
        report(missing=str(error))
        return
    model, split = model_of(data), whole_batches(data.train, BATCH)
    batches = split.training_batches(BATCH, seed=0)
    model.fit(batches, steps_per_epoch=3, verbose=0)
    iterator, steps = iter(batches), arguments.steps
    next(iterator)
    alone, training = [], []
    for _ in range(REPEATS):
        alone.append(timed(lambda: [next(iterator) for _ in range(10 * steps)]) / 10)
        training.append(timed(lambda: model.fit(batches, steps_per_epoch=steps, verbose=0)))
    rates = [spread([steps * BATCH / seconds for seconds in times]).median for times in (alone, training)]
    report(
        pipeline=rates[0],
        training=rates[1],
        times=rates[0] / rates[1],
        image_shape=data.image_shape,
        images=len(split),
    )


if __name__ == "__main__":
    main()
