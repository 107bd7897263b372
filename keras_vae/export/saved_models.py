"""SavedModels of a decoder and an encoder, for TensorFlow without this package and for TF Serving.

    serving/decoder/1/    decode (also serving_default): latent -> image;  sample: seed -> image, latent
    serving/encoder/1/    encode (also serving_default): image -> mean, log_var;  reconstruct: image -> image;
                          score: image, seed -> score (`Autoencoder.score`)

Three further parts let evaluation treat an export like the model itself. A loaded decoder has the function `parameters`
from codes to the parameters of the likelihood. `assets.extra/keras_vae.json` has the `Description` of the model, and
`assets.extra/prior.npz` its prior as a sampler, which may differ from the sampler of `sample`.

The encoder rejects images outside [0, 1] with INVALID_ARGUMENT. The encoder of a denoising model accepts noisy images,
and rejects images of another scale. If `value_range` in `keras_vae.json` is `[low, high]`, the model was trained on
`(value - low) / (high - low)`, clipped to [0, 1], and expects the same.

If the sampler was fitted with labels, the decoder of a model that is not conditional has a further signature,

    sample_class: seed, label -> image, latent        label: int64 `[n]`, the number of a class of the training images

The signatures of a conditional model also take `label`, int64 `[n]`: the number of each image's class, which is its
position in `label_names` in `keras_vae.json`.

In Python, a loaded model has the functions `decode(latent, label)` and so on. The function `serve` is its default
signature in the form that `keras.layers.TFSMLayer` calls:

    layer = keras.layers.TFSMLayer("serving/decoder/1")
    layer(codes), layer((codes, labels)), layer({"latent": codes, "label": labels}), layer(codes, label=labels)

The batch size is free. All tensors are float32: the export is a float32 twin of the model, whatever its precision. On a
CPU, its images equal those of a float32 model bit for bit. Rows of batches of different sizes are equal up to float32
rounding, because the algorithm of a convolution depends on the batch size.
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
from keras_vae.runtime.devices import need_tensorflow, without_notes
from keras_vae.runtime.empty import of_any_count
from keras_vae.runtime.files import rename, unfinished, why, write_json
from keras_vae.runtime.lazy import tf
from keras_vae.runtime.upstream import release_graphs
from keras_vae.samplers import PriorSampler, load, save

# TensorFlow reserves this folder for files of other programs.
DESCRIPTION, PRIOR = "assets.extra/keras_vae.json", "assets.extra/prior.npz"


@dataclass(frozen=True)
class Description:
    """The properties of a model that evaluation needs in addition to its functions.

    `prior` is the name of the prior in `PRIORS`, None in exports of older versions. `effective_beta` is the weight of
    the rate in the loss at the end of every schedule, None without a rate. `num_classes` is the number of classes of a
    conditional model, 0 for others, and `label_names` are their names, if known. `value_range` has the values of the
    training images that became 0 and 1, if they are not the defaults of the data type. `sampled_classes` are the names
    of the classes of the signature `sample_class`, if it exists.
    """

    image_shape: tuple[int, ...]
    latent_shape: tuple[int, ...]
    objective: object = option(MISSING, "terms of the loss and their weights", choices=OBJECTIVES)
    likelihood: object = option(
        MISSING, "distribution of images given the decoder's output", choices=LIKELIHOODS
    )
    effective_beta: float | None = None
    num_classes: int = 0
    label_names: tuple[str, ...] = ()
    value_range: tuple[float, ...] = ()
    prior: str | None = None
    sampled_classes: tuple[str, ...] = ()

    @classmethod
    def of(cls, model, sampled_classes=()):
        """Returns the description of an `Autoencoder` and of the classes of its `sample_class`."""
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
        """Returns the JSON of `DESCRIPTION`, without `sampled_classes` if there are none, for older versions."""
        written = to_json(self)
        if not self.sampled_classes:
            del written["sampled_classes"]
        return written

    @classmethod
    def read(cls, version):
        """Returns the description in the folder `version` of a SavedModel, or None if there is none.

        Raises:
            UsageError: It cannot be read, for example because a component is not registered.
        """
        path = Path(version) / DESCRIPTION
        return read_config(cls, path) if path.is_file() else None


def name_of_prior(prior):
    """Returns the name of a model's prior, "uniform_codes" for the prior of a codebook."""
    return next((name for name, kind in PRIORS.items() if type(prior) is kind), "uniform_codes")


def read_prior(version, latent_shape):
    """Returns the prior of the model whose decoder is in the folder `version`, as a sampler; N(0, I) by default."""
    path = Path(version) / PRIOR
    return load(path) if path.is_file() else PriorSampler(latent_shape)


def export(model, folder, sampler=None, num_samples=NUM_SAMPLES):
    """Writes the next version of a model's decoder and encoder, each atomically.

    Args:
        model: An `Autoencoder` of any precision.
        folder: The folder of both, such as a run's `serving`. It is created if it does not exist.
        sampler: The sampler (`keras_vae.samplers`) of `sample`. The default is the model's prior, or N(0, I) for a
            plain autoencoder.
        num_samples: The number of codes that `score` draws per image.

    Returns:
        A dict of the written folders of `decoder` and `encoder`, such as `serving/decoder/1`.

    Raises:
        WriteError: The folder cannot be written. A decoder that is already complete stays.
        ValueError: The codes of the sampler do not fit the decoder.
    """
    copy = float32_twin(model)
    return {
        "decoder": write_decoder(copy, folder, sampler),
        "encoder": write_encoder(copy, folder, num_samples),
    }


