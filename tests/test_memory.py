"""Memory that a call takes: of many images at once, no more than the result and a batch."""

import pathlib

import numpy as np
import pytest

from keras_vae.model import batches
from keras_vae.model.autoencoder import VAE
from keras_vae.model.networks import Convolutional, Residual
from keras_vae.runtime.lazy import keras, ops

CLEAR, STATUS = pathlib.Path("/proc/self/clear_refs"), pathlib.Path("/proc/self/status")
PEAK_ONLY = "5"  # what is written to `clear_refs` to reset the peak (proc(5))


def status(field):
    """A field of /proc/self/status in bytes."""
    (line,) = [line for line in STATUS.read_text().splitlines() if line.startswith(f"{field}:")]
    return 1024 * int(line.split()[1])


def growth(function):
    """The most memory that `function()` takes in addition to what the process has, in bytes, and its result."""
    try:
        CLEAR.write_text(PEAK_ONLY)
    except OSError:
        pytest.skip("this system does not tell a process its peak of memory")
    before = status("VmRSS")
    result = function()
    return status("VmHWM") - before, result


def test_samples_take_no_more_memory_than_they_are_and_a_batch():
    model = VAE((256, 256, 3), 2, network=Convolutional((4,), dense=0))
    model.sample(2 * batches.rows_at_once(model))  # what is allocated once
    count = 256
    size = count * 256 * 256 * 3 * 4
    # Of a batch there are the layers' results, what one layer works with, and the images as an array: 45 MB.
    batch = 3 * batches.rows_at_once(model) * batches.results_of(model.decoder) * 4
    assert batch < 0.25 * size
    taken, images = growth(lambda: model.sample(count, seed=1))
    assert 0.9 * size <= taken < 1.5 * size  # joining the batches would take at least twice the size
    assert ops.shape(images) == (count, 256, 256, 3)
    np.testing.assert_allclose(images[-3:], model.decode(model.prior.draw(count, 1)[-3:]), atol=1e-6)


def test_samples_in_batches_are_tensors_like_others():
    model = VAE((8, 8, 1), 2, network=Convolutional((4,), dense=0))
    few, many = model.sample(3), model.sample(600, seed=2)
    assert type(few) is type(many)
    assert few.dtype == many.dtype
    np.testing.assert_allclose(many * 2, 2 * np.asarray(many))


def test_as_many_rows_go_at_once_as_the_results_of_all_layers_allow():
    # 4x4x2 in, 4x4x3 after the convolution, 48 flattened, 5 after the dense layer.
    inputs = keras.Input((4, 4, 2))
    layers = keras.layers
    outputs = layers.Dense(5)(layers.Flatten()(layers.Conv2D(3, 1)(inputs)))
    assert batches.results_of(keras.Model(inputs, outputs)) == 32 + 48 + 48 + 5
    assert batches.results_of(object()) == 0
    assert [batches.images_at_once(64, results) for results in (0, 2**16, 2**17, 2**21, 2**26)] == [
        256,
        256,
        256,
        16,
        1,
    ]


def test_residual_networks_see_fewer_images_at_a_time():
    assert batches.rows_at_once(VAE((64, 64, 3), 8)) == 85
    assert batches.rows_at_once(VAE((64, 64, 3), 8, network=Residual())) == 16
