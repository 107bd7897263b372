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

# The training data of a network: draws from each posterior, and the most numbers in all of them.
DRAWS, NUMBERS = 16, 2**24
HELD_OUT = 10  # one code in ten is held out for early stopping


class Learnt(NamedTuple):
    """The fitted density.

    Attributes:
        subspace: The coordinates of the codes.
        weights: The weights of the network in one row, float32.
    """

    subspace: Subspace
    weights: np.ndarray


@dataclass(frozen=True, eq=False)
class Learned(Fitted):
    """Base class of samplers whose network transforms noise into coordinates of a `Subspace`.

    The network is rebuilt from the fields when it is needed. Its weights become constants in an export.

    Attributes:
        rank: The most coordinates that the network draws. They are the whole code if it has at most so many dimensions,
            and otherwise principal directions; the rest of the code is noise with the codes' own variances.
        width: The width of the hidden layers.
        updates: The most training updates.
        seed: The seed of weights, draws and batches.
    """

    rank: int = 64
    width: int = 128
    updates: int = 2000
    seed: int = 0
    density: Learnt | None = field(default=None, kw_only=True, repr=False)

    NOISE: ClassVar = 1  # numbers of noise per coordinate

    @property
    def settings(self):
        """The settings of the fit, a dict of numbers and names."""
        kept = [
            item.name for item in dataclasses.fields(self) if item.name not in ("latent_shape", "density")
        ]
        return {**{name: getattr(self, name) for name in kept}, "rank": len(self.fitted().subspace.spread)}

    def network(self, dim):
        """Returns a new layer for `dim` coordinates, with weights from `seed`."""
        raise NotImplementedError

    def new_network(self, subspace):
        """Returns a new `network` for coordinates of `subspace`."""
        # Keras is imported first, because it imports our models, which must not find our layers half imported.
        _ = keras.Layer
        return self.network(len(subspace.spread))

    def drawing_part(self, network):
        """Returns the part of `network` that draws codes."""
        return network

    def loss(self, network, rows, seed):
        """Returns the training loss, `[n]`, in nats: an upper bound on -log p(row)."""
        raise NotImplementedError

    def draw(self, part, normal):
        """Returns the coordinates, `[n, dim]`, for normal noise, `[n, NOISE * dim]`."""
        raise NotImplementedError

    def fit(self, codes, components=None):
        """Returns the sampler fitted to `codes`. Takes 5 to 15 seconds on two cores.

        Args:
            codes: The `Codes`.
            components: The `PrincipalComponents` of the means with at least `rank` directions, or None to compute them.
        """
        mean, log_var = self.flat(codes)
        subspace = find_subspace(mean, log_var, self.rank, components)
        draws = draw_coordinates(subspace, mean, log_var, self.seed)
        held_out = np.arange(len(mean)) % HELD_OUT == HELD_OUT - 1
        parts = [~held_out, held_out] if held_out.any() else [~held_out] * 2  # few codes serve as both
        rows, others = (draws[:, part].reshape(-1, draws.shape[2]) for part in parts)
        network = self.new_network(subspace)
        train(functools.partial(self.loss, network), network.trainable_variables, rows, others, self)
        return dataclasses.replace(self, density=Learnt(subspace, flatten(self.drawing_part(network))))

    def sample(self, seeds):
        """Returns codes, float32 `[n, *latent]`. Row i depends only on `seeds[i]`, up to float32 rounding.

        The noise around a subspace is the one that `PriorSampler` draws for the same seed.
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
        """The drawing part; `constant_weights` sets its weights."""
        with tf.init_scope():  # outside of the graph in which `sample` may be traced
            return self.drawing_part(self.new_network(self.fitted().subspace))

    def constant_weights(self):
        """Returns a scope in which `part` has the fitted weights as constants."""
        return constant_weights(self.part, self.fitted().weights)


def flatten(layer):
    """Returns the weights of `layer` in one row, float32."""
    return np.concatenate([ops.convert_to_numpy(weight).ravel() for weight in layer.trainable_variables])


def constant_weights(layer, row):
    """Returns a scope in which `layer` has the weights in `row` (as from `flatten`), an array or a tensor."""
    variables = layer.trainable_variables
    pieces = tf.split(row, [variable.value.shape.num_elements() for variable in variables])
    return keras.StatelessScope(
        [(variable, tf.reshape(piece, variable.shape)) for variable, piece in zip(variables, pieces)]
    )


def draw_coordinates(subspace, mean, log_var, seed):
    """Returns the coordinates of draws from the posteriors, float32 `[draws, n, r]`; the codes are `[n, d]`."""
    generator, deviations = np.random.default_rng(seed), 0.5 * log_var
    count = int(np.clip(NUMBERS // mean.size, 1, DRAWS))
    return np.stack(
        [subspace.coordinates(mean, deviations, generator)[0].astype("float32") for _ in range(count)]
    )
