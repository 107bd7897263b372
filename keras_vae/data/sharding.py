"""Assigns the images of a batch to the replicas that train one model together."""

from dataclasses import dataclass

from keras_vae.runtime.lazy import tf


@dataclass(frozen=True)
class Share:
    """The replicas that receive one stream of batches; by default a single one.

    The stream contains each replica's part of the first batch in turn, then each part of the second, and so on. Parts
    are consecutive images, as equal in number as possible. If a batch has fewer images than replicas, a replica without
    an image gets one of another replica with weight 0, because it cannot take a step without images.

    Attributes:
      first: Number of the first of these replicas, from 0.
      count: Number of these replicas.
      replicas: Number of all replicas.
    """

    first: int = 0
    count: int = 1
    replicas: int = 1

    def turn(self, number):
        """Returns the numbers (batch, replica) of element `number` of the stream."""
        return number // self.count, self.first + number % self.count

    def places(self, number, replica, batch_size, count):
        """Returns (places, weights) of `replica`'s part of batch `number`, out of `count` images.

        Weights are None for a single replica.
        """
        start, stop = number * batch_size, tf.minimum((number + 1) * batch_size, count)
        size = stop - start
        low = start + size * replica // self.replicas
        high = start + size * (replica + 1) // self.replicas
        if self.replicas == 1:
            return tf.range(low, high), None
        places = tf.range(low, tf.maximum(high, low + 1))
        return places, tf.cast(places < high, tf.float32)


WHOLE = Share()


def spread(make, strategy):
    """Distributes the batches of `make`, a function of a `Share`, over all replicas of `strategy`.

    With several replicas the batches are endless: otherwise TensorFlow would ask at every step whether all have data.
    Each worker reads the parts of its own replicas.
    """
    if strategy.num_replicas_in_sync == 1:
        return make(WHOLE)

    def for_worker(context):
        count = context.num_replicas_in_sync // context.num_input_pipelines
        return make(Share(context.input_pipeline_id * count, count, context.num_replicas_in_sync)).repeat()

    return strategy.distribute_datasets_from_function(for_worker)
