"""Steps on a batch that stays on the device: one network in several precisions, through the backend KERAS_BACKEND.

On JAX a call is one program of one or more steps, compiled by XLA, and the state is donated to it, as Keras' own `fit`
does for a step (its `steps_per_execution` calls the program of a single step several times). On PyTorch Keras runs eagerly
and takes one step a call: several here are steps between two waits.
"""

import argparse
import functools
import statistics
import time

import keras
import numpy as np
from keras import ops
from measure import peak_memory
from peers import parts
from peers.device import accelerators
from peers.task import LEARNING_RATE, generated_images, report, timed

BACKEND = keras.backend.backend()
UPDATE, CODES = "flow matching, an update", "flow matching, codes"
# Of vectors: the most coordinates, the largest network.
RANK, WIDTH, UPDATE_ROWS, CODE_ROWS = 128, 512, 128, 4096
FEWEST = 3  # calls


class Point:
    """What is measured: a function that takes some steps at a time, and their least cost.

    Attributes:
        calls: A function of a number of steps, which returns a function that takes them and waits.
        rows: Images or codes of a step.
        flops, bytes: The least of a step.
    """

    def __init__(self, calls, rows, flops, moved):
        self.calls, self.rows, self.flops, self.bytes = calls, rows, flops, moved


# Cases


