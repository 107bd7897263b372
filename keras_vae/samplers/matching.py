"""The training of `FlowMatching`: velocities first, then a network that takes a few large steps."""

import hashlib
import zipfile

import numpy as np

from keras_vae.runtime.files import whole
from keras_vae.runtime.lazy import tf
from keras_vae.samplers import ode
from keras_vae.samplers.learned import constant_weights, flatten
from keras_vae.samplers.learning import Learning
from keras_vae.samplers.velocity import velocity_network

HELD_OUT = 10  # one code in so many is not learned from
MOST_HELD_OUT = 2048
HELD_OUT_PLACES, FEWEST_HELD_OUT = 2**15, 32  # of maps: 512 of 8x8 places, and 32 at least
BATCH, MAP_BATCH = 128, 32
FEW_ROWS = 4000  # vectors; fewer are learned from in smaller batches
NO_LABEL_SHARE = 0.2  # of a batch has no label
GUIDED_SHARE = 0.4  # of a batch that is taught few steps is taught them with guidance, where it has labels
TAUGHT = 0.2  # of the time teaches the few steps
LEAST_TAUGHT = 3.0  # seconds of that, if the budget allows them
SUBSTEPS = 2  # of the first network in one of the second's, two evaluations each
WORDS = {"velocity": "velocities", "few": "few steps"}