def export_decoder(model, folder, sampler=None, classes=()):
    """Writes the next version of the decoder only, `folder/decoder/N`, like `export`, and returns its path.

    `classes` are the names of the sampler's classes, if it has any.
    """
    return write_decoder(float32_twin(model), folder, sampler, classes)


def export_encoder(model, folder, num_samples=NUM_SAMPLES):
    """Writes the next version of the encoder only, `folder/encoder/N`, like `export`, and returns its path."""
    return write_encoder(float32_twin(model), folder, num_samples)


def float32_twin(model):
    """Returns a model with the same weights that computes in float32."""
    return twin_in("float32", model)


def twin_in(precision, model):
    """Returns a model with the same weights and the dtype policy `precision` (`keras_vae.model.twin`)."""
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
                f"the sampler draws codes of shape {show_shape(latent.shape[1:])}, but the decoder expects"
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
    """Returns the number of classes of `sampler`, 0 if it has none."""
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
        warnings.warn(f"the exported encoder does not have the signature score: {error}", stacklevel=2)
    else:
        signatures["score"] = traced_score(model, num_samples, *inputs)
    return write_version(Path(folder) / "encoder", Description.of(model), signatures)


def traced_score(model, num_samples, image, *label):
    """Returns the traced function `score` of images, seeds and, if the model is conditional, labels."""

    def of_rows(image, seed, *label):
        return scores(model, image, noise_of(seed, num_samples, model.latent_shape), *label)

    rows = of_any_count(of_rows)

    checked = in_range(model.input_spec_of(for_call=True).bounds_of_images)

    def score(image, seed, *label):
        return {"score": rows(checked(image), seed, *classes_only(label, model.num_classes))}

    return traced(score, image, tf.TensorSpec((None,), "int64", "seed"), *label)


def label_spec(model):
    """Returns a tuple with the spec of a conditional model's labels, or an empty tuple."""
    return (tf.TensorSpec((None,), "int64", "label"),) if model.conditional else ()


def in_range(bounds):
    """Returns a function of images that raises an error in the graph if they are outside `bounds`. Empty batches pass.

    Images in [0, 255], for example, would get meaningless results. TF Serving answers with INVALID_ARGUMENT or HTTP
    status 400. If it batches requests, all requests of the batch fail.
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
    """Returns `label`, a tuple of at most one tensor, and raises an error in the graph if labels are not classes."""
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
    """Returns `function` as a `tf.function` traced for `specs`, whose names become those of its arguments."""

    def named(*arguments):
        return function(*arguments)

    # Without this signature, a second argument would be called label_0, in loaded models too.
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    named.__signature__ = inspect.Signature([inspect.Parameter(spec.name, kind) for spec in specs])
    compiled = tf.function(named, input_signature=specs, autograph=False)
    compiled.get_concrete_function()
    return compiled


def as_endpoint(function):
    """Returns a traced function as `serve`, which `keras.layers.TFSMLayer` calls with all inputs as one argument.

    The inputs of a conditional model are a tuple, a list or a dict by name, or the labels are the argument `label`.
    Labels are int32 or int64. TensorFlow selects the matching form among those that the function was traced for.
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
    """Returns the argument forms `(inputs, label)` that an endpoint is traced for, a list of tuples."""
    rows, *labels = specs
    if not labels:
        return [(rows,), ({rows.name: rows},)]
    forms = []
    for dtype in ("int32", "int64"):
        label = tf.TensorSpec((None,), dtype, "label")
        forms += [(rows, label), ((rows, label),), ([rows, label],), ({rows.name: rows, "label": label},)]
    return forms


def write_version(servable, description, signatures, functions=None, prior=None):
    """Writes a SavedModel as the next version in the folder `servable` and returns its folder.

    It is first written under a name that is not a number, which TF Serving ignores, and renamed when it is complete.

    Args:
        servable: A path.
        description: A `Description`.
        signatures: A dict of traced functions, of which the first is also the default.
        functions: Traced functions that are not signatures, but attributes of the loaded model.
        prior: The model's prior as a sampler, which is stored too, or None.
    """
    everything = {**signatures, **(functions or {})}
    root = tf.Module()
    for name, function in everything.items():
        setattr(root, name, function)
    root.serve = as_endpoint(next(iter(signatures.values())))
    # The variables of the functions are tracked instead of the model, which would store its weights twice.
    root.used = [function.get_concrete_function().variables for function in everything.values()]
    try:
        with without_notes(), unfinished_version(servable) as folder:
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
            " (choose a writable folder with space for the weights)"
        ) from error
    finally:
        release_graphs()


@contextlib.contextmanager
def unfinished_version(servable):
    """Yields a new folder in `servable` for a version, and removes it at the end if it is still there."""
    try:
        with unfinished(servable) as folder:
            yield folder
    finally:
        with contextlib.suppress(OSError):
            servable.rmdir()  # succeeds only if it is empty, without any version


def publish(folder):
    """Renames a complete version to the next number in its folder, and returns the new path.

    If two processes want the same number, one fails and takes the next.
    """
    while True:
        version = folder.parent / str(next_version(folder.parent))
        if rename(folder, version):
            return version


def next_version(servable):
    """Returns one more than the largest number among the names in the folder `servable`."""
    names = (name for name in os.listdir(servable) if re.fullmatch("[0-9]+", name))
    return max(map(int, names), default=0) + 1
