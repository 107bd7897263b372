"""The measured model: any model, as two functions over NumPy arrays.

    encode(images) -> (mean, log_var)     images `[n, height, width, channels]` in [0, 1]; codes `[n, *latent]`
    decode(codes)  -> images

All functions of a conditional model take the images' labels, `[n]`, as an additional last argument.

A `Subject` comes from a keras_vae model, from its exported SavedModels, from SavedModels or `.keras` files of another
library, or from two functions. The same measurements apply to all.
"""

import dataclasses
import math
import os
import pathlib
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from keras_vae.config.codec import registered_name
from keras_vae.errors import UsageError, first_line
from keras_vae.evaluation.ranges import DECODER_RANGES, ENCODER_RANGES, Ranges, check_range
from keras_vae.evaluation.settings import check_model_file
from keras_vae.export.saved_models import DESCRIPTION, Description, float32_twin, read_prior
from keras_vae.model.likelihoods import LIKELIHOODS, Bernoulli, LearnedGaussian, OptimalGaussian
from keras_vae.model.likelihoods.likelihood import Likelihood
from keras_vae.model.objectives import OBJECTIVES
from keras_vae.model.posteriors import POINT_LOG_VAR, Codebook, Point, show_shape
from keras_vae.runtime.checksums import check_sealed
from keras_vae.runtime.lazy import keras, ops, tf
from keras_vae.runtime.programs import to_type, typed_path
from keras_vae.samplers import FlowSampler, PriorSampler, UniformSampler, Vamp
from keras_vae.training.run_folder import Run

# Common names of an encoder's two outputs, and the meaning of the second.
MEAN_NAMES = ("mean", "means", "mu", "loc")
SPREAD_NAMES = {
    "log_var": "log_var",
    "logvar": "log_var",
    "log_variance": "log_var",
    "log_sigma2": "log_var",
    "log_std": "log_std",
    "logstd": "log_std",
    "log_sigma": "log_std",
    "logsigma": "log_std",
    "log_scale": "log_std",
    "std": "std",
    "stddev": "std",
    "sigma": "std",
    "scale": "std",
    "variance": "variance",
    "var": "variance",
}

# The forms of an encoder's spread, and their conversion to a log-variance.
SPREADS = {
    "log_var": lambda spread: spread,
    "log_std": lambda spread: 2 * spread,
    "std": lambda spread: 2 * np.log(np.maximum(spread, 1e-20)),
    "variance": lambda spread: np.log(np.maximum(spread, 1e-40)),
}

WEIGHED_AT_ONCE = 8  # codes per image; the decoder's batch is larger by this factor
LARGEST_CODE = 1e9  # float32 can represent its fourth power, and variances are still meaningful
POINT = -80.0  # a log-variance below which a code is a point, for any number of dimensions


