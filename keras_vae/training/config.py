"""The configuration of a run, which the command line sets and `config.json` stores."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from keras_vae.config.codec import option, read_config, resolve, settings
from keras_vae.data import (
    DATASETS,
    Digits,
    built_in,
    check_augmentations,
    find_source,
    parse_image_size,
    rules,
)
from keras_vae.data.value_range import check_range, parse_range, show_range
from keras_vae.model.corruptions import CORRUPTIONS, NoCorruption
from keras_vae.model.likelihoods import LIKELIHOODS, Automatic
from keras_vae.model.networks import NETWORKS, Convolutional
from keras_vae.model.objectives import OBJECTIVES, VariationalBound
from keras_vae.model.posteriors import parse_shape, show_shape
from keras_vae.model.priors import PRIORS, StandardNormal
from keras_vae.model.regularizers import REGULARIZERS, NoRegularizer
from keras_vae.runtime.devices import Precision
from keras_vae.runtime.json_file import read_json

LARGE = 2**31  # upper limit of counts, because parts of TensorFlow count in 32 bits


def range_option(words):
    """Returns the option of a value range, a text or a pair; `words` is its help."""
    return option(None, words, parse=parse_range, show=show_range, metavar="LOW,HIGH")


@dataclass(frozen=True)
class DataSettings:
    """The settings of the images, which training and evaluation have in common.

    Settings may be texts as on a command line, `Config(dataset="mnist", latent="8x8x16")`, and are checked in the same
    way (`keras_vae.config.codec.resolve`).
    """

    dataset: object = option(
        Digits(),
        f"{', '.join(built_in())}, a TensorFlow Datasets name (mnist), a folder of images, or an .npz or .npy file",
        choices=DATASETS,
        fallback=find_source,
    )
    data_dir: str | None = option(None, "folder of prepared data, or of the dataset's own download files")
    download: bool = option(True, "let TensorFlow Datasets download files that are not under data_dir")
    image_size: int | str | Sequence[int] | None = option(
        None,
        "size to resize images to: 64, or 48x64 (height x width)",
        parse=parse_image_size,
        show=show_shape,
        metavar="SIZE",
    )
    channels: int | None = option(None, "1 for grey, 3 for colour; that of the images by default")
    range: str | Sequence[float] | None = range_option(
        "values that become 0 and 1, such as 0,4095; determined from the images by default"
    )
    classes: tuple[str, ...] = option(
        (), "names of the labels in the order of their numbers; those of the dataset by default"
    )
    limit: int | None = option(None, "use only the first N training images", metavar="N")
    data_rules: int = option(
        rules.NEWEST, "version of the rules for splits, sizes, ranges and labels; 1 for those of older runs"
    )

    def __post_init__(self):
        for field, annotation in settings(type(self)):
            object.__setattr__(self, field.name, resolve(field, annotation, getattr(self, field.name)))
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit is {self.limit}: it must be at least 1 (try --limit 1)")
        if self.channels not in (None, 1, 3):
            raise ValueError(f"channels is {self.channels}: expected 1 (grey) or 3 (colour)")
        if self.range is not None:
            object.__setattr__(self, "range", check_range(self.range))
        object.__setattr__(self, "classes", tuple(self.classes))
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes is {','.join(self.classes)}: the names must be different")
        if self.data_rules not in rules.VERSIONS:
            raise ValueError(
                f"data_rules is {self.data_rules}: expected {rules.FIRST} or {rules.NEWEST} (omit it for the newest)"
            )


@dataclass(frozen=True)
class Config(DataSettings):
    """The settings of a run: images, model, training and output."""

    augment: tuple[str, ...] = option(
        (), "random changes of training images: flip,crop,rotate,shift,zoom,..."
    )

    latent: int | str | Sequence[int] = option(
        (16,), "shape of the code: 32, or 8x8x1024", parse=parse_shape, show=show_shape, metavar="SHAPE"
    )
    objective: object = option(VariationalBound(), "terms of the loss and their weights", choices=OBJECTIVES)
    likelihood: object = option(
        Automatic(),
        "distribution of images given the decoder's output",
        choices={"auto": Automatic, **LIKELIHOODS},
    )
    prior: object = option(
        StandardNormal(), "distribution of the codes, which may be trained", choices=PRIORS
    )
    network: object = option(Convolutional(), "encoder and decoder", choices=NETWORKS)
    corruption: object = option(
        NoCorruption(), "random change of the encoder's input images in training", choices=CORRUPTIONS
    )
    regularizer: object = option(
        NoRegularizer(), "additional term that makes codes easier to sample", choices=REGULARIZERS
    )

    epochs: int | None = option(
        None, "passes over the training images; 10 to 300, for about 3,000 steps, by default"
    )
    batch_size: int = option(64, "images per batch, over all devices of all hosts")
    accumulate: int = option(
        1,
        "batches per optimizer step, which uses their mean gradient; saves memory compared to larger batches",
    )
    learning_rate: float = option(1.5e-3, "highest learning rate of Adam")
    schedule: Literal["cosine", "constant"] = option(
        "cosine", "learning rate schedule over the whole training"
    )
    clip_norm: float | None = option(None, "largest norm of the gradient; larger gradients are scaled down")
    patience: int | None = option(
        None, "stop after this many epochs without an improvement of the held-out loss"
    )
    precision: Precision = option("auto", "dtype policy of the hidden layers; losses are always float32")
    seed: int = option(0, "random seed for weights, noise, data order and augmentation")
    deterministic: bool = option(
        False, "make results reproducible bit by bit, also after --resume, as far as TensorFlow can"
    )
    name: str | None = option(None, "name of the run; dataset-objective-latent by default")
    output: str = option("saved_models", "folder in which the run's folder is created")

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "augment", check_augmentations(self.augment))
        for name, least in (
            ("epochs", 1),
            ("batch_size", 1),
            ("accumulate", 1),
            ("patience", 1),
            ("seed", 0),
        ):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} is {value}: it must be at least {least} (try --{name} {least})")
            if value is not None and value >= LARGE:
                raise ValueError(f"{name} is {value}: it must be below {LARGE}")
        for name in ("learning_rate", "clip_norm"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} is {value}: it must be above 0")
        if self.name is not None and not is_folder_name(self.name):
            raise ValueError(
                f"name is {self.name!r}: it must be a valid folder name without slashes (try --name first)"
            )


# Keys of every complete configuration from before `data_rules` existed.
FIRST_KEYS = {"dataset", "data_dir", "download", "image_size", "channels", "limit"}
# Settings that are determined from the images and do not apply to others.
FOUND = ("range", "classes", "data_rules")


# Where things are, and what a run is called: two runs that differ in these alone have equal settings.
LOCATIONS = ("name", "output", "data_dir", "download")


def read_settings(path):
    """Returns the `Config` in the JSON file `path`; raises a UsageError that names the file.

    A file of an older version does not have `data_rules`; its run keeps the rules that it was trained with.
    """
    config, keys = read_config(Config, path), set(read_json(path))
    if "data_rules" not in keys and keys >= FIRST_KEYS:
        return replace(config, data_rules=rules.FIRST)
    return config


def is_folder_name(text):
    """Returns whether `text` is a valid folder name on one line."""
    return text.isprintable() and not set(text) & set("/\\") and text.strip() not in ("", ".", "..")
