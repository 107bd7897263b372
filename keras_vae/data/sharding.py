"""Assigns the images of a batch to the replicas that train one model together."""

from dataclasses import dataclass

from keras_vae.runtime.lazy import tf


@dataclass(frozen=True)
class Share:
    """The replicas that receive one stream of batches; by default a single one.

    The stream gives each of them its part of the first batch, one after the other, then of the second. The parts of a
    batch are consecutive images and as equal as possible. If a batch has fewer images than replicas, a replica without
    an image gets one of another replica with weight 0, since it cannot take a step without images.

    Attributes:
      first: Number of the first of these replicas, from 0.
      count: How many of all replicas these are.
      replicas: How many there are in all.
    """

    first: int = 0
    count: int = 1
    replicas: int = 1

    def turn(self, number):
        """Returns whose turn it is, and in which batch, in element `number` of the stream: (batch, replica)."""
        return number // self.count, self.first + number % self.count

    def places(self, number, replica, batch_size, count):
        """Returns the part of `replica` of batch `number` of `count` images: (places, weights).

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
    """Returns the batches that `make`, a function of a `Share`, streams, for all replicas of `strategy`.

    For several replicas they are endless, since TensorFlow would otherwise ask at every step whether all have data.
    Each worker reads the parts of its own replicas.
    """
    if strategy.num_replicas_in_sync == 1:
        return make(WHOLE)

    def for_worker(context):
        count = context.num_replicas_in_sync // context.num_input_pipelines
        return make(Share(context.input_pipeline_id * count, count, context.num_replicas_in_sync)).repeat()

    return strategy.distribute_datasets_from_function(for_worker)
