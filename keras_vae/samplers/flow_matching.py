"""Flow matching: a network that moves noise to codes, fitted after training."""

import dataclasses
import functools
import itertools
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from keras_vae.runtime.empty import of_any_count
from keras_vae.runtime.lazy import keras, tf
from keras_vae.samplers import ode
from keras_vae.samplers.codes import Fitted
from keras_vae.samplers.learned import constant_weights
from keras_vae.samplers.low_rank import quantiles
from keras_vae.samplers.noise import standard_normal
from keras_vae.samplers.places import Places, Rows, find_places, is_map

MAP_WIDTH = 64
# For vectors, for those of few coordinates, and for few codes of these.
WIDTH, NARROW, NARROWEST = 512, 192, 96
FEW_COORDINATES, FEW_CODES = 32, 4000
MOST_NUMBERS = 2**26  # of the rows that are learned from
EXACT = 128  # numbers up to which the divergence is exact
PROBES = 8  # random signs a code where it is estimated
SOLVER_STEPS = 24  # of the log density
ROWS = 4096  # rows that the network takes at once for a density


class Matched(NamedTuple):
    """What has been fitted.

    Attributes:
        places: Where the codes lie.
        weights: Of the network of velocities, all in one row, float32.
        few: Of the network that takes the few steps; guidance is built into its labelled steps.
        counts: Training codes of each label, `[labels]`; empty without labels.
        curve: The held-out loss of the first network, rows of (updates, seconds, loss).
        gains: Whether it still fell at the end, a bool.
    """

    places: Places
    weights: np.ndarray
    few: np.ndarray
    counts: np.ndarray
    curve: np.ndarray
    gains: np.ndarray


