"""`--features dinov2`, with a tiny network in the place of KerasHub's; the real weights were never tried here."""

import sys
import types

import keras
import numpy as np
import pytest

from keras_vae import load_dataset
from keras_vae.errors import FeatureError
from keras_vae.evaluation.features import DINOV2_SIDE, choose_features

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


class Backbone:
    """Gives two tokens: the mean colour of the image, and zeros."""

    loaded = ()

    @classmethod
    def from_preset(cls, preset, image_shape):
        cls.loaded = preset, image_shape
        images = keras.Input(image_shape, name="images")
        colour = keras.layers.GlobalAveragePooling2D(keepdims=True)(images)[:, 0]
        return keras.Model({"images": images}, keras.ops.concatenate([colour, 0 * colour], axis=1))


@pytest.fixture
def preset(tmp_path, monkeypatch):
    """Where a preset is found; KerasHub is a stub."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kagglehub"))
    hub = types.SimpleNamespace(models=types.SimpleNamespace(DINOV2Backbone=Backbone))
    monkeypatch.setitem(sys.modules, "keras_hub", hub)
    folder = tmp_path / "kagglehub" / "models" / "keras" / "dinov2" / "keras" / "dinov2_small" / "1"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    return folder


def images_of(tmp_path, channels):
    images = np.random.default_rng(0).integers(0, 256, (12, 20, 30, channels), dtype="uint8")
    np.save(tmp_path / "images.npy", images)
    return load_dataset(str(tmp_path / "images.npy"))


@pytest.mark.parametrize("channels", [1, 3])
def test_features_are_the_class_token_of_standardised_images(channels, preset, tmp_path):
    dataset = images_of(tmp_path, channels)
    features = choose_features(dataset, "dinov2")
    assert Backbone.loaded == (str(preset), (DINOV2_SIDE, DINOV2_SIDE, 3))
    assert features.name == "dinov2"
    assert "dinov2_small" in features.reason
    images = dataset.train.images(0, 4)
    colour = np.repeat(images, 3 // channels, axis=-1).mean(axis=(1, 2))
    expected = (colour - MEAN) / DEVIATION  # resizing keeps the mean colour, but for the edges
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(features(images), expected, atol=0.05)


def test_without_weights_or_kerashub_one_sentence_says_what_to_do(preset, tmp_path, monkeypatch):
    dataset = images_of(tmp_path, 1)
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(FeatureError, match="pip install keras-hub, or use the features"):
        choose_features(dataset, "dinov2")
    (preset / "config.json").unlink()
    with pytest.raises(FeatureError, match="DINOv2 are not on this machine: put a KerasHub preset"):
        choose_features(dataset, "dinov2")
