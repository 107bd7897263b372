"""Classifiers that distinguish sets of images from a reference: the learned part of the two-sample test.

One small convolutional network serves all sets of a call: its features are shared, and each set has its own output. For
few images there is also a linear classifier of patch and spectrum statistics. Their architectures are fixed in advance.
For each set and each fold, one of the two is chosen on an inner quarter of the training fold; the other fold is scored
once. Where the linear classifier is nearly always right there, no network is trained. If all images are too few for the
network, this is repeated with several divisions into folds.
"""

import dataclasses
import functools
import zlib
from typing import NamedTuple

import numpy as np

from keras_vae.evaluation.metrics.two_sample import FOLDS, Fold, area_and_error, best_threshold
from keras_vae.runtime.lazy import keras, ops
from keras_vae.runtime.threads import one_thread

# Of few images, into folds: the AUC of 180 digits varies by 0.022 with one, by 0.007 with eight.
DIVISIONS = 8
INNER = 0.25  # share of the training fold that selects the epoch, the classifier and the threshold
MOST_LEARNED = 1000  # training images of each class at most; further images only reduce the standard errors
FEWEST_FOR_NETWORK = 200  # training images of each class; with fewer only the linear classifier is used
CERTAIN_AUC = (
    0.999  # of the linear classifier on the inner quarter: from here on no network is trained for the set
)
WIDTHS = (32, 64, 64, 64, 64)  # channels of the convolutions of stride 2, which halve images down to 4 pixels
LEAST_CONVOLUTIONS = 2
LABEL_FEATURES = 64  # width of the layer that combines image and label
LEARNING_RATE = 2e-3
BATCH_SIZE = 128
MOST_EPOCHS = 40
PATIENCE = 6  # epochs without improvement on the inner quarter after which training on a set stops
LEAST_GAIN = 0.002  # nats that count as an improvement
CERTAIN = 0.02  # nats: training on a set stops below this inner loss
LEVELS = 3  # scales of the statistics
SPECTRUM_BINS = 8
LEAST_SIDE = 4  # pixels of the coarsest scale
AT_ONCE = 500  # batch size for scoring
IN_CACHE = 100  # images whose statistics are computed at once


@dataclasses.dataclass(frozen=True)
class Images:
    """Images and, for a conditional model, their labels.

    Attributes:
        pixels: uint8 `[n, height, width, channels]`.
        labels: int32 `[n]`, or None.
        known: Their statistics, `[n, F]`, or None if these have not been computed.
    """

    pixels: np.ndarray
    labels: np.ndarray | None
    known: np.ndarray | None = None

    def __len__(self):
        return len(self.pixels)

    @property
    def inputs(self):
        """The inputs of the network."""
        return self.pixels if self.labels is None else [self.pixels, self.labels]

    def rows(self, rows):
        """Returns the images at `rows`, a slice or indices."""
        parts = self.pixels, self.labels, self.known
        return Images(*(None if part is None else part[rows] for part in parts))

    def statistics(self):
        """Returns their statistics, `[n, F]`."""
        return statistics(self.pixels) if self.known is None else self.known


class Sides(NamedTuple):
    """The reference, and the sets by name, of one part of the images."""

    reference: Images
    sets: dict

    def only(self, names):
        """Returns the `Sides` with only the sets `names`."""
        return Sides(self.reference, {name: self.sets[name] for name in names})

    def each(self, function):
        """Returns the `Sides` with `function` applied to the reference and to each set."""
        return Sides(function(self.reference), {name: function(images) for name, images in self.sets.items()})


class Separation(NamedTuple):
    """The AUC of a classifier on the inner quarter, and the threshold that separates the two sets best."""

    auc: float
    threshold: float


class Scored(NamedTuple):
    """The scores of one set against the reference.

    Attributes:
        folds: A list of `Fold`, division by division; row i of `reference` is the same image for every set.
        classifier: The names of the chosen classifiers, joined by "/" if the folds differ.
        places: For each fold, the rows of the reference and of the set that were scored.
        scorers: For each fold, a function: images in [0, 1] -> scores `[n]`.
    """

    folds: list
    classifier: str
    places: list
    scorers: list


