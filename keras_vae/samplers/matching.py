"""The training of `FlowMatching`: first the velocity network, then the network that takes few large steps."""

import hashlib
import zipfile

import numpy as np

from keras_vae.runtime.files import whole
from keras_vae.runtime.lazy import tf
from keras_vae.samplers import ode
from keras_vae.samplers.learned import constant_weights, flatten
from keras_vae.samplers.learning import Learning
from keras_vae.samplers.velocity import velocity_network

HELD_OUT = 10  # one code in ten is held out
MOST_HELD_OUT = 2048
HELD_OUT_PLACES, FEWEST_HELD_OUT = 2**15, 32  # for maps: 512 of 8x8 positions, and at least 32
BATCH, MAP_BATCH = 128, 32
FEW_ROWS = 4000  # with at most this many vectors, batches are half as large
NO_LABEL_SHARE = 0.2  # share of a batch whose labels are dropped
GUIDED_SHARE = 0.4  # share of a batch that is distilled with guidance, if it has labels
TAUGHT = 0.2  # share of the time for the distillation to few steps
LEAST_TAUGHT = 3.0  # least seconds of the distillation, if the budget allows them
SUBSTEPS = 2  # steps of the first network in one step of the second, with two evaluations each
WORDS = {"velocity": "velocities", "few": "few steps"}


