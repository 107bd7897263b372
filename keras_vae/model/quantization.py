"""Quantized layers in a model's config. Keras stores them in the configs of layers, which ours does not contain."""

import warnings

from keras_vae.runtime.lazy import keras


def quantized_layers(model):
    """Returns how the layers of `model` were quantized, a JSON dict: a layer's number -> mode and configuration.

    The numbers count all layers of the model in the order in which it was built: their names differ from one instance
    to the next.
    """
    found = {}
    for number, layer in enumerate(all_layers(model)):
        mode = getattr(layer, "quantization_mode", None)
        if mode is not None:
            config = getattr(layer, "quantization_config", None)
            found[str(number)] = {"mode": mode, "config": keras.saving.serialize_keras_object(config)}
    return found


def quantize_layers(model, quantized):
    """Quantizes the layers of a new `model` as `quantized_layers` says; their weights are still to be loaded."""
    layers = all_layers(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what they say was said when the model was quantized
        for number, how in quantized.items():
            config = keras.saving.deserialize_keras_object(how["config"])
            layers[int(number)].quantize(how["mode"], config=config)


def all_layers(model):
    """Returns the layers that `keras.Model.quantize` goes through, which no public method lists."""
    return list(model._flatten_layers(include_self=False))