@dataclass(frozen=True, eq=False)
class FlowMatching(Fitted):
    """Codes by an ordinary differential equation whose velocity a network has learned (Lipman et al. 2023, equation 9).

    In coordinates of mean 0 and variance 1, with z from the posterior of a training image and e ~ N(0, I),

        x_s = cos(s) e + sin(s) z,   loss = | v(x_s, s) - (cos(s) z - sin(s) e) |^2,   s = pi/2 sigmoid(N(0, 1))

    A vector has the coordinates of a `Subspace`; a map has a few channels at each place, and a network over the map. The
    rest is noise of the codes' own variances. A second network is taught to go from one of four times to the next in one
    step as the first one does in many (distillation as in Salimans and Ho 2022, on one fixed grid).

    Where codes have labels, the networks learn them too. `sample` then draws a label by the training codes' shares first,
    which is closer to the codes than a network without labels, and `sample_class` draws codes of a class, with guidance
    (Ho and Salimans 2022).

    Attributes:
        rank: The most coordinates of a vector.
        channels: The most of a map's place.
        width: Of the networks; 0 chooses by the codes.
        steps: From noise to codes. Four are taken by the second network, any other number by the first.
        guidance: How far `sample_class` goes from the velocity without label towards the labelled one: 1 is the labelled
            velocity itself, more goes beyond it.
        minutes: The budget of the training, which ends by itself when held-out codes gain no more.
        updates: The most; the result depends on their number, and on the minutes only through that.
        seed: Of weights, draws and batches.
    """

    rank: int = 128
    channels: int = 64
    width: int = 0
    steps: int = ode.FEW
    guidance: float = 2.0
    minutes: float = 1.0
    updates: int = 1_000_000
    seed: int = 0
    density: Matched | None = field(default=None, kw_only=True, repr=False)

    @property
    def settings(self):
        """What it was made with, a dict of numbers and names."""
        found = self.fitted()
        return {
            "network": "map" if self.map_shape else "vector",
            "rank": found.places.rank,
            "places": len(found.places.center),
            "labels": len(found.counts),
            "width": self.width,
            "steps": self.steps,
            "guidance": self.guidance,
            "minutes": self.minutes,
            "updates": int(found.curve[-1][0]),
            "seed": self.seed,
        }

    @property
    def training(self):
        """How the training went, as `keras_vae.evaluation.results.verdict.TrainingResults` has it."""
        from keras_vae.samplers.learning import Look, outlook

        curve = [Look(int(row[0]), float(row[1]), float(row[2])) for row in self.fitted().curve]
        likely = outlook(curve)
        return {
            "minutes": self.minutes,
            "seconds": curve[-1].seconds,
            "updates": curve[-1].updates,
            "held_out_loss": min(look.loss for look in curve),
            "gains": bool(self.fitted().gains),
            "last_gain": likely and likely.last,
            "next_gain": likely and likely.next,
            "next_gain_low": likely and likely.least,
            "next_gain_high": likely and likely.most,
            "curve": [list(look) for look in curve],
        }

    @property
    def num_labels(self):
        """How many classes `sample_class` knows."""
        return len(self.fitted().counts)

    @property
    def map_shape(self):
        """Height and width of the codes, or () of vectors."""
        return self.latent_shape[:2] if is_map(self.latent_shape) else ()

    def fit(self, codes, components=None, labels=None, further=(), file=None, show=None):
        """Returns the sampler fitted to `codes`, a `Codes`, within the budget.

        Args:
            codes: What the coordinates are taken from and the networks learn.
            components: The `PrincipalComponents` of the means, `rank` directions at least, where they are known.
            labels: The codes' labels, integers from 0 on, `[n]`, or None.
            further: (`Codes`, labels) of other images, taken one at a time: only their coordinates are kept.
            file: A path for what the training goes on from after a kill, or with a larger budget; None keeps nothing.
            show: Called with what is learned (a word), the seconds taken, those allowed, and the held-out losses so
                far, `learning.Look`s.
        """
        # Imported now: Keras imports our models, which must not find our layers half imported.
        _ = keras.Layer
        from keras_vae.samplers.matching import Matching

        mean, log_var = self.flat(codes)
        places = find_places(mean, log_var, self.latent_shape, self.rank, self.channels, components)
        rows, labels = self.gathered(places, (codes, labels), further)
        counts = np.zeros(0, "int64") if labels is None else np.bincount(labels)
        sampler = dataclasses.replace(self, width=self.width or self.width_for(places.rank, len(rows)))
        matching = Matching(sampler, rows, labels, len(counts))
        velocity, few = matching.learn(file, show)
        learning = matching.learned["velocity"]
        curve, gains = np.array(learning.curve, "float64"), np.array(not learning.finished)
        return dataclasses.replace(sampler, density=Matched(places, velocity, few, counts, curve, gains))

    def width_for(self, rank, count):
        """Returns the width of the networks for `count` codes of `rank` coordinates a place."""
        if self.map_shape:
            return MAP_WIDTH
        if rank > FEW_COORDINATES:
            return WIDTH
        return NARROWEST if count < FEW_CODES else NARROW

    def gathered(self, places, own, further):
        """Returns the `Rows` of all codes, as many as memory allows, and their labels, int32, or None."""
        parts, kinds, most = [], [], max(MOST_NUMBERS // (2 * len(places.center) * places.rank), 1)
        for codes, labels in itertools.chain([own], further):
            parts.append(places.rows(*self.flat(codes)))
            kinds.append(labels)
            if sum(map(len, parts)) >= most:
                break
        weights = [len(part) for part in parts]
        factor = np.average([part.factor for part in parts], axis=0, weights=weights)
        mean, deviation = (np.concatenate([part[index] for part in parts])[:most] for index in (0, 1))
        rows = Rows(mean, deviation, factor.astype("float32"))
        if any(labels is None for labels in kinds):
            return rows, None
        return rows, np.concatenate(kinds)[:most].astype("int32")

    def sample(self, seeds):
        """Returns codes, float32 `[n, *latent]`, row i from `seeds[i]` alone up to float32 rounding.

        The noise around the coordinates is what `Prior` draws for the same seed.
        """
        if not self.num_labels:
            return self.drawn(seeds, tf.fill(tf.shape(seeds), 0))
        shares = self.fitted().counts / self.fitted().counts.sum()
        above = standard_normal(seeds, (1,), stream=2) > quantiles(shares)
        return self.drawn(seeds, tf.reduce_sum(tf.cast(above, "int32"), axis=1))

    def sample_class(self, seeds, labels):
        """Returns the same, of the classes `labels`, int `[n]`, with guidance.

        Raises:
            ValueError: It was fitted without labels.
        """
        if not self.num_labels:
            raise ValueError("the sampler was fitted to codes without labels: fit(codes, labels=labels)")
        return self.drawn(seeds, tf.cast(labels, "int32"), self.guidance)

    def drawn(self, seeds, labels, guidance=None):
        """Returns codes of seeds and labels, any number of them."""
        rows = of_any_count(functools.partial(self.drawn_rows, guidance=guidance))
        return rows(tf.convert_to_tensor(seeds, "int64"), tf.cast(labels, "int32"))

    def drawn_rows(self, seeds, labels, guidance):
        """Returns the same of one row or more."""
        places = self.fitted().places
        shape = (len(places.center), places.rank)
        noise = standard_normal(seeds, shape, stream=1)
        with self.constant_weights(self.steps == ode.FEW):
            if self.steps == ode.FEW:
                labels = labels if guidance is None else labels + self.num_labels + 1
                coordinates = ode.euler(self.velocity(labels), noise, ode.FEW)
            else:
                coordinates = ode.heun(self.velocity(labels, guidance), noise, 0.0, ode.END, self.steps)
        around = tf.reshape(standard_normal(seeds, self.latent_shape), (-1, places.center.size))
        return tf.reshape(places.embed(coordinates, around), (-1, *self.latent_shape))

    def velocity(self, labels=None, guidance=None):
        """Returns (points, time) -> velocities, for the labels; for None without labels."""
        from keras_vae.samplers.matching import guided

        return guided(self.network, labels, self.num_labels, guidance)

    @functools.cached_property
    def network(self):
        """The network, whose weights wait for `constant_weights`."""
        _ = keras.Layer
        from keras_vae.samplers.velocity import velocity_network

        found = self.fitted()
        with tf.init_scope():  # built for good, also where `sample` is being traced
            return velocity_network(self.map_shape, found.places.rank, self.width, self.num_labels, self.seed)

    def constant_weights(self, few):
        """Returns the scope in which the network has the fitted weights, as constants."""
        return constant_weights(self.network, self.fitted().few if few else self.fitted().weights)

    def log_prob(self, codes):
        """Returns the log density of `codes`, `[n, *latent]`, `[n]`, in nats, without guidance or label, float64.

        It is that of the first network's differential equation. Above 128 coordinates the divergence is estimated
        (`log_prob_and_error`).
        """
        return self.log_prob_and_error(codes)[0]

    def log_prob_and_error(self, codes, probes=PROBES):
        """Returns the log density of codes, `[n]`, and the standard error of its estimate, `[n]`, 0 where it is exact.

        Args:
            codes: `[n, *latent]`.
            probes: Random signs a code, by which the divergence is estimated above 128 coordinates.
        """
        places = self.fitted().places
        coordinates, around = places.coordinates(np.asarray(codes).reshape(-1, places.center.size))
        is_exact = coordinates[0].size <= EXACT if len(coordinates) else True
        generator = np.random.default_rng(self.seed)
        found = np.zeros((1 if is_exact else probes, len(coordinates)))
        step = max(ROWS // places.center.shape[0] // (places.rank if is_exact else 1), 1)
        for start in range(0, len(coordinates), step):
            rows = coordinates[start : start + step].astype("float32")
            for probe in found:
                signs = ode.signs(rows.shape, generator)
                density = self.compiled_density(tf.constant(rows), tf.constant(signs), is_exact)
                probe[start : start + step] = density
        error = np.zeros(len(coordinates)) if is_exact else found.std(axis=0, ddof=1) / np.sqrt(probes)
        return found.mean(axis=0) + around, error

    @functools.cached_property
    def compiled_density(self):
        """The log density of coordinates, compiled."""

        def density(rows, signs, is_exact):
            velocity = self.velocity()
            divergence = ode.exact(velocity) if is_exact else ode.estimated(velocity, signs)
            with self.constant_weights(few=False):
                return ode.log_density(divergence, rows, SOLVER_STEPS)

        return tf.function(density, autograph=False, reduce_retracing=True)