class Matching:
    """Both trainings for one set of codes.

    Attributes:
        learned: A dict of the `Learning` of "velocity" and "few", in this order.
        budget: The minutes and updates allowed, `[2]`: those of the sampler, or larger ones that were used up before.
    """

    def __init__(self, sampler, rows, labels, num_labels):
        """Prepares the training.

        Args:
            sampler: A `FlowMatching` with the settings.
            rows: The `Rows` of all codes.
            labels: int32 `[n]`, or None.
            num_labels: The number of labels, 0 without labels.
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
        self.learned, self.budget = {}, np.array([sampler.minutes, sampler.updates], "float64")

    def tensors(self, rows, chosen):
        """Returns means, deviations and labels of the chosen rows as tensors."""
        parts = rows.mean[chosen], rows.deviation[chosen], self.labels[chosen]
        return tuple(map(tf.constant, parts))

    def prepared(self, rows):
        """Returns fixed codes, noise, times and labels of the held-out rows. Every second row has no label."""
        count = len(rows[0])
        codes = self.drawn(*rows[:2], self.seed(-1, 0))
        noise = tf.random.stateless_normal(codes.shape, self.seed(-1, 1))
        order = np.random.default_rng(0).permutation(count)
        uniform = tf.constant(((order + 0.5) / count).astype("float32"))
        time = ode.END * tf.sigmoid(tf.math.ndtri(uniform))
        label = tf.where(tf.range(count) % 2 == 0, rows[2], self.num_labels)
        return codes, noise, time, label

    def seed(self, number, use):
        """Returns the seed of the use number `use` in the update `number`."""
        return tf.stack([tf.constant(self.first_seed + use), tf.convert_to_tensor(number, "int32")])

    def drawn(self, mean, deviation, seed):
        """Returns a draw from each posterior."""
        noise = tf.random.stateless_normal(tf.shape(mean), seed)
        noise = tf.einsum("npr,qr->npq", noise, self.factor)
        return tf.cast(mean, "float32") + tf.cast(deviation, "float32") * noise

    def batch_of(self, number):
        """Returns codes, noise and labels of one update, with a share of the labels dropped."""
        mean, deviation, labels = self.rows
        chosen = tf.random.stateless_uniform((self.batch,), self.seed(number, 2), 0, len(mean), "int32")
        codes = self.drawn(tf.gather(mean, chosen), tf.gather(deviation, chosen), self.seed(number, 3))
        codes = tf.ensure_shape(codes, (self.batch, *self.shape))
        left_out = tf.random.stateless_uniform((self.batch,), self.seed(number, 4)) < NO_LABEL_SHARE
        label = tf.where(left_out, self.num_labels, tf.gather(labels, chosen))
        return codes, tf.random.stateless_normal(codes.shape, self.seed(number, 5)), label

    def velocity_loss(self, weights, number):
        """Returns the mean squared error of a batch of velocities, per coordinate."""
        codes, noise, label = self.batch_of(number)
        time = ode.END * tf.sigmoid(tf.random.stateless_normal((self.batch,), self.seed(number, 6)))
        return tf.reduce_mean(self.errors(weights, codes, noise, time, label))

    def held_out_velocity_loss(self, weights):
        """Returns the same error for each held-out row, `[n]`."""
        return self.errors(weights, *self.held_out)

    def errors(self, weights, codes, noise, time, label):
        """Returns the mean squared error of each velocity at `time`, `[n]`."""
        points, target = ode.mixed(noise, codes, time)
        with constant_weights(self.network, weights):
            return squared(self.network([points, time, label]) - target)

    def few_loss(self, weights, number):
        """Returns the mean squared velocity error of one large step against several small steps, for a batch."""
        codes, noise, label = self.batch_of(number)
        step = tf.random.stateless_uniform((self.batch,), self.seed(number, 7), 0, ode.FEW, "int32")
        with_guidance = tf.random.stateless_uniform((self.batch,), self.seed(number, 8)) < GUIDED_SHARE
        return tf.reduce_mean(self.large_step(weights, codes, noise, label, step, with_guidance))

    def held_out_few_loss(self, weights):
        """Returns the same error for each held-out row, `[n]`."""
        codes, noise, _, label = self.held_out
        rows = tf.range(len(codes))
        return self.large_step(
            weights, codes, noise, label, rows // 2 % ode.FEW, rows // (2 * ode.FEW) % 2 == 0
        )

    def large_step(self, weights, codes, noise, label, step, with_guidance):
        """Returns the squared error of the velocity of each large step, `[n]`.

        The target is the velocity with guidance for rows `with_guidance` that have a label.
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
        """Trains both networks and returns the best weights of each.

        Args:
            file: The path of the training's state, which is resumed if it belongs to these codes, or None.
            show: A function of the name of the part, the seconds taken and allowed, and the `Look`s, or None.
        """
        stored = read_state(file, self.key)
        # After a kill within the same budget only the unfinished part goes on. A smaller budget keeps the result of a larger.
        is_done = "few.best" in stored and bool(np.all(stored.get("budget", np.zeros(2)) >= self.budget))
        self.budget = stored["budget"] if is_done else self.budget
        seconds, updates = 60 * self.budget[0], int(self.budget[1])
        losses = self.velocity_loss, self.held_out_velocity_loss
        velocity = self.learned["velocity"] = Learning(flatten(self.network), *losses)
        velocity.restore_from(stored, "velocity.")
        if not is_done:
            self.go_on("velocity", (1 - TAUGHT) * seconds, updates, file, show)
        few = self.learned["few"] = Learning(velocity.best, self.few_loss, self.held_out_few_loss)
        if np.array_equal(velocity.best, stored.get("velocity.best")):  # else its teacher is another
            few.restore_from(stored, "few.")
        allowed = min(TAUGHT * seconds, max(velocity.seconds * TAUGHT / (1 - TAUGHT), LEAST_TAUGHT))
        self.go_on("few", allowed, max(updates // 4, 1), file, show)
        return velocity.best, few.best

    def go_on(self, name, seconds, updates, file, show):
        """Trains one of the networks within the rest of its budget."""

        def shown(learning):
            show(WORDS[name], learning.seconds, seconds, learning.curve)

        self.learned[name].go_on(seconds, updates, self.saver(file), show and shown)

    def saver(self, file):
        """Returns a function that writes the state of both trainings to `file`, or None without a file."""
        if file is None:
            return None

        def save():
            arrays = {
                f"{name}.{key}": value
                for name, learning in self.learned.items()
                for key, value in learning.state().items()
            }
            with whole(file) as temporary, open(temporary, "wb") as opened:
                np.savez(opened, key=self.key, budget=self.budget, **arrays)

        return save


def squared(errors):
    """Returns the mean square of each row, `[n]`."""
    return tf.reduce_mean(tf.square(errors), axis=(1, 2))


def guided(network, label, num_labels, guidance):
    """Returns the function (points, time) -> velocity of a network with classifier-free guidance.

    v = v_without + guidance (v_label - v_without)  (Ho and Salimans 2022, equation 6, with 1 + w as the guidance)

    Args:
        network: The network.
        label: int32 `[n]`, or None for no label.
        num_labels: The number of labels of the network. With 0, `label` is ignored.
        guidance: A number, or one for each row, `[n, 1, 1]`. None returns the velocity with the label.
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
    """Returns the settings that influence a training."""
    return (sampler.latent_shape, sampler.width, sampler.guidance, sampler.seed)


def digest(rows, labels, settings):
    """Returns a text that is the same for the same rows, labels and settings."""
    found = hashlib.blake2b(settings.encode(), digest_size=16)
    for array in (*rows, labels):
        found.update(np.ascontiguousarray(array))
    return found.hexdigest()


def read_state(file, key):
    """Returns the arrays in `file` if a training of `key` wrote them and they are readable; otherwise an empty dict."""
    if file is None:
        return {}
    try:
        with np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files} if stored["key"].item() == key else {}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}
