"""The uniform distribution over the codes of a codebook, and functions for samplers of discrete codes."""

import dataclasses
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from keras_vae.runtime.lazy import tf
from keras_vae.samplers.codes import Fitted
from keras_vae.samplers.noise import standard_normal

# The most distinct vectors of a codebook, and the least mean number of occurrences of a vector.
MOST_ENTRIES, LEAST_USE = 2**14, 2


class Entries(NamedTuple):
    """The fitted distribution.

    Attributes:
        codebook: The distinct vectors of the codes, `[entries, channels]`, float32.
    """

    codebook: np.ndarray


@dataclass(frozen=True, eq=False)
class UniformSampler(Fitted):
    """A uniformly drawn entry of the codebook at each position, the prior of a VQ-VAE in training."""

    density: Entries | None = field(default=None, kw_only=True, repr=False)

    @classmethod
    def of_codebook(cls, codebook, latent_shape):
        """Returns the sampler over all entries of `codebook`, `[entries, channels]`."""
        return cls(latent_shape, density=Entries(codebook))

    @property
    def settings(self):
        """The settings of the fit, a dict of numbers."""
        return {"entries": len(self.fitted().codebook)}

    def fit(self, codes, components=None):
        """Returns the sampler over the distinct vectors of `codes`, a `Codes`.

        Raises:
            ValueError: The codes are not quantised.
        """
        self.flat(codes)
        return dataclasses.replace(self, density=Entries(find_entries(codes.mean)[0]))

    def sample(self, seeds):
        """Returns codes, float32 `[n, *latent]`. Row i depends only on `seeds[i]`."""
        codebook = self.fitted().codebook
        chosen = uniform(seeds, self.latent_shape[:-1]) * len(codebook)
        return tf.gather(codebook, tf.minimum(tf.cast(chosen, "int32"), len(codebook) - 1))

    def log_prob(self, codes):
        """Returns the log probability of `codes`, `[n, *latent]`, in nats, `[n]`.

        It is a probability of discrete codes, not a density, and -inf if a vector is not in the codebook.
        """
        indices = find_indices(codes, self.fitted().codebook)
        each = np.where(indices < 0, -np.inf, -np.log(len(self.fitted().codebook)))
        return each.reshape(len(indices), -1).sum(axis=1)


def uniform(seeds, shape, stream=0):
    """Returns uniform numbers from 0 to 1, float32 `[n, *shape]`. Row i depends only on `seeds[i]`."""
    return 0.5 * tf.math.erfc(-standard_normal(seeds, shape, stream) / np.sqrt(2))


def find_entries(codes):
    """Returns the distinct vectors of `codes`, `[n, ..., d]`, sorted, `[entries, d]`, and their indices, `[n, ...]`.

    Raises:
        ValueError: There are too many distinct vectors for a codebook, or the codes have no positions.
    """
    codes = np.asarray(codes, "float32") + 0.0  # -0 becomes 0
    vectors = codes.reshape(-1, codes.shape[-1])
    # The rows are compared as bytes, because np.unique with an axis takes ten times as long.
    rows = np.ascontiguousarray(vectors).view(np.dtype((np.void, vectors.itemsize * vectors.shape[1])))
    _, first, indices = np.unique(rows.ravel(), return_index=True, return_inverse=True)
    if codes.ndim < 4 or len(first) > min(MOST_ENTRIES, len(vectors) // LEAST_USE):
        raise ValueError(
            f"the codes have {len(first):,} different vectors at {len(vectors):,} positions: this sampler is for codes"
            f" of height x width positions from a codebook of at most {MOST_ENTRIES:,} entries, each used at least"
            f" {LEAST_USE} times (try --objective vq_vae)"
        )
    return vectors[first], indices.reshape(codes.shape[:-1])


def find_indices(codes, codebook):
    """Returns the index of each vector of `codes`, `[n, ..., d]`, in `codebook`, `[entries, d]`; -1 if not found."""
    codes = np.asarray(codes, "float32") + 0.0
    known = {entry.tobytes(): index for index, entry in enumerate(np.asarray(codebook, "float32") + 0.0)}
    vectors = codes.reshape(-1, codes.shape[-1])
    return np.array([known.get(vector.tobytes(), -1) for vector in vectors], "int64").reshape(
        codes.shape[:-1]
    )
