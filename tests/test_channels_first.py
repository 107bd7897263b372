"""Keras configured to channels first, as some users' keras.json does: our layers say themselves where channels are."""

import numpy as np
import pytest

from keras_vae.evaluation import features
from keras_vae.model.autoencoder import Autoencoder
from keras_vae.model.networks.convolutional import Convolutional
from keras_vae.model.networks.mlp import Perceptron
from keras_vae.model.networks.residual import Residual
from keras_vae.runtime.lazy import keras
from keras_vae.samplers.pixel_cnn import PixelCNN

SMALL = {"widths": (4, 8), "dense": 8}
MODELS = {
    "mlp": (Perceptron(hidden=(8,)), 3, {}),
    "convolutional": (Convolutional(**SMALL, normalization="batch"), 3, {"objective": "factor_vae"}),
    "spatial": (Convolutional(widths=(4,), normalization="group"), (2, 3, 2), {}),
    "bfloat16": (Convolutional(**SMALL, normalization="layer"), 3, {"dtype": "mixed_bfloat16"}),
    "residual": (Residual(**SMALL, down="average"), 3, {}),
    "transposed": (Residual(**SMALL, up="transposed"), (3, 3, 2), {}),
}


@pytest.fixture
def channels_first():
    """Returns a function that configures Keras; afterwards it is as before."""
    configured = keras.config.image_data_format()
    yield lambda: keras.config.set_image_data_format("channels_first")
    keras.config.set_image_data_format(configured)


def make(name):
    network, latent, settings = MODELS[name]
    keras.utils.set_random_seed(2)
    # Sizes that no halving divides, so that there is padding, and three different ones.
    model = Autoencoder((9, 7, 3), latent, network=network, **settings)
    model.compile(keras.optimizers.SGD(1e-3), run_eagerly=True)
    return model


@pytest.mark.long
@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_the_same_under_channels_first(name, channels_first):
    images = np.random.default_rng(0).uniform(size=(4, 9, 7, 3)).astype("float32")
    usual = make(name)
    channels_first()
    model = make(name)
    assert [weight.shape for weight in model.weights] == [weight.shape for weight in usual.weights]
    model.set_weights(usual.get_weights())
    for trained in (False, True):
        if trained:
            losses = [one.train_on_batch(images) for one in (model, usual)]
            np.testing.assert_allclose(*losses, rtol=1e-5)
        shown = model.decode(model.encode(images)[0])
        assert shown.shape == images.shape
        np.testing.assert_allclose(shown, usual.decode(usual.encode(images)[0]), atol=1e-5)


def test_features_are_the_same_under_channels_first(channels_first):
    images = np.random.default_rng(1).uniform(size=(3, 12, 9, 1)).astype("float32")
    builders = [
        lambda: features.build_random((12, 9, 1), 0),
        lambda: features.build_classifier((12, 9, 1), 4, 0),
    ]
    expected = [build()(images) for build in builders]
    channels_first()
    for one, other in zip(expected, [build()(images) for build in builders]):
        for ours, theirs in zip(keras.tree.flatten(one), keras.tree.flatten(other)):
            np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_inception_is_built_with_channels_last_and_the_configuration_kept(channels_first):
    channels_first()
    with features.channels_last():
        assert keras.config.image_data_format() == "channels_last"
    assert keras.config.image_data_format() == "channels_first"


def test_a_pixel_cnn_is_the_same_under_channels_first(channels_first):
    indices = np.random.default_rng(2).integers(0, 5, (2, 3, 4)).astype("int32")
    usual = PixelCNN((3, 4, 2), depth=1, width=4).network(5)(indices)
    channels_first()
    np.testing.assert_allclose(PixelCNN((3, 4, 2), depth=1, width=4).network(5)(indices), usual, atol=1e-6)
