"""Quantized layers in a model's config. Keras stores them in the configs of layers, which our config lacks."""

import warnings

from keras_vae.runtime.lazy import keras
from keras_vae.runtime.upstream import layers_for_quantization


def quantized_layers(model):
    """Returns how the layers of `model` were quantized, a JSON dict: a layer's number -> mode and configuration.

    Layers are numbered in the order in which the model was built, since their names differ between instances.
    """
    found = {}
    for number, layer in enumerate(layers_for_quantization(model)):
        mode = getattr(layer, "quantization_mode", None)
        if mode is not None:
            config = getattr(layer, "quantization_config", None)
            found[str(number)] = {"mode": mode, "config": keras.saving.serialize_keras_object(config)}
    return found


def quantize_layers(model, quantized):
    """Quantizes the layers of a new `model` as in `quantized_layers`, before its weights are loaded."""
    layers = layers_for_quantization(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # already shown when the model was quantized
        for number, how in quantized.items():
            config = keras.saving.deserialize_keras_object(how["config"])
            layers[int(number)].quantize(how["mode"], config=config)
