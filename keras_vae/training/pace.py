"""How many optimizer steps one call takes, and where batches wait, by what the machine has."""

import math

from keras_vae.runtime.lazy import tf

# A call's own cost, some milliseconds, is 6% of a step of 5 GFLOP on two cores. What a call takes is how long Ctrl-C waits.
MOST_STEPS = 10
FLOPS_A_CALL = {"CPU": 100e9, "GPU": 10e12}


def steps_per_execution(model, batch_size, steps):
    """Returns how many of an epoch's `steps` to take in one call: a divisor, so that epochs end where they do.

    Several replicas take one: all have to hear of one that is lost.
    """
    if model.distribute_strategy.num_replicas_in_sync > 1:
        return 1
    device = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    most = min(MOST_STEPS, FLOPS_A_CALL[device] / (batch_size * flops_of_image(model)))
    return max(count for count in range(1, max(1, int(most)) + 1) if steps % count == 0)


def flops_of_image(model):
    """Returns the FLOPs of one image in a training step of `model`: as many for each gradient, by the inputs and by the
    kernel, as forward."""
    return 3 * (flops_forward(model.encoder) + flops_forward(model.decoder))


def flops_forward(network):
    """Returns the FLOPs of one image in the convolutions and dense layers of `network`: two a multiplication and addition."""
    return 2 * sum(
        math.prod(layer.kernel.shape) * places_of(layer)
        for layer in network.layers
        if hasattr(layer, "kernel")
    )


def places_of(layer):
    """Returns how many times the kernel of `layer` is applied to an image: a transposed one at each place of its input."""
    maps = layer.input if "Transpose" in type(layer).__name__ else layer.output
    return math.prod(maps.shape[1:-1])


def only_gpu():
    """Returns the name of the GPU, where there is one alone; else None."""
    gpus = tf.config.list_logical_devices("GPU")
    return gpus[0].name if len(gpus) == 1 else None


def on_device(batches):
    """Returns the batches with the next two in the memory of the GPU already, where there is one alone."""
    gpu = only_gpu()
    return prefetched(batches, gpu) if gpu else batches


def prefetched(batches, device):
    """Returns the batches, of which two wait on `device`."""
    return batches.apply(tf.data.experimental.prefetch_to_device(device, 2))


def describe(model):
    """Returns in some words how `model`, compiled, is to be trained."""
    steps = model.steps_per_execution
    alone = model.distribute_strategy.num_replicas_in_sync == 1
    words = [
        "XLA" if model.jit_compile else "",
        f"{steps} step{'s' if steps > 1 else ''} a call",
        "batches wait on the GPU" if alone and only_gpu() else "",
    ]
    return ", ".join(filter(None, words))
