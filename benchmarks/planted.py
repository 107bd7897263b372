"""Models whose condition is known, because it was planted: what the verdict's thresholds are set and tested by.

Most are trained into their condition (`flags`), to the last epoch, where train.py would keep the best one. The others
are made of a plain VAE (`made`, a key of `MADE`), by what is put between its encoder and its decoder.
"""

import shlex
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import uniform_filter

import keras_vae
from keras_vae.cli import train
from keras_vae.data import Annotations, LoadOptions, in_memory
from keras_vae.evaluation.metrics.neighbours import nearest
from keras_vae.runtime.lazy import keras
from keras_vae.training import setup

DATA = {
    "mnist": "--dataset mnist --limit 10000 --epochs 6",
    "sprites": "--dataset sprites --image_size 32 --epochs 4 --likelihood gaussian_optimal",
    "digits": "--dataset digits --epochs 40",
    "animals": "--limit 12000 --epochs 5",
}
IDEAL_IMAGES = 10_000  # that a blurring decoder is tested on
PRINCIPAL, FOG_NOISE = 128, 0.1  # dimensions of fog and their deviation in a posterior
FOLDERS = {"mnist": "--data_dir", "animals": "--dataset"}  # the flag that says where the images are


@dataclass(frozen=True)
class Plant:
    """A model whose condition is known, because it was made so.

    Attributes:
        condition: A verdict, or a kind of one; `vae` is a plain one, which may be healthy or patchy. `mis_scaled`
            was not planted but found, and sets no threshold.
        data: A name in `DATA`.
        flags: What train.py is told besides.
        seed: Of weights and noise.
        made: What is made of the trained model, a key of `MADE`; "": nothing.
        amount: How much of that.
    """

    condition: str
    data: str
    flags: str
    seed: int = 0
    made: str = ""
    amount: float = 0

    @property
    def name(self):
        """A file's name."""
        words = f"{self.condition} {self.data} {self.flags} seed {self.seed}".replace("--", "")
        return "-".join(words.replace("objective beta_vae objective.", "").split())


BETA = "--objective beta_vae --objective.beta"
PLANTS = (
    Plant("vae", "mnist", "--latent 16"),
    Plant("vae", "mnist", "--latent 8"),
    Plant("vae", "digits", "--latent 8"),
    Plant("mis_scaled", "sprites", "--latent 10 --epochs 8"),
    Plant("no_prior", "mnist", "--latent 16 --objective autoencoder"),
    Plant("no_prior", "digits", "--latent 8 --objective autoencoder --epochs 100"),
    Plant("under_regularised", "mnist", f"--latent 16 {BETA} 0.02"),
    Plant("under_regularised", "digits", f"--latent 8 {BETA} 0.02 --epochs 100"),
    Plant("spread_code", "digits", "--latent 4x4x128"),
    Plant("collapsed", "digits", f"--latent 8 {BETA} 300"),
    Plant("overfitted", "digits", "--latent 8 --epochs 100"),
    Plant("overfitted", "digits", "--latent 8 --limit 100 --epochs 400"),
    Plant("overfitted", "mnist", "--latent 16 --limit 300 --epochs 50"),
    Plant("copying", "mnist", "--latent 16 --epochs 1", made="copies", amount=10_000),
    Plant("collapsed", "digits", "--latent 8 --likelihood gaussian --likelihood.sigma 1"),
    Plant("discontinuous", "digits", "--latent 8", made="steps", amount=50),
    Plant("blurry", "mnist", "--latent 2 --epochs 2"),
    Plant("insufficient_data", "sprites", "--latent 10 --dataset.size 900 --epochs 10"),
    Plant("discontinuous", "mnist", "--latent 8 --epochs 1", made="steps", amount=100),
    Plant("vae", "digits", "--latent 8", seed=1),
    Plant("collapsed", "mnist", f"--latent 16 {BETA} 50 --epochs 1"),
    Plant("under_regularised", "sprites", f"--latent 10 {BETA} 0.02"),
    Plant("spread_code", "mnist", "--latent 8x8x64 --epochs 3"),
    Plant("copying", "sprites", "--latent 10 --epochs 2", made="copies", amount=8000),
    Plant("blurry", "sprites", "--latent 2"),
    Plant("overfitted", "sprites", "--latent 10 --limit 300 --epochs 50"),
    Plant("overfitted", "digits", "--latent 8 --limit 100 --epochs 400", seed=1),
    Plant("no_prior", "sprites", "--latent 10 --objective autoencoder"),
    Plant("spread_code", "sprites", "--latent 8x8x64 --epochs 2"),
    Plant("vae", "mnist", "--latent 8", seed=1),
)


