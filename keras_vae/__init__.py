"""Convolutional variational autoencoders in Keras that can generate, or that say why they cannot.

The names below are imported when they are first used: `import keras_vae` costs nothing, and `--help` needs no
TensorFlow. Our layers and models register with Keras as soon as both packages are imported, in either order.
"""

import importlib

from keras_vae.runtime.lazy import AfterImport

# What the package offers, and the module that has it.
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
    "evaluate": "evaluation",
    "from_functions": "evaluation.subject",
}
__all__ = list(PUBLIC)


def __getattr__(name):
    if name not in PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"keras_vae.{PUBLIC[name]}"), name)


def __dir__():
    return sorted([*globals(), *PUBLIC])


for module in ("model.autoencoder", "layers.kernels.layers"):
    AfterImport("keras", f"keras_vae.{module}").install()