@dataclass(frozen=True)
class Subject:
    """A model in the form that the measurements use; all arrays are float32 NumPy arrays.

    Attributes:
        name: Its name in the report.
        encode: images -> (mean, log_var); log_var is -100 if the code is a point.
        decode: codes -> images.
        log_prob: (images, codes) -> log p(images | codes), `[n]`, in nats; None if no density is known.
        observe: (images, seed) -> the images as in training, for example binarised.
        is_variational: Whether codes have noise and a prior.
        effective_beta: Weight of the rate in the loss, or None if it is unknown.
        sigma: The decoder's standard deviation of a pixel, or None.
        tangent: (codes, directions) -> the decoder's derivative along the directions; None: use finite differences.
        pullback: (codes, images) -> the gradient, with respect to the codes, of the inner product of the decoded and
            the given images; None if the decoder has no gradient.
        score: (images, codes) -> log_prob and its gradient with respect to the codes; None in the same case.
        bin_width: The width that turns exp(log_prob) into a probability mass; None if log_prob is not a log density.
        prior: The sampler (`keras_vae.samplers`) for the model's samples; None: N(0, I).
        draw: (images, seed) -> codes drawn from their posteriors and log q(codes | images), `[n]`, for posteriors that
            differ from the Gaussians of `encode`; else None.
        log_weights: (images, seed) -> log p(x|z) + log p(z) - log q(z|x), `[n, k]`, at k codes of each posterior; None
            unless `draw` is set.
        num_classes: Number of classes of a conditional model; 0 for other models.
        no_rate: Why there is no rate if `is_variational` is False.
        prior_name: The prior's name, if the model states it; None: the name of its sampler.
        objective, likelihood: Their names in the registries, or None.
        foreign: The `Ranges` of a model of another library, whose value ranges `check_subject` finds; else None.
        ranges: The ranges that were found, {"encoder", "decoder": their names, "unexplained": the unexplained share of
            the training images' variance, "fits": whether reconstructions are no worse than the mean image}, or None.
        notes: Sentences for the report, such as which ranges were used and why.
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
    pullback: Callable | None = None
    score: Callable | None = None
    bin_width: float | None = None
    prior: object | None = None
    draw: Callable | None = None
    log_weights: Callable | None = None
    num_classes: int = 0
    no_rate: str = "a plain autoencoder has no prior and no noise, so it has no rate"
    prior_name: str | None = None
    objective: str | None = None
    likelihood: str | None = None
    foreign: Ranges | None = None
    ranges: dict | None = None
    notes: tuple = ()


def from_model(model, name=None):
    """Returns the `Subject` of an `Autoencoder`, in float32 like its exports."""
    if model.dtype_policy.name != "float32":
        model = float32_twin(model)

    def parameters(codes, labels=None):
        return model.decoder(model.labelled(codes, labels), training=False)

    subject = described(
        name or model.name,
        Description.of(model),
        model.prior.sampler(),
        model.encode,
        model.decode,
        parameters,
    )
    if not subject.is_variational or model.latent.is_gaussian:
        return subject  # mean and variance describe the posteriors fully
    return dataclasses.replace(subject, **weighing(model))


def weighing(model):
    """Returns the fields of a `Subject` that only an `Autoencoder` provides: `draw` and `log_weights`, a dict."""
    from keras_vae.layers.basic import GivenSeed

    images, labels = tf.TensorSpec((None, *model.image_shape), "float32"), labels_spec(model.num_classes)
    seed = tf.TensorSpec((), "int32")

    def draw(images, seed, labels=None):
        posterior = model.encoder(model.labelled(images, labels), training=False)
        return model.draw(posterior, GivenSeed(seed, 0))[:2]

    def log_weights(images, seed, labels=None):
        return model.log_weights(images, WEIGHED_AT_ONCE, GivenSeed(seed, 0), labels)

    return {
        "draw": graph(draw, images, seed, *labels),
        "log_weights": graph(log_weights, images, seed, *labels),
    }


def from_export(encoder, decoder):
    """Returns the `Subject` of the two SavedModels of one `Autoencoder`; results equal those of the model.

    Args:
        encoder, decoder: The folders of two versions, both with a `Description`.

    Raises:
        UsageError: They belong to different models, or cannot be read.
    """
    description = Description.read(encoder)
    if description != Description.read(decoder):
        raise UsageError(
            f"{encoder} and {decoder} belong to different models: their {DESCRIPTION} files differ (give exports of"
            " the same run)"
        )
    if not description.objective.latent.is_gaussian:
        raise UsageError(
            f"{encoder} returns the mean and variance of its posteriors, which are not Gaussian and are not fully"
            " described by them (give the run, saved_models/NAME, instead of its exports)"
        )
    prior = read_prior(decoder, description.latent_shape)
    encode, decode = (load_saved_model(path) for path in (encoder, decoder))

    def label_inputs(labels):
        return {"label": labels[0]} if labels else {}

    def both(images, *labels):
        outputs = encode.signatures["encode"](image=images, **label_inputs(labels))
        return outputs["mean"], outputs["log_var"]

    def images_of(codes, *labels):
        return decode.signatures["decode"](latent=codes, **label_inputs(labels))["image"]

    return described(name_of(decoder), description, prior, both, images_of, decode.parameters)


def labels_spec(num_classes):
    """Returns the specs of additional inputs, a tuple: labels if the model is conditional, else nothing."""
    return (tf.TensorSpec((None,), "int64"),) if num_classes else ()


def described(name, description, prior, encode, decode, parameters):
    """Returns the `Subject` of a keras_vae model.

    Args:
        name: Its name.
        description: Its `Description`.
        prior: A sampler.
        encode, decode: As in `Subject`, but over tensors.
        parameters: codes -> the parameters of the likelihood.
    """
    likelihood = description.likelihood
    images, codes = (
        tf.TensorSpec((None, *shape), "float32")
        for shape in (description.image_shape, description.latent_shape)
    )
    labels = labels_spec(description.num_classes)

    def log_prob(images, codes, *labels):
        return likelihood.log_prob(images, parameters(codes, *labels))

    def score(images, codes, *labels):
        return value_and_gradient(lambda z: log_prob(images, z, *labels), codes)

    return Subject(
        name=name,
        encode=graph(encode, images, *labels),
        decode=graph(decode, codes, *labels),
        log_prob=graph(log_prob, images, codes, *labels),
        observe=lambda images, seed: observe(likelihood, images, seed),
        is_variational="rate" in description.objective.terms,
        effective_beta=description.effective_beta,
        sigma=learned_sigma(parameters, description)
        if isinstance(likelihood, LearnedGaussian)
        else getattr(likelihood, "sigma", None),
        tangent=graph(tangent_of(decode), codes, codes, *labels),
        pullback=graph(pullback_of(decode), codes, images, *labels),
        score=graph(score, images, codes, *labels),
        bin_width=likelihood.bin_width,
        prior=None if isinstance(prior, PriorSampler) else prior,
        num_classes=description.num_classes,
        **no_rate(description),
        prior_name=description.prior,
        objective=registered_name(description.objective, OBJECTIVES),
        likelihood=registered_name(likelihood, LIKELIHOODS),
    )


def prior_name(subject):
    """Returns the name of the prior for a subject's samples."""
    sampler = type(subject.prior)
    known = {type(None): "standard", FlowSampler: "flow", UniformSampler: "uniform_codes", Vamp: "mixture"}
    return subject.prior_name or known.get(sampler, sampler.__name__)


