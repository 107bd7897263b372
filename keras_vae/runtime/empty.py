"""Empty batches, which some layers of TensorFlow and Keras do not accept."""

from keras_vae.runtime.lazy import tf


def of_any_count(function):
    """Returns `function`, a function of batches, made to work on empty batches too.

    oneDNN's fused convolution gives an empty batch a wrong shape, and the next convolution rejects it (TensorFlow 2.21:
    "input depth must be evenly divisible by filter depth"). Keras 3.15 takes the sum of two empty batches for a bias
    ("Biases must be 1D"). A row of zeros is therefore added to an empty batch, and its result is removed.
    """

    def with_spare(rows):
        # tf.pad does not work: TensorFlow fuses it into a 1x1 convolution, which pads only height and width.
        lacking = tf.cast(tf.equal(tf.shape(rows)[0], 0), "int32")
        spare = tf.zeros(tf.concat([[lacking], rows.shape[1:]], axis=0), rows.dtype)
        some_rows = tf.concat([rows, spare], axis=0)
        some_rows.set_shape((None, *rows.shape[1:]))
        return some_rows

    def padded(*batches):
        count = tf.shape(batches[0])[0]
        return tf.nest.map_structure(lambda result: result[:count], function(*map(with_spare, batches)))

    return padded
