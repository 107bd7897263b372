"""TensorFlow: steps that change variables, replicated by `tf.distribute`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from keras_vae.runtime import upstream
from keras_vae.runtime.lazy import tf

if TYPE_CHECKING:
    from keras_vae.runtime.tensor import Tensor

SEED_DTYPE = "int32"
WEIGHTS_FOR_XLA = 1_000_000


class TensorFlowSteps(upstream.NoSymbolicBuild):
    """What `fit` and `evaluate` do with a batch."""

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """Takes one optimizer step on the mean over the (global) batch of the objective's loss.

        A critic takes its own step at the same time, on the same batch. No term reaches what it is not to train, so
        one pass back gives the gradients of both.
        """
        batch = self.unpack(data)
        with tf.GradientTape() as tape:
            loss = self.compute_batch_loss(batch, training=True)
            # Gradients are summed over replicas. Scaling keeps small float16 gradients from vanishing.
            scaled = self.optimizer.scale_loss(loss / num_replicas())
        summed = sum_over_replicas(tape.gradient(scaled, self.trainable_weights))
        self.update_metrics(batch)
        for optimizer, gradients, weights in self.updates(summed):
            take_as_summed(optimizer)
            apply(optimizer, gradients, weights)
        return for_all_workers(self.get_metrics_result())

    def test_step(self, data: Any) -> dict[str, Tensor]:
        """Measures one batch, with noise that depends on how many images were measured before it."""
        batch = self.unpack(data)
        self.compute_batch_loss(batch, training=False)
        self.update_metrics(batch)
        return for_all_workers(self.get_metrics_result())

    def predict_step(self, data: Any) -> Tensor:
        """Returns the reconstructions of a batch."""
        return super().predict_step((self.unpack(data).inputs(),))


def sum_over_replicas(gradients):
    """Returns the gradients of the global batch's loss; None stays None."""
    if num_replicas() == 1:
        return gradients
    present = [gradient for gradient in gradients if gradient is not None]
    summed = iter(tf.distribute.get_replica_context().all_reduce("sum", present))
    return [None if gradient is None else next(summed) for gradient in gradients]


def apply(optimizer, gradients, weights):
    """Lets `optimizer` take a step.

    On a CPU XLA makes one loop of Adam's passes over memory, of which TensorFlow takes some twenty: 17 million weights
    took 100 of 400 ms. Where weights are few, calling it costs more than it gains.
    """
    several = num_replicas() > 1 or tf.config.list_physical_devices("GPU")
    few = sum(math.prod(weight.shape) for weight in weights) < WEIGHTS_FOR_XLA
    if several or few or tf.executing_eagerly():
        optimizer.apply(gradients, weights)
    else:
        tf.function(lambda given: optimizer.apply(given, weights), jit_compile=True)(gradients)


def take_as_summed(optimizer):
    """Prevents `optimizer` from summing gradients over replicas, because they have been summed already."""
    if num_replicas() > 1:
        upstream.take_as_summed(optimizer)


def for_all_workers(results):
    """Returns `results`, scalars by name, as a step has to return them: with an axis where there are several workers.

    A workaround: Keras takes the mean over workers along the first axis, which fails for scalars (keras#20585; stock
    Keras does not train under `MultiWorkerMirroredStrategy`).
    """
    strategy = tf.distribute.get_strategy()
    several = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) and (
        strategy.num_replicas_in_sync > len(strategy.extended.worker_devices)
    )
    return {name: value[None] for name, value in results.items()} if several else results


def derivative_along(function, inputs, directions):
    """Returns the derivative of `function` at `inputs` along `directions`."""
    with tf.autodiff.ForwardAccumulator(inputs, directions) as accumulator:
        outputs = function(inputs)
    return accumulator.jvp(outputs, tf.UnconnectedGradients.ZERO)


def is_readable(values):
    """Returns whether `values` is a tensor with values, not one of a graph."""
    return tf.executing_eagerly() and tf.is_tensor(values)


def num_replicas():
    """Returns the number of replicas of the strategy."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def replica_number():
    """Returns the number of this replica, from 0."""
    replica = tf.distribute.get_replica_context()
    return replica.replica_id_in_sync_group if replica else 0


def mean_over_replicas(values):
    """Returns the mean of each tensor over the replicas of the strategy."""
    if num_replicas() == 1:
        return values
    return tf.distribute.get_replica_context().all_reduce("mean", values)


def gradient_step(function, weights):
    """Returns a function that computes the gradients of the sum of `function()` by `weights` and waits for them."""

    def step():
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(function())
        return [gradient.numpy() for gradient in tape.gradient(total, [weight.value for weight in weights])]

    return step


def shared(array):
    """Returns a tensor with the memory of `array`, which is aligned and nobody else's; `tf.constant` would copy it."""
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def gpu_capability():
    """Returns the compute capability of the first GPU, (0, 0) if it has none, or None without a GPU."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return None
    return tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))


def describe():
    """Returns the version of TensorFlow, and the threads of an operation, of which 0 is as many as cores."""
    return (
        f"tensorflow {tf.version.VERSION}, {tf.config.threading.get_intra_op_parallelism_threads()} threads"
    )


Steps = TensorFlowSteps