def no_rate(description):
    """Returns {"no_rate": reason} for codes of a codebook and for points with a prior; {} for other models."""
    latent, shape = description.objective.latent, description.latent_shape
    if isinstance(latent, Point) and description.objective.prior != "none":
        return {
            "no_rate": "the codes are points without noise, and only their distribution is matched to the prior: a"
            " single code has no rate"
        }
    if not isinstance(latent, Codebook):
        return {}
    positions = math.prod(shape[:-1])
    return {
        "no_rate": f"the codes are entries of a codebook, without noise: under a uniform prior over {latent.size}"
        f" entries at {positions} positions, every image costs {positions * math.log(latent.size):.4g} nats"
    }


def from_functions(
    encode: Callable,
    decode: Callable,
    likelihood: Likelihood | None = None,
    name: str = "model",
    encoder_range: str | tuple[float, float] = "auto",
    decoder_range: str | tuple[float, float] = "auto",
) -> Subject:
    """Returns the `Subject` of two functions over NumPy arrays.

    Args:
        encode: images -> (mean, log_var), or the code alone for a plain autoencoder.
        decode: codes -> images.
        likelihood: One of `keras_vae.model.likelihoods` that needs only the images; None leaves out the measurements
            that need one.
        name: The model's name.
        encoder_range, decoder_range: The value ranges that `encode` expects and `decode` returns, one of
            `ENCODER_RANGES` and `DECODER_RANGES` or (low, high). "auto": images in [0, 1], unless an evaluation finds
            that the model reconstructs clearly better in another range.

    Raises:
        UsageError: The likelihood needs more than the images, or a range is unknown.
    """

    def encode_both(images, *labels):
        code = encode(images, *labels)
        if not isinstance(code, (tuple, list)):
            return as_array(code), np.full(np.shape(code), POINT_LOG_VAR, "float32")
        return as_array(code[0]), as_array(code[1])

    foreign = Ranges(
        encode_both,
        lambda codes, *labels: as_array(decode(codes, *labels)),
        None if likelihood is None else image_log_prob(likelihood),
        *asked_ranges(encoder_range, decoder_range),
    )
    return of_ranges(foreign, likelihood, name)


