"""SavedModels of a decoder and of an encoder, which plain TensorFlow and TF Serving load.

    serving/decoder/1/    decode (also serving_default): latent -> image;  sample: seed -> image, latent
    serving/encoder/1/    encode (also serving_default): image -> mean, log_var;  reconstruct: image -> image;
                          score: image, seed -> score (`Autoencoder.score`)

Three further things are for evaluation, which finds in them what it finds in the model itself: beside its signatures
a loaded decoder has the function `parameters`, latent -> what the likelihood takes, before it is made an image of;
`assets.extra/keras_vae.json` holds the `Description` of the model, and `assets.extra/prior.npz` its prior, as a
sampler, whatever `sample` draws from.

The encoder refuses images that are not within [0, 1], with INVALID_ARGUMENT; one of a model that removes noise takes
noisy images, and refuses those of another scale. Where `value_range` in `keras_vae.json` is `[low, high]`, the model
was trained on `(value - low) / (high - low)`, clipped to [0, 1], and takes the same.

If the sampler was fitted to codes with labels, the decoder of a model that is not conditional has a further signature,

    sample_class: seed, label -> image, latent        label: int64 `[n]`, the number of a class of the training images

A conditional model's signatures take the images' labels too, `label`, int64 `[n]`: the number of a class, its place
among `label_names` in `keras_vae.json`, whatever the labels of the training images were.

In Python a loaded model has the
functions `decode(latent, label)` and so on, and `serve`, its default signature as `keras.layers.TFSMLayer` calls it:

    layer = keras.layers.TFSMLayer("serving/decoder/1")
    layer(codes), layer((codes, labels)), layer({"latent": codes, "label": labels}), layer(codes, label=labels)

The batch size is free and all tensors are float32, whatever precision the model was trained in: a float32 twin
of the model is exported. On a CPU it gives a float32 model's own images bit for bit, and its own rows too where
the batch is larger or smaller, but for float32 rounding: convolutions choose their algorithm by the batch's size.
"""

import contextlib
import inspect
import os
import re
import warnings
from dataclasses import MISSING, dataclass
from pathlib import Path

from keras_vae.config.codec import option, read_config, to_json
from keras_vae.errors import WriteError
from keras_vae.model import twin
from keras_vae.model.likelihoods import LIKELIHOODS
from keras_vae.model.objectives import OBJECTIVES
from keras_vae.model.posteriors import show_shape
from keras_vae.model.priors import PRIORS
from keras_vae.model.scoring import NUM_SAMPLES, check_num_samples, check_scorable, noise_of, scores
from keras_vae.runtime import checksums
from keras_vae.runtime.devices import need_tensorflow
from keras_vae.runtime.empty import of_any_count
from keras_vae.runtime.files import rename, unfinished, why, write_json
from keras_vae.runtime.lazy import tf
from keras_vae.runtime.upstream import release_graphs
from keras_vae.samplers import PriorSampler, load, save

# TensorFlow leaves that folder to others.
DESCRIPTION, PRIOR = "assets.extra/keras_vae.json", "assets.extra/prior.npz"


@dataclass(frozen=True)
class Description:
    """What a model is, beyond its functions: as much as evaluation has to know.

    `prior` is the name of the prior among `PRIORS`, None in an export of an older version;
    `effective_beta` is the weight of the rate in the loss once every schedule has run out, None without a rate;
    `num_classes` how many labels a conditional model knows, 0 of any other, and `label_names` what they are called, if
    known. `value_range` holds the values of the training images that became 0 and 1, where these are not what their
    type says. `sampled_classes` are the names of the classes that `sample_class` knows, where it is a signature.
    """

    image_shape: tuple[int, ...]
    latent_shape: tuple[int, ...]
    objective: object = option(MISSING, "how the terms of the loss are weighed", choices=OBJECTIVES)
    likelihood: object = option(MISSING, "what the decoder's output means", choices=LIKELIHOODS)
    effective_beta: float | None = None
    num_classes: int = 0
    label_names: tuple[str, ...] = ()
    value_range: tuple[float, ...] = ()
    prior: str | None = None
    sampled_classes: tuple[str, ...] = ()

    @classmethod
    def of(cls, model, sampled_classes=()):
        """Returns the description of an `Autoencoder`, and of the classes that its `sample_class` knows."""
        return cls(
            model.image_shape,
            model.latent_shape,
            model.objective,
            model.likelihood,
            model.objective.effective_beta(model.dims),
            model.num_classes,
            model.label_names,
            model.value_range or (),
            name_of_prior(model.prior),
            tuple(map(str, sampled_classes)),
        )

    def as_json(self):
        """Returns what is written to `DESCRIPTION`: sampled classes only if there are any, so older versions read it."""
        written = to_json(self)
        if not self.sampled_classes:
            del written["sampled_classes"]
        return written

    @classmethod
    def read(cls, version):
        """Returns the description in the SavedModel's folder `version`, None where there is none.

        Raises:
            UsageError: It cannot be read: it names a component that is not registered here, say.
        """
        path = Path(version) / DESCRIPTION
        return read_config(cls, path) if path.is_file() else None


