"""Exports of decoder and encoder to LiteRT, ONNX and OpenVINO by `keras.Model.export`."""

from pathlib import Path

from keras_vae.model.saving import FORMATS, check_packages
from keras_vae.runtime.lazy import keras


def export_for(format, model, folder):
    """Writes the decoder and the encoder of a model for another runtime, and returns their paths by name.

    The decoder takes codes and returns images in [0, 1]; the encoder takes images and returns mean and log-variance. A
    conditional model's parts also take labels, one-hot, as further channels.

    Args:
        format: "litert", "onnx" or "openvino".
        model: An `Autoencoder`.
        folder: The folder of the files, which is created if it does not exist.

    Raises:
        ImportError: The package that writes the format is not installed.
    """
    check_packages(format)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, part in {"decoder": decoder_of(model), "encoder": encoder_of(model)}.items():
        path = folder / f"{name}{FORMATS[format] or '.onnx'}"
        part.export(str(path), format=format, verbose=False)
        paths[name] = path
    return paths


def decoder_of(model):
    """Returns the Keras model from codes to images."""
    codes = keras.Input(model.decoder.input.shape[1:], name="latent")
    return keras.Model(codes, model.likelihood.mean(model.decoder(codes, training=False)), name="decoder")


def encoder_of(model):
    """Returns the Keras model from images to the mean and log-variance of their codes."""
    images = keras.Input(model.encoder.input.shape[1:], name="image")
    mean, log_var = model.latent.moments(model.encoder(images, training=False))
    return keras.Model(images, [mean, log_var], name="encoder")
