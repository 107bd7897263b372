"""Features for comparing images: of a classifier, of random convolutions, of Inception, or of DINOv2.

All kinds have the same interface. The evaluated model's own encoder is never used, because its features would favour
the model's own samples. `choose_features(dataset)` returns a small classifier, trained once on the labels of the
training images and cached; random convolutions if a classifier cannot be trained; Inception or DINOv2 on request.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import sys
import urllib.request
import zipfile
import zlib
from typing import Literal, get_args

import numpy as np

from keras_vae.data.progress import progress
from keras_vae.errors import FeatureError
from keras_vae.runtime.files import whole
from keras_vae.runtime.lazy import keras, tf

Kind = Literal["auto", "classifier", "random", "inception", "dinov2"]
KINDS = get_args(Kind)
BATCH_SIZE = 250  # smaller for large images
PIXELS_AT_ONCE = 2**21

# The classifier. These settings are part of the cache key; increase VERSION after other changes to its computation.
VERSION = 1
NUM_FEATURES = 128
WIDTHS = (16, 32, 64)  # channels of the last convolutions; the first is repeated if there are more
SMALLEST_SIDE = 8  # convolutions halve images down to this size
LARGEST_SIDE = 64  # larger images are averaged over blocks first
TRAINING = {"batch_size": 128, "learning_rate": 3e-3, "steps": 500, "steps_times_pixels": 350 * 64 * 64}
LEAST_PER_CLASS = 20  # training images
LEAST_GAIN = 0.2  # share of the possible gain in accuracy over always predicting the most frequent class
VALIDATION_IMAGES = 5000

# Random convolutions.
RANDOM_WIDTHS = (32, 32, 64)
STANDARDISED_ON = 1000  # training images
RANDOM_CONSTANT = 2.0  # in units of the root mean square length of the training images' rows

INCEPTION_FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
INCEPTION_URL = f"https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/{INCEPTION_FILE}"
INCEPTION_SIDE = 299
SECONDS_TO_CONNECT = 5

DINOV2_PRESETS = ("dinov2_base", "dinov2_small")  # folders of KerasHub presets, in order of preference
DINOV2_SIDE = 224  # 16 patches of 14 pixels
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Features:
    """Maps images to feature vectors of length 1.

    Attributes:
        name: "classifier", "random", "inception" or "dinov2".
        image_shape: `(height, width, channels)` of the images.
        num_features: F, the number of features.
        accuracy: The classifier's accuracy on held-out images, or None.
        num_classes: The classifier's number of classes, or None.
        reason: Why these features were chosen, a sentence.
    """

    def __init__(self, name, network, image_shape, reason, accuracy=None, num_classes=None):
        """Wraps `network`, a Keras model from images to features `[n, F]`, or to features and class logits."""
        self.name, self.image_shape, self.reason = name, tuple(image_shape), reason
        self.accuracy, self.num_classes = accuracy, num_classes
        self.num_features = int(network.outputs[0].shape[-1])
        # Traced once for any number of images; `predict` would retrace and print.
        signature = tf.TensorSpec([None, *self.image_shape], tf.float32)
        self.network = tf.function(
            lambda images: network(images, training=False), input_signature=[signature]
        )

    @property
    def metric_name(self):
        """The name of the Fréchet distance in these features: FID only for Inception."""
        if self.name == "inception":
            return "FID (Keras' Inception weights, rows of length 1)"
        return f"Fréchet distance, {self.name} features"

    def __call__(self, images):
        """Returns the features of images, float32 `[n, F]`, each row of length 1.

        Args:
            images: `[n, height, width, channels]` in [0, 1]: an array, or a `Split`, which is read in batches.
        """
        return self.describe(images)[0]

    def probabilities(self, images):
        """Returns class probabilities, float32 `[n, classes]`, or None without a classifier."""
        return self.describe(images)[1] if self.num_classes else None

    def describe(self, images):
        """Returns (features, class probabilities or None) of images, in one pass."""
        rows, probabilities = [], []
        for batch in self.batches(images):
            output = self.network(batch)
            features, logits = output if self.num_classes else (output, None)
            rows.append(normalised(np.asarray(features)))
            if self.num_classes:
                probabilities.append(np.asarray(tf.nn.softmax(logits)))
        return np.concatenate(rows), np.concatenate(probabilities) if self.num_classes else None

    def batches(self, images):
        """Yields batches of images as tensors; takes the argument of `__call__`."""
        shape = getattr(images, "image_shape", None) or tuple(np.shape(images)[1:])
        if shape != self.image_shape or not len(images):
            raise ValueError(
                f"got {len(images)} images of shape {shape}: expected at least one image of shape"
                f" {self.image_shape}"
            )
        read = images.images if hasattr(images, "images") else lambda start, stop: images[start:stop]
        side = {"inception": INCEPTION_SIDE, "dinov2": DINOV2_SIDE}.get(self.name)
        size = batch_size((side, side) if side else self.image_shape)
        starts = range(0, len(images), size)
        for start in progress(starts, len(starts), f"{self.name} features"):
            yield tf.convert_to_tensor(np.asarray(read(start, start + size), np.float32))


def normalised(rows):
    """Returns the rows, each divided by its length; a row of zeros stays zero."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)


