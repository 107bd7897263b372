"""Fused functions are the functions, and so are their gradients."""

import numpy as np
import pytest
import tensorflow as tf

from keras_vae.layers.gradients import derivative_along
from keras_vae.layers.kernels.fused import fused
from keras_vae.model.networks.fields import ACTIVATIONS
from keras_vae.runtime.lazy import keras

INPUTS = np.random.default_rng(0).normal(size=(4, 6)).astype("float32") * 3


def derivatives(function, inputs):
    """The values, the first and the second derivatives of the sum of their squares, and one in forward mode."""
    inputs = tf.constant(inputs)
    with tf.GradientTape() as outer:
        outer.watch(inputs)
        with tf.GradientTape() as inner:
            inner.watch(inputs)
            values = function(inputs)
            total = tf.reduce_sum(values**2)
        first = inner.gradient(total, inputs)
        square = tf.reduce_sum(first**2)
    return values, first, outer.gradient(square, inputs), derivative_along(function, inputs, inputs)


@pytest.mark.long
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivatives_of_any_order_are_those_of_the_function(name):
    activation = keras.activations.get(name)
    for mine, plain in zip(
        derivatives(fused(activation), INPUTS), derivatives(activation, INPUTS), strict=True
    ):
        np.testing.assert_allclose(mine, plain, rtol=1e-5, atol=1e-5)


def test_in_bfloat16_the_gradient_is_rounded_once():
    # One rounding to 8 significant bits errs by at most 2^-8 of the value; TensorFlow's own steps add up to more.
    rounded = tf.cast(INPUTS, "bfloat16")
    with tf.GradientTape() as tape:
        tape.watch(rounded)
        values = fused(keras.activations.silu)(rounded)
    exact = tf.cast(rounded, "float64")
    sigmoid = 1 / (1 + np.exp(-exact))
    gradient = tape.gradient(values, rounded)
    assert gradient.dtype == tf.bfloat16
    np.testing.assert_allclose(
        tf.cast(gradient, "float64"), sigmoid * (1 + exact * (1 - sigmoid)), rtol=2.0**-8 * 1.001
    )


def test_the_bias_is_added_before_and_its_gradient_is_the_sum_over_all_but_channels():
    # d/db_c sum_n f(x_nc + b_c)^2 = sum_n 2 f f'
    bias = np.linspace(-1, 1, 6).astype("float32")
    found = []
    for function in (fused(tf.nn.silu), lambda inputs, bias: tf.nn.silu(inputs + bias)):
        with tf.GradientTape() as tape:
            given = tf.constant(INPUTS), tf.constant(bias)
            tape.watch(given)
            values = function(*given)
            total = tf.reduce_sum(values**2)
        found.append([values, *tape.gradient(total, given)])
    for mine, plain in zip(*found, strict=True):
        np.testing.assert_allclose(mine, plain, rtol=1e-5, atol=1e-5)
