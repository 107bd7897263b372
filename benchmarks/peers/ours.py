"""keras_vae: `model.compile`, `fit` on its own input pipeline, its own choice of precision."""

import tensorflow as tf
from measure import spread
from peers.keras_networks import EpochTimes, num_trained
from peers.networks import NETWORKS
from peers.own_networks import build
from peers.task import generated_images, report_training, timed, training_arguments, whole_batches

from keras_vae.data import Annotations, LoadOptions, in_memory
from keras_vae.layers.precision import choose_precision
from keras_vae.runtime import devices
from keras_vae.training import pace


class BareSteps:
    """The compiled step alone, on one batch: no pipeline, no callbacks.

    Attributes:
        seconds: Of each call, which takes `count` steps; the first is thrown away.
    """

    def __init__(self, model, batch, count):
        self.step = tf.function(model.train_step, jit_compile=bool(model.jit_compile), reduce_retracing=True)
        self.batch, self.count, self.calls = batch, count, []

    def __call__(self):
        """Takes the steps and notes how long that took."""
        self.calls.append(timed(self.take))

    def take(self):
        """Takes the steps."""
        for _ in range(self.count):
            logs = self.step(self.batch)
        float(logs["loss"])  # waits for the device

    @property
    def seconds(self):
        return self.calls[1:]


def main():
    """Trains and reports; between epochs of `fit` it takes as many bare steps, so that both see the same machine."""
    arguments = training_arguments(__doc__, devices.PRECISIONS)
    devices.start()
    batch = NETWORKS[arguments.network].batch
    data = in_memory("generated", generated_images(), LoadOptions(), Annotations())
    precision = choose_precision(arguments.precision)
    model = build(arguments.network, precision)
    bare = BareSteps(model, tf.constant(data.train.images(0, batch)), arguments.steps)
    times = EpochTimes(between=bare)
    model.steps_per_execution = pace.steps_per_execution(model, batch, arguments.steps)  # as train.py does
    history = model.fit(
        whole_batches(data.train, batch).training_batches(batch, seed=0),
        steps_per_epoch=arguments.steps,
        epochs=arguments.epochs + 1,
        callbacks=[times],
        verbose=0,
        shuffle=False,
    )
    report_training(
        times.seconds,
        arguments.steps,
        batch,
        precision=precision,
        weights=num_trained(model),
        loss=history.history["loss"][-1],
        bare_seconds_a_step=spread(bare.seconds).median / arguments.steps,
        overhead=spread([fit / alone - 1 for fit, alone in zip(times.seconds, bare.seconds)]).median,
    )


if __name__ == "__main__":
    main()
