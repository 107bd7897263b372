"""The whole configuration of a run: what the command line sets and `config.json` keeps."""

from dataclasses import dataclass, replace
from typing import Literal

from keras_vae.config.codec import option, read_config, settings, settle
from keras_vae.data import DATASETS, Digits, check_augmentations, find_source, parse_image_size, rules
from keras_vae.data.value_range import check_range, parse_range, show_range
from keras_vae.model.corruptions import CORRUPTIONS, NoCorruption
from keras_vae.model.likelihoods import LIKELIHOODS, Automatic
from keras_vae.model.networks import NETWORKS, Convolutional
from keras_vae.model.objectives import OBJECTIVES, VariationalBound
from keras_vae.model.posteriors import parse_shape, show_shape
from keras_vae.model.priors import PRIORS, StandardNormal
from keras_vae.model.regularizers import REGULARIZERS, NoRegularizer
from keras_vae.runtime.devices import PRECISIONS
from keras_vae.runtime.json_file import read_json

LARGE = 2**31  # what counts something lies below it: TensorFlow counts in 32 bits here and there


@dataclass(frozen=True)
class DataSettings:
    """Where the images come from and what is made of them: what training and evaluation have in common.

    Settings may be given as one would type them, `Config(dataset="mnist", latent="8x8x16")`, and are checked as those
    on a command line are (`keras_vae.config.codec.settle`).
    """

    dataset: object = option(
        Digits(),
        "digits, sprites, a TensorFlow Datasets name (mnist), a folder of images, or an .npz or .npy file",
        choices=DATASETS,
        fallback=find_source,
    )
    data_dir: str | None = option(None, "folder of prepared data, or of the dataset's own download files")
    download: bool = option(True, "let TensorFlow Datasets fetch what is not under data_dir")
    image_size: tuple | None = option(
        None,
        "resize to 64 or to 48x64 (height x width)",
        parse=parse_image_size,
        show=show_shape,
        metavar="SIZE",
    )
    channels: int | None = option(None, "1 for grey, 3 for colour; as the images are by default")
    range: tuple | None = option(
        None,
        "values that become 0 and 1, as 0,4095; found in the images by default",
        parse=parse_range,
        show=show_range,
        metavar="LOW,HIGH",
    )
    classes: tuple[str, ...] = option(
        (), "names of the labels in the order of their numbers; by default as found"
    )
    limit: int | None = option(None, "take the first N training images", metavar="N")
    data_rules: int = option(
        rules.NEWEST, "version of the rules for splits, sizes, ranges and labels; 1 for those of older runs"
    )

    def __post_init__(self):
        for field, annotation in settings(type(self)):
            object.__setattr__(self, field.name, settle(field, annotation, getattr(self, field.name)))
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit is {self.limit}: it must be at least 1 (try --limit 1)")
        if self.channels not in (None, 1, 3):
            raise ValueError(f"channels is {self.channels}: expected 1 (grey) or 3 (colour)")
        if self.range is not None:
            object.__setattr__(self, "range", check_range(self.range))
        object.__setattr__(self, "classes", tuple(self.classes))
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes is {','.join(self.classes)}: expected different names")
        if self.data_rules not in rules.VERSIONS:
            raise ValueError(
                f"data_rules is {self.data_rules}: expected {rules.FIRST} or {rules.NEWEST} (leave it out for the newest)"
            )


@dataclass(frozen=True)
class Config(DataSettings):
    """A run: its images, its model, its training and where it goes."""

    augment: tuple[str, ...] = option((), "changes to training images: flip,crop,rotate,shift,zoom,...")

    latent: tuple = option(
        (16,), "shape of the code: 32, or 8x8x1024", parse=parse_shape, show=show_shape, metavar="SHAPE"
    )
    objective: object = option(
        VariationalBound(), "how the terms of the loss are weighed", choices=OBJECTIVES
    )
    likelihood: object = option(
        Automatic(), "what the decoder's output means", choices={"auto": Automatic, **LIKELIHOODS}
    )
    prior: object = option(StandardNormal(), "what the codes are to follow; trained too", choices=PRIORS)
    network: object = option(Convolutional(), "encoder and decoder", choices=NETWORKS)
    corruption: object = option(
        NoCorruption(), "what is done, in training, to the images that the encoder sees", choices=CORRUPTIONS
    )
    regularizer: object = option(
        NoRegularizer(), "what makes codes easy to sample, beside the objective", choices=REGULARIZERS
    )

    epochs: int | None = option(
        None, "passes over the training images; as many as make 3,000 steps, 10 to 300"
    )
    batch_size: int = option(64, "images a batch, over all devices of all hosts")
    accumulate: int = option(
        1, "batches to a step, on their mean gradient: for memory that holds no larger ones"
    )
    learning_rate: float = option(1.5e-3, "Adam's, at its highest")
    schedule: Literal["cosine", "constant"] = option("cosine", "of the learning rate over the whole training")
    clip_norm: float | None = option(None, "scale the gradient down to this norm where it is longer")
    patience: int | None = option(None, "stop after so many epochs without a better held-out loss")
    precision: Literal[PRECISIONS] = option("auto", "of the hidden layers; losses are float32 always")
    seed: int = option(0, "of weights, noise, order and augmentation")
    deterministic: bool = option(False, "the same bits each time, also across --resume, where TensorFlow can")
    name: str | None = option(None, "of the run; dataset-objective-latent by default")
    output: str = option("saved_models", "folder that the run's folder is made in")

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
                f"name is {self.name!r}: it becomes a folder's name, without slashes (try --name first)"
            )


# Keys that every configuration had which was written whole, before it had `data_rules`.
FIRST_KEYS = {"dataset", "data_dir", "download", "image_size", "channels", "limit"}
# What is found in a set of images, and does not go with another.
FOUND = ("range", "classes", "data_rules")


def read_settings(path):
    """Returns the `Config` in the JSON file `path`; raises a UsageError that names the file.

    A run of an older version of this package keeps the rules that it was trained with: its file does not name them.
    """
    config, keys = read_config(Config, path), set(read_json(path))
    if "data_rules" not in keys and keys >= FIRST_KEYS:
        return replace(config, data_rules=rules.FIRST)
    return config


def is_folder_name(text):
    """Returns whether `text` can name a folder, and stand in one line."""
    return text.isprintable() and not set(text) & set("/\\") and text.strip() not in ("", ".", "..")
