"""Vector quantization."""

from keras_vae.layers import backends
from keras_vae.layers.basic import PACKAGE
from keras_vae.runtime.lazy import keras, ops

USE_DECAY = 0.99  # decay of the entries' running use if they are trained by gradients
FRESH = 2.0  # initial use of a moved entry, in units of the use below which an entry is dead


@keras.saving.register_keras_serializable(PACKAGE)
class Quantizer(keras.layers.Layer):
    """Replaces each vector of `[..., dim]` by the nearest of `size` entries (van den Oord et al. 2017, equation 1).

    Calling it returns the entries, `[..., dim]`, and their indices, `[...]`. It is float32 for every dtype policy.

    Args:
        size: Number of entries.
        dim: Dimensions of an entry.
        decay: Entries are moving averages of the vectors they replace, with this decay. 0 makes them a trainable
            weight.
        revive: An entry whose running use is below `revive / size` is moved to a vector of the batch.
    """

    def __init__(self, size, dim, decay=0.99, revive=0.1, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.size, self.dim, self.decay, self.revive = size, dim, decay, revive
        # All replicas use the values of the first: theirs differ only in the positions of moved dead entries.
        shared = {"autocast": False, "aggregation": "only_first_replica"}
        self.codebook = self.add_weight(
            (size, dim),
            keras.initializers.VarianceScaling(distribution="uniform", mode="fan_out"),
            name="codebook",
            trainable=decay == 0,
            **(shared if decay else {"autocast": False}),
        )
        # Zero at first, so nearly all entries are dead in the first step and move to vectors of the first batch.
        self.use = self.add_weight((size,), "zeros", name="use", trainable=False, **shared)
        self.built = True

    def call(self, values):
        book = ops.convert_to_tensor(self.codebook)
        # |v - e|^2 without |v|^2, which is the same for all entries.
        distance = ops.sum(ops.square(book), axis=1) - 2 * ops.matmul(values, ops.transpose(book))
        indices = ops.argmin(distance, axis=-1)
        return ops.take(book, indices, axis=0), indices

    def shares(self, indices, weights=None):
        """Returns the share of each entry among `indices`, `[size]`.

        Args:
            indices: `[batch, ...]`.
            weights: The weights of the images, `[batch]`, or None.
        """
        used = self.sums_by_entry(ops.ones_like(indices, dtype="float32"), indices, weights)
        return ops.divide_no_nan(used, ops.sum(used))

    def sums_by_entry(self, values, indices, weights):
        """Returns the weighted sums of `values`, `[batch, ..., *rest]`, for each index, `[size, *rest]`."""
        if weights is not None:
            values = values * ops.reshape(weights, (-1, *(1 for _ in values.shape[1:])))
        flat = ops.reshape(values, (-1, *values.shape[len(indices.shape) :]))
        return ops.segment_sum(flat, ops.reshape(indices, (-1,)), num_segments=self.size)

    def learn(self, values, indices, seed, weights=None):
        """Moves the entries towards the means of the vectors that they replace, and dead entries to random vectors.

        Van den Oord et al. 2017, equations 6 to 8: N = decay N + (1 - decay) n, m = decay m + (1 - decay) sum of
        the n vectors, e = m / N. Here n and the sum are divided by the number of vectors, and m is eliminated:

            e = e + (1 - decay) (sum - n e) / N

        An entry that is not used therefore does not move. The sums are over all replicas of a strategy, and each vector
        has the weight of its image.
        """
        values = ops.stop_gradient(values)
        used = self.sums_by_entry(ops.ones_like(indices, dtype="float32"), indices, weights)
        sums = self.sums_by_entry(values, indices, weights)
        used, sums = backends.mean_over_replicas([used, sums])
        total = ops.sum(used)
        used, sums = ops.divide_no_nan(used, total), ops.divide_no_nan(sums, total)
        rest = 1 - (self.decay or USE_DECAY)
        kept, use = ops.convert_to_tensor(self.codebook), ops.convert_to_tensor(self.use)
        moved = use + rest * (used - use)
        book = kept
        if self.decay:
            book = book + ops.divide_no_nan(rest * (sums - used[:, None] * book), moved[:, None])
        dead = moved < self.revive / self.size
        book = ops.where(dead[:, None], self.some_of(values, weights, seed), book)
        moved = ops.where(dead, FRESH * self.revive / self.size, moved)
        learned = total > 0  # a batch whose weights are all 0 changes nothing
        self.use.assign(ops.where(learned, moved, use))
        if self.decay or self.revive:
            self.codebook.assign(ops.where(learned, book, kept))

    def some_of(self, values, weights, seed):
        """Returns random vectors, `[size, dim]`, of `values`, `[batch, ..., dim]`, drawn by the images' weights."""
        flat = ops.reshape(values, (-1, self.dim))
        chance = keras.random.uniform((self.size,), dtype="float32", seed=seed)
        last = ops.shape(flat)[0] - 1
        if weights is None:
            chosen = ops.cast(ops.floor(chance * ops.cast(last + 1, "float32")), "int32")
        else:
            each = ops.reshape(weights, (-1, *(1 for _ in values.shape[1:-1])))
            ends = ops.cumsum(ops.reshape(ops.broadcast_to(each, ops.shape(values)[:-1]), (-1,)))
            chosen = ops.cast(ops.searchsorted(ends, chance * ends[-1], side="right"), "int32")
        return ops.take(flat, ops.minimum(chosen, last), axis=0)

    def compute_output_shape(self, input_shape):
        return input_shape, input_shape[:-1]

    def get_config(self):
        own = {"size": self.size, "dim": self.dim, "decay": self.decay, "revive": self.revive}
        return {**super().get_config(), **own}