def asked_ranges(encoder_range, decoder_range):
    """Returns the two names of ranges in stored form; raises a UsageError if one is unknown."""
    try:
        return (
            check_range(encoder_range, ENCODER_RANGES, "encoder_range"),
            check_range(decoder_range, DECODER_RANGES, "decoder_range"),
        )
    except ValueError as error:
        raise UsageError(str(error)) from error


def of_ranges(foreign, likelihood, name):
    """Returns the `Subject` of a model of another library, given its `Ranges`."""
    return Subject(
        name=name,
        **foreign.functions(),
        observe=lambda images, seed: observe(likelihood, images, seed),
        sigma=getattr(likelihood, "sigma", None),
        bin_width=getattr(likelihood, "bin_width", None),
        likelihood=None if likelihood is None else registered_name(likelihood, LIKELIHOODS),
        foreign=foreign,
    )


def check_subject(subject, dataset):
    """Tries `subject` on a few images; returns it with `is_variational` set, and the size of its codes.

    A model of another library is returned with the value ranges that fit it.

    Raises:
        UsageError: The model does not accept the dataset's images, or its two halves do not belong together.
    """
    images = subject.observe(dataset.train.images(0, 3), 0)
    shape = show_shape(images.shape[1:])
    if subject.num_classes and not 0 < dataset.num_classes <= subject.num_classes:
        raise UsageError(
            f"the model is conditional and knows {subject.num_classes} classes, but {dataset.name} has"
            f" {dataset.num_classes or 'no labels'} ({SAME_IMAGES})"
        )
    if subject.foreign is not None:
        found = subject.foreign.found(dataset, subject.observe, subject.num_classes > 0)
        subject = dataclasses.replace(subject, **found)
    labels = (np.asarray(dataset.train.labels[: len(images)]),) if subject.num_classes else ()
    mean, log_var = attempt(
        lambda rows: subject.encode(rows, *labels),
        images,
        f"the encoder does not accept the images of {dataset.name}, {shape}",
        SAME_IMAGES,
    )
    if mean.shape != log_var.shape or len(mean) != len(images) or mean.ndim < 2:
        raise UsageError(
            f"the encoder returns a mean of shape {list(mean.shape)} and a spread of shape {list(log_var.shape)} for"
            f" {len(images)} images: expected equal shapes with one row per image (name the two outputs with"
            " --encoder_outputs)"
        )
    check_codes(mean, log_var)
    decoded = attempt(
        lambda rows: subject.decode(rows, *labels),
        mean,
        f"the decoder does not accept the encoder's codes, {show_shape(mean.shape[1:])}",
        "give the encoder and the decoder of the same model",
    )
    if decoded.shape != images.shape:
        raise UsageError(
            f"the decoder returns images of {show_shape(decoded.shape[1:])}, but those of {dataset.name} are {shape}"
            f" ({SAME_IMAGES})"
        )
    if not np.isfinite(decoded).all():
        raise UsageError("the decoder returns NaN or infinity (did its training finish?)")
    is_variational = subject.is_variational and bool((log_var > POINT).any())
    return dataclasses.replace(subject, is_variational=is_variational), math.prod(mean.shape[1:])


def check_codes(mean, log_var):
    """Raises a UsageError if codes or their noise are not finite, or too large to measure."""
    if not (np.isfinite(mean).all() and np.isfinite(log_var).all()):
        raise UsageError("the encoder returns NaN or infinity (did its training finish?)")
    with np.errstate(over="ignore"):
        largest = max(float(np.abs(mean).max()), float(np.exp(0.5 * log_var.max(), dtype="float64")))
    if largest > LARGEST_CODE:
        raise UsageError(
            f"the encoder returns codes as large as {largest:.3g}, which cannot be measured: codes of the prior are a"
            " few units large (did training diverge? --spread sets the meaning of the second output)"
        )


SAME_IMAGES = "give the dataset that the model was trained on: --dataset, --image_size, --channels"


def attempt(function, array, problem, way_out):
    """Returns `function(array)`; raises a UsageError if the model rejects its input."""
    try:
        return function(array)
    except UsageError:
        raise
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise UsageError(f"{problem} ({way_out})") from error


