"""Flow matching: a network that transforms noise into codes, fitted after training."""

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
from keras_vae.samplers.coordinates import FEW_COORDINATES, Places, Rows, find_places, is_map
from keras_vae.samplers.learned import constant_weights
from keras_vae.samplers.low_rank import quantiles
from keras_vae.samplers.noise import standard_normal

MAP_WIDTH = 64
# Widths for vectors: in general, with few coordinates, and with few coordinates and few codes.
WIDTH, NARROW, NARROWEST = 512, 192, 96
FEW_CODES = 4000
MOST_NUMBERS = 2**26  # the most numbers in the training rows
EXACT = 128  # the divergence is exact up to this number of coordinates
PROBES = 8  # random sign vectors per code to estimate the divergence
SOLVER_STEPS = 24  # steps of the solver for the log density
ROWS = 4096  # rows in a batch of the density


class Matched(NamedTuple):
    """The fitted density.

    Attributes:
        places: The coordinates of the codes.
        weights: The weights of the velocity network in one row, float32.
        few: The weights of the network that takes few steps. Guidance is built into its labelled steps.
        counts: The number of training codes of each label, `[labels]`, empty without labels.
        curve: The held-out loss of the velocity network, rows of (updates, seconds, loss).
        gains: Whether that loss was still falling at the end, a bool.
    """

    places: Places
    weights: np.ndarray
    few: np.ndarray
    counts: np.ndarray
    curve: np.ndarray
    gains: np.ndarray


