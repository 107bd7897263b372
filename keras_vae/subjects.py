"""What is measured: any model, as two functions over NumPy arrays.

    encode(images) -> (mean, log_var)     images `[n, height, width, channels]` in [0, 1]; codes `[n, *latent]`
    decode(codes)  -> images

A `Subject` comes from a model of ours, from two SavedModels or `.keras` files of anybody's, or from two
functions. Whatever it comes from, the same measurements are taken of it.
"""

import pathlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from keras_vae.command_line import UsageError
from keras_vae.densities import LOG_2_PI
from keras_vae.latents import POINT_LOG_VAR
from keras_vae.lazy import keras, ops, tf
from keras_vae.likelihoods import Bernoulli, Gaussian

MEAN_NAMES = ("mean", "z_mean", "mu", "z_mu", "loc")
SPREAD_NAMES = (
    "log_var",
    "z_log_var",
    "logvar",
    "z_logvar",
    "log_variance",
    "std",
    "sigma",
    "scale",
    "var",
    "variance",
)

# How an encoder may write its spread, and what makes a log-variance of it.
SPREADS = {
    "log_var": lambda spread: spread,
    "log_std": lambda spread: 2 * spread,
    "std": lambda spread: 2 * np.log(np.maximum(spread, 1e-20)),
    "variance": lambda spread: np.log(np.maximum(spread, 1e-40)),
}

# What a decoder may put out, and what makes images in [0, 1] of it.
RANGES = {
    "probabilities": lambda decoded: decoded,
    "logits": lambda decoded: 0.5 + 0.5 * np.tanh(0.5 * decoded),
    "symmetric": lambda decoded: 0.5 + 0.5 * decoded,
}


@dataclass(frozen=True)
class Subject:
    """A model as the measurements see it; all arrays are NumPy's, float32.

    Attributes:
        name: What it is called in the report.
        encode: images -> (mean, log_var); log_var is -100 where the code is a point.
        decode: codes -> images.
        log_prob: (images, codes) -> log p(images | codes), `[n]`, in nats; None where no density is known.
        observe: (images, seed) -> what the model is trained to see, such as binarised images.
        is_variational: Whether codes have noise and a prior.
        effective_beta: Weight of the rate in the loss, None where it is not known.
        sigma: The decoder's standard deviation of a pixel, None where it has none.
        tangent: (codes, directions) -> the decoder's derivative along them, or None: then by differences.
        objective, likelihood: Their names, or None.
    """

    name: str
    encode: Callable
    decode: Callable
    log_prob: Callable | None = None
    observe: Callable = lambda images, seed: images
    is_variational: bool = True
    effective_beta: float | None = None
    sigma: float | None = None
    tangent: Callable | None = None
    objective: str | None = None
    likelihood: str | None = None


def from_model(model, name=None):
    """Returns the `Subject` of an `Autoencoder`."""
    encode = graph(lambda images: model.encode(images))
    decode = graph(lambda codes: model.decode(codes))
    log_prob = graph(
        lambda images, codes: model.likelihood.log_prob(images, model.decoder(codes, training=False))
    )
    return Subject(
        name=name or model.name,
        encode=encode,
        decode=decode,
        log_prob=log_prob,
        observe=lambda images, seed: observe(model.likelihood, images, seed),
        is_variational="rate" in model.objective.terms,
        effective_beta=model.objective.effective_beta(model.dims),
        sigma=sigma_of(model),
        tangent=tangent_of(lambda codes: model.decode(codes)),
        objective=type(model.objective).__name__,
        likelihood=type(model.likelihood).__name__,
    )


def from_functions(encode, decode, likelihood=None, name="model"):
    """Returns the `Subject` of two functions over NumPy arrays.

    Args:
        encode: images -> (mean, log_var), or the code alone for a plain autoencoder.
        decode: codes -> images in [0, 1].
        likelihood: `Bernoulli` or `Gaussian` of `keras_vae.likelihoods`; None leaves out what needs one.
        name: What the model is called.
    """

    def encode_both(images):
        code = encode(images)
        if not isinstance(code, (tuple, list)):
            return as_array(code), np.full(np.shape(code), POINT_LOG_VAR, "float32")
        return as_array(code[0]), as_array(code[1])

    def decode_images(codes):
        return as_array(decode(codes))

    return Subject(
        name=name,
        encode=encode_both,
        decode=decode_images,
        log_prob=None
        if likelihood is None
        else lambda images, codes: image_log_prob(likelihood, images, decode_images(codes)),
        observe=lambda images, seed: observe(likelihood, images, seed),
        sigma=likelihood.sigma if isinstance(likelihood, Gaussian) else None,
        likelihood=None if likelihood is None else type(likelihood).__name__,
    )


def from_files(encoder, decoder, likelihood, outputs=None, spread="log_var", decoder_range="probabilities"):
    """Returns the `Subject` of two files, each a SavedModel's folder or a `.keras` file.

    Args:
        encoder, decoder: Their paths.
        likelihood: As for `from_functions`.
        outputs: The names of the encoder's outputs for mean and spread; None finds them.
        spread: What the second of them is, a key of `SPREADS`.
        decoder_range: What the decoder puts out, a key of `RANGES`.

    Raises:
        UsageError: A file cannot be read, or what its outputs mean cannot be told.
    """
    encode, decode = load_function(encoder), load_function(decoder)

    def encode_both(images):
        mean, width = pick_outputs(encode(images), outputs)
        return mean, SPREADS[spread](width)

    return from_functions(
        encode_both,
        lambda codes: RANGES[decoder_range](as_array(first(decode(codes)))),
        likelihood,
        pathlib.Path(decoder).name,
    )


