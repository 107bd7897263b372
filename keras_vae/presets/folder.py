"""Writes and reads the folder of a preset."""

import dataclasses
import os
import shutil
import typing
import warnings
from dataclasses import dataclass
from pathlib import Path

from keras_vae.errors import UsageError, first_line
from keras_vae.presets.card import card
from keras_vae.runtime import checksums
from keras_vae.runtime.files import rename, unfinished, write_json, writing
from keras_vae.runtime.half import halve_weights
from keras_vae.runtime.json_file import quote, read_json
from keras_vae.runtime.lazy import keras
from keras_vae.samplers import PixelCNN, load, name_of, save

MODEL, WEIGHTS = ("config.json", "metadata.json", "model.weights.h5"), "model.weights.h5"
PRESET, SAMPLER, RESULTS, CARD = "preset.json", "sampler.npz", "results.json", "README.md"
FILES = (*MODEL, PRESET, SAMPLER, RESULTS, CARD, checksums.FILE)
# The sections of results.json that a preset has.
ESSENTIAL = (
    *("schema_version", "run", "dataset", "seed", "created", "image_shape", "latent_shape", "objective"),
    *("prior", "decoder_likelihood", "num_train", "num_test", "num_held_out", "keras_vae", "ranges", "notes"),
    *("reconstruction", "rate_distortion", "told_apart", "generation_gap", "likelihood", "repair", "verdict"),
)


@dataclass(frozen=True)
class About:
    """The facts about a preset that neither the model nor the results know.

    Attributes:
        license: The licence of the weights, as the Hugging Face Hub spells it ("apache-2.0"), or None if not stated.
        data: The dataset: its description, or None.
        data_license: The licence of the dataset, or None.
        training: The settings of the training, the dict of a run's config.json, or None.
        fingerprint: The fingerprint of the images that the model was trained on, or None.
        sampler: The name of the sampler in the folder, or None for the prior.
        half: Whether large arrays are stored in half precision.
    """

    license: str | None = None
    data: str | None = None
    data_license: str | None = None
    training: dict | None = None
    fingerprint: str | None = None
    sampler: str | None = None
    half: bool = False


def write(folder, model, sampler=None, results=None, about=None, half=False):
    """Writes a preset into the new folder `folder`, whole or not at all.

    Args:
        folder: The path of a folder that does not exist.
        model: An `Autoencoder` that is not compiled.
        sampler: The recommended sampler, or None for the prior.
        results: The results of its evaluation, a dict as in results.json, or None.
        about: An `About`.
        half: Whether to store large arrays in half precision.

    Raises:
        UsageError: The folder exists.
        WriteError: It cannot be written.
    """
    path = Path(folder)
    results = without_commands(
        {name: value for name, value in (results or {}).items() if name in ESSENTIAL}
    )
    about = dataclasses.replace(about or About(), sampler=sampler and name_of(sampler), half=half)
    with writing(path), unfinished(path.absolute().parent) as temporary:
        new = temporary / "new"
        model.save(new, zipped=False)
        shutil.rmtree(new / "assets", ignore_errors=True)  # empty: our layers have none
        if half:
            os.replace(new / WEIGHTS, temporary / WEIGHTS)
            halve_weights(temporary / WEIGHTS, new / WEIGHTS)
        if sampler is not None:
            # Draws of a codebook's entries are discrete: rounding would give other images for some seeds.
            save(sampler, new / SAMPLER, half and not isinstance(sampler, PixelCNN))
        if results:
            write_json(new / RESULTS, results)
        write_json(new / PRESET, dataclasses.asdict(about))
        (new / CARD).write_text(card(path.name, model, results, about), encoding="utf-8")
        checksums.seal(new)
        if not rename(new, path):
            raise UsageError(f"{path} exists already: choose another folder")
    return path


def without_commands(node):
    """Returns results whose commands are None: they name folders of the machine on which they were made."""
    if isinstance(node, dict):
        return {
            key: None if key == "command" else without_commands(value) for key, value in node.items()
        }
    return [without_commands(value) for value in node] if isinstance(node, list) else node


def read_facts(folder):
    """Returns the `About` of the preset in `folder`; raises a UsageError if a value has another type."""
    path = Path(folder) / PRESET
    values, kinds = read_json(path), typing.get_type_hints(About)
    for name, kind in kinds.items():
        if name in values and not isinstance(values[name], kind):
            raise UsageError(f"{path}: {name} is {quote(values[name])}, which is not of the type {kind}")
    return About(**{name: value for name, value in values.items() if name in kinds})


def read(folder):
    """Returns the model and the sampler of the preset in `folder`; the sampler may be None.

    Raises:
        UsageError: A file is missing, damaged, or not of the expected kind.
    """
    folder = Path(folder)
    checksums.check_sealed(folder)
    name = read_facts(folder).sampler
    try:
        sampler = load(folder / SAMPLER) if name else None
        model = load_model(folder)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{folder} cannot be loaded: {first_line(error)}") from error
    fits = sampler is None or tuple(sampler.latent_shape) == getattr(model, "latent_shape", None)
    if not fits or (name and name != name_of(sampler)):
        raise UsageError(f"{folder} cannot be loaded: {SAMPLER} is not the {name} of this model")
    return model, sampler


def load_model(path):
    """Returns the model in a `.keras` file or a folder, without its optimizer and without repeating its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return keras.saving.load_model(path, compile=False)
