"""Presets: trained models in folders, each with its recommended sampler, its results and a model card.

    config.json, metadata.json, model.weights.h5    the model without its optimizer, as Keras writes it to a folder and
                                                    to the Hugging Face Hub
    sampler.npz      the sampler to draw from, if one is better than the prior
    preset.json      licences, and the settings of the training
    results.json     the essential results of the evaluation
    README.md        the model card, made of these
    checksums.json   SHA-256 of the files

No other file is read, and none of these is a program: the model is loaded in Keras' safe mode, arrays without pickles.

Imports: `samplers`, `config`. Begin with `folder.py`; `finding.py` finds a preset by name, path or address.
"""

from keras_vae.presets.finding import find, is_known, is_preset, known, name_of, unknown
from keras_vae.presets.folder import (
    FILES,
    PRESET,
    RESULTS,
    WEIGHTS,
    About,
    load_model,
    read,
    read_facts,
    write,
)

__all__ = [
    "FILES",
    "PRESET",
    "RESULTS",
    "WEIGHTS",
    "About",
    "find",
    "is_known",
    "is_preset",
    "known",
    "load_model",
    "name_of",
    "read",
    "read_facts",
    "unknown",
    "write",
]
