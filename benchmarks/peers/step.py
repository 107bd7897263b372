"""A step of `fit` on arrays, of a network in a precision, on the device that Keras' backend finds; and its least cost."""

import argparse
import math

import keras
import numpy as np
from peers import parts
from peers.keras_networks import EpochTimes, num_trained
from peers.networks import IMAGE_SHAPE, NETWORKS
from peers.task import LEARNING_RATE, generated_images, report_training

from keras_vae.model.networks.residual import Residual
from keras_vae.training import pace

WIDE = Residual(widths=(128, 256, 512), depth=2)
SIZES = {"residual, 64x64": 64, "residual, 128x128": 128}
BATCH, LATENT = 64, 128  # of the residual one
CHOICES = (*NETWORKS, *SIZES)


def made(name, precision):
    """Returns the compiled model, the shape of its images and its batch; on PyTorch a `parts.Plain` of its networks."""
    shape = IMAGE_SHAPE if name in NETWORKS else (SIZES[name], SIZES[name], 3)
    batch = NETWORKS[name].batch if name in NETWORKS else BATCH
    if keras.backend.backend() == "torch":
        return plain(name, shape, precision), shape, batch
    from peers.own_networks import build

    if name in NETWORKS:
        return build(name, precision), shape, batch
    import keras_vae  # which PyTorch cannot

    model = keras_vae.VAE(shape, LATENT, network=WIDE, likelihood="bernoulli", dtype=precision)
    model.compile(keras.optimizers.Adam(LEARNING_RATE))
    return model, shape, batch


def plain(name, shape, precision):
    """Returns the networks `name` as a compiled model that Keras alone trains."""
    from peers.own_networks import Peer

    from keras_vae.model.likelihoods import Bernoulli
    from keras_vae.model.posteriors import DiagonalGaussian

    network, latent = (Peer(name), NETWORKS[name].latent) if name in NETWORKS else (WIDE, LATENT)
    encoder = network.encoder(shape, (latent,), DiagonalGaussian(), precision)
    decoder = network.decoder(shape, (latent,), Bernoulli(binarize="none"), precision)
    model = parts.Plain(encoder, decoder, dtype=precision)
    model.compile(keras.optimizers.Adam(LEARNING_RATE))
    return model


def bytes_moved(model, batch, itemsize):
    """Returns the fewest bytes that a step moves through the device's memory: `bytes_of` and `bytes_of_adam`."""
    return bytes_of([model.encoder, model.decoder], batch, itemsize, passes=3) + bytes_of_adam(model)


def bytes_of(networks, batch, itemsize, passes):
    """Returns the fewest bytes of the maps around the convolutions and dense layers of `networks`.

    In a training step, of three passes, what comes into a layer is read, for the forward pass and for the gradient by
    the kernel, and its gradient written; what goes out is written, and its gradient read twice. Of one pass forward what
    comes in is read, and what goes out is written. All else might be done on the way.
    """
    layers = [layer for network in networks for layer in network.layers]
    maps = sum(
        math.prod(tensor.shape[1:])
        for layer in layers
        if hasattr(layer, "kernel")
        for tensor in (layer.input, layer.output)
    )
    return passes * maps * batch * itemsize


def bytes_of_adam(model):
    """Returns the bytes of Adam's step, which reads four float32 a weight and writes three."""
    return 7 * 4 * num_trained(model)


def main():
    """Measures and reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=CHOICES, default="keras_io")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--epochs", type=int, default=4, help="measured ones, after one to warm up")
    parser.add_argument("--calls", type=int, default=5, help="an epoch")
    parser.add_argument("--together", type=int, default=pace.MOST_STEPS, help="steps a call")
    arguments = parser.parse_args()
    model, shape, batch = made(arguments.network, arguments.precision)
    model.steps_per_execution = arguments.together
    steps = arguments.calls * arguments.together
    times = EpochTimes()
    images = np.float32(generated_images(steps * batch, shape)) / 255
    model.fit(
        images, batch_size=batch, epochs=arguments.epochs + 1, callbacks=[times], verbose=0, shuffle=False
    )
    itemsize = 4 if arguments.precision == "float32" else 2
    report_training(
        times.seconds,
        steps,
        batch,
        flops=pace.flops_of_image(model) * batch,
        bytes=bytes_moved(model, batch, itemsize),
    )


if __name__ == "__main__":
    main()