def name_of_prior(prior):
    """Returns the name of a model's prior; that of a codebook, which nobody chooses, is its sampler's."""
    return next((name for name, kind in PRIORS.items() if type(prior) is kind), "uniform_codes")


def read_prior(version, latent_shape):
    """Returns the prior, a sampler, of the model whose decoder is in the folder `version`; N(0, I) where it says none."""
    path = Path(version) / PRIOR
    return load(path) if path.is_file() else PriorSampler(latent_shape)


def export(model, folder, sampler=None, num_samples=NUM_SAMPLES):
    """Writes the next version of a model's decoder and encoder, each whole or not at all.

    Args:
        model: An `Autoencoder`, of any precision.
        folder: The folder of both, a run's `serving`; it is made where there is none.
        sampler: What `sample` draws codes from (`keras_vae.samplers`); by default the model's prior,
            N(0, I) for a plain autoencoder too.
        num_samples: Codes that `score` draws for an image.

    Returns:
        The folders written, a dict of `decoder` and `encoder`, such as `serving/decoder/1`.

    Raises:
        WriteError: The folder cannot be written. A decoder that was complete by then stays.
        ValueError: The sampler's codes are not what the decoder takes.
    """
    copy = float32_twin(model)
    return {
        "decoder": write_decoder(copy, folder, sampler),
        "encoder": write_encoder(copy, folder, num_samples),
    }


def export_decoder(model, folder, sampler=None, classes=()):
    """Writes the next version of the decoder alone, `folder/decoder/N`; as `export`, and returns its path.

    `classes` are the names of the classes that the sampler knows, if it knows any.
    """
    return write_decoder(float32_twin(model), folder, sampler, classes)


def export_encoder(model, folder, num_samples=NUM_SAMPLES):
    """Writes the next version of the encoder alone, `folder/encoder/N`; as `export`, and returns its path."""
    return write_encoder(float32_twin(model), folder, num_samples)


def float32_twin(model):
    """Returns a model of the same weights that computes in float32."""
    return twin_in("float32", model)


def twin_in(precision, model):
    """Returns a model of the same weights that computes by the dtype policy `precision` (`keras_vae.model.twin`)."""
    need_tensorflow("an export")
    return twin.twin_in(precision, model)


def write_decoder(model, folder, sampler=None, classes=()):
    """Writes the next version of the decoder of a float32 model, and returns its path."""
    prior = model.prior.sampler()
    sampler = sampler or prior

    def raw(latent, label=None):
        return model.decoder(model.labelled(latent, label), training=False)

    decoded = of_any_count(raw)

    def parameters(latent, *label):
        return decoded(latent, *classes_only(label, model.num_classes))

    def decode(latent, *label):
        return {"image": model.likelihood.mean(parameters(latent, *label))}

    def sample(seed, *label):
        latent = sampler.sample(seed)
        if tuple(latent.shape[1:]) != model.latent_shape:
            raise ValueError(
                f"the sampler draws codes of shape {show_shape(latent.shape[1:])}: the decoder takes"
                f" {show_shape(model.latent_shape)} (fit the sampler to this model's codes)"
            )
        return {**decode(latent, *label), "latent": latent}

    codes, label = tf.TensorSpec((None, *model.latent_shape), "float32", "latent"), label_spec(model)
    signatures = {
        "decode": traced(decode, codes, *label),
        "sample": traced(sample, tf.TensorSpec((None,), "int64", "seed"), *label),
    }
    has_classes = num_labels_of(sampler) and not model.conditional
    if has_classes:

        def sample_class(seed, label):
            latent = sampler.sample_class(seed, *classes_only((label,), num_labels_of(sampler)))
            return {**decode(latent), "latent": latent}

        numbers = [tf.TensorSpec((None,), "int64", name) for name in ("seed", "label")]
        signatures["sample_class"] = traced(sample_class, *numbers)
    functions = {"parameters": traced(parameters, codes, *label)}
    description = Description.of(model, classes if has_classes else ())
    return write_version(Path(folder) / "decoder", description, signatures, functions, prior)