def autoencoder(name, precision, quick):
    """Returns the `Point` of a step of a variational autoencoder."""
    from peers import step

    from keras_vae.training import pace

    model, shape, batch = step.made(name, precision)
    batch = max(batch // 16, 2) if quick else batch
    images = ops.convert_to_tensor(np.float32(generated_images(batch, shape)) / 255)
    itemsize = 4 if precision == "float32" else 2
    moved = step.bytes_moved(model, batch, itemsize)
    return Point(training_calls(model, images), batch, pace.flops_of_image(model) * batch, moved)


def update(precision, quick):
    """Returns the `Point` of an update of the velocity network, which is float32 whatever the precision."""
    from peers import step

    from keras_vae.samplers.velocity import velocity_network
    from keras_vae.training import pace

    rows = 16 if quick else UPDATE_ROWS
    network = velocity_network((), RANK, WIDTH, 0, 0)
    network.compile(keras.optimizers.Adam(LEARNING_RATE), loss="mse")
    points, time_of, labels = inputs_of(rows)
    flops = 3 * pace.flops_forward(network) * rows
    moved = step.bytes_of([network], rows, 4, passes=3) + step.bytes_of_adam(network)
    return Point(training_calls(network, ([points, time_of, labels], points)), rows, flops, moved)


def codes(precision, quick):
    """Returns the `Point` of drawing codes: four evaluations of the network, as `FlowMatching` does by default."""
    from peers import step

    from keras_vae.samplers import ode
    from keras_vae.samplers.velocity import velocity_network
    from keras_vae.training import pace

    rows = 64 if quick else CODE_ROWS
    network = velocity_network((), RANK, WIDTH, 0, 0)
    points, _, labels = inputs_of(rows)

    def draw(apply, points):
        def velocity(points, at):
            return apply([points, ops.full((rows,), at, "float32"), labels])

        return ode.euler(velocity, points, ode.FEW)

    flops = ode.FEW * pace.flops_forward(network) * rows
    weights = 4 * sum(int(np.prod(weight.shape)) for weight in network.weights)
    moved = ode.FEW * (step.bytes_of([network], rows, 4, passes=1) + weights)
    return Point(drawing_calls(network, draw, points), rows, flops, moved)


def inputs_of(rows):
    """Returns points, times and labels on the device."""
    points = np.random.default_rng(0).normal(size=(rows, 1, RANK)).astype("float32")
    arrays = points, np.full(rows, 0.5, "float32"), np.zeros(rows, "int32")
    return [ops.convert_to_tensor(array) for array in arrays]


# Backends


def training_calls(model, data):
    """Returns the `calls` of a `Point`: steps of the compiled `model` on the batch `data`."""
    return on_jax(model, data) if BACKEND == "jax" else on_torch(lambda: model.train_step(as_data(data)))


def as_data(data):
    """Returns what a step of Keras unpacks: a tuple of inputs, and of targets if there are any."""
    return data if isinstance(data, tuple) else (data,)


def on_jax(model, data):
    """Returns the calls of one program for each number of steps, to which the whole state is donated."""
    import jax

    model.optimizer.build(model.trainable_variables)
    variables = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    held = [tuple([jax.numpy.array(variable.value) for variable in part] for part in variables)]

    def calls(count):
        @functools.partial(jax.jit, donate_argnums=0)
        def program(state, data):
            def step(_, state):
                return tuple(map(list, model.train_step(state, data)[1]))

            return jax.lax.fori_loop(0, count, step, state)

        def call():
            held[0] = jax.block_until_ready(program(held[0], as_data(data)))

        return call

    return calls


def on_torch(step):
    """Returns the calls of eager steps, with one wait at the end."""
    import torch

    def calls(count):
        def call():
            for _ in range(count):
                step()
            if torch.cuda.is_available():
                torch.cuda.synchronize()

        return call

    return calls


def drawing_calls(network, draw, points):
    """Returns the `calls` of a `Point`: draws of codes that start from `points`."""
    if BACKEND != "jax":
        import torch

        return on_torch(torch.no_grad()(lambda: draw(network, points)))
    import jax

    weights = [
        [variable.value for variable in part]
        for part in (network.trainable_variables, network.non_trainable_variables)
    ]

    def calls(count):
        @jax.jit
        def program(weights, points):
            apply = lambda inputs: network.stateless_call(*weights, inputs)[0]  # noqa: E731
            return jax.lax.fori_loop(0, count, lambda _, points: draw(apply, points), points)

        return lambda: jax.block_until_ready(program(weights, points))

    return calls


# Measuring


def seconds_of(call, seconds):
    """Returns the median seconds of the calls that `seconds` have room for, after two to compile and warm up."""
    call()
    call()
    times, begun = [], time.perf_counter()
    while len(times) < FEWEST or time.perf_counter() - begun < seconds:
        times.append(timed(call))
    return statistics.median(times)


def memory():
    """Returns the most memory taken on the device, or by this process on a CPU, in bytes."""
    if BACKEND == "jax":
        import jax

        stats = jax.devices()[0].memory_stats() or {}
        return stats.get("peak_bytes_in_use") or peak_memory()
    import torch

    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else peak_memory()


def measured(make, counts, seconds):
    """Returns what is measured of the `Point` that `make()` returns: with each of `counts` steps a call, the best one's."""
    point = make()
    tried = {count: seconds_of(point.calls(count), seconds) / count for count in counts}
    together = min(tried, key=tried.get)
    return {
        "together": together,
        "tried": {str(count): value for count, value in tried.items()},
        "seconds_a_step": tried[together],
        "images_per_second": point.rows / tried[together],
        "flops": point.flops,
        "bytes": point.bytes,
        "peak_memory_bytes": memory(),
    }


def main():
    """Measures and reports; the first precision tries all numbers of steps a call, and the others take its best one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--case", required=True)
    parser.add_argument("--precisions", nargs="+", default=["mixed_bfloat16", "float32", "mixed_float16"])
    parser.add_argument("--together", nargs="+", type=int, default=[1, 4, 16], help="steps a call")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each number")
    parser.add_argument("--quick", action="store_true", help="small batches")
    arguments = parser.parse_args()
    parts.allow()
    cases = {UPDATE: update, CODES: codes}
    make = cases.get(arguments.case) or functools.partial(autoencoder, arguments.case)
    counts, found, failed = arguments.together, [], {}
    for precision in arguments.precisions:
        make_in = functools.partial(make, precision, arguments.quick)
        try:
            found.append({"precision": precision, **measured(make_in, counts, arguments.seconds)})
            counts = [found[-1]["together"]]
        except (
            Exception
        ) as error:  # one precision that a backend lacks does not keep the others from being measured
            failed[precision] = f"{type(error).__name__}: {error}"[:500]
        # Said each time: the process may be stopped before the next one.
        report(points=found, failed=failed, device=(accelerators() or ["CPU"])[0], backend=BACKEND)


if __name__ == "__main__":
    main()
