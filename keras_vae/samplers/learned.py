"""Samplers that train a small network on draws from the aggregated posterior."""

import dataclasses
import functools
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np

from keras_vae.runtime.lazy import keras, ops, tf
from keras_vae.samplers.codes import Fitted
from keras_vae.samplers.noise import standard_normal
from keras_vae.samplers.subspace import Subspace, find_subspace
from keras_vae.samplers.training import train

# What a network is trained on: so many draws from each posterior, and no more numbers than these in all.
DRAWS, NUMBERS = 16, 2**24
HELD_OUT = 10  # one code in so many says when to stop


class Learnt(NamedTuple):
    """What has been fitted.

    Attributes:
        subspace: Where the codes lie.
        weights: Of the network, all in one row, float32.
    """

    subspace: Subspace
    weights: np.ndarray


@dataclass(frozen=True, eq=False)
class Learned(Fitted):
    """A sampler whose network makes of noise the coordinates of a `Subspace`; those that derive from it say how.

    The network is rebuilt from the fields where it is used, and its weights go into an export as constants.

    Attributes:
        rank: A code of up to so many dimensions is drawn as a whole. Of a larger one the network draws the
            coordinates along the principal directions, so many at most; the rest is noise of the codes' own
            variances.
        width: Of the hidden layers.
        updates: The most in training.
        seed: Of weights, draws and batches.
    """

    rank: int = 64
    width: int = 128
    updates: int = 2000
    seed: int = 0
    density: Learnt | None = field(default=None, kw_only=True, repr=False)

    NOISE: ClassVar = 1  # how many numbers of noise a coordinate takes

    @property
    def settings(self):
        """What it was made with, a dict of numbers and names."""
        kept = [
            item.name for item in dataclasses.fields(self) if item.name not in ("latent_shape", "density")
        ]
        return {**{name: getattr(self, name) for name in kept}, "rank": len(self.fitted().subspace.spread)}

    def network(self, dim):
        """Returns a new layer for coordinates of `dim` numbers, its weights made from `seed`."""
        raise NotImplementedError

    def new_network(self, subspace):
        """Returns a new `network` for coordinates of `subspace`."""
        _ = (
            keras.Layer
        )  # imported now: Keras imports our models, which must not find our layers half imported
        return self.network(len(subspace.spread))

    def drawing_part(self, network):
        """Returns the part of `network` that codes are drawn with."""
        return network

    def loss(self, network, rows, seed):
        """Returns what training makes small, `[n]`, in nats: an upper bound on -log p(row)."""
        raise NotImplementedError

    def draw(self, part, normal):
        """Returns coordinates, `[n, dim]`, of normal noise, `[n, NOISE * dim]`."""
        raise NotImplementedError

    def fit(self, codes, components=None):
        """Returns the sampler fitted to `codes`, a `Codes`; 5 to 15 seconds on two cores.

        Args:
            codes: What it is fitted to.
            components: The `PrincipalComponents` of the means, `rank` directions at least, where they are known.
        """
        mean, log_var = self.flat(codes)
        subspace = find_subspace(mean, log_var, self.rank, components)
        draws = draw_coordinates(subspace, mean, log_var, self.seed)
        held_out = np.arange(len(mean)) % HELD_OUT == HELD_OUT - 1
        parts = [~held_out, held_out] if held_out.any() else [~held_out] * 2  # of few codes the same twice
        rows, others = (draws[:, part].reshape(-1, draws.shape[2]) for part in parts)
        network = self.new_network(subspace)
        train(functools.partial(self.loss, network), network.trainable_variables, rows, others, self)
        return dataclasses.replace(self, density=Learnt(subspace, flatten(self.drawing_part(network))))

    def sample(self, seeds):
        """Returns codes, float32 `[n, *latent]`, row i from `seeds[i]` alone, but for the rounding of a product.

        The noise around a subspace is what `Prior` draws for the same seed.
        """
        subspace = self.fitted().subspace
        normal = standard_normal(seeds, (self.NOISE * len(subspace.spread),), stream=1)
        with self.constant_weights():
            coordinates = self.draw(self.part, normal)
        around = None
        if not subspace.is_whole:
            around = tf.reshape(standard_normal(seeds, self.latent_shape), (-1, len(subspace.center)))
        return tf.reshape(subspace.embed(coordinates, around), (-1, *self.latent_shape))

    @functools.cached_property
    def part(self):
        """The drawing part, whose weights wait for `constant_weights`."""
        with tf.init_scope():  # built for good, also where `sample` is being traced
            return self.drawing_part(self.new_network(self.fitted().subspace))

    def constant_weights(self):
        """Returns the scope in which the weights of `part` are the fitted ones, as constants."""
        return constant_weights(self.part, self.fitted().weights)


def flatten(layer):
    """Returns the weights of `layer` in one row, float32."""
    return np.concatenate([ops.convert_to_numpy(weight).ravel() for weight in layer.trainable_variables])


def constant_weights(layer, row):
    """Returns the scope in which the weights of `layer` are those in `row` (`flatten`), an array or a tensor."""
    variables = layer.trainable_variables
    pieces = tf.split(row, [variable.value.shape.num_elements() for variable in variables])
    return keras.StatelessScope(
        [(variable, tf.reshape(piece, variable.shape)) for variable, piece in zip(variables, pieces)]
    )


def draw_coordinates(subspace, mean, log_var, seed):
    """Returns coordinates of draws from the posteriors of `[n, d]` codes, float32 `[draws, n, r]`."""
    generator, deviations = np.random.default_rng(seed), 0.5 * log_var
    count = int(np.clip(NUMBERS // mean.size, 1, DRAWS))
    return np.stack(
        [subspace.coordinates(mean, deviations, generator)[0].astype("float32") for _ in range(count)]
    )
