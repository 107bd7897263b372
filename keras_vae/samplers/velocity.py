"""Networks of velocities: from points on the way from noise to codes, times and labels to where the points move.

Time is an angle from 0 (noise) to pi/2 (codes). A network takes `[n, places, r]`, `[n]` and int32 `[n]` and returns
velocities `[n, places, r]`. Of k labels, k stands for "no label", and k + 1 + label for a label with guidance, which a
network that is taught few steps has built in. It starts as the velocity 0, which is that of uncorrelated Gaussian codes.
"""

import numpy as np

from keras_vae.runtime.lazy import keras, ops

TIME_WIDTH = 128  # numbers that say time and label
FREQUENCIES = np.geomspace(1, 64, 32).astype("float32")  # of the time's cosines and sines
SMALL = 0.3  # variance of what a block adds, so that a sum of several stays near 1
COARSEST = 4  # places of a side, at which all places are mixed
MIXED = 2  # blocks there
VECTOR_BLOCKS = 4


def velocity_network(map_shape, rank, width, num_labels, seed):
    """Returns a new network, its weights made from `seed`.

    Args:
        map_shape: Height and width of the codes, or () for vectors.
        rank: Coordinates a place.
        width: Of the layers.
        num_labels: Labels; may be 0.
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
    """Adds a learned number at each place and channel."""

    def __init__(self):
        super().__init__(dtype="float32")

    def build(self, input_shape):
        self.bias = self.add_weight(shape=input_shape[1:], initializer="zeros")

    def call(self, inputs):
        return inputs + self.bias


class Layers:
    """The pieces of a network; each weight gets a seed of its own."""

    def __init__(self, seed):
        self.seeds = np.random.default_rng([seed, 1])

    def start(self, scale=1.0):
        """Returns an initializer of variance `scale` over the number of inputs."""
        return keras.initializers.VarianceScaling(scale, seed=int(self.seeds.integers(2**31)))

    def dense(self, features, width, activation=None, scale=1.0):
        """Returns a dense layer's output."""
        layer = keras.layers.Dense(width, activation, kernel_initializer=self.start(scale), dtype="float32")
        return layer(features)

    def convolution(self, features, width, size=3, stride=1, scale=1.0):
        """Returns a convolution's output."""
        options = {"data_format": "channels_last", "dtype": "float32"}
        start = self.start(scale)
        layer = keras.layers.Conv2D(width, size, stride, "same", kernel_initializer=start, **options)
        return layer(features)

    def time_and_label(self, num_labels):
        """Returns the inputs of time and label, and what is known of both, `[n, TIME_WIDTH]`."""
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
        """Returns normalised features with scale and shift by time and label (Peebles and Xie 2023, adaLN)."""
        width = features.shape[-1]
        ends = keras.layers.Dense(2 * width, kernel_initializer="zeros", dtype="float32")(known)
        ends = ops.reshape(ends, (-1, *[1] * (len(features.shape) - 2), 2 * width))
        normal = keras.layers.RMSNormalization(dtype="float32")(features)
        return normal * (1 + ends[..., :width]) + ends[..., width:]

    def over_the_vector(self, points, known, width):
        """Returns velocities of vectors: a residual network."""
        features = self.dense(points, width)
        for _ in range(VECTOR_BLOCKS):
            inside = self.dense(self.modulated(features, known), width, "silu")
            features = features + self.dense(inside, width, scale=SMALL)
        last = keras.layers.Dense(points.shape[-1], kernel_initializer="zeros", dtype="float32")
        return last(self.modulated(features, known))

    def over_the_map(self, points, known, map_shape, width):
        """Returns velocities of maps: a U-Net of residual blocks, with all places mixed where it is coarsest."""
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
        """Returns features and what two convolutions add."""
        width = features.shape[-1]
        inside = self.convolution(self.modulated(features, known), width)
        return features + self.convolution(ops.silu(inside), width, scale=SMALL)

    def mixed(self, features, known):
        """Returns features and what a perceptron over the places of each channel adds (Tolstikhin et al. 2021)."""
        _, height, width, channels = features.shape
        places = height * width
        rows = ops.reshape(self.modulated(features, known), (-1, places, channels))
        rows = self.dense(ops.transpose(rows, (0, 2, 1)), 2 * places, "silu")
        rows = ops.transpose(self.dense(rows, places, scale=SMALL), (0, 2, 1))
        return features + ops.reshape(rows, (-1, height, width, channels))