def num_labels_of(sampler):
    """Returns how many classes `sampler` can be asked for; 0 where it knows none."""
    return getattr(sampler, "num_labels", 0)


def write_encoder(model, folder, num_samples=NUM_SAMPLES):
    """Writes the next version of the encoder of a float32 model, and returns its path."""
    check_num_samples(num_samples)
    encode_rows = of_any_count(model.encode)
    reconstruct_rows = of_any_count(
        lambda image, *label: model.decode(model.encode(image, *label)[0], *label)
    )

    checked = in_range(model.input_spec_of(for_call=True).bounds_of_images)

    def encode(image, *label):
        mean, log_var = encode_rows(checked(image), *classes_only(label, model.num_classes))
        return {"mean": mean, "log_var": log_var}

    def reconstruct(image, *label):
        return {"image": reconstruct_rows(checked(image), *classes_only(label, model.num_classes))}

    inputs = tf.TensorSpec((None, *model.image_shape), "float32", "image"), *label_spec(model)
    signatures = {"encode": traced(encode, *inputs), "reconstruct": traced(reconstruct, *inputs)}
    try:
        check_scorable(model)
    except ValueError as error:
        warnings.warn(f"the exported encoder has no signature score: {error}", stacklevel=2)
    else:
        signatures["score"] = traced_score(model, num_samples, *inputs)
    return write_version(Path(folder) / "encoder", Description.of(model), signatures)


def traced_score(model, num_samples, image, *label):
    """Returns the function `score` of images, seeds and a conditional model's labels, traced for these specs."""

    def of_rows(image, seed, *label):
        return scores(model, image, noise_of(seed, num_samples, model.latent_shape), *label)

    rows = of_any_count(of_rows)

    checked = in_range(model.input_spec_of(for_call=True).bounds_of_images)

    def score(image, seed, *label):
        return {"score": rows(checked(image), seed, *classes_only(label, model.num_classes))}

    return traced(score, image, tf.TensorSpec((None,), "int64", "seed"), *label)


def label_spec(model):
    """Returns what the signatures take besides, in a tuple: the labels of a conditional model."""
    return (tf.TensorSpec((None,), "int64", "label"),) if model.conditional else ()


def in_range(bounds):
    """Returns a function of images that fails, as the graph runs, where they are not within `bounds`; none may be.

    A request of 255 times the images would be answered with nonsense. TF Serving makes INVALID_ARGUMENT of it, and
    HTTP's 400; where it batches requests, those that were put together fail together.
    """

    def checked(image):
        fits = bounds.hold(image) | tf.equal(tf.size(image), 0)
        said = [
            "the images run from",
            tf.reduce_min(image),
            "to",
            tf.reduce_max(image),
            "and are expected to lie within 0 and 1, as in training (try images / 255)",
        ]
        with tf.control_dependencies([tf.debugging.Assert(fits, said)]):
            return tf.identity(image)

    return checked


def classes_only(label, num_classes):
    """Returns the labels, a tuple of none or one tensor, and fails, as the graph runs, where they are not classes."""
    if not label:
        return label
    (numbers,) = label
    said = [
        "the labels run from",
        tf.reduce_min(numbers),
        "to",
        tf.reduce_max(numbers),
        "and are expected to be 0 to",
    ]
    fits = tf.reduce_all((numbers >= 0) & (numbers < num_classes))
    with tf.control_dependencies([tf.debugging.Assert(fits, [*said, num_classes - 1])]):
        return (tf.identity(numbers),)