def batch_size(image_shape):
    """Returns the batch size for images of this shape."""
    return int(np.clip(PIXELS_AT_ONCE // (image_shape[0] * image_shape[1]), 1, BATCH_SIZE))


def choose_features(dataset, name="auto", cache=None, seed=0):
    """Returns the `Features` for comparing images of a dataset.

    Args:
        dataset: A `Dataset`. The classifier is trained on its training images, and its accuracy is measured on its
            validation images. Its test images are not used, because samples are compared with them.
        name: One of `KINDS`. "auto": the classifier if the labels allow it, else random convolutions.
        cache: Folder in which the classifier is cached, or None.
        seed: Seed for the classifier's training and the random convolutions.

    Raises:
        FeatureError: The requested features are not available.
    """
    if name not in KINDS:
        raise FeatureError(f"features is {name!r}: expected one of {', '.join(KINDS)}")
    if name == "inception":
        return inception_features(dataset.image_shape)
    if name == "dinov2":
        return dinov2_features(dataset.image_shape)
    if name == "random":
        return random_features(dataset, seed, "random features were requested")
    obstacle = why_no_classifier(dataset)
    if not obstacle:
        features = classifier_features(dataset, cache, seed)
        obstacle = why_not_trusted(features, dataset)
        if not obstacle:
            return features
    if name == "classifier":
        raise FeatureError(f"classifier features are not available: {obstacle} (try the features random)")
    return random_features(dataset, seed, f"classifier features are not available: {obstacle}")


# The classifier.


def why_no_classifier(dataset):
    """Returns why no classifier can be trained on a dataset's labels, or ""."""
    labels = dataset.train.labels
    if labels is None:
        return "the dataset has no labels"
    splits = (dataset.train, dataset.validation, dataset.test)
    known = np.unique(np.concatenate([split.labels for split in splits if split.labels is not None]))
    num_known = max(len(known), len(dataset.label_names or ()))
    classes, counts = np.unique(labels, return_counts=True)
    if num_known < 2:
        return "all images have the same label"
    if len(classes) < num_known:
        return f"the training images have only {len(classes)} of the {num_known} classes"
    if counts.min() < LEAST_PER_CLASS:
        return f"a class has {counts.min()} training images, fewer than {LEAST_PER_CLASS}"
    return ""


def why_not_trusted(features, dataset):
    """Returns why a trained classifier's features should not be used, or ""."""
    most_frequent = np.unique(dataset.train.labels, return_counts=True)[1].max() / len(dataset.train)
    if features.accuracy > most_frequent + LEAST_GAIN * (1 - most_frequent):
        return ""
    return (
        f"its accuracy on held-out images is {features.accuracy:.0%}, and always predicting the most frequent class"
        f" reaches {most_frequent:.0%}"
    )


def classifier_features(dataset, cache=None, seed=0):
    """Returns the features of a small classifier's last hidden layer, 128 wide; the classifier is trained or cached.

    The number of training steps depends only on the image size and is the same on every machine: at most 500 batches of
    128, about ten seconds on two cores.

    Args:
        dataset: A `Dataset` with labels.
        cache: Folder, or None. A file there that cannot be read is replaced.
        seed: Integer.
    """
    classes = np.unique(dataset.train.labels)
    network = build_classifier(dataset.image_shape, len(classes), seed)
    path = None if cache is None else pathlib.Path(cache) / f"classifier-{cache_key(dataset, seed)}.npz"
    accuracy, lost = load_classifier(network, path), ""
    if accuracy is None:
        accuracy = train_classifier(network, dataset, classes, seed)
        lost = save_classifier(network, accuracy, path)
    reason = f"a classifier trained on {len(dataset.train)} labelled images, with {accuracy:.1%} accuracy on others{lost}"
    return Features("classifier", network, dataset.image_shape, reason, accuracy, len(classes))


def build_classifier(image_shape, num_classes, seed):
    """Returns a model from images to (features `[n, 128]`, logits `[n, classes]`), all in float32."""
    seeds = iter(np.random.SeedSequence(seed).generate_state(100))

    def layer(kind, *sizes, **settings):
        initializer = keras.initializers.GlorotUniform(int(next(seeds)))
        return kind(*sizes, kernel_initializer=initializer, dtype="float32", **settings)

    inputs = keras.Input(image_shape)
    block = averaged_block(image_shape)
    images = keras.layers.AveragePooling2D(
        block, padding="same", data_format="channels_last", dtype="float32"
    )(inputs)
    sides = [-(-max(image_shape[:2]) // block)]
    while sides[-1] > SMALLEST_SIDE:
        sides.append(-(-sides[-1] // 2))
    strides = [2] * (len(sides) - 1) or [1]
    widths = (WIDTHS[:1] * len(strides) + WIDTHS)[-len(strides) :]
    for width, stride in zip(widths, strides):
        convolution = layer(
            keras.layers.Conv2D,
            width,
            3,
            strides=stride,
            padding="same",
            data_format="channels_last",
            activation="relu",
        )
        images = convolution(images)
    images = keras.layers.Flatten(data_format="channels_last", dtype="float32")(images)
    features = layer(keras.layers.Dense, NUM_FEATURES, activation="relu")(images)
    return keras.Model(inputs, [features, layer(keras.layers.Dense, num_classes)(features)])


def averaged_block(image_shape):
    """Returns the side of the blocks of pixels over which images are averaged for the classifier."""
    return -(-max(image_shape[:2]) // LARGEST_SIDE)


def train_classifier(network, dataset, classes, seed):
    """Trains the classifier on the training images; returns its accuracy on the validation images.

    Without validation images, a tenth of the training images is held out.

    Args:
        network: From `build_classifier`.
        dataset: A `Dataset` with labels.
        classes: The sorted distinct labels, `[classes]`.
        seed: Seed for the order of the images.
    """
    train, held_out = dataset.train, dataset.validation.take(VALIDATION_IMAGES)
    if not len(held_out) or held_out.labels is None:
        train, held_out = _split_off(train)
    known = tf.constant(classes, tf.int64)
    num_steps = training_steps(dataset.image_shape)
    rates = keras.optimizers.schedules.CosineDecay(TRAINING["learning_rate"], num_steps)
    optimizer = keras.optimizers.Adam(rates)
    optimizer.build(network.trainable_variables)
    image_signature = tf.TensorSpec([None, *dataset.image_shape], tf.float32)

    @tf.function(input_signature=[image_signature, tf.TensorSpec([None], tf.int64)])
    def step(images, labels):
        with tf.GradientTape() as tape:
            logits = network(images, training=True)[1]
            targets = tf.searchsorted(known, labels)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
            loss = tf.reduce_mean(losses)
        optimizer.apply(tape.gradient(loss, network.trainable_variables), network.trainable_variables)

    batches = train.training_batches(TRAINING["batch_size"], seed, labels=True).take(num_steps)
    for images, labels in progress(batches, num_steps, "training the classifier for features"):
        step(images, labels)
    trained = Features("classifier", network, dataset.image_shape, "", num_classes=len(classes))
    right = classes[trained.probabilities(held_out).argmax(axis=1)] == held_out.labels
    return float(right.mean())


def training_steps(image_shape):
    """Returns the number of training steps: fewer for larger images, to keep the time about the same."""
    pixels = np.prod(image_shape[:2]) / averaged_block(image_shape) ** 2
    return int(min(TRAINING["steps"], TRAINING["steps_times_pixels"] // pixels))


def cache_key(dataset, seed):
    """Returns a hash, in hex, of everything that the trained classifier depends on."""
    settings = [VERSION, NUM_FEATURES, WIDTHS, SMALLEST_SIDE, LARGEST_SIDE, TRAINING]
    learnt = [
        dataset.fingerprint,
        list(dataset.image_shape),
        seed,
        len(dataset.train),
        len(dataset.validation),
    ]
    digest = hashlib.sha256(json.dumps([settings, learnt], sort_keys=True).encode())
    # Datasets with different limits share a fingerprint.
    digest.update(np.ascontiguousarray(dataset.train.indices).tobytes())
    digest.update(np.ascontiguousarray(dataset.train.labels).tobytes())
    return digest.hexdigest()[:32]


def save_classifier(network, accuracy, path):
    """Writes the weights and the accuracy atomically; returns "", or a remark if the folder cannot be written to."""
    if path is None:
        return ""
    weights = {f"weight_{index:03d}": weight for index, weight in enumerate(network.get_weights())}
    try:
        with whole(path) as temporary:
            np.savez(temporary, accuracy=accuracy, **weights)
    except OSError as error:
        return f" (it could not be cached: {error})"
    return ""


def load_classifier(network, path):
    """Sets the network's weights from the file `path`; returns the accuracy, or None if there is no usable file."""
    if path is None or not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as kept:
            accuracy = float(kept["accuracy"])
            weights = [kept[name] for name in sorted(kept.files) if name.startswith("weight_")]
        if not all(np.isfinite(values).all() for values in [*weights, accuracy]):
            return None
        network.set_weights(weights)
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error):
        return None
    return accuracy


def _split_off(split):
    """Divides a split in two, the second with a tenth of its images."""
    first = len(split) - max(1, len(split) // 10)
    rest = type(split)(split.store, split.indices[first:], split.labels[first:])
    return split.take(first), rest


# Random convolutions.


def random_features(dataset, seed=0, reason=""):
    """Returns the features of convolutions with random weights, which are never trained.

    Naeem et al. 2020, section 5.1, find that random networks suffice to compare distributions if no trained network
    suits the data. The features are the means of each channel over 2x2 parts of the image, at three scales. They are
    standardised on training images, because otherwise all rows would point in the direction of the mean image. A
    constant feature is appended before rows are scaled to length 1; it is twice the root mean square length of the
    other features. Without the constant, noise images get the same features as real images of high contrast, because
    they differ only in length (measured on MNIST: a dead zone of -0.05, with the constant 1.00).

    These features penalise blur more than nonsense with the right texture.

    Args:
        dataset: A `Dataset`; features are standardised on its first training images.
        seed: Seed for the convolutions.
        reason: Why these features are used, a sentence.
    """
    convolutions = build_random(dataset.image_shape, seed)
    plain = Features("random", convolutions, dataset.image_shape, reason)
    batches = plain.batches(dataset.train.take(STANDARDISED_ON))
    rows = np.concatenate([np.asarray(plain.network(batch)) for batch in batches])
    spread = rows.std(axis=0)
    spread = np.maximum(spread, 1e-3 * spread.max() or 1.0)  # some features are zero for all images
    standardise = keras.layers.Normalization(mean=rows.mean(axis=0), variance=spread**2, dtype="float32")
    standardised = standardise(convolutions.output)
    constant = keras.layers.Dense(
        1,
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(RANDOM_CONSTANT * rows.shape[1] ** 0.5),
        dtype="float32",
    )(standardised)
    outputs = keras.layers.Concatenate(dtype="float32")([standardised, constant])
    return Features("random", keras.Model(convolutions.input, outputs), dataset.image_shape, reason)


def build_random(image_shape, seed):
    """Returns a model from images to `[n, 512]`: means over parts of the image at three scales.

    There are fewer than 512 features if the coarsest scale has fewer than 2x2 pixels.
    """
    seeds = np.random.SeedSequence(seed).generate_state(len(RANDOM_WIDTHS))
    inputs = images = keras.Input(image_shape)
    scales = []
    for index, (width, layer_seed) in enumerate(zip(RANDOM_WIDTHS, seeds)):
        images = keras.layers.Conv2D(
            width,
            3,
            strides=1 if index == 0 else 2,
            padding="same",
            data_format="channels_last",
            activation="relu",
            kernel_initializer=keras.initializers.HeNormal(int(layer_seed)),
            dtype="float32",
        )(images)
        parts = [-(-side // 2) for side in images.shape[1:3]]
        means = keras.layers.AveragePooling2D(
            parts, padding="same", data_format="channels_last", dtype="float32"
        )(images)
        scales.append(keras.layers.Flatten(data_format="channels_last", dtype="float32")(means))
    return keras.Model(inputs, keras.layers.Concatenate(dtype="float32")(scales))


# Inception.


def inception_features(image_shape):
    """Returns the features of InceptionV3 of keras.applications, 2048 wide.

    Images are resized to 299x299 without antialiasing, and grey images are repeated to three channels. The weights
    differ from those of published FIDs, and rows are scaled to length 1: values are comparable only with each other.

    Raises:
        FeatureError: The weights are not on this machine and cannot be downloaded.
    """
    path = inception_weights()
    if path is None:
        check_reachable(INCEPTION_URL)
    with contextlib.redirect_stdout(sys.stderr):  # Keras prints the progress of the download
        try:
            weights = "imagenet" if path is None else str(path)
            with channels_last():
                body = keras.applications.InceptionV3(include_top=False, weights=weights, pooling="avg")
        except Exception as error:
            raise FeatureError(_no_inception(error)) from error
    return Features(
        "inception", build_inception(body, image_shape), image_shape, "Inception features were requested"
    )


@contextlib.contextmanager
def channels_last():
    """Sets Keras' image data format to channels last within the context."""
    configured = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    try:
        yield
    finally:
        keras.config.set_image_data_format(configured)


def build_inception(body, image_shape):
    """Returns the model from images to the output of `body`, an InceptionV3 for pixels in [-1, 1]."""
    inputs = keras.Input(image_shape)
    resized = keras.layers.Resizing(
        INCEPTION_SIDE, INCEPTION_SIDE, data_format="channels_last", dtype="float32"
    )(in_colour(inputs))
    return keras.Model(inputs, body(keras.layers.Rescaling(2.0, -1.0, dtype="float32")(resized)))


def in_colour(images):
    """Returns three colour channels; a grey channel is repeated."""
    return images[..., :3] if images.shape[-1] >= 3 else keras.ops.repeat(images[..., :1], 3, axis=-1)


def inception_weights():
    """Returns the path of the weights on this machine, or None if they are missing."""
    path = inception_place()
    return path if path.is_file() else None


def inception_place():
    """Returns the path at which Keras looks for the weights."""
    home = pathlib.Path(os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras")
    return home / "models" / INCEPTION_FILE


def check_reachable(url):
    """Raises FeatureError within seconds if `url` cannot be reached; Keras itself would wait for minutes."""
    try:
        request = urllib.request.Request(url, method="HEAD")
        with urllib.request.urlopen(request, timeout=SECONDS_TO_CONNECT):
            pass
    except OSError as error:
        raise FeatureError(_no_inception(error)) from error


def _no_inception(error):
    return (
        f"the weights of InceptionV3 are not available ({error}): put {INCEPTION_URL} into"
        f" {inception_place().parent}, or use the features classifier or random"
    )


# DINOv2.


def dinov2_features(image_shape):
    """Returns the features of KerasHub's DINOv2 (Oquab et al. 2023): the class token of the last layer.

    Images are resized to 224x224 and standardised as in DINOv2's training; grey images are repeated to three channels.
    Only a preset on this machine is used; nothing is downloaded.

    Raises:
        FeatureError: KerasHub is not installed, or no preset is on this machine.
    """
    folder = dinov2_weights()
    if folder is None:
        places = " or ".join(str(place / DINOV2_PRESETS[0]) for place in dinov2_places())
        raise FeatureError(
            f"the weights of DINOv2 are not on this machine: put a KerasHub preset into {places}, or use the features"
            " classifier or random"
        )
    try:
        import keras_hub
    except ImportError as error:
        raise FeatureError(
            f"KerasHub cannot be imported ({error}): pip install keras-hub, or use the features classifier or random"
        ) from error
    try:
        with channels_last():
            shape = (DINOV2_SIDE, DINOV2_SIDE, 3)
            body = keras_hub.models.DINOV2Backbone.from_preset(str(folder), image_shape=shape)
    except Exception as error:
        raise FeatureError(
            f"the DINOv2 preset in {folder} cannot be loaded ({error}): replace it, or use the features classifier or"
            " random"
        ) from error
    preset = next(name for name in DINOV2_PRESETS if name in folder.parts)
    reason = f"DINOv2 features were requested (weights: KerasHub's {preset})"
    return Features("dinov2", build_dinov2(body, image_shape), image_shape, reason)


def build_dinov2(body, image_shape):
    """Returns the model from images to the class token of `body`, a backbone of standardised images to tokens."""
    inputs = keras.Input(image_shape)
    resized = keras.layers.Resizing(
        DINOV2_SIDE, DINOV2_SIDE, interpolation="bicubic", data_format="channels_last", dtype="float32"
    )(in_colour(inputs))
    variance = [deviation**2 for deviation in IMAGENET_DEVIATION]
    standardise = keras.layers.Normalization(mean=IMAGENET_MEAN, variance=variance, dtype="float32")
    return keras.Model(inputs, body({"images": standardise(resized)})[:, 0])


def dinov2_weights():
    """Returns the folder of a DINOv2 preset on this machine, or None."""
    for place in dinov2_places():
        for preset in DINOV2_PRESETS:
            versions = sorted(path.parent for path in (place / preset).glob("**/config.json"))
            if versions:
                return versions[-1]
    return None


def dinov2_places():
    """Returns the folders in which presets are searched: Keras' models, and KerasHub's downloads from Kaggle."""
    cache = os.environ.get("KAGGLEHUB_CACHE") or pathlib.Path.home() / ".cache" / "kagglehub"
    return inception_place().parent, pathlib.Path(cache) / "models" / "keras" / "dinov2" / "keras"