@dataclass(frozen=True, eq=False)
class FlowMatching(Fitted):
    """An ordinary differential equation whose velocity is a neural network (Lipman et al. 2023, equation 9).

    In coordinates of mean 0 and variance 1, with z from the posterior of a training image and e ~ N(0, I),

        x_s = cos(s) e + sin(s) z,   loss = | v(x_s, s) - (cos(s) z - sin(s) e) |^2,   s = pi/2 sigmoid(N(0, 1))

    Vectors have the coordinates of a `Subspace`. Maps have a few channels at each position and a network over the map.
    The rest of a code is noise with the codes' own variances. A second network learns to go from each of four times to
    the next in one step, as the first does in many (distillation as in Salimans and Ho 2022, on a fixed grid).

    If the codes have labels, the networks are conditional on them. `sample` first draws a label by its share of the
    training codes, which fits the codes better than a network without labels. `sample_class` draws codes of a given
    class with guidance (Ho and Salimans 2022).

    Attributes:
        rank: The most coordinates of a vector.
        channels: The most channels at a position of a map.
        width: The width of the networks. 0 chooses it for the codes.
        steps: The number of steps from noise to codes. The second network takes 4 steps, the first any other number.
        guidance: The guidance of `sample_class`: 0 is the velocity without a label, 1 the velocity with the label, and
            larger values extrapolate.
        minutes: The time budget of the training. It ends earlier if the held-out loss no longer improves.
        updates: The most updates. The result depends on their number, and on the time only through that.
        seed: The seed of weights, draws and batches.
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
        """The settings of the fit, a dict of numbers and names."""
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
        """The course of the training, with the keys of `keras_vae.evaluation.results.verdict.TrainingResults`."""
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
        """The number of classes of `sample_class`."""
        return len(self.fitted().counts)

    @property
    def map_shape(self):
        """Height and width of the codes, or () for vectors."""
        return self.latent_shape[:2] if is_map(self.latent_shape) else ()

    def fit(self, codes, components=None, labels=None, further=(), file=None, show=None):
        """Returns the sampler fitted to `codes` within the budget.

        Args:
            codes: `Codes` that determine the coordinates and train the networks.
            components: The `PrincipalComponents` of the means with at least `rank` directions, or None to compute them.
            labels: The labels of the codes, integers from 0, `[n]`, or None.
            further: Pairs (`Codes`, labels) of other images, read one at a time. Only their coordinates are kept.
            file: A path for the state of the training, to continue it after a kill or with a larger budget, or None.
            show: A function that is called with the name of the trained part, the seconds taken and allowed, and the
                held-out losses so far (`learning.Look`).
        """
        # Keras is imported first, because it imports our models, which must not find our layers half imported.
        _ = keras.Layer
        from keras_vae.samplers.matching import Matching

        mean, log_var = self.flat(codes)
        places = find_places(mean, log_var, self.latent_shape, self.rank, self.channels, components)
        rows, labels = self.gathered(places, (codes, labels), further)
        counts = np.zeros(0, "int64") if labels is None else np.bincount(labels)
        sampler = dataclasses.replace(self, width=self.width or self.width_for(places.rank, len(rows)))
        matching = Matching(sampler, rows, labels, len(counts))
        velocity, few = matching.learn(file, show)
        sampler = dataclasses.replace(
            sampler, minutes=float(matching.budget[0]), updates=int(matching.budget[1])
        )
        learning = matching.learned["velocity"]
        curve, gains = np.array(learning.curve, "float64"), np.array(not learning.finished)
        return dataclasses.replace(sampler, density=Matched(places, velocity, few, counts, curve, gains))

    def width_for(self, rank, count):
        """Returns the width of the networks for `count` codes of `rank` coordinates per position."""
        if self.map_shape:
            return MAP_WIDTH
        if rank > FEW_COORDINATES:
            return WIDTH
        return NARROWEST if count < FEW_CODES else NARROW

    def gathered(self, places, own, further):
        """Returns the `Rows` of all codes, up to `MOST_NUMBERS` numbers, and their labels, int32, or None."""
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
        """Returns codes, float32 `[n, *latent]`. Row i depends only on `seeds[i]`, up to float32 rounding.

        The noise around the coordinates is the one that `PriorSampler` draws for the same seed.
        """
        if not self.num_labels:
            return self.drawn(seeds, tf.fill(tf.shape(seeds), 0))
        shares = self.fitted().counts / self.fitted().counts.sum()
        above = standard_normal(seeds, (1,), stream=2) > quantiles(shares)
        return self.drawn(seeds, tf.reduce_sum(tf.cast(above, "int32"), axis=1))

    def sample_class(self, seeds, labels):
        """Returns codes of the classes `labels`, int `[n]`, with guidance.

        Raises:
            ValueError: The sampler was fitted without labels.
        """
        if not self.num_labels:
            raise ValueError("the sampler was fitted without labels: call fit(codes, labels=labels)")
        return self.drawn(seeds, tf.cast(labels, "int32"), self.guidance)

    def drawn(self, seeds, labels, guidance=None):
        """Returns the codes for seeds and labels, which may be empty."""
        rows = of_any_count(functools.partial(self.drawn_rows, guidance=guidance))
        return rows(tf.convert_to_tensor(seeds, "int64"), tf.cast(labels, "int32"))

    def drawn_rows(self, seeds, labels, guidance):
        """Returns the codes for at least one seed and label."""
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
        """Returns the function (points, time) -> velocities for the labels, or without labels for None."""
        from keras_vae.samplers.matching import guided

        return guided(self.network, labels, self.num_labels, guidance)

    @functools.cached_property
    def network(self):
        """The network; `constant_weights` sets its weights."""
        _ = keras.Layer
        from keras_vae.samplers.velocity import velocity_network

        found = self.fitted()
        with tf.init_scope():  # outside of the graph in which `sample` may be traced
            return velocity_network(self.map_shape, found.places.rank, self.width, self.num_labels, self.seed)

    def constant_weights(self, few):
        """Returns a scope in which the network has the fitted weights as constants."""
        return constant_weights(self.network, self.fitted().few if few else self.fitted().weights)

    def log_prob(self, codes):
        """Returns the log density of `codes`, `[n, *latent]`, in nats, float64 `[n]`, without guidance or labels.

        It is the density of the first network's differential equation. Above 128 coordinates the divergence is
        estimated (`log_prob_and_error`).
        """
        return self.log_prob_and_error(codes)[0]

    def log_prob_and_error(self, codes, probes=PROBES):
        """Returns the log density of codes, `[n]`, and the standard error of its estimate, `[n]`, 0 if it is exact.

        Args:
            codes: `[n, *latent]`.
            probes: The number of random sign vectors per code to estimate the divergence above 128 coordinates.
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
        """The compiled log density of coordinates."""

        def density(rows, signs, is_exact):
            velocity = self.velocity()
            divergence = ode.exact(velocity) if is_exact else ode.estimated(velocity, signs)
            with self.constant_weights(few=False):
                return ode.log_density(divergence, rows, SOLVER_STEPS)

        return tf.function(density, autograph=False, reduce_retracing=True)