def grow(plant, data_dir, **settings):
    """Returns the results of the model that `plant` describes, trained to its last epoch.

    Args:
        plant: A `Plant`.
        data_dir: The folder of MNIST's files, or of the animals; None for images that need none.
        **settings: Of `keras_vae.evaluate`.
    """
    return measured(plant, *trained(plant, data_dir), settings)


def trained(plant, data_dir):
    """Returns the model that `plant` is made of, trained to its last epoch, and the images that it was trained on."""
    config = config_of(plant, data_dir)
    dataset = setup.load(config)
    config = setup.resolve(config, dataset)
    keras.utils.set_random_seed(config.seed)
    model = setup.build(config, dataset)
    model.fit(
        dataset.train.training_batches(config.batch_size, seed=config.seed),
        steps_per_epoch=setup.steps_per_epoch(config, dataset),
        epochs=config.epochs,
        verbose=0,
    )
    return model, dataset


def judge_saved(plant, path, data_dir=None, data_rules=1, **settings):
    """Returns the results of the model that `plant` describes, trained before and saved in the file `path`.

    Args:
        plant: A `Plant`.
        path: Of the `.keras` file, trained to its last epoch.
        data_dir: Of MNIST's files, or None.
        data_rules: The rules of the splits that it was trained on.
        **settings: Of `keras_vae.evaluate`.
    """
    dataset = setup.load(replace(config_of(plant, data_dir), data_rules=data_rules))
    return measured(plant, keras.saving.load_model(path), dataset, settings)


def with_held_out(dataset, count):
    """Returns a dataset with at most `count` images for validation and as many for testing."""
    fewer = {split: getattr(dataset, split).take(count) for split in ("validation", "test")}
    return replace(dataset, **fewer)


def config_of(plant, data_dir):
    """Returns the configuration of a plant, as train.py reads it."""
    flags = shlex.split(f"{DATA[plant.data]} {plant.flags} --seed {plant.seed}")
    flags += [FOLDERS[plant.data], str(data_dir)] if data_dir and plant.data in FOLDERS else []
    return train.read_command_line(flags)[0]


def measured(plant, model, dataset, settings):
    """Returns the results of a trained model, or of what the plant has made of it."""
    return keras_vae.evaluate(*made_of(plant, model, dataset), **settings)


def made_of(plant, model, dataset):
    """Returns what is evaluated: a trained model or what the plant makes of it, and its images."""
    return MADE[plant.made](model, dataset, plant.amount) if plant.made else (model, dataset)


def steps(model, dataset, amount):
    """Returns the model with a decoder that takes each code for the nearest of those of `amount` training images."""
    return looked_up(model, dataset, amount, lambda images, means: np.asarray(model.decode(means)))


def copies(model, dataset, amount):
    """Returns the same, which puts out that training image itself."""
    return looked_up(model, dataset, amount, lambda images, means: images)


def looked_up(model, dataset, amount, entries):
    """Returns the model with a decoder that looks up what `entries(images, means)` are, and the dataset."""
    images = dataset.train.images(0, int(amount))
    means = np.concatenate(
        [np.asarray(model.encode(part)[0]) for part in np.array_split(images, min(40, len(images)))]
    )
    known = entries(images, means)

    def decode(codes):
        return known[nearest(np.asarray(codes), means)[0][:, 0]]

    return keras_vae.from_functions(model.encode, decode), dataset


def correlated(model, dataset, amount):
    """Returns the model with codes each of which is correlated by `amount` with the one before it, and the dataset.

    By z'_1 = z_1, z'_j = a z'_(j-1) + sqrt(1 - a^2) z_j, which leaves every single z'_j of mean 0 and variance 1 where
    those of z are. The decoder undoes that. Its noise would be magnified with the rest, so the posterior's is made as
    much smaller.
    """
    encode, decode = standardised(model, dataset)
    mixing = chain(model.latent_shape[0], amount)
    undone = np.linalg.inv(mixing)

    def mixed(images):
        mean, log_var = encode(images)
        return mean @ mixing.T, log_var + np.log((1 - amount**2) / (1 + amount**2))

    return keras_vae.from_functions(mixed, lambda codes: decode(codes @ undone.T.astype("float32"))), dataset


