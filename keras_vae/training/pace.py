"""The number of optimizer steps per call, and prefetching to the GPU, depending on the machine."""

import math

from keras_vae.runtime.lazy import tf

# The overhead of a call, some milliseconds, is 6% of a step of 5 GFLOP on two cores. Ctrl-C waits until a call ends.
MOST_STEPS = 10
FLOPS_A_CALL = {"CPU": 100e9, "GPU": 10e12}


def steps_per_execution(model, batch_size, steps):
    """Returns the number of steps per call, a divisor of an epoch's `steps`.

    It is 1 for several replicas, because all must notice if one is lost.
    """
    if model.distribute_strategy.num_replicas_in_sync > 1:
        return 1
    device = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    most = min(MOST_STEPS, FLOPS_A_CALL[device] / (batch_size * flops_of_image(model)))
    return max(count for count in range(1, max(1, int(most)) + 1) if steps % count == 0)


def flops_of_image(model):
    """Returns the FLOPs per image in a training step: the forward pass, and as much for each of the two gradients."""
    return 3 * (flops_forward(model.encoder) + flops_forward(model.decoder))


def flops_forward(network):
    """Returns the FLOPs per image in the convolutions and dense layers of `network`, two per multiply-add."""
    return 2 * sum(
        math.prod(layer.kernel.shape) * places_of(layer)
        for layer in network.layers
        if hasattr(layer, "kernel")
    )


def places_of(layer):
    """Returns how often the kernel of `layer` is applied to an image: per input position if it is transposed."""
    maps = layer.input if "Transpose" in type(layer).__name__ else layer.output
    return math.prod(maps.shape[1:-1])


def only_gpu():
    """Returns the name of the GPU if there is exactly one, and None otherwise."""
    gpus = tf.config.list_logical_devices("GPU")
    return gpus[0].name if len(gpus) == 1 else None


def on_device(batches):
    """Returns the batches, with the next two prefetched to the GPU if there is exactly one."""
    gpu = only_gpu()
    return prefetched(batches, gpu) if gpu else batches


def prefetched(batches, device):
    """Returns the batches, with two prefetched to `device`."""
    return batches.apply(tf.data.experimental.prefetch_to_device(device, 2))


def describe(model):
    """Returns a short description of what speeds up the training of the compiled `model`; may be empty."""
    alone = model.distribute_strategy.num_replicas_in_sync == 1
    words = [
        "compiled by XLA" if model.jit_compile else "",
        "batches prefetched to the GPU" if alone and only_gpu() else "",
    ]
    return ", ".join(filter(None, words))