def tell_apart(reference, sets, seed=0, labels=None, strata=None):
    """Returns `Scored` by set: how well classifiers distinguish each set from the reference.

    The division of a set into folds depends on the seed and on the set's name, not on the other sets. The features of the
    network do depend on them: sets whose scores must not depend on another set belong into another call.

    Args:
        reference: Images in [0, 1], `[n, height, width, channels]`: an independent sample of the target distribution.
        sets: Images by name, of the same shape; all sets are compared with this reference.
        seed: Seed for the folds, the weights and the data order.
        labels: For a conditional model, (labels of the reference `[n]`, labels by set); else None.
        strata: Labels in the same form, or None. The folds then have equally many images of each label. With random
            folds, a label that is too frequent in one fold is too rare in the other, and a classifier learns the
            opposite of the truth: the AUC of two equal distributions falls below 0.5.
    """
    own, others = labels or (None, {})
    everything = Sides(
        as_images(reference, own),
        {name: as_images(images, others.get(name)) for name, images in sets.items()},
    )
    everything = everything.each(lambda images: dataclasses.replace(images, known=images.statistics()))
    known = [images.labels.max() for images in (everything.reference, *everything.sets.values()) if labels]
    num_labels = 1 + int(max(known, default=-1))
    kinds, others = strata or (None, {})
    found = {name: Scored([], "", [], []) for name in sets}
    learned = len(reference) // FOLDS
    for division in range(DIVISIONS if learned - inner_size(learned) < FEWEST_FOR_NETWORK else 1):
        parts = Sides(
            folds_of(len(reference), kinds, [seed, division]),
            {
                name: folds_of(len(images), others.get(name), [seed, division, zlib.crc32(name.encode())])
                for name, images in sets.items()
            },
        )
        for fold in range(FOLDS):
            outer = taken(everything, parts, [fold])
            scorer = Scorer(taken(everything, parts, set(range(FOLDS)) - {fold}), seed + fold, num_labels)
            for name, one in found.items():
                scores = [scorer(name, images) for images in (outer.reference, outer.sets[name])]
                one.folds.append(Fold(*scores, scorer.thresholds[name]))
                one.places.append((parts.reference[fold], parts.sets[name][fold]))
                one.scorers.append(functools.partial(scorer, name))
    chosen = {
        name: dict.fromkeys(score.func.chosen[name] for score in one.scorers) for name, one in found.items()
    }
    return {name: one._replace(classifier="/".join(chosen[name])) for name, one in found.items()}


def folds_of(count, labels, seed):
    """Returns the indices of `count` images in `FOLDS` random parts, each with its share of every label."""
    generator = np.random.default_rng(seed)
    order = generator.permutation(count)
    if labels is not None:
        order = order[np.argsort(np.asarray(labels)[order], kind="stable")]
    return [generator.permutation(order[fold::FOLDS]) for fold in range(FOLDS)]


def taken(sides, parts, folds):
    """Returns the images of some folds of `sides`; `parts` is the `Sides` of the indices by fold."""

    def rows(images, places):
        return images.rows(np.concatenate([places[fold] for fold in folds]))

    own = {name: rows(images, parts.sets[name]) for name, images in sides.sets.items()}
    return Sides(rows(sides.reference, parts.reference), own)


def as_images(images, labels=None):
    """Returns images in [0, 1] as `Images`, rounded to 8 bits as in image files."""
    pixels = np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)
    return Images(pixels, None if labels is None else np.asarray(labels, "int32"))


class Scorer:
    """Both classifiers of one fold; for each set, the one that is better on the inner quarter is used.

    Attributes:
        chosen: The name of the chosen classifier, by set.
        thresholds: The score that best separates the set from the reference on the inner quarter, by set.
    """

    def __init__(self, learned, seed, num_labels=0):
        """Trains on `learned`, a `Sides`; the network only on sets with enough images that need it."""
        inner = learned.each(lambda images: images.rows(slice(0, inner_size(len(images)))))
        fitted = learned.each(lambda images: images.rows(slice(inner_size(len(images)), None)))
        fitted = fitted.each(lambda images: images.rows(slice(0, MOST_LEARNED)))
        self.classifiers = {"statistics": Statistics(fitted)}
        judged = {name: {"statistics": self.judge("statistics", name, inner)} for name in learned.sets}
        enough = len(fitted.reference) >= FEWEST_FOR_NETWORK
        hard = [
            name
            for name, images in fitted.sets.items()
            if enough and len(images) >= FEWEST_FOR_NETWORK and judged[name]["statistics"].auc < CERTAIN_AUC
        ]
        if hard:
            self.classifiers["cnn"] = Network(fitted.only(hard), inner.only(hard), seed, num_labels)
            for name in hard:
                judged[name]["cnn"] = self.judge("cnn", name, inner)
        self.chosen = {name: max(found, key=lambda kind: found[kind].auc) for name, found in judged.items()}
        self.thresholds = {name: found[self.chosen[name]].threshold for name, found in judged.items()}

    def judge(self, kind, name, inner):
        """Returns how well a classifier separates a set from the reference on the inner quarter."""
        scores = [self.classifiers[kind](name, images) for images in (inner.reference, inner.sets[name])]
        return Separation(area_and_error(*scores)[0], best_threshold(*scores))

    def __call__(self, name, images):
        """Returns the scores `[n]` of images, `Images` or an array in [0, 1]: higher means more like the set."""
        images = images if isinstance(images, Images) else as_images(images)
        return self.classifiers[self.chosen[name]](name, images)