class Matching:
    """Both trainings on the rows of one set of codes.

    Attributes:
        learned: A `Learning` by name, "velocity" and "few", in their order.
    """

    def __init__(self, sampler, rows, labels, num_labels):
        """Prepares the training.

        Args:
            sampler: A `FlowMatching`: its settings.
            rows: `Rows` of all codes.
            labels: int32 `[n]`, or None.
            num_labels: Different labels; 0 without.
        """
        self.sampler, self.num_labels = sampler, num_labels
        self.labels = np.zeros(len(rows), "int32") if labels is None else labels
        self.key = digest(rows, self.labels, repr(training_settings(sampler)))
        self.batch, most = BATCH, MOST_HELD_OUT
        if sampler.map_shape:
            self.batch, most = MAP_BATCH, max(HELD_OUT_PLACES // rows.mean.shape[1], FEWEST_HELD_OUT)
        self.batch //= 1 if sampler.map_shape or len(rows) > FEW_ROWS else 2
        out = np.flatnonzero(np.arange(len(rows)) % HELD_OUT == HELD_OUT - 1)
        self.rows = self.tensors(rows, np.setdiff1d(np.arange(len(rows)), out))
        self.factor, self.shape = tf.constant(rows.factor), rows.mean.shape[1:]
        self.first_seed = int(np.random.SeedSequence([sampler.seed, 2]).generate_state(1)[0] >> 1)
        self.held_out = self.prepared(self.tensors(rows, out[:most] if len(out) else np.arange(len(rows))))
        self.network = velocity_network(
            sampler.map_shape, self.shape[1], sampler.width, num_labels, sampler.seed
        )
        self.learned = {}

    def tensors(self, rows, chosen):
        """Returns means, deviations and labels of the chosen rows, as tensors."""
        parts = rows.mean[chosen], rows.deviation[chosen], self.labels[chosen]
        return tuple(map(tf.constant, parts))

    def prepared(self, rows):
        """Returns points, targets, times and labels of the held-out rows, always the same; every second has no label."""
        count = len(rows[0])
        codes = self.drawn(*rows[:2], self.seed(-1, 0))
        noise = tf.random.stateless_normal(codes.shape, self.seed(-1, 1))
        order = np.random.default_rng(0).permutation(count)
        uniform = tf.constant(((order + 0.5) / count).astype("float32"))
        time = ode.END * tf.sigmoid(tf.math.ndtri(uniform))
        label = tf.where(tf.range(count) % 2 == 0, rows[2], self.num_labels)
        return codes, noise, time, label

    def seed(self, number, use):
        """Returns the seed of one use in one update."""
        return tf.stack([tf.constant(self.first_seed + use), tf.convert_to_tensor(number, "int32")])

    def drawn(self, mean, deviation, seed):
        """Returns a draw from each posterior."""
        noise = tf.random.stateless_normal(tf.shape(mean), seed)
        noise = tf.einsum("npr,qr->npq", noise, self.factor)
        return tf.cast(mean, "float32") + tf.cast(deviation, "float32") * noise

    def batch_of(self, number):
        """Returns codes, noise and labels of one update; of the labels a share is left out."""
        mean, deviation, labels = self.rows
        chosen = tf.random.stateless_uniform((self.batch,), self.seed(number, 2), 0, len(mean), "int32")
        codes = self.drawn(tf.gather(mean, chosen), tf.gather(deviation, chosen), self.seed(number, 3))
        codes = tf.ensure_shape(codes, (self.batch, *self.shape))
        left_out = tf.random.stateless_uniform((self.batch,), self.seed(number, 4)) < NO_LABEL_SHARE
        label = tf.where(left_out, self.num_labels, tf.gather(labels, chosen))
        return codes, tf.random.stateless_normal(codes.shape, self.seed(number, 5)), label

    def velocity_loss(self, weights, number):
        """Returns the mean squared error of a batch of velocities, a number of a coordinate."""
        codes, noise, label = self.batch_of(number)
        time = ode.END * tf.sigmoid(tf.random.stateless_normal((self.batch,), self.seed(number, 6)))
        return tf.reduce_mean(self.errors(weights, codes, noise, time, label))

    def held_out_velocity_loss(self, weights):
        """Returns the same of each held-out row, `[n]`."""
        return self.errors(weights, *self.held_out)

    def errors(self, weights, codes, noise, time, label):
        """Returns the mean squared error of each velocity at `time`, `[n]`."""
        points, target = ode.mixed(noise, codes, time)
        with constant_weights(self.network, weights):
            return squared(self.network([points, time, label]) - target)

    def few_loss(self, weights, number):
        """Returns how far one large step of a batch ends from many small ones, as an error of velocities."""
        codes, noise, label = self.batch_of(number)
        step = tf.random.stateless_uniform((self.batch,), self.seed(number, 7), 0, ode.FEW, "int32")
        with_guidance = tf.random.stateless_uniform((self.batch,), self.seed(number, 8)) < GUIDED_SHARE
        return tf.reduce_mean(self.large_step(weights, codes, noise, label, step, with_guidance))

    def held_out_few_loss(self, weights):
        """Returns the same of each held-out row, `[n]`."""
        codes, noise, _, label = self.held_out
        rows = tf.range(len(codes))
        return self.large_step(
            weights, codes, noise, label, rows // 2 % ode.FEW, rows // (2 * ode.FEW) % 2 == 0
        )

    def large_step(self, weights, codes, noise, label, step, with_guidance):
        """Returns the squared error of each velocity that leads from a time to the next in one step, `[n]`.

        Rows `with_guidance` learn where their label leads with guidance.
        """
        size = ode.END / ode.FEW
        time = size * tf.cast(step, "float32")
        points, _ = ode.mixed(noise, codes, time)
        with_guidance = with_guidance & (label < self.num_labels)
        guidance = tf.where(with_guidance, self.sampler.guidance, 1.0)[:, None, None]
        teacher = guided(self.network, label, self.num_labels, guidance)
        label = tf.where(with_guidance, label + self.num_labels + 1, label)
        with constant_weights(self.network, self.learned["velocity"].best):
            reached = ode.heun(teacher, points, time, size, SUBSTEPS)
        target = (reached - points) / size
        with constant_weights(self.network, weights):
            return squared(self.network([points, time, label]) - target)

    def learn(self, file=None, show=None):
        """Trains both networks and returns the weights of each where it was best.

        Args:
            file: A path that the training is kept in, and that it goes on from if it belongs to these codes; or None.
            show: Called with a word, the seconds taken and allowed, and the `Look`s; or None.
        """
        stored, seconds, updates = read_state(file, self.key), 60 * self.sampler.minutes, self.sampler.updates
        losses = self.velocity_loss, self.held_out_velocity_loss
        velocity = self.learned["velocity"] = Learning(flatten(self.network), *losses)
        velocity.restore_from(stored, "velocity.")
        self.go_on("velocity", (1 - TAUGHT) * seconds, updates, file, show)
        few = self.learned["few"] = Learning(velocity.best, self.few_loss, self.held_out_few_loss)
        few.restore_from(stored, "few.")
        allowed = min(TAUGHT * seconds, max(velocity.seconds * TAUGHT / (1 - TAUGHT), LEAST_TAUGHT))
        self.go_on("few", allowed, max(updates // 4, 1), file, show)
        return velocity.best, few.best

    def go_on(self, name, seconds, updates, file, show):
        """Trains one of the networks within what is left of its budget."""

        def shown(learning):
            show(WORDS[name], learning.seconds, seconds, learning.curve)

        self.learned[name].go_on(seconds, updates, self.saver(file), show and shown)

    def saver(self, file):
        """Returns what writes the state of both trainings to `file`, or None."""
        if file is None:
            return None

        def save():
            arrays = {
                f"{name}.{key}": value
                for name, learning in self.learned.items()
                for key, value in learning.state().items()
            }
            with whole(file) as temporary, open(temporary, "wb") as opened:
                np.savez(opened, key=self.key, **arrays)

        return save


def squared(errors):
    """Returns the mean square of each row, `[n]`."""
    return tf.reduce_mean(tf.square(errors), axis=(1, 2))


def guided(network, label, num_labels, guidance):
    """Returns the velocity (points, time) of a network, with classifier-free guidance by labels.

    Args:
        network: The network.
        label: int32 `[n]`, or None for no label.
        num_labels: Labels that the network knows; 0 is as no label.
        guidance: A number, or one for each row, `[n, 1, 1]`; None leaves the labelled velocity as it is.

    v = v_without + guidance (v_label - v_without)  (Ho and Salimans 2022, equation 6, with 1 + w for the guidance)
    """

    def velocity(points, time):
        count = tf.shape(points)[0]
        time = tf.broadcast_to(tf.cast(time, "float32"), (count,))
        any_label = tf.fill((count,), num_labels)
        if label is None or not num_labels:
            return network([points, time, any_label])
        if guidance is None:
            return network([points, time, label])
        without = network([points, time, any_label])
        return without + guidance * (network([points, time, label]) - without)

    return velocity


def training_settings(sampler):
    """Returns the settings on which the course of a training depends."""
    return (sampler.latent_shape, sampler.width, sampler.guidance, sampler.seed)


def digest(rows, labels, settings):
    """Returns a text that is the same for the same rows, labels and settings."""
    found = hashlib.blake2b(settings.encode(), digest_size=16)
    for array in (*rows, labels):
        found.update(np.ascontiguousarray(array))
    return found.hexdigest()


def read_state(file, key):
    """Returns the arrays that a training of `key` left in `file`; none where it left none that can be read."""
    if file is None:
        return {}
    try:
        with np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files} if stored["key"].item() == key else {}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}
