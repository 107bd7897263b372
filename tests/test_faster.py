"""The faster layers are Keras' own."""

import numpy as np
import pytest
import tensorflow as tf

from keras_vae.layers.gradients import derivative_along
from keras_vae.layers.kernels import layers as faster
from keras_vae.layers.kernels.window import Window
from keras_vae.runtime.lazy import keras

RANDOM = np.random.default_rng(0)

# Size of the map, channels, filters, and what the layer is told; kernels that see all at once, that go beyond the map,
# strides that leave a rest, and shapes that stay with oneDNN.
CONVOLUTIONS = {
    "same, stride 2, even": (8, 3, 200, {"kernel_size": 3, "strides": 2, "padding": "same"}),
    "same, stride 2, odd": (7, 2, 200, {"kernel_size": 4, "strides": 2, "padding": "same"}),
    "valid, with a rest": (9, 2, 100, {"kernel_size": 4, "strides": 2, "padding": "valid"}),
    "one place, valid": (5, 3, 4, {"kernel_size": 4, "strides": 2, "padding": "valid"}),
    "one place, same": (2, 3, 4, {"kernel_size": 5, "strides": 2, "padding": "same"}),
    "kernels of 1": (4, 3, 200, {"kernel_size": 1, "padding": "same"}),
    "strides that differ": (6, 2, 200, {"kernel_size": (3, 2), "strides": (3, 1), "padding": "same"}),
    "few channels": (8, 3, 5, {"kernel_size": 3, "strides": 2, "padding": "same"}),
    "groups": (2, 4, 8, {"kernel_size": 3, "groups": 2, "padding": "same"}),
}
TRANSPOSED = {
    "same, stride 2": (4, 200, 3, {"kernel_size": 3, "strides": 2, "padding": "same"}),
    "same, to an odd size": (
        4,
        200,
        3,
        {"kernel_size": 3, "strides": 2, "padding": "same", "output_padding": 0},
    ),
    "valid": (3, 100, 2, {"kernel_size": 4, "strides": 2, "padding": "valid"}),
    "few channels": (4, 3, 5, {"kernel_size": 3, "strides": 2, "padding": "same"}),
}
LAYERS = [
    *(("Conv2D", *row) for row in CONVOLUTIONS.items()),
    *(("Conv2DTranspose", *row) for row in TRANSPOSED.items()),
]


def rounded(shape):
    """Returns numbers that bfloat16 has, as float32."""
    values = tf.cast(RANDOM.normal(size=shape), "bfloat16")
    return tf.cast(values, "float32").numpy()


def pair(name, size, channels, filters, options):
    """Returns our layer in mixed_bfloat16, Keras' in float32 and in mixed_bfloat16, of the same weights, and inputs."""
    inputs = rounded((2, size, size, channels))
    layers = (
        getattr(faster, name)(filters, dtype="mixed_bfloat16", **options),
        getattr(keras.layers, name)(filters, dtype="float32", **options),
        getattr(keras.layers, name)(filters, dtype="mixed_bfloat16", **options),
    )
    for layer in layers:
        layer(inputs)
    weights = [rounded(weight.shape) / 4 for weight in layers[0].get_weights()]
    for layer in layers:
        layer.set_weights(weights)
    return *layers, tf.constant(inputs)


