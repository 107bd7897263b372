"""Where the codes of new images are drawn from: densities over codes.

A sampler is a frozen dataclass whose first field is `latent_shape`. Its methods have the same signature in
all of them:

    fit(codes)       the sampler fitted to `codes`, `[n, *latent]`; the one that it is called on stays as it was
    sample(seeds)    codes, float32 `[n, *latent]`, from `seeds`, int64 `[n]`: row i depends on seeds[i] alone
    log_prob(codes)  the log density of `codes`, `[n]`, in nats

`sample` is also traced into the decoder's SavedModel (`keras_vae.export`), so it is written in TensorFlow, for
any n, 0 included, and draws its noise with `standard_normal`. What a fitted sampler holds goes into the export
as constants where it is arrays, as weights where it is variables.
"""

import functools
from dataclasses import dataclass

from keras_vae.densities import standard_normal_log_density, sum_per_image
from keras_vae.lazy import tf


@dataclass(frozen=True)
class Prior:
    """N(0, I), what a variational autoencoder is trained to decode from.

    A plain autoencoder has no prior; for one this is where a person would look first, and no more.
    """

    latent_shape: tuple[int, ...]

    def fit(self, codes):
        """Returns the prior itself: nothing in it depends on `codes`."""
        del codes
        return self

    def sample(self, seeds):
        """Returns codes drawn from N(0, I), float32 `[n, *latent]`, row i from `seeds[i]` alone."""
        return standard_normal(seeds, self.latent_shape)

    def log_prob(self, codes):
        """Returns log N(codes; 0, I), `[n]`, in nats."""
        return sum_per_image(standard_normal_log_density(codes))


def standard_normal(seeds, shape, stream=0):
    """Returns normal noise, float32 `[n, *shape]`, row i from `seeds[i]` alone, whatever the other rows are.

    The generator is Philox, named so that a SavedModel draws on any machine what it drew here (XLA would draw
    other numbers). One operation takes one seed, so each row is an operation of its own: about 40 microseconds
    for 32 numbers, 1.5 milliseconds for 65,536.

    Args:
        seeds: Any int64, `[n]`.
        shape: Shape of a row, known numbers.
        stream: Which of several independent draws with the same seeds this is.
    """
    return rows_of_noise(tuple(shape), stream)(tf.convert_to_tensor(seeds, "int64"))


@functools.cache
def rows_of_noise(shape, stream):
    """Returns the function from seeds to noise, compiled to a graph: run eagerly, a row takes 2 milliseconds."""

    def row(seed):
        return tf.random.stateless_normal(shape, tf.stack([seed, tf.constant(stream, "int64")]), alg="philox")

    def rows(seeds):
        return tf.map_fn(row, seeds, fn_output_signature=tf.TensorSpec(shape, "float32"))

    return tf.function(rows, input_signature=[tf.TensorSpec((None,), "int64")], autograph=False)
