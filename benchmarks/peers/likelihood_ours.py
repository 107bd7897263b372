"""Importance-sampled log-likelihoods by keras_vae: `benchmarks/likelihood.py`'s measure, in its own choice of precision."""

import numpy as np
from likelihood import measure
from peers.own_networks import build
from peers.task import generated_images, likelihood_arguments, report, timed

from keras_vae.layers.precision import choose_precision
from keras_vae.runtime import devices


def main():
    """Measures and reports; the network is not trained, which costs the same."""
    arguments = likelihood_arguments(__doc__, devices.PRECISIONS)
    devices.start()
    precision = choose_precision(arguments.precision)
    model = build(arguments.network, precision)
    images = generated_images(arguments.images).astype("float32") / np.float32(255)
    measure(model, images[:50], arguments.samples, seed=0)
    found = []
    seconds = timed(lambda: found.append(measure(model, images, arguments.samples, seed=0)))
    report(
        images_per_second=arguments.images / seconds, seconds=seconds, nats=found[0].nats, precision=precision
    )


if __name__ == "__main__":
    main()