def derivatives(layer, inputs):
    """Returns the outputs, the gradients by inputs and weights of half the sum of squares, and one in forward mode."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = tf.cast(layer(inputs), "float32")
        total = tf.reduce_sum(outputs**2) / 2
    gradients = tape.gradient(total, [inputs, *(weight.value for weight in layer.trainable_weights)])
    along = derivative_along(lambda given: tf.cast(layer(given), "float32"), inputs, tf.ones_like(inputs))
    return [outputs, *gradients, along]


def assert_near(mine, plain, rounded_too=None):
    """Asserts an error of 2% of the largest number, or a quarter more than that of Keras' own layer in mixed_bfloat16.

    Each number is a sum of rounded ones, so that its error goes with the size of the others; some processors round
    the sums too.
    """
    plain = np.asarray(plain)
    largest = np.abs(plain).max()
    error = 0 if rounded_too is None else np.abs(np.asarray(tf.cast(rounded_too, "float32")) - plain).max()
    assert error < 0.1 * largest
    np.testing.assert_allclose(tf.cast(mine, "float32"), plain, atol=max(0.02 * largest, 1.25 * error))


@pytest.mark.long
@pytest.mark.parametrize("activation", [None, "silu"])
@pytest.mark.parametrize(
    ("name", "case", "row"), LAYERS, ids=lambda part: part if isinstance(part, str) else ""
)
def test_values_and_derivatives_are_those_of_keras(name, case, row, activation):
    size, channels, filters, options = row
    *layers, inputs = pair(name, size, channels, filters, {**options, "activation": activation})
    for found in zip(*(derivatives(layer, inputs) for layer in layers), strict=True):
        assert_near(*found)


@pytest.mark.parametrize("options", [{"activation": "tanh"}, {"activation": "silu", "use_bias": False}, {}])
def test_a_dense_layer_is_that_of_keras(options):
    *layers, inputs = pair("Dense", 3, 5, 7, options)
    for found in zip(*(derivatives(layer, inputs) for layer in layers), strict=True):
        assert_near(*found)


@pytest.mark.parametrize(
    ("case", "row"), CONVOLUTIONS.items(), ids=lambda part: part if isinstance(part, str) else ""
)
def test_the_gradient_by_the_kernel_is_that_of_tensorflow(case, row):
    # In float64, where nothing but the algebra is left.
    size, channels, filters, options = row
    if "groups" in options:
        pytest.skip("groups stay with TensorFlow")
    layer = keras.layers.Conv2D(filters, **options)
    maps = tf.constant(RANDOM.normal(size=(3, size, size, channels)))
    kernel = tf.constant(RANDOM.normal(size=(*layer.kernel_size, channels, filters)))
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        outputs = tf.nn.conv2d(maps, kernel, layer.strides, layer.padding.upper())
    upstream = tf.constant(RANDOM.normal(size=outputs.shape))
    window = Window(layer, maps.shape, outputs.shape)
    np.testing.assert_allclose(
        window.kernel_gradient(maps, upstream), tape.gradient(outputs, kernel, upstream), atol=1e-12
    )


@pytest.mark.parametrize("training", [True, False])
def test_batch_normalization_and_its_averages_are_those_of_keras(training):
    inputs = tf.constant(rounded((4, 3, 3, 5)) * 2 + 1)
    mine = faster.BatchNormalization(momentum=0.5, dtype="mixed_bfloat16")
    plain = keras.layers.BatchNormalization(momentum=0.5, dtype="float32")
    results = []
    for layer in (mine, plain):
        layer(inputs)
        layer.set_weights(
            [np.linspace(0.5, 2, 5), np.linspace(-1, 1, 5), np.linspace(0, 1, 5), np.linspace(1, 3, 5)]
        )
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = tf.cast(layer(inputs, training=training), "float32")
            total = tf.reduce_sum(
                outputs * tf.constant(np.cos(np.arange(180)).reshape(4, 3, 3, 5), "float32")
            )
        weights = [weight.value for weight in layer.trainable_weights]
        results.append([outputs, *tape.gradient(total, [inputs, *weights]), *layer.get_weights()[2:]])
    for found, expected in zip(*results, strict=True):
        assert_near(found, expected)
    # Half of the averages is this batch's; a variance divided by n - 1 = 35 would be 3% larger.
    for found, expected in zip(results[0][-2:], results[1][-2:], strict=True):
        np.testing.assert_allclose(found, expected, rtol=5e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["Conv2D", "Conv2DTranspose"])
@pytest.mark.parametrize("row", ["few channels", "many channels", "one place"])
def test_in_float32_they_are_those_of_keras(name, row, monkeypatch):
    # Few channels stay with Keras, bit for bit; else sums of some thousand products are added up in another order.
    # 240 channels are many for 2x2 places: of the outputs, or of what a transposed convolution enlarges.
    size, channels = {"few channels": (6, 8), "many channels": (4, 240), "one place": (2, 8)}[row]
    if name == "Conv2DTranspose":
        size //= 2
    options = {"kernel_size": 3, "strides": 2, "padding": "same", "activation": "silu", "dtype": "float32"}
    filters = 240 if row == "many channels" else 8
    products = []
    product = Window.kernel_gradient
    monkeypatch.setattr(Window, "kernel_gradient", lambda *given: products.append(given) or product(*given))
    mine, plain = (getattr(module, name)(filters, **options) for module in (faster, keras.layers))
    inputs = tf.constant(rounded((2, size, size, channels)))
    mine(inputs), plain(inputs)
    plain.set_weights([rounded(weight.shape) / 4 for weight in plain.get_weights()])
    mine.set_weights(plain.get_weights())
    for found, expected in zip(derivatives(mine, inputs), derivatives(plain, inputs), strict=True):
        if row == "few channels":
            np.testing.assert_array_equal(found, expected)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    assert bool(products) == (row == "many channels")


@pytest.mark.parametrize("name", ["Activation", "BatchNormalization", "Conv2D", "Conv2DTranspose"])
def test_they_are_saved_under_their_own_names(name):
    arguments = {"Activation": ("silu",), "BatchNormalization": ()}.get(name, (4, 3))
    layer = getattr(faster, name)(*arguments, dtype="mixed_bfloat16")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(again) is getattr(faster, name)
    assert again.get_config() == layer.get_config()
