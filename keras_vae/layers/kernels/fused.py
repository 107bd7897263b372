"""Elementwise functions that are one pass over memory, and so are their gradients."""

import functools

from keras_vae.runtime.lazy import keras, tf

HALF = "bfloat16", "float16"


def pays(dtype):
    """Returns whether fusing makes a model that computes in `dtype` faster here: in half precision, on a CPU."""
    return dtype in HALF and on_cpu()


def on_cpu():
    """Returns whether layers are computed by TensorFlow on a CPU."""
    return keras.backend.backend() == "tensorflow" and not tf.config.list_physical_devices("GPU")


@functools.cache
def fused(function):
    """Returns `function(inputs + bias)`, of each element by itself, as a function that XLA makes one loop of on a CPU.

    TensorFlow takes an operation, and a pass over memory, for the bias, for each factor of the function and of its
    derivative, and computes bfloat16 as rounded float32 each time: these were half of a forward pass. The loop is
    in float32 and rounds once. In float32 itself nothing is gained (`pays`).

    The function returned takes `inputs`, `[..., channels]`, and `bias`, `[channels]`, by default 0.
    """

    def wide(inputs, bias):
        return tf.cast(inputs, "float32") + tf.cast(bias, "float32")

    @functools.partial(tf.function, jit_compile=True)
    def value(inputs, bias):
        return tf.cast(function(wide(inputs, bias)), inputs.dtype)

    @functools.partial(tf.function, jit_compile=True)
    def slope(inputs, bias, upstream):
        shifted = wide(inputs, bias)
        # By the graph, and not by a tape: this may be traced where recording is stopped.
        (gradient,) = tf.gradients(function(shifted), shifted, tf.cast(upstream, "float32"))
        return tf.cast(gradient, inputs.dtype)

    @tf.custom_gradient
    def apply(inputs, bias):
        def gradients(upstream):
            gradient = slope(inputs, bias, upstream)
            return gradient, sum_by_channel(gradient)

        # The gradients are those above alone: TensorFlow would record those of the compiled function besides.
        return value(tf.stop_gradient(inputs), tf.stop_gradient(bias)), gradients

    def with_bias(inputs, bias=None):
        inputs = tf.convert_to_tensor(inputs)
        bias = tf.zeros(inputs.shape[-1:], inputs.dtype) if bias is None else tf.convert_to_tensor(bias)
        return apply(inputs, bias)

    return with_bias


def sum_by_channel(values):
    """Returns the sums over all axes but the last, `[channels]`.

    A product with ones adds in float32, and is up to three times as fast as TensorFlow's sums of bfloat16.
    """
    rows = tf.reshape(values, (-1, values.shape[-1]))
    return tf.matmul(tf.ones((1, tf.shape(rows)[0]), rows.dtype), rows)[0]
