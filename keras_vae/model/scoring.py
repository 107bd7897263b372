"""A score of how unusual an image is for a model. It depends only on the image and a seed."""

import operator
import weakref

import numpy as np

from keras_vae.layers.densities import log_mean_exp
from keras_vae.model.batches import in_batches, rows_at_once
from keras_vae.model.twin import twin_in
from keras_vae.runtime.lazy import keras, ops
from keras_vae.samplers.noise import standard_normal

NUM_SAMPLES = 16  # default number of codes per image
STREAM = 1  # stream of the noise: `sample` draws different numbers with the same seed
TWINS: weakref.WeakKeyDictionary = (
    weakref.WeakKeyDictionary()
)  # models of lower precision -> their float32 twins


def score(model, images, labels, num_samples, seed):
    """Returns the score of each image, `[n]`, as described in `Autoencoder.score`, computed in batches."""
    images = model.readable(images)
    count, num_samples = images.shape[0], check_num_samples(num_samples)
    check_scorable(model)
    seeds, model = as_seeds(seed, count), scoring_model(model)
    if labels is not None and model.conditional:
        labels = model.class_numbers(labels, count)
    shared = noise_of(seeds, num_samples, model.latent_shape) if len(seeds) == 1 else None

    def of_batch(images, labels, seeds):
        noise = noise_of(seeds, num_samples, model.latent_shape) if shared is None else shared
        return scores(model, images, noise, labels)

    return in_batches(of_batch, rows_at_once(model), images, labels, seeds)


def scores(model, images, noise, labels=None):
    """Returns the score of each image, `[n]`, in nats; a higher score means a more unusual image.

    With k codes z drawn from the image's posterior, it is the importance-weighted bound (Burda et al. 2016, equation 8)

        -log 1/k sum_i p(x | z_i) p(z_i) / q(z_i | x)  >=  -log p(x) on average,

    which is one draw of the negative evidence lower bound if k = 1. If the likelihood is not a density, the score is
    the mean over codes of the distortion and the log ratio. For codes without noise the score is the distortion; with a
    codebook the rate is added, which is the same for all images. If training binarises grey values at random, the score
    uses the mean of their log density, and is an upper bound on the mean of -log p.

    Args:
        model: An `Autoencoder` that computes in float32.
        images: `[n, height, width, channels]`, in [0, 1].
        noise: Normal numbers, `[k, n, *latent]`, or `[k, 1, *latent]`, the same for all images.
        labels: For a conditional model, `[n]`.
    """
    targets = model.likelihood.without_noise(images)
    posterior = model.encoder(model.labelled(targets, labels), training=False)

    def log_prob(codes):
        decoded = model.decoder(model.labelled(codes, labels), training=False)
        return model.likelihood.log_prob_alone(targets, decoded)

    def log_weight(noise):
        draw = model.latent.draw(posterior, seed=None, noise=noise)
        return log_prob(draw.codes) + model.prior.log_prob(draw.codes) - draw.log_density

    if not model.latent.has_noise:
        draw = model.draw(posterior, seed=None)
        distortion = -log_prob(draw.codes)
        return distortion if draw.log_density is None else distortion + model.rate(posterior, draw)
    log_weights = ops.map(log_weight, noise)  # one code at a time, so memory does not grow with k
    if model.likelihood.is_density:
        return -log_mean_exp(log_weights, axis=0)
    return -ops.mean(log_weights, axis=0)


def noise_of(seeds, num_samples, latent_shape):
    """Returns normal numbers, `[num_samples, n, *latent]`; row i depends only on `seeds[i]`, int64 `[n]`.

    TensorFlow's Philox draws them, also for models on JAX, so they equal those of the exported encoder. Without
    TensorFlow, Keras draws different ones.
    """
    shape = (num_samples, *latent_shape)
    try:
        drawn = standard_normal(seeds, shape, STREAM)
    except ImportError:
        return drawn_by_keras(np.asarray(seeds), shape)
    if keras.backend.backend() != "tensorflow":
        drawn = ops.convert_to_tensor(drawn.numpy())
    return ops.moveaxis(drawn, 0, 1)


def drawn_by_keras(seeds, shape):
    """Returns normal numbers, `[shape[0], n, *shape[1:]]`; row i depends only on `seeds[i]`."""
    streams = [np.random.SeedSequence(seed % 2**64).generate_state(1)[0] for seed in seeds.tolist()]
    return ops.stack([keras.random.normal(shape, seed=int(stream >> 1)) for stream in streams], axis=1)


def as_seeds(seed, count):
    """Returns `seed`, a whole number or one for each of `count` images, as int64 `[1]` or `[count]`.

    Raises:
        ValueError: It is something else.
    """
    values = np.asarray(seed)
    fits = values.shape in ((), (count,)) and np.issubdtype(values.dtype, np.integer)
    if not fits or (values.dtype == np.uint64 and np.any(values > np.iinfo("int64").max)):
        raise ValueError(
            f"seed is {seed}: expected a whole number (int64), or one for each of the {count} images"
        )
    return values.astype("int64").reshape(-1)


def check_num_samples(num_samples):
    """Returns `num_samples`, a whole number above 0, as an `int`.

    Raises:
        ValueError: It is something else.
    """
    try:
        number = operator.index(num_samples)
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(
            f"num_samples is {num_samples}: expected a whole number of codes per image, 1 or more (try {NUM_SAMPLES})"
        )
    return number


def check_scorable(model):
    """Raises a ValueError if the likelihood of `model` depends on a variance that training has not measured yet."""
    layer = model.likelihood.layer
    if layer is not None and not layer.is_known():
        raise ValueError(
            "the likelihood gaussian_optimal takes its variance from training, and this model has not stored one:"
            " train it for one more epoch (fit)"
        )


def scoring_model(model):
    """Returns the model that computes scores for `model`: itself, or its float32 twin if its precision is lower."""
    if model.dtype_policy.compute_dtype == "float32":
        return model
    twin = TWINS.get(model)
    if twin is None:
        twin = TWINS[model] = twin_in("float32", model)
    else:
        twin.set_weights(model.get_weights())
    return twin
