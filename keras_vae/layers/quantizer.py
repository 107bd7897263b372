"""The layer that holds a codebook."""

from keras_vae.layers import backends
from keras_vae.layers.basic import PACKAGE
from keras_vae.runtime.lazy import keras, ops

USE_DECAY = 0.99  # of the running use of the entries, where they are trained by gradients
FRESH = 2.0  # times the use at which an entry is dead is what a moved one starts with


@keras.saving.register_keras_serializable(PACKAGE)
class Quantizer(keras.layers.Layer):
    """Replaces each vector of `[..., dim]` by the nearest of `size` entries (van den Oord et al. 2017, equation 1).

    Called, it returns the entries, `[..., dim]`, and their indices, `[...]`. In float32, whatever the policy.

    Args:
        size: Number of entries.
        dim: Of an entry.
        decay: Of the moving averages that the entries are of what they replace; 0: they are a trainable weight.
        revive: An entry whose running use is less than `revive / size` is moved to a vector of the batch.
    """

    def __init__(self, size, dim, decay=0.99, revive=0.1, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.size, self.dim, self.decay, self.revive = size, dim, decay, revive
        # What one replica has written all read: they compute the same, but for where dead entries are moved.
        shared = {"autocast": False, "aggregation": "only_first_replica"}
        self.codebook = self.add_weight(
            (size, dim),
            keras.initializers.VarianceScaling(distribution="uniform", mode="fan_out"),
            name="codebook",
            trainable=decay == 0,
            **(shared if decay else {"autocast": False}),
        )
        # From 0 on: in the first step nearly all entries are dead, and so begin at vectors of the first batch.
        self.use = self.add_weight((size,), "zeros", name="use", trainable=False, **shared)
        self.built = True

    def call(self, values):
        book = ops.convert_to_tensor(self.codebook)
        # |v - e|^2 but for |v|^2, which is the same for all entries.
        distance = ops.sum(ops.square(book), axis=1) - 2 * ops.matmul(values, ops.transpose(book))
        indices = ops.argmin(distance, axis=-1)
        return ops.take(book, indices, axis=0), indices

    def shares(self, indices, weights=None):
        """Returns the share of `indices`, `[batch, ...]`, that each entry has, `[size]`, by images' weights, `[batch]`."""
        used = self.sums_by_entry(ops.ones_like(indices, dtype="float32"), indices, weights)
        return ops.divide_no_nan(used, ops.sum(used))

    def sums_by_entry(self, values, indices, weights):
        """Returns the sums of `values`, `[batch, ..., *rest]`, over the places of each index, `[size, *rest]`."""
        if weights is not None:
            values = values * ops.reshape(weights, (-1, *(1 for _ in values.shape[1:])))
        flat = ops.reshape(values, (-1, *values.shape[len(indices.shape) :]))
        return ops.segment_sum(flat, ops.reshape(indices, (-1,)), num_segments=self.size)

    def learn(self, values, indices, seed, weights=None):
        """Moves the entries towards the means of the vectors that they replace, and dead ones to random vectors.

        Van den Oord et al. 2017, equations 6 to 8: N = decay N + (1 - decay) n, m = decay m + (1 - decay) sum of
        the n vectors, e = m / N. Here n and the sum are divided by the number of vectors, and m is eliminated:

            e = e + (1 - decay) (sum - n e) / N

        which leaves an entry that is not used where it is, however long. Under a strategy, over all replicas. Each
        vector counts by the weight of its image.
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
        learned = total > 0  # nothing is learned from images that all weigh nothing
        self.use.assign(ops.where(learned, moved, use))
        if self.decay or self.revive:
            self.codebook.assign(ops.where(learned, book, kept))

    def some_of(self, values, weights, seed):
        """Returns random ones of the vectors `values`, `[batch, ..., dim]`, by the images' weights: `[size, dim]`."""
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
