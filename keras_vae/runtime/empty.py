"""Batches without rows, which TensorFlow's and Keras' layers do not all take."""

from keras_vae.runtime.lazy import tf


def of_any_count(function):
    """Returns `function` of batches, made to work where they have no rows.

    oneDNN's fused convolution gives an empty batch a wrong shape, and the next convolution refuses it
    (TensorFlow 2.21: "input depth must be evenly divisible by filter depth"), and Keras 3.15 takes the sum of two for a
    bias ("Biases must be 1D"). So a row of zeros is added first, and its results are removed.
    """

    def with_spare(rows):
        # Not by tf.pad: TensorFlow fuses that into a 1x1 convolution, which pads height and width alone.
        lacking = tf.cast(tf.equal(tf.shape(rows)[0], 0), "int32")
        spare = tf.zeros(tf.concat([[lacking], rows.shape[1:]], axis=0), rows.dtype)
        some_rows = tf.concat([rows, spare], axis=0)
        some_rows.set_shape((None, *rows.shape[1:]))
        return some_rows

    def padded(*batches):
        count = tf.shape(batches[0])[0]
        return tf.nest.map_structure(lambda result: result[:count], function(*map(with_spare, batches)))

    return padded