def standardised(model, dataset):
    """Returns encoder and decoder of a model whose dimensions have mean 0 and variance 1 over 5,000 training images.

    So that a model is not mis-scaled as well as what is planted: sprites after four epochs are.
    """
    images = dataset.train.images(0, min(5000, len(dataset.train)))
    parts = [model.encode(part) for part in np.array_split(images, 20)]
    mean, log_var = (np.concatenate([np.asarray(part[index]) for part in parts]) for index in (0, 1))
    middle = mean.mean(axis=0)
    scale = np.sqrt(mean.var(axis=0) + np.exp(log_var).mean(axis=0))

    def encode(images):
        own_mean, own_log_var = (np.asarray(part) for part in model.encode(images))
        return (own_mean - middle) / scale, own_log_var - 2 * np.log(scale)

    return encode, lambda codes: model.decode(np.asarray(codes) * scale + middle)


def chain(size, amount):
    """Returns A, `[size, size]`, of z' = A z: an autoregression, whose covariance A A' has a^|i-j| at [i, j]."""
    rows, columns = np.indices((size, size))
    mixing = np.where(rows >= columns, float(amount) ** (rows - columns), 0.0)
    mixing[:, 1:] *= np.sqrt(1 - amount**2)
    return mixing.astype("float32")


def clustered(model, dataset, amount):
    """Returns the model with `amount` more dimensions, of two clusters each, and the dataset.

    In each, a code lies at -1 or at 1, which says whether the images' own code is given as it is or with its sign
    changed; in between, the two images lie over each other. Mean and covariance of the codes stay the prior's; what
    N(0, 1) has around 0 decodes to ghosts.
    """
    own_encode, own_decode = standardised(model, dataset)
    count, width = int(amount), 0.1  # width: the standard deviation of the clusters

    def encode(images):
        mean, log_var = own_encode(images)
        sides = [np.sign(mean[:, index] * mean[:, index + 1]) for index in range(count)]
        signs = np.stack(sides, axis=1)
        own = np.prod(signs, axis=1, keepdims=True)
        return (
            np.concatenate([own * mean, np.sqrt(1 - width**2) * signs], axis=1),
            np.concatenate([log_var, np.full_like(signs, 2 * np.log(width))], axis=1),
        )

    def decode(codes):
        inner, outer = np.asarray(codes)[:, :-count], np.asarray(codes)[:, -count:]
        side = np.prod(np.clip(2 * outer, -1, 1), axis=1)  # half way to the cluster's middle it is one image
        share = (0.5 + 0.5 * side).reshape(-1, 1, 1, 1)
        return share * np.asarray(own_decode(inner)) + (1 - share) * np.asarray(own_decode(-inner))

    return keras_vae.from_functions(encode, decode), dataset


def ideal(model, dataset, amount):
    """Returns a model that is healthy by construction, and its dataset: `amount` images that the decoder draws.

    The images are decoded from N(0, I), so that the prior's samples are real ones, and the encoder knows the code of
    each, up to a noise that leaves the aggregated posterior N(0, I). Labels are those of the nearest training code.
    """
    noise = 0.1
    generator = np.random.default_rng(0)
    codes = generator.standard_normal((int(amount), *model.latent_shape), "float32")
    images = np.concatenate([np.asarray(model.decode(part)) for part in np.array_split(codes, 40)])
    pixels = np.rint(255 * np.clip(images, 0, 1)).astype("uint8")
    known = {image.tobytes(): row for row, image in enumerate(pixels)}

    def encode(images):
        rows = [known[image.tobytes()] for image in np.rint(255 * np.asarray(images)).astype("uint8")]
        mean = np.sqrt(1 - noise**2) * codes[rows]
        return mean, np.full_like(mean, 2 * np.log(noise))

    seen = dataset.train.take(3000)
    means = np.concatenate([np.asarray(model.encode(part)[0]) for part in np.array_split(seen.images(), 40)])
    labels = seen.labels[nearest(codes, means)[0][:, 0]]
    drawn = in_memory(
        f"{dataset.name}-drawn", pixels, LoadOptions(), Annotations(labels, dataset.label_names)
    )
    return keras_vae.from_functions(encode, model.decode), drawn


