"""`--features inception` with weights on the machine: Keras' network, filled with noise, where Keras keeps its own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae import load_dataset
from keras_vae.evaluation.features import INCEPTION_FILE, choose_features

pytestmark = pytest.mark.long

COLOURS = (3, 1)


@pytest.fixture(scope="module")
def body(tmp_path_factory):
    """InceptionV3 with random weights, which a file under the name of the real ones holds."""
    keras.utils.set_random_seed(0)
    body = keras.applications.InceptionV3(include_top=False, weights=None, pooling="avg")
    folder = tmp_path_factory.mktemp("keras")
    (folder / "models").mkdir()
    body.save(folder / "models" / INCEPTION_FILE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_HOME", str(folder))
        yield body


@pytest.fixture(scope="module", params=COLOURS)
def described(request, body, tmp_path_factory):
    """Images of 20x30 pixels, and the features chosen for them."""
    images = np.random.default_rng(request.param).integers(0, 256, (12, 20, 30, request.param), dtype="uint8")
    path = tmp_path_factory.mktemp("images") / "images.npy"
    np.save(path, images)
    dataset = load_dataset(str(path))
    return dataset.train.images(0, 3), choose_features(dataset, "inception")


def test_features_are_those_of_the_weights_in_the_file(body, described):
    images, features = described
    colour = np.repeat(images, 3 // images.shape[-1], axis=-1)
    pixels = keras.applications.inception_v3.preprocess_input(
        255 * tf.image.resize(colour, (299, 299), method="bilinear").numpy()
    )
    expected = np.asarray(body(pixels, training=False))
    expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    found = features(images)
    assert found.shape == (3, 2048)
    assert np.ptp(found, axis=0).max() > 1e-4  # else all images look alike, and nothing is compared
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_distance_is_called_fid_and_whose_weights_they_are(described):
    features = described[1]
    assert features.name == "inception"
    assert features.metric_name.startswith("FID (Keras' Inception weights")
