"""An autoregressive density over the indices of quantised codes, fitted after training."""

import dataclasses
import functools
import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from keras_vae.runtime.lazy import keras, ops, tf
from keras_vae.samplers.codes import Fitted
from keras_vae.samplers.learned import HELD_OUT, constant_weights, flatten
from keras_vae.samplers.training import train
from keras_vae.samplers.uniform import find_entries, find_indices, uniform

BATCH = 64  # grids per update
MOST_HELD_OUT = 1024  # grids for early stopping
ROWS = 256  # grids in a batch of the log probability
# Sampling takes a pass of the network per position. With more positions, an image would take more than about a second.
MOST_POSITIONS = 32 * 32


class Conditionals(NamedTuple):
    """The fitted density.

    Attributes:
        codebook: The distinct vectors of the codes, `[entries, channels]`, float32.
        weights: The weights of the network in one row, float32.
    """

    codebook: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True, eq=False)
class PixelCNN(Fitted):
    """A gated PixelCNN: p(indices) = prod_i p(index_i | the indices in rows above and to the left).

    Van den Oord et al. 2016b (Conditional image generation with PixelCNN decoders, section 2 and figure 2): two stacks
    of convolutions, so every position depends on all previous ones. Padding replaces the masks of the paper. VQ-VAEs
    use this density to generate images (van den Oord et al. 2017, section 3.3).

    Sampling takes height * width passes of the network over the whole grid. With 7x7 positions and 512 entries, this is
    0.06 seconds per image on one core. A training update takes twice as long, and the training about two minutes.

    Attributes:
        depth: The number of blocks. Each extends the receptive field by one position.
        width: The number of channels.
        updates: The most training updates.
        seed: The seed of weights and batches.
    """

    depth: int = 5
    width: int = 64
    updates: int = 1000
    seed: int = 0
    density: Conditionals | None = field(default=None, kw_only=True, repr=False)

    @property
    def settings(self):
        """The settings of the fit, a dict of numbers."""
        kept = {name: getattr(self, name) for name in ("depth", "width", "updates", "seed")}
        return {**kept, "entries": len(self.fitted().codebook)}

    def fit(self, codes, components=None):
        """Returns the sampler fitted to `codes`, a `Codes`. One code in ten is held out for early stopping.

        The codebook is the set of distinct vectors in the codes.

        Raises:
            ValueError: The codes are not quantised, or have too many positions.
        """
        self.flat(codes)
        codebook, indices = find_entries(codes.mean)
        if math.prod(indices.shape[1:]) > MOST_POSITIONS:
            raise ValueError(
                f"the codes have {math.prod(indices.shape[1:]):,} positions: a PixelCNN draws them one by one and"
                f" allows at most {MOST_POSITIONS:,} (try --latent 32x32x{self.latent_shape[-1]})"
            )
        held_out = np.arange(len(indices)) % HELD_OUT == HELD_OUT - 1
        parts = [~held_out, held_out] if held_out.any() else [~held_out] * 2  # few codes serve as both
        rows, others = (indices[part].astype("int32") for part in parts)
        network = self.network(len(codebook))

        def loss(rows, seed):
            del seed
            return -log_probability(network(rows), rows)

        train(loss, network.trainable_variables, rows, others[:MOST_HELD_OUT], self, BATCH)
        return dataclasses.replace(self, density=Conditionals(codebook, flatten(network)))

    def network(self, entries):
        """Returns a new model from indices `[n, height, width]` to logits `[n, height, width, entries]`."""
        seeds = iter(np.random.SeedSequence(self.seed).generate_state(4 * self.depth + 3) >> 1)

        def convolution(values, channels, kernel=(1, 1)):
            start = keras.initializers.GlorotUniform(int(next(seeds)))
            layer = keras.layers.Conv2D(
                channels, kernel, kernel_initializer=start, data_format="channels_last", dtype="float32"
            )
            return layer(values)

        indices = keras.Input(self.latent_shape[:2], dtype="int32")
        start = keras.initializers.RandomNormal(stddev=1.0, seed=int(next(seeds)))
        embedded = keras.layers.Embedding(entries, self.width, embeddings_initializer=start, dtype="float32")(
            indices
        )
        # Position [i, j] of `above` depends on the rows before i, that of `beside` also on row i to the left of j.
        above, beside = padded(embedded, top=1)[:, :-1], padded(embedded, left=1)[:, :, :-1]
        for _ in range(self.depth):
            upper = convolution(padded(above, top=1, left=1, right=1), 2 * self.width, (2, 3))
            lower = convolution(padded(beside, left=1), 2 * self.width, (1, 2))
            lower = lower + convolution(upper, 2 * self.width)
            above, beside = above + gated(upper), beside + convolution(gated(lower), self.width)
        features = ops.relu(convolution(ops.relu(beside), self.width))
        return keras.Model(indices, convolution(features, entries))

    @functools.cached_property
    def part(self):
        """The network; `constant_weights` sets its weights."""
        with tf.init_scope():  # outside of the graph in which `sample` may be traced
            return self.network(len(self.fitted().codebook))

    def sample(self, seeds):
        """Returns codes, float32 `[n, *latent]`. Row i depends only on `seeds[i]`, up to rounding in the network."""
        codebook, weights = self.fitted()
        shape = self.latent_shape[:2]
        quantile = uniform(seeds, (math.prod(shape),))
        count = tf.shape(quantile)[0]
        # Convolutions do not accept an empty batch, so a row is added.
        quantile = tf.concat([quantile, tf.zeros((tf.cast(count == 0, "int32"), math.prod(shape)))], axis=0)

        def draw_next(position, indices):
            logits = tf.reshape(
                self.part(tf.reshape(indices, (-1, *shape))), (-1, *quantile.shape[1:], len(codebook))
            )
            reached = tf.cumsum(tf.nn.softmax(tf.gather(logits, position, axis=1)), axis=1)
            wanted = tf.gather(quantile, position, axis=1)[:, None] * reached[:, -1:]
            index = tf.reduce_sum(tf.cast(reached < wanted, "int32"), axis=1)
            here = tf.range(math.prod(shape)) == position
            return position + 1, tf.where(here, index[:, None], indices)

        with constant_weights(self.part, weights):
            _, indices = tf.while_loop(
                lambda position, indices: position < math.prod(shape),
                draw_next,
                (0, tf.zeros_like(quantile, "int32")),
                parallel_iterations=1,
            )
        return tf.gather(codebook, tf.reshape(indices[:count], (-1, *shape)))

    def log_prob(self, codes):
        """Returns the log probability of `codes`, `[n, *latent]`, in nats, `[n]`.

        It is a probability of discrete codes, not a density, and -inf if a vector is not in the codebook.
        """
        codebook, weights = self.fitted()
        indices = find_indices(codes, codebook)
        log_probs = np.zeros(len(indices))
        for start in range(0, len(indices), ROWS):
            rows = np.maximum(indices[start : start + ROWS], 0)
            with constant_weights(self.part, weights):
                log_probs[start : start + ROWS] = log_probability(self.part(rows), rows)
        return np.where((indices < 0).any(axis=(1, 2)), -np.inf, log_probs)


def log_probability(logits, indices):
    """Returns the sum of log softmax(logits_i)[index_i] over the positions i, `[n]`."""
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(indices, logits)
    return -tf.reduce_sum(each, axis=(1, 2))


def padded(values, top=0, left=0, right=0):
    """Returns maps, `[n, height, width, channels]`, with additional rows and columns of zeros."""
    return ops.pad(values, ((0, 0), (top, 0), (left, right), (0, 0)))


def gated(values):
    """Returns tanh of one half of the channels times sigmoid of the other (their equation 2)."""
    first, second = ops.split(values, 2, axis=-1)
    return ops.tanh(first) * ops.sigmoid(second)