def blind(model, dataset, amount):
    """Returns the model with codes of mean 0 and covariance I, by a linear map, and the dataset.

    The map is fitted to the codes of `amount` training images, and the decoder undoes it. N(0, I) then decodes to what
    a Gaussian of the codes' own mean and covariance does: colours, contrasts and textures are right, and there are no
    objects. Noise of the posterior stays diagonal, with the variances that the map leaves it.
    """
    shape = model.latent_shape
    parts = [model.encode(part) for part in np.array_split(dataset.train.images(0, int(amount)), 40)]
    mean, log_var = (
        np.concatenate([np.asarray(part[index]).reshape(len(part[index]), -1) for part in parts])
        for index in (0, 1)
    )
    middle = mean.mean(axis=0)
    values, axes = np.linalg.eigh(np.cov(mean, rowvar=False) + np.diag(np.exp(log_var).mean(axis=0)))
    scales = np.sqrt(np.maximum(values, 1e-6 * values.max()))
    whiten, undo = (axes / scales) @ axes.T, (axes * scales) @ axes.T

    def encode(images):
        own, own_log_var = (np.asarray(part).reshape(len(images), -1) for part in model.encode(images))
        variance = np.exp(own_log_var) @ np.square(whiten)
        return (
            ((own - middle) @ whiten).reshape(-1, *shape).astype("float32"),
            np.log(variance).reshape(-1, *shape).astype("float32"),
        )

    def decode(codes):
        flat = np.asarray(codes).reshape(len(codes), -1) @ undo + middle
        return model.decode(flat.reshape(-1, *shape).astype("float32"))

    return keras_vae.from_functions(encode, decode), dataset


def fog(model, dataset, amount):
    """Returns the model with codes of mean 0 and covariance I whose first dimensions are principal components, and its dataset.

    `blind` leaves out what its map correlates in the posterior's noise, so that its codes are not of covariance I. Here the
    first `PRINCIPAL` dimensions are the principal components of the means of `amount` training images, each divided by its
    deviation, with a noise of its own that adds up to variance 1. In the others the posterior is the prior, and the
    decoder ignores them.
    """
    images = dataset.train.images(0, int(amount))
    means = np.concatenate([flat(model.encode(part)[0]) for part in np.array_split(images, 40)])
    middle = means.mean(axis=0)
    values, axes = np.linalg.eigh(np.cov(means, rowvar=False))
    values, axes = values[: -PRINCIPAL - 1 : -1], axes[:, : -PRINCIPAL - 1 : -1]  # the largest first
    scales = np.sqrt(values / (1 - FOG_NOISE**2))
    size = len(middle)

    def encode(images):
        codes = (flat(model.encode(images)[0]) - middle) @ axes / scales
        mean, log_var = np.zeros((2, len(images), size), "float32")
        mean[:, :PRINCIPAL], log_var[:, :PRINCIPAL] = codes, 2 * np.log(FOG_NOISE)
        return tuple(part.reshape(-1, *model.latent_shape) for part in (mean, log_var))

    def decode(codes):
        known = flat(codes)[:, :PRINCIPAL] * scales @ axes.T + middle
        return model.decode(known.reshape(-1, *model.latent_shape).astype("float32"))

    return keras_vae.from_functions(encode, decode), dataset


def flat(codes):
    """Returns codes as rows."""
    codes = np.asarray(codes)
    return codes.reshape(len(codes), -1)


def blurred(model, dataset, amount):
    """Returns the healthy model of `ideal` with a decoder that blurs, by the mean over `amount` x `amount` pixels, and its dataset.

    Samples of the prior are blurred as reconstructions are, and nothing else is wrong.
    """
    sharp, drawn = ideal(model, dataset, IDEAL_IMAGES)

    def decode(codes):
        size = (1, int(amount), int(amount), 1)
        return uniform_filter(np.asarray(sharp.decode(codes)), size, mode="nearest")

    return keras_vae.from_functions(sharp.encode, decode), drawn


MADE = {
    "blind": blind,
    "blurred": blurred,
    "fog": fog,
    "steps": steps,
    "copies": copies,
    "correlated": correlated,
    "clustered": clustered,
    "ideal": ideal,
}
