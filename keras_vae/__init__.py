"""Convolutional variational autoencoders in Keras that can generate, or that say why they cannot.

`import keras_vae` imports Keras and registers our classes with it, so that `keras.saving.load_model` reads their files.
The commands start in the module `keras_vae_commands`, or as `python -m keras_vae.sweep`: they import Keras only after
the command line has been understood. The names below are imported when they are first used.
"""

import importlib
import sys
from typing import TYPE_CHECKING

# The public names, and the module of each.
PUBLIC = {
    "VAE": "model.autoencoder",
    "Autoencoder": "model.autoencoder",
    "Sampling": "layers.basic",
    "load_dataset": "data",
    "DATASETS": "data",
    "OBJECTIVES": "model.objectives",
    "LIKELIHOODS": "model.likelihoods",
    "NETWORKS": "model.networks",
    "PRIORS": "model.priors",
    "CORRUPTIONS": "model.corruptions",
    "REGULARIZERS": "model.regularizers",
    "SAMPLERS": "samplers",
    "Config": "training.config",
    "train": "training.loop",
    "evaluate": "report.shown",
    "show": "report.shown",
    "LadderDisplay": "report.displays",
    "CodesDisplay": "report.displays",
    "HistoryDisplay": "report.displays",
    "ReconstructionsDisplay": "report.displays",
    "from_functions": "evaluation.subject",
}
__all__ = list(PUBLIC)

if TYPE_CHECKING:  # type checkers do not know `__getattr__`
    from keras_vae.data import DATASETS as DATASETS
    from keras_vae.data import load_dataset as load_dataset
    from keras_vae.evaluation.subject import from_functions as from_functions
    from keras_vae.layers.basic import Sampling as Sampling
    from keras_vae.model.autoencoder import VAE as VAE
    from keras_vae.model.autoencoder import Autoencoder as Autoencoder
    from keras_vae.model.corruptions import CORRUPTIONS as CORRUPTIONS
    from keras_vae.model.likelihoods import LIKELIHOODS as LIKELIHOODS
    from keras_vae.model.networks import NETWORKS as NETWORKS
    from keras_vae.model.objectives import OBJECTIVES as OBJECTIVES
    from keras_vae.model.priors import PRIORS as PRIORS
    from keras_vae.model.regularizers import REGULARIZERS as REGULARIZERS
    from keras_vae.report.displays import CodesDisplay as CodesDisplay
    from keras_vae.report.displays import HistoryDisplay as HistoryDisplay
    from keras_vae.report.displays import LadderDisplay as LadderDisplay
    from keras_vae.report.displays import ReconstructionsDisplay as ReconstructionsDisplay
    from keras_vae.report.shown import evaluate as evaluate
    from keras_vae.report.shown import show as show
    from keras_vae.samplers import SAMPLERS as SAMPLERS
    from keras_vae.training.config import Config as Config
    from keras_vae.training.loop import train as train


def __getattr__(name):
    if name not in PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"keras_vae.{PUBLIC[name]}"), name)


def __dir__():
    return sorted([*globals(), *PUBLIC])


# `python -m` has "-m" in the place of the program's name while it imports the package of the module that it runs.
RUNS_A_PACKAGE = sys.argv[:1] == ["-m"]
IS_OURS = any(word.removeprefix("-m").partition(".")[0] == "keras_vae" for word in sys.orig_argv)
if "keras_vae_commands" not in sys.modules and not (RUNS_A_PACKAGE and IS_OURS):
    from keras_vae.runtime.devices import quiet

    with quiet():
        importlib.import_module("keras_vae.model.registered")
