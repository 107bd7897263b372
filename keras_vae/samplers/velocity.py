"""Velocity networks: from points on the path from noise to codes, times and labels to velocities.

Time is an angle from 0 (noise) to pi/2 (codes). A network takes points `[n, places, r]`, times `[n]` and labels int32
`[n]`, and returns velocities `[n, places, r]`. With k labels, label k means "no label", and k + 1 + label means a label
with guidance, which is built into the network for few steps. The initial velocity is 0, as for uncorrelated Gaussian
codes.
"""

import numpy as np

from keras_vae.runtime.lazy import keras, ops

TIME_WIDTH = 128  # width of the embedding of time and label
FREQUENCIES = np.geomspace(1, 64, 32).astype("float32")  # frequencies of the time embedding
SMALL = 0.3  # variance of a block's output, so the sum of several blocks stays near 1
COARSEST = 4  # side of the smallest map, where blocks mix all places
MIXED = 2  # blocks at that size
VECTOR_BLOCKS = 4


def velocity_network(map_shape, rank, width, num_labels, seed):
    """Returns a new network with weights from `seed`.

    Args:
        map_shape: Height and width of the codes, or () for vectors.
        rank: The number of coordinates per place.
        width: The width of the layers.
        num_labels: The number of labels, which may be 0.
        seed: An int.
    """
    made = Layers(seed)
    time, label, known = made.time_and_label(num_labels)
    points = keras.Input((int(np.prod(map_shape)), rank))
    if map_shape:
        moved = made.over_the_map(points, known, map_shape, width)
    else:
        moved = made.over_the_vector(points, known, width)
    return keras.Model([points, time, label], moved)


class PlaceBias(keras.layers.Layer):
    """Adds a learned bias at each place and channel."""

    def __init__(self):
        super().__init__(dtype="float32")

    def build(self, input_shape):
        self.bias = self.add_weight(shape=input_shape[1:], initializer="zeros")

    def call(self, inputs):
        return inputs + self.bias


class Layers:
    """Builds the parts of a network. Each weight gets its own seed."""

    def __init__(self, seed):
        self.seeds = np.random.default_rng([seed, 1])

    def start(self, scale=1.0):
        """Returns an initializer with the variance `scale` divided by the number of inputs."""
        return keras.initializers.VarianceScaling(scale, seed=int(self.seeds.integers(2**31)))

    def dense(self, features, width, activation=None, scale=1.0):
        """Returns the output of a new dense layer."""
        layer = keras.layers.Dense(width, activation, kernel_initializer=self.start(scale), dtype="float32")
        return layer(features)

    def convolution(self, features, width, size=3, stride=1, scale=1.0):
        """Returns the output of a new convolution."""
        options = {"data_format": "channels_last", "dtype": "float32"}
        start = self.start(scale)
        layer = keras.layers.Conv2D(width, size, stride, "same", kernel_initializer=start, **options)
        return layer(features)

    def time_and_label(self, num_labels):
        """Returns the inputs of time and label, and the embedding of both, `[n, TIME_WIDTH]`."""
        time = keras.Input((), dtype="float32")
        label = keras.Input((), dtype="int32")
        angles = ops.expand_dims(time, 1) * FREQUENCIES
        known = self.dense(ops.concatenate([ops.cos(angles), ops.sin(angles)], axis=1), TIME_WIDTH, "silu")
        is_guided = label > num_labels
        start = keras.initializers.RandomNormal(0.5, seed=int(self.seeds.integers(2**31)))
        names = keras.layers.Embedding(
            num_labels + 1, TIME_WIDTH, embeddings_initializer=start, dtype="float32"
        )(ops.where(is_guided, label - num_labels - 1, label))
        guided = keras.layers.Dense(TIME_WIDTH, use_bias=False, kernel_initializer="zeros", dtype="float32")
        known = known + names + guided(ops.cast(is_guided[:, None], "float32"))
        return time, label, self.dense(known, TIME_WIDTH, "silu")

    def modulated(self, features, known):
        """Returns normalised features, scaled and shifted by time and label (Peebles and Xie 2023, adaLN)."""
        width = features.shape[-1]
        ends = keras.layers.Dense(2 * width, kernel_initializer="zeros", dtype="float32")(known)
        ends = ops.reshape(ends, (-1, *[1] * (len(features.shape) - 2), 2 * width))
        normal = keras.layers.RMSNormalization(dtype="float32")(features)
        return normal * (1 + ends[..., :width]) + ends[..., width:]

    def over_the_vector(self, points, known, width):
        """Returns the velocities of vectors by a residual network."""
        features = self.dense(points, width)
        for _ in range(VECTOR_BLOCKS):
            inside = self.dense(self.modulated(features, known), width, "silu")
            features = features + self.dense(inside, width, scale=SMALL)
        last = keras.layers.Dense(points.shape[-1], kernel_initializer="zeros", dtype="float32")
        return last(self.modulated(features, known))

    def over_the_map(self, points, known, map_shape, width):
        """Returns the velocities of maps by a U-Net of residual blocks that mixes all places at its smallest size."""
        places, rank = points.shape[1:]
        features = ops.reshape(points, (-1, *map_shape, rank))
        features = PlaceBias()(self.convolution(features, width))
        passed = []
        while min(features.shape[1:3]) > COARSEST:
            features = self.block(features, known)
            passed.append(features)
            features = PlaceBias()(self.convolution(features, width, stride=2))
        for _ in range(MIXED):
            features = self.mixed(self.block(features, known), known)
        for skip in reversed(passed):
            features = keras.layers.UpSampling2D(data_format="channels_last", dtype="float32")(
                self.convolution(features, width, 1)
            )
            features = self.block(skip + features[:, : skip.shape[1], : skip.shape[2]], known)
        last = keras.layers.Conv2D(
            rank, 3, 1, "same", kernel_initializer="zeros", data_format="channels_last", dtype="float32"
        )
        return ops.reshape(last(self.modulated(features, known)), (-1, places, rank))

    def block(self, features, known):
        """Returns the output of a residual block of two convolutions."""
        width = features.shape[-1]
        inside = self.convolution(self.modulated(features, known), width)
        return features + self.convolution(ops.silu(inside), width, scale=SMALL)

    def mixed(self, features, known):
        """Returns the output of a residual perceptron over the places of each channel (Tolstikhin et al. 2021)."""
        _, height, width, channels = features.shape
        places = height * width
        rows = ops.reshape(self.modulated(features, known), (-1, places, channels))
        rows = self.dense(ops.transpose(rows, (0, 2, 1)), 2 * places, "silu")
        rows = ops.transpose(self.dense(rows, places, scale=SMALL), (0, 2, 1))
        return features + ops.reshape(rows, (-1, height, width, channels))
