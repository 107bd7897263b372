"""Finds the folder of a preset by its name, its path, or its address on the Hugging Face Hub."""

import os
from pathlib import Path

from keras_vae.config.codec import did_you_mean
from keras_vae.errors import UsageError, first_line
from keras_vae.presets.folder import FILES, PRESET

HUB = "hf://"
SHIPPED = Path(__file__).parent / "shipped"  # in the wheel
CHECKOUT = Path(__file__).parents[2]


def known():
    """Returns the folders of the presets on this machine by name: those in the wheel, and in a clone those beside it."""
    places = [SHIPPED, *([CHECKOUT / "presets"] if (CHECKOUT / "setup.cfg").is_file() else [])]
    return {file.parent.name: file.parent for place in places for file in sorted(place.glob(f"*/{PRESET}"))}


def is_preset(path):
    """Returns whether `path` is the folder of a preset."""
    return os.path.isfile(os.path.join(path, PRESET))


def is_known(text):
    """Returns whether `text` names a preset: an address, a folder, or a name."""
    return str(text).startswith(HUB) or is_preset(text) or str(text) in known()


def name_of(text):
    """Returns the name of the preset that `text` names."""
    return Path(str(text).removeprefix(HUB).partition("@")[0]).resolve().name


def find(text):
    """Returns the folder of the preset `text`: a name, the path of a folder, or `hf://user/repository[@revision]`.

    Raises:
        UsageError: No preset has this name, path or address, or it cannot be downloaded.
    """
    text = os.fspath(text)
    if text.startswith(HUB):
        return download(text)
    if is_preset(text):
        return Path(text)
    if text in known():
        return known()[text]
    raise UsageError(f"{text} is not the folder of a preset: {PRESET} is missing. {unknown(text)}")


def unknown(text):
    """Returns the sentence that lists the presets, with the one that `text` may mean."""
    names = known()
    return f"Presets are {', '.join(names)}{did_you_mean(str(text), names)}, and hf://user/repository."


def download(address):
    """Returns the folder into which the Hub's client has downloaded the files of a preset, and no others."""
    try:
        import huggingface_hub
    except ImportError:
        raise UsageError(
            f"{address} needs huggingface_hub, which is not installed: pip install --editable '.[hub]'"
        ) from None
    repository, _, revision = address.removeprefix(HUB).partition("@")
    try:
        folder = huggingface_hub.snapshot_download(
            repo_id=repository,
            revision=revision or None,
            allow_patterns=list(FILES),
            library_name="keras_vae",
        )
    except Exception as error:  # the client has dozens of types, of its own and of its HTTP library
        raise UsageError(f"{address} cannot be downloaded: {first_line(error)}") from error
    if not is_preset(folder):
        raise UsageError(
            f"{address} is not a preset: {PRESET} is missing (a Keras model: keras.saving.load_model(address))"
        )
    return Path(folder)
