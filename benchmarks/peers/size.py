"""One point of cost against size: training, or an evaluation, of the default network, and the memory it takes."""

import argparse

import keras
from peers.keras_networks import EpochTimes, num_trained
from peers.task import LEARNING_RATE, generated_images, report, report_training, whole_batches

import keras_vae
from keras_vae.data import Annotations, LoadOptions, in_memory
from keras_vae.layers.precision import choose_precision
from keras_vae.model.posteriors import parse_shape
from keras_vae.runtime import devices
from keras_vae.training import pace


def main():
    """Measures and reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latent", default="16", help="shape")
    parser.add_argument("--size", type=int, default=32, help="height and width of the images, in pixels")
    parser.add_argument("--images", type=int, default=10_000, help="in memory, grey")
    parser.add_argument("--folder", help="of images, in the place of those in memory")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=10, help="an epoch: two are measured, after one")
    parser.add_argument("--evaluate", action="store_true", help="evaluate in the place of training")
    arguments = parser.parse_args()
    devices.start()
    precision = choose_precision("auto")
    if arguments.folder:
        data = keras_vae.load_dataset(arguments.folder, image_size=arguments.size)
    else:
        images = generated_images(arguments.images, (arguments.size, arguments.size, 1))
        data = in_memory("generated", images, LoadOptions(), Annotations())
    latent = parse_shape(arguments.latent)
    model = keras_vae.VAE(data.image_shape, latent, dtype=precision)
    if arguments.evaluate:
        cost = keras_vae.evaluate(model, data)["cost"]
        report(seconds=cost["seconds"], steps=cost["steps"])
        return
    model.compile(keras.optimizers.Adam(LEARNING_RATE))
    times = EpochTimes()
    model.fit(
        whole_batches(data.train, arguments.batch).training_batches(arguments.batch, seed=0),
        steps_per_epoch=arguments.steps,
        epochs=3,
        callbacks=[times],
        verbose=0,
        shuffle=False,
    )
    report_training(
        times.seconds,
        arguments.steps,
        arguments.batch,
        weights=num_trained(model),
        precision=precision,
        flops=pace.flops_of_image(model) * arguments.batch,
    )


if __name__ == "__main__":
    main()
