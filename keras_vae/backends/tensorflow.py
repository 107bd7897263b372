"""TensorFlow: steps that change variables, replicated by `tf.distribute`."""

from keras_vae.lazy import keras, tf

SEED_DTYPE = "int32"


class Steps:
    """What `fit` and `evaluate` do with a batch."""

    def train_step(self, data):
        """Takes one optimizer step on the mean over the (global) batch of the objective's loss.

        A critic takes its own step at the same time, on the same batch. No term reaches what it is not to train, so
        one pass back gives the gradients of both.
        """
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, sample_weight=sample_weight, training=True)
            # Gradients are summed over replicas. Scaling keeps small float16 gradients from vanishing.
            scaled = self.optimizer.scale_loss(loss / num_replicas())
        for optimizer, gradients, weights in self.updates(tape.gradient(scaled, self.trainable_weights)):
            optimizer.apply(gradients, weights)
        return self.get_metrics_result()

    def test_step(self, data):
        """Measures one batch, with noise that depends on how many images were measured before it."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        self.compute_loss(x, y, sample_weight=sample_weight, training=False)
        return self.get_metrics_result()


def derivative_along(function, inputs, directions):
    """Returns the derivative of `function` at `inputs` along `directions`."""
    with tf.autodiff.ForwardAccumulator(inputs, directions) as accumulator:
        outputs = function(inputs)
    return accumulator.jvp(outputs, tf.UnconnectedGradients.ZERO)


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