def traced(function, *specs):
    """Returns `function` of tensors as a `tf.function` that has been traced for them; its arguments have their names."""

    def named(*arguments):
        return function(*arguments)

    # Else a second argument would be called label_0, also where a loaded model is called in Python.
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    named.__signature__ = inspect.Signature([inspect.Parameter(spec.name, kind) for spec in specs])
    compiled = tf.function(named, input_signature=specs, autograph=False)
    compiled.get_concrete_function()
    return compiled


def as_endpoint(function):
    """Returns a traced function as `serve`, what `keras.layers.TFSMLayer` calls: its inputs come as one argument.

    The inputs of a conditional model are a tuple, a list or a dict by name, or the labels come as `label=`; labels are
    int32 or int64. TensorFlow finds the one that fits among the forms that the function was traced for.
    """
    specs = function.input_signature

    def serve(inputs, label=None):
        if isinstance(inputs, dict):
            inputs = [inputs[spec.name] for spec in specs]
        rows, *labels = inputs if isinstance(inputs, tuple | list) else (inputs,)
        labels = labels if label is None else [label]
        return function(rows, *(tf.cast(given, "int64") for given in labels))

    endpoint = tf.function(serve, autograph=False)
    for arguments in forms_of(specs):
        endpoint.get_concrete_function(*arguments)
    return endpoint


def forms_of(specs):
    """Returns the arguments `(inputs, label)` that an endpoint of inputs `specs` is traced for, a list of tuples."""
    rows, *labels = specs
    if not labels:
        return [(rows,), ({rows.name: rows},)]
    forms = []
    for dtype in ("int32", "int64"):
        label = tf.TensorSpec((None,), dtype, "label")
        forms += [(rows, label), ((rows, label),), ([rows, label],), ({rows.name: rows, "label": label},)]
    return forms


def write_version(servable, description, signatures, functions=None, prior=None):
    """Writes a SavedModel as the next version below the folder `servable` and returns its folder.

    It is written beside the versions under a name that is no number, which TF Serving passes over, and renamed
    when it is complete.

    Args:
        servable: A path.
        description: A `Description`.
        signatures: The traced functions by name, the first of them also the default.
        functions: Those that are no signatures, but attributes of what `tf.saved_model.load` returns.
        prior: The model's own, a sampler, which is kept beside them; or None.
    """
    everything = {**signatures, **(functions or {})}
    root = tf.Module()
    for name, function in everything.items():
        setattr(root, name, function)
    root.serve = as_endpoint(next(iter(signatures.values())))
    # No model is tracked, which would store its weights once more: the variables that the functions use are.
    root.used = [function.get_concrete_function().variables for function in everything.values()]
    try:
        with unfinished_version(servable) as folder:
            tf.saved_model.save(
                root, str(folder), {"serving_default": next(iter(signatures.values())), **signatures}
            )
            write_json(folder / DESCRIPTION, description.as_json())
            if prior is not None:
                save(prior, folder / PRIOR)
            checksums.seal(folder)
            return publish(folder)
    except (OSError, tf.errors.OpError) as error:
        raise WriteError(
            f"cannot write a SavedModel into {servable}: {why(error)}"
            " (it takes a folder that can be written and room for the weights)"
        ) from error
    finally:
        release_graphs()


@contextlib.contextmanager
def unfinished_version(servable):
    """Yields a new folder below `servable` to write a version into; one that is still there at the end is removed."""
    try:
        with unfinished(servable) as folder:
            yield folder
    finally:
        with contextlib.suppress(OSError):
            servable.rmdir()  # goes only where it is empty: no version was there, and none came


def publish(folder):
    """Renames a complete version to the next number in its folder, and returns the new path.

    Of two processes that want the same number one is refused, and takes the next.
    """
    while True:
        version = folder.parent / str(next_version(folder.parent))
        if rename(folder, version):
            return version


def next_version(servable):
    """Returns one more than the largest number that names anything in the folder `servable`."""
    names = (name for name in os.listdir(servable) if re.fullmatch("[0-9]+", name))
    return max(map(int, names), default=0) + 1