def from_files(
    encoder,
    decoder,
    likelihood,
    outputs=None,
    spread="auto",
    decoder_range="auto",
    image_shape=None,
    encoder_range="auto",
):
    """Returns the `Subject` of two files, each a SavedModel's folder or a `.keras` file.

    Args:
        encoder, decoder: Their paths.
        likelihood: As for `from_functions`.
        outputs: The names of the encoder's outputs for mean and spread; None: they are recognised.
        spread: The meaning of the second output, a key of `SPREADS`; "auto": from its name, else a log-variance.
        encoder_range, decoder_range: As for `from_functions`.
        image_shape: The shape of its images, used if the decoder returns flat images of the same size.

    Raises:
        UsageError: A file cannot be read, or the meaning of its outputs is unclear.
    """
    halves = load_function(encoder), load_function(decoder)
    ranges = encoder_range, decoder_range
    return from_halves(*halves, likelihood, name_of(decoder), outputs, spread, *ranges, image_shape)


def from_halves(
    encode,
    decode,
    likelihood,
    name,
    outputs=None,
    spread="auto",
    encoder_range="auto",
    decoder_range="auto",
    image_shape=None,
):
    """Returns the `Subject` of two functions in the form of `load_function`; see `from_files`."""

    def encode_both(images):
        mean, width, kind = pick_outputs(encode(images), outputs, encode.ordered, decode.input_shape)
        if width is None:
            return mean, np.full(mean.shape, POINT_LOG_VAR, "float32")
        return mean, SPREADS[kind if spread == "auto" else spread](width)

    foreign = Ranges(
        encode_both,
        lambda codes: first(decode(codes)),
        None if likelihood is None else image_log_prob(likelihood),
        *asked_ranges(encoder_range, decoder_range),
        clip=True,
        strict=True,
        image_shape=image_shape,
    )
    return of_ranges(foreign, likelihood, name)


def run_of(path):
    """Returns the run that exported the SavedModel in the folder `path`, or None."""
    run = Run(os.path.normpath(os.path.join(path, *[os.pardir] * 3)))
    return run if os.path.isfile(run.config_file) else None


def name_of(path):
    """Returns a model's name: that of the run that exported it, else the names of its folder and file."""
    if run := run_of(path):
        return run.path.resolve().name
    path = pathlib.Path(path).absolute()
    return f"{path.parent.name}-{path.stem}" if path.parent.name else path.stem


def load_function(path):
    """Returns the function of a SavedModel or a `.keras` file, from an array to a dict of arrays.

    It has two attributes: `ordered`, whether the dict is in the order of the model's outputs, and `input_shape`, the
    shape of one input, in which None is any size, or None.
    """
    path = pathlib.Path(path)
    if os.path.isdir(path):
        return saved_model_function(path)
    model = readable(load_keras_file, path)
    if not isinstance(model, keras.Model):
        raise UsageError(f"{path} contains a {type(model).__name__}: expected a Keras model")
    return keras_function(model)


def keras_function(model):
    """Returns a Keras model or layer in the form of `load_function`."""
    names = [name.split("/")[-1] for name in getattr(model, "output_names", [])]
    shape = getattr(model, "input_shape", None)
    call = tf.function(lambda inputs: model(inputs, training=False), reduce_retracing=True)

    def run(inputs):
        results = call(tf.constant(fitted(inputs, run.input_shape), "float32"))
        if isinstance(results, dict):
            return {name: as_array(value) for name, value in results.items()}
        results = results if isinstance(results, (list, tuple)) else [results]
        labels = names if len(set(names)) == len(results) else range(len(results))
        return {str(name): as_array(value) for name, value in zip(labels, results)}

    run.ordered = True
    run.input_shape = tuple(shape[1:]) if isinstance(shape, tuple) else None
    return run


