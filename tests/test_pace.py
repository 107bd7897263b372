"""How many steps a call takes, and where batches wait."""

import numpy as np
import pytest
import tensorflow as tf

from keras_vae import VAE
from keras_vae.model.networks import Convolutional
from keras_vae.runtime.lazy import keras
from keras_vae.training import pace


def small(widths=(4,)):
    """A model of 8x8 grey images with a latent of 2."""
    return VAE((8, 8, 1), 2, likelihood="bernoulli", network=Convolutional(widths, dense=0))


def test_flops_of_an_image_are_those_of_its_layers():
    # Down: 3x3x1x4 at 16 places, heads 2 x 64x2. Up: 2x64 (unflatten), 3x3x4x4 transposed from 16 places, 3x3x4x1 at 64.
    multiplications = 36 * 16 + 2 * 128 + 128 + 144 * 16 + 36 * 64
    assert pace.flops_of_image(small()) == 6 * multiplications


@pytest.mark.parametrize(("steps", "expected"), [(100, 10), (9, 9), (14, 7), (13, 1), (1, 1)])
def test_an_epoch_is_divided_into_calls_alike(steps, expected):
    assert pace.steps_per_execution(small(), 32, steps) == expected


def test_a_call_of_a_large_model_is_a_step():
    assert pace.steps_per_execution(small((2000, 2000)), 4096, 100) == 1


def test_batches_that_wait_on_a_device_are_the_batches():
    numbers = tf.data.Dataset.range(5)
    assert list(pace.prefetched(numbers, "/CPU:0").as_numpy_iterator()) == [0, 1, 2, 3, 4]
    assert pace.on_device(numbers) is numbers  # no GPU here


def test_what_was_chosen_is_said():
    model = small()
    model.compile("adam", jit_compile=False)
    assert pace.describe(model) == ""
    model.compile("adam", jit_compile=True, steps_per_execution=5)
    assert pace.describe(model) == "compiled by XLA"


@pytest.mark.long
def test_a_model_trains_alike_however_many_steps_a_call_takes():
    images = np.random.default_rng(0).random((24, 8, 8, 1), "float32")
    weights = []
    for steps in (1, 3):
        keras.utils.set_random_seed(0)
        model = small()
        model.compile(keras.optimizers.Adam())
        model.steps_per_execution = steps
        batches = pace.prefetched(tf.data.Dataset.from_tensor_slices(images).batch(4).repeat(), "/CPU:0")
        model.fit(batches, steps_per_epoch=6, epochs=2, verbose=0)
        weights.append(model.get_weights())
    for one, several in zip(*weights, strict=True):
        np.testing.assert_allclose(one, several, rtol=1e-5, atol=1e-6)