def inner_size(count):
    """Returns the number of images of a training fold that are held out from training."""
    return max(2, round(INNER * count))


class Network:
    """The convolutional network, with the weights of the best epoch on the inner quarter for each set."""

    def __init__(self, fitted, inner, seed, num_labels=0):
        """Trains until no set improves on the inner quarter.

        Args:
            fitted: The `Sides` to train on.
            inner: The `Sides` that select the epoch.
            seed: Seed for weights and data order.
            num_labels: Number of labels of a conditional model.
        """
        self.names = list(fitted.sets)
        self.network = build_network(fitted.reference, len(self.names), seed, num_labels)
        self.network.compile(keras.optimizers.Adam(LEARNING_RATE), known_answers)
        self.best, self.gained = dict.fromkeys(self.names, np.inf), dict.fromkeys(self.names, np.inf)
        self.waited = dict.fromkeys(self.names, 0)
        self.weights = dict.fromkeys(self.names, self.network.get_weights())
        generator = np.random.default_rng([seed, 1])
        for _ in range(MOST_EPOCHS):
            going = [name for name in self.names if self.learns(name)]
            if not going:
                break
            self.train_an_epoch(fitted.only(going), generator)
            self.look(going, inner)

    def learns(self, name):
        """Returns whether training on a set continues."""
        return self.waited[name] < PATIENCE and self.best[name] > CERTAIN

    def train_an_epoch(self, sides, generator):
        """Trains for one epoch on the reference and the sets."""
        images, rows = joined([sides.reference, *sides.sets.values()]), answers(sides, self.names)
        order = generator.permutation(len(images))
        # Full batches only, to trace once.
        order = np.resize(order, -(-len(order) // BATCH_SIZE) * BATCH_SIZE)
        for places in order.reshape(-1, BATCH_SIZE):
            self.network.train_on_batch(images.rows(places).inputs, rows[places])

    def look(self, names, inner):
        """Keeps the current weights for each set whose inner loss has improved."""
        parts = [inner.reference, *(inner.sets[name] for name in names)]
        logits = self.predict(joined(parts))
        reference, *others = np.split(logits, np.cumsum([len(part) for part in parts])[:-1])
        current = None
        for name, scores in zip(names, others, strict=True):
            column = self.names.index(name)
            wrong = np.logaddexp(0, reference[:, column]).mean(), np.logaddexp(0, -scores[:, column]).mean()
            loss = sum(wrong) / 2
            self.waited[name] += 1
            if loss < self.best[name]:
                current = current or self.network.get_weights()
                self.best[name], self.weights[name] = loss, current
            if loss < self.gained[name] - LEAST_GAIN:
                self.gained[name], self.waited[name] = loss, 0

    def predict(self, images):
        """Returns the logits of `Images`, `[n, sets]`."""
        parts = [images.rows(slice(start, start + AT_ONCE)) for start in range(0, len(images), AT_ONCE)]
        return np.concatenate([self.network.predict_on_batch(part.inputs) for part in parts])

    def __call__(self, name, images):
        """Returns the scores `[n]` of `Images` from the output of the set `name`."""
        self.network.set_weights(self.weights[name])
        return self.predict(images)[:, self.names.index(name)]


def joined(parts):
    """Concatenates several `Images`."""
    labels = None if parts[0].labels is None else np.concatenate([part.labels for part in parts])
    return Images(np.concatenate([part.pixels for part in parts]), labels)


def build_network(reference, num_sets, seed, num_labels=0):
    """Returns the network: uint8 images, and labels for a conditional model, to one logit per set."""
    height, width, channels = reference.pixels.shape[1:]
    halvings = int(np.clip(np.ceil(np.log2(min(height, width) / LEAST_SIDE)), 1, len(WIDTHS)))
    strides = [1] * max(0, LEAST_CONVOLUTIONS - halvings) + [2] * halvings
    options = {"data_format": "channels_last", "dtype": "float32"}
    image = keras.Input((height, width, channels), dtype="uint8")
    maps = keras.layers.Rescaling(1 / 127.5, -1.0, dtype="float32")(image)
    for number, stride in enumerate(strides):
        start = keras.initializers.HeNormal(seed + number)
        maps = keras.layers.Conv2D(
            WIDTHS[number], 3, stride, "same", activation="relu", kernel_initializer=start, **options
        )(maps)
    features, inputs = keras.layers.GlobalAveragePooling2D(**options)(maps), image
    if reference.labels is not None:
        label = keras.Input((), dtype="int32")
        known = keras.layers.CategoryEncoding(num_labels, output_mode="one_hot", dtype="float32")(label)
        features = keras.layers.Concatenate(dtype="float32")([features, known])
        start = keras.initializers.HeNormal(seed)
        features = keras.layers.Dense(LABEL_FEATURES, "relu", kernel_initializer=start, dtype="float32")(
            features
        )
        inputs = [image, label]
    start = keras.initializers.GlorotNormal(seed)
    return keras.Model(
        inputs, keras.layers.Dense(num_sets, kernel_initializer=start, dtype="float32")(features)
    )


def answers(sides, names):
    """Returns the target of each output for each image, `[n, outputs]`: 0, 1, or -1 for no target."""
    of_reference = np.array([0 if name in sides.sets else -1 for name in names], "float32")
    rows = [np.tile(of_reference, (len(sides.reference), 1))]
    for name, images in sides.sets.items():
        row = np.array([1 if other == name else -1 for other in names], "float32")
        rows.append(np.tile(row, (len(images), 1)))
    return np.concatenate(rows)


def known_answers(expected, logits):
    """Returns the cross-entropy of each image in nats, `[n]`, summed over outputs whose target is not -1."""
    asked = ops.cast(expected >= 0, "float32")
    nats = ops.softplus(logits) - expected * logits
    return ops.sum(asked * nats, axis=-1)


class Statistics:
    """Linear classifiers of patch and spectrum statistics, for few images."""

    def __init__(self, fitted):
        """Fits one classifier for each set of `fitted`, a `Sides`."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        reference, self.linear = fitted.reference.statistics(), {}
        for name, images in fitted.sets.items():
            rows = np.concatenate([reference, images.statistics()])
            truth = np.repeat([0, 1], [len(fitted.reference), len(images)])
            model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
            with one_thread():
                self.linear[name] = model.fit(rows, truth)

    def __call__(self, name, images):
        """Returns the scores `[n]` of `Images`."""
        return self.linear[name].decision_function(images.statistics())


def statistics(pixels):
    """Returns statistics of each image at several scales, float64 `[n, F]`.

    For each channel and scale: mean, standard deviation, minimum and maximum of the pixels; mean size, peakedness and
    correlation of the differences between neighbours; and the logarithm of the power in rings of the spectrum.
    """
    parts = [pixels[start : start + IN_CACHE] for start in range(0, len(pixels), IN_CACHE)]
    return np.concatenate([statistics_of_few(part) for part in parts])


def statistics_of_few(pixels):
    """Returns `statistics` of images that fit into the processor's cache."""
    # Channels first: a mean over the last axes is several times as fast as one over those before three channels.
    images, found = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), "float32") / 255, []
    for _ in range(LEVELS):
        found += [images.mean((2, 3)), images.std((2, 3)), images.min((2, 3)), images.max((2, 3))]
        for axis in (axis for axis in (2, 3) if images.shape[axis] > 2):  # at least two differences
            step = np.diff(images, axis=axis)
            size = np.abs(step).mean((2, 3))
            before, after = (np.take(step, range(*ends), axis) for ends in neighbours(step.shape[axis]))
            found += [size, np.sqrt((step**2).mean((2, 3))) / (size + 1e-3), (before * after).mean((2, 3))]
        found.append(spectrum(images))
        if min(images.shape[2:]) < 2 * LEAST_SIDE:
            break
        images = np.moveaxis(halved(np.moveaxis(images, 1, 3)), 3, 1)
    return np.concatenate(found, axis=1).astype("float64")


def neighbours(count):
    """Returns the index ranges of all but the last and of all but the first of `count` places."""
    return (0, count - 1), (1, count)


def spectrum(images):
    """Returns the logarithm of the power of images `[n, c, h, w]` in rings of the spectrum, `[n, rings * channels]`."""
    height, width = images.shape[2:]
    power = np.abs(np.fft.rfft2(images - images.mean((2, 3), keepdims=True))) ** 2
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    rings = np.minimum((radius / 0.5 * SPECTRUM_BINS).astype(int), SPECTRUM_BINS - 1)
    parts = [power[..., rings == ring].mean(-1) for ring in range(SPECTRUM_BINS) if (rings == ring).any()]
    return np.log(np.concatenate(parts, axis=1) / (height * width) + 1e-6)


def halved(images):
    """Returns images at half the size, means over 2x2 blocks; an odd last row or column is dropped."""
    return block_means(images, 2)


def block_means(images, side):
    """Returns the means over blocks of `side` x `side` pixels; rows and columns of incomplete blocks are dropped."""
    height, width = (size // side for size in images.shape[1:3])
    whole = images[:, : height * side, : width * side]
    return whole.reshape(len(images), height, side, width, side, -1).mean((2, 4))
