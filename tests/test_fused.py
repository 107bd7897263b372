"""Fused gradients are the gradients."""

import numpy as np
import pytest
import tensorflow as tf

from keras_vae.fused import fused
from keras_vae.gradients import derivative_along
from keras_vae.layers import Activation
from keras_vae.lazy import keras
from keras_vae.networks.fields import ACTIVATIONS

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


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_the_layer_is_keras_own_but_for_its_gradient(policy):
    layer = Activation("silu", dtype=policy)
    np.testing.assert_array_equal(
        tf.cast(layer(INPUTS), "float32"),
        tf.cast(keras.layers.Activation("silu", dtype=policy)(INPUTS), "float32"),
    )
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(again) is Activation
    assert again.get_config() == layer.get_config()