def load_model(run):
    """Returns the model of a run, without repeating its warnings.

    Raises:
        UsageError: The run does not have a model yet, or its file is damaged.
    """
    from keras_vae.model.autoencoder import Autoencoder

    resume = to_type("train", "--resume", typed_path(run.path))
    if not run.model_file.is_file():
        raise UsageError(f"{run.path} has no model.keras yet: continue training ({resume})")
    if fault := run.fault(run.model_file):
        raise UsageError(f"{fault} ({resume} restores the model from the last checkpoint)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = readable(keras.saving.load_model, run.model_file)
    if not isinstance(model, Autoencoder):
        raise UsageError(f"{run.model_file} contains a {type(model).__name__}: expected an Autoencoder")
    return model


def load_keras_file(path):
    """Returns the model in a `.keras` file."""
    from keras_vae.layers.basic import Sampling

    # Most variational autoencoders in Keras have a layer of this name that does the same as ours.
    return keras.saving.load_model(path, custom_objects={"Sampling": Sampling}, compile=False)


def load_saved_model(path):
    """Returns the SavedModel in the folder `path`; raises a UsageError if it cannot be read."""

    def load(folder):
        check_sealed(folder)
        return tf.saved_model.load(str(folder))

    return readable(load, path)


def readable(load, path):
    """Returns `load(path)`; turns any exception into a UsageError."""
    check_model_file(path)
    try:
        return load(path)
    except Exception as error:
        raise UsageError(
            f"{path} cannot be loaded: {first_line(error)} (a SavedModel, written by model.export, needs no custom"
            " classes)"
        ) from error


def saved_model_function(path):
    """Returns the default signature of a SavedModel as a function of one array, in the form of `load_function`."""
    loaded = load_saved_model(path)
    signature = loaded.signatures.get("serving_default")
    specs = {} if signature is None else signature.structured_input_signature[1]
    if len(specs) != 1:
        has = f"takes {', '.join(specs)}" if specs else "is missing"
        raise UsageError(f"{path} cannot be loaded: its signature serving_default {has} (expected one input)")
    ((name, spec),) = specs.items()

    def run(inputs):
        results = signature(**{name: tf.constant(fitted(inputs, run.input_shape), spec.dtype)})
        return {key: as_array(results[key]) for key in sorted(results)}

    run.loaded = loaded  # keeps its variables alive
    # Signatures are unordered dicts; Keras numbers the outputs of a list.
    run.ordered = all(re.fullmatch(r"output_\d|output", key) for key in signature.structured_outputs)
    run.input_shape = None if spec.shape.rank is None else tuple(spec.shape[1:])
    return run


def fitted(inputs, shape):
    """Returns `inputs` reshaped to the shape that a model expects, if the sizes are equal."""
    if shape is None or None in shape or math.prod(shape) != math.prod(inputs.shape[1:]):
        return inputs
    return inputs.reshape(len(inputs), *shape)


def pick_outputs(results, asked, ordered=True, code_shape=None):
    """Returns the mean and the spread among an encoder's outputs, a dict of arrays, and the kind of spread.

    They are found by the requested names, else by common names, else they are the first two outputs. A single output is
    split into two halves; if the decoder accepts it as it is, it is the code and the spread is None.

    Raises:
        UsageError: They cannot be recognised.
    """
    if missing := [name for name in asked or () if name not in results]:
        raise UsageError(f"the encoder has no output {missing[0]!r}: its outputs are {', '.join(results)}")
    if asked:
        chosen = list(asked)
    else:
        chosen = [known_as(results, MEAN_NAMES), known_as(results, SPREAD_NAMES)]
        if None in chosen:
            chosen = list(results)[:2]
            if not ordered and len(results) > 1:
                raise UsageError(
                    f"it is unclear which of the encoder's outputs {', '.join(results)} are mean and spread"
                    " (name them with --encoder_outputs MEAN,SPREAD)"
                )
    kind = SPREAD_NAMES.get(word(chosen[-1], SPREAD_NAMES), "log_var")
    if len(chosen) > 1:
        return results[chosen[0]], results[chosen[1]], kind
    both = results[chosen[0]]
    if code_shape is not None and both.shape[1:] == tuple(code_shape):
        return both, None, kind
    if both.shape[-1] % 2:
        raise UsageError(
            f"the encoder has one output of {both.shape[-1]} numbers: expected mean and log-variance, as two outputs"
            " or side by side"
        )
    return *np.split(both, 2, axis=-1), kind


def known_as(results, words):
    """Returns the name in `results` that is one of `words`, else the only name that contains one of them; else None."""
    exact = [name for name in results if name in words]
    holding = exact or [name for name in results if word(name, words)]
    return holding[0] if len(holding) == 1 or exact else None


def word(name, words):
    """Returns the longest of `words` that is a word of `name`, such as log_var in z_log_var_2; or None."""
    inside = [known for known in words if re.search(rf"(?<![a-z]){known}(?![a-z])", name.lower())]
    return max(inside, key=len, default=None)


def image_log_prob(likelihood):
    """Returns (images, decoded) -> log p(images | codes), `[n]`, in nats; decoded images are in [0, 1].

    Probabilities are clipped to [1e-7, 1 - 1e-7]. A learned variance is not part of the images and is replaced by the
    optimal one, which training approaches.

    Raises:
        UsageError: The likelihood has parameters that the decoded images do not contain.
    """
    if isinstance(likelihood, Bernoulli):
        return bernoulli_log_prob
    known = OptimalGaussian() if isinstance(likelihood, LearnedGaussian) else likelihood
    grey = np.linspace(0, 1, 12, dtype="float32").reshape(1, 2, 2, 3)
    if known.head() or known.num_parameters(3) != 3 or not np.allclose(known.mean(grey), grey, atol=1e-6):
        raise UsageError(
            f"likelihood {type(likelihood).__name__} cannot be computed from a decoder's images: it has"
            " additional parameters (try --likelihood gaussian_optimal)"
        )
    return lambda images, decoded: as_array(known.log_prob(as_array(images), decoded))


def bernoulli_log_prob(images, decoded):
    """Returns the log probability of `images` under the probabilities `decoded`, `[n]`, in nats."""
    probability = np.clip(decoded.astype("float64"), 1e-7, 1 - 1e-7)
    nats = images * np.log(probability) + (1 - images) * np.log1p(-probability)
    return nats.sum(tuple(range(1, images.ndim)))


def observe(likelihood, images, seed):
    """Returns `images` binarised as the likelihood expects; the random values depend only on `seed`."""
    rule = getattr(likelihood, "binarize", "none")
    if rule == "dynamic":
        return (np.random.default_rng(seed).random(images.shape, "float32") < images).astype("float32")
    return (images > 0.5).astype("float32") if rule == "threshold" else images


def graph(function, *specs):
    """Returns `function` compiled for the signature `specs`, with NumPy inputs and outputs."""
    compiled = tf.function(function, input_signature=specs, autograph=False)

    def run(*arrays):
        results = compiled(
            *(tf.constant(array, spec.dtype) for array, spec in zip(arrays, specs, strict=True))
        )
        return tuple(map(as_array, results)) if isinstance(results, tuple) else as_array(results)

    return run


def tangent_of(decode):
    """Returns (codes, directions) -> the derivative of `decode` along the directions, in forward mode."""

    def derivative(codes, directions, *labels):
        with tf.autodiff.ForwardAccumulator(codes, directions) as accumulator:
            images = decode(codes, *labels)
        return accumulator.jvp(images)

    return derivative


def pullback_of(decode):
    """Returns (codes, images) -> the gradient, with respect to the codes, of the sum of `decode(codes) * images`."""
    return lambda codes, images, *labels: value_and_gradient(
        lambda z: ops.sum(decode(z, *labels) * images), codes
    )[1]


def value_and_gradient(function, codes):
    """Returns `function(codes)`, a scalar or one number per row, and the gradient of its sum, as tensors."""
    with tf.GradientTape() as tape:
        tape.watch(codes)
        value = function(codes)
    return value, tape.gradient(value, codes)


def learned_sigma(parameters, description):
    """Returns the standard deviation learned by a `LearnedGaussian`: one number for all codes and pixels."""
    labels = [tf.zeros((1,), spec.dtype) for spec in labels_spec(description.num_classes)]
    log_sigma = parameters(tf.zeros((1, *description.latent_shape)), *labels)[..., -1]
    return float(np.exp(as_array(log_sigma).flat[0]))


def as_array(values):
    """Returns a tensor of any kind as a float32 array."""
    return np.asarray(keras.ops.convert_to_numpy(values), "float32")


def first(results):
    """Returns the first value of a dict of outputs."""
    return next(iter(results.values()))