def load_function(path):
    """Returns the function of a SavedModel or a `.keras` file: an array to a dict of arrays, in their order."""
    path = pathlib.Path(path)
    if not path.exists():
        raise UsageError(f"{path} does not exist: expected a SavedModel's folder or a .keras file")
    try:
        if path.is_dir():
            return saved_model_function(path)
        from keras_vae.layers import Sampling

        # Most variational autoencoders have a layer of this name; ours does what theirs do.
        model = keras.saving.load_model(path, custom_objects={"Sampling": Sampling}, compile=False)
    except (OSError, ValueError, TypeError) as error:
        sentence = str(error).strip().splitlines()[0]
        raise UsageError(
            f"{path} cannot be loaded: {sentence} (a SavedModel, from model.export, needs no classes of yours)"
        ) from error
    names = [name.split("/")[-1] for name in getattr(model, "output_names", [])]

    def run(inputs):
        results = model(inputs, training=False)
        if isinstance(results, dict):
            return {name: as_array(value) for name, value in results.items()}
        results = results if isinstance(results, (list, tuple)) else [results]
        labels = names if len(names) == len(results) else [f"output_{index}" for index in range(len(results))]
        return {name: as_array(value) for name, value in zip(labels, results)}

    return run


def saved_model_function(path):
    """Returns the default signature of a SavedModel as a function of one array."""
    loaded = tf.saved_model.load(str(path))
    signature = loaded.signatures.get("serving_default")
    if signature is None:
        raise ValueError("it has no signature `serving_default`")
    names = list(signature.structured_input_signature[1])
    if len(names) != 1:
        raise ValueError(f"its signature takes {', '.join(names)}: expected one input")

    def run(inputs):
        results = signature(**{names[0]: tf.constant(inputs)})
        return {name: as_array(results[name]) for name in sorted(results)}

    run.loaded = loaded  # else its variables would be deleted with it
    return run


def pick_outputs(results, asked):
    """Returns mean and spread among an encoder's outputs, a dict of arrays.

    By the names asked for; else by names that people use; else the first two, in order; else the two halves of
    the only one.
    """
    if asked:
        if missing := [name for name in asked if name not in results]:
            raise UsageError(f"the encoder has no output {missing[0]!r}: it has {', '.join(results)}")
        values = [results[name] for name in asked]
    else:
        named = [
            next((name for name in known if name in results), None) for known in (MEAN_NAMES, SPREAD_NAMES)
        ]
        values = [results[name] for name in named] if all(named) else list(results.values())[:2]
    if len(values) == 1:
        width = values[0].shape[-1]
        if width % 2:
            raise UsageError(
                f"the encoder has one output of {width} numbers: expected mean and log-variance, as two outputs or side by side"
            )
        values = np.split(values[0], 2, axis=-1)
    return values[0], values[1]


def image_log_prob(likelihood, images, decoded):
    """Returns log p(images | codes), `[n]`, in nats, from decoded images in [0, 1].

    Probabilities are kept a float32 rounding away from 0 and 1. The optimal variance is the mean squared error of
    these very images.
    """
    images, decoded = images.astype("float64"), decoded.astype("float64")
    axes = tuple(range(1, images.ndim))
    if isinstance(likelihood, Bernoulli):
        probability = np.clip(decoded, 1e-7, 1 - 1e-7)
        return (images * np.log(probability) + (1 - images) * np.log1p(-probability)).sum(axes)
    error = np.square(images - decoded)
    variance = likelihood.sigma**2 if isinstance(likelihood, Gaussian) else max(error.mean(), 1e-10)
    return -0.5 * (LOG_2_PI + np.log(variance) + error / variance).sum(axes)


def observe(likelihood, images, seed):
    """Returns `images` as the likelihood takes them, by `seed` alone."""
    rule = getattr(likelihood, "binarize", "none")
    if rule == "dynamic":
        return (np.random.default_rng(seed).random(images.shape, "float32") < images).astype("float32")
    return (images > 0.5).astype("float32") if rule == "threshold" else images


def graph(function):
    """Returns `function` compiled, NumPy in and out."""
    compiled = tf.function(function, reduce_retracing=True)

    def run(*arrays):
        results = compiled(*(tf.constant(array, "float32") for array in arrays))
        return tuple(map(as_array, results)) if isinstance(results, tuple) else as_array(results)

    return run


def tangent_of(decode):
    """Returns (codes, directions) -> the derivative of `decode` along them, by forward differentiation."""

    @tf.function(reduce_retracing=True)
    def derivative(codes, directions):
        with tf.autodiff.ForwardAccumulator(codes, directions) as accumulator:
            images = decode(codes)
        return accumulator.jvp(images)

    return lambda codes, directions: as_array(derivative(tf.constant(codes), tf.constant(directions)))


def sigma_of(model):
    """Returns the decoder's standard deviation of a pixel, where the model has one number for it."""
    if isinstance(model.likelihood, Gaussian):
        return model.likelihood.sigma
    for layer in model.decoder.layers:
        if layer.name == "log_sigma":
            return float(np.exp(as_array(layer(ops.zeros((1, 1, 1, 1))))[0, 0, 0, -1]))
    return None


def as_array(values):
    """Returns a tensor of any kind as a float32 array."""
    return np.asarray(keras.ops.convert_to_numpy(values), "float32")


def first(results):
    """Returns the only value of a dict of outputs, or the first."""
    return next(iter(results.values()))
