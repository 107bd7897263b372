"""Normal noise from one seed per row, for samplers."""

import functools

from keras_vae.runtime.lazy import tf


def standard_normal(seeds, shape, stream=0):
    """Returns normal noise, float32 `[n, *shape]`. Row i depends only on `seeds[i]`.

    The generator is always Philox, so a SavedModel draws the same numbers on every machine (XLA's default differs). An
    operation takes one seed, so each row is a separate operation: about 40 microseconds for 32 numbers and 1.5
    milliseconds for 65,536.

    Args:
        seeds: Any int64, `[n]`.
        shape: The static shape of a row.
        stream: The number of the draw: different streams of the same seeds are independent.
    """
    return rows_of_noise(tuple(shape), stream)(tf.convert_to_tensor(seeds, "int64"))


@functools.cache
def rows_of_noise(shape, stream):
    """Returns the function from seeds to noise, compiled to a graph. Eagerly, a row would take 2 milliseconds."""

    def row(seed):
        return tf.random.stateless_normal(shape, tf.stack([seed, tf.constant(stream, "int64")]), alg="philox")

    def rows(seeds):
        return tf.map_fn(row, seeds, fn_output_signature=tf.TensorSpec(shape, "float32"))

    return tf.function(rows, input_signature=[tf.TensorSpec((None,), "int64")], autograph=False)
