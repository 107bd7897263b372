"""The inputs of an evaluation: models and images in any of the supported forms.

`model_of(model)` recognises the model and returns a `Given`, `dataset_of(data, given, settings)` returns the images,
and `given.subject(dataset, settings)` returns the `Subject` to measure.
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from keras_vae.config.flags import to_flags
from keras_vae.data import Arrays, Dataset, LoadOptions
from keras_vae.errors import UsageError
from keras_vae.evaluation.subject import (
    Subject,
    from_export,
    from_functions,
    from_halves,
    from_model,
    keras_function,
    load_function,
    load_keras_file,
    load_model,
    name_of,
    readable,
    run_of,
)
from keras_vae.evaluation.verdict.source import UNKNOWN, Source
from keras_vae.export.saved_models import Description
from keras_vae.model.likelihoods import Automatic, Bernoulli
from keras_vae.runtime.devices import say
from keras_vae.runtime.lazy import keras, tf
from keras_vae.runtime.programs import typed_path
from keras_vae.training.config import DataSettings
from keras_vae.training.run_folder import Run
from keras_vae.training.setup import LOOKED_AT, load

MODELS = (
    "a Run, the path of a run's folder, of a .keras file or of an export, an Autoencoder, a Keras model, a pair"
    " (encoder, decoder), or keras_vae.from_functions(encode, decode)"
)
IMAGES = "a Dataset, a dataset's name, a folder or file of images, an array of images, (images, labels), or a tf.data.Dataset"
MOST_IMAGES, MOST_NUMBERS = 50_000, 2**28  # limits for a stream: images, and values in all images
HALVES = ("encoder", "decoder")


@dataclasses.dataclass(frozen=True)
class Given:
    """A model passed to an evaluation.

    Attributes:
        subject: (dataset, settings) -> the `Subject`.
        run: The `Run` of the model, or None.
        image_shape: The shape of its training images, or None if unknown.
    """

    subject: Callable
    run: Run | None = None
    image_shape: tuple | None = None


def model_of(model):
    """Returns the `Given` of a model of any kind (`MODELS`).

    Raises:
        UsageError: The model is of another kind, or cannot be read.
    """
    from keras_vae.model.autoencoder import Autoencoder

    if isinstance(model, Subject):
        return Given(lambda dataset, settings: with_ranges(model, settings))
    if isinstance(model, Run):
        return model_of_run(Run.open(model.path))
    if isinstance(model, str | os.PathLike):
        return model_of_path(pathlib.Path(model).expanduser())
    if isinstance(model, Autoencoder):
        return own_model(model)
    if isinstance(model, tuple | list) and len(model) == 2:
        return Given(lambda dataset, settings: from_pair(*model, settings, dataset))
    halves = [getattr(model, half, None) for half in HALVES]
    if all(callable(half) for half in halves):
        return Given(lambda dataset, settings: from_pair(*halves, settings, dataset, name_of_model(model)))
    if isinstance(model, keras.Model):
        pair = cut(model)
        return Given(lambda dataset, settings: from_pair(*pair, settings, dataset, name_of_model(model)))
    halves = [getattr(model, name, None) for name in ("encode", "decode")]
    if all(callable(half) for half in halves):
        return Given(lambda dataset, settings: from_pair(*halves, settings, dataset, name_of_model(model)))
    raise UsageError(f"a {type(model).__name__} is not a model that can be evaluated: expected {MODELS}")


def own_model(model, run=None, name=None):
    """Returns the `Given` of an `Autoencoder`."""
    return Given(
        lambda dataset, settings: with_ranges(from_model(model, name), settings),
        run,
        tuple(model.image_shape),
    )


def model_of_run(run):
    """Returns the `Given` of the model of a `Run`."""
    return own_model(load_model(run), run, run.path.resolve().name)


def model_of_path(path):
    """Returns the `Given` of the model at `path`: a run, a `.keras` file, or the folder of an export."""
    if not path.exists():
        raise UsageError(f"{path} does not exist: expected {MODELS}")
    if (path / "config.json").is_file():
        return model_of_run(Run.open(path))
    if path.is_file():
        run = Run(path.parent)
        if path.name == run.model_file.name and run.config_file.is_file():
            return model_of_run(run)
        given = model_of(readable(load_keras_file, path))
        name = name_of(path)
        return dataclasses.replace(
            given,
            subject=lambda dataset, settings: dataclasses.replace(
                given.subject(dataset, settings), name=name
            ),
        )
    encoder, decoder = exported_halves(path)
    return Given(
        lambda dataset, settings: from_pair(encoder, decoder, settings, dataset),
        run_of(decoder),
        description.image_shape if (description := Description.read(encoder)) else None,
    )


def exported_halves(folder):
    """Returns the paths of the encoder and the decoder in, above or beside `folder`.

    The folder may be a run's `serving`, one of its two servables, a version of one, or a folder with two SavedModels or
    files called encoder and decoder. If `folder` is a version, that version is used.

    Raises:
        UsageError: One of them is missing.
    """
    for place in (folder, folder.absolute().parent, folder.absolute().parent.parent):
        found = [half_in(place, half) for half in HALVES]
        if all(found):
            own = folder.absolute()
            return [
                str(own if own.parent == (place / half).absolute() else path)
                for half, path in zip(HALVES, found)
            ]
    raise UsageError(
        f"{folder} is not a model: it has neither the config.json of a run nor an encoder and a decoder (expected"
        f" {MODELS})"
    )


def half_in(place, half):
    """Returns the path of the newest version of `half`, "encoder" or "decoder", in the folder `place`; or None."""
    folder, file = place / half, place / f"{half}.keras"
    versions = [path for path in folder.glob("*/saved_model.pb") if path.parent.name.isdecimal()]
    if versions:
        return max(versions, key=lambda path: int(path.parent.name)).parent
    if (folder / "saved_model.pb").is_file():
        return folder
    return file if file.is_file() else None


def name_of_model(model):
    """Returns a model's name, else its class's name; "model" for a function."""
    if isinstance(name := getattr(model, "name", None), str):
        return name
    return "model" if hasattr(model, "__code__") or hasattr(model, "__func__") else type(model).__name__


def with_ranges(subject, settings):
    """Returns `subject` with the value ranges requested by `settings`; unchanged if none are requested."""
    asked = {"encoder": settings.encoder_range, "decoder": settings.decoder_range}
    asked = {side: name for side, name in asked.items() if name != "auto"}
    if not asked:
        return subject
    if subject.foreign is None:
        side, name = next(iter(asked.items()))
        raise UsageError(
            f"{side}_range is {name!r}: keras_vae models take and return images from 0 to 1, and the range is only for"
            f" models of other libraries (leave {side}_range out)"
        )
    foreign = dataclasses.replace(subject.foreign, **asked)
    return dataclasses.replace(subject, **foreign.functions(), foreign=foreign)


def from_pair(encoder, decoder, settings, dataset, name=None):
    """Returns the `Subject` of an encoder and a decoder: paths, Keras models, or functions over NumPy arrays.

    Two exports of a keras_vae model are used according to their description, unless another likelihood is requested.

    Args:
        encoder, decoder: The two halves.
        settings: An `Evaluation`; uses `likelihood`, `encoder_outputs`, `spread` and the two ranges.
        dataset: A `Dataset`.
        name: The model's name; None: the decoder's name.
    """
    paths = [isinstance(half, str | os.PathLike) for half in (encoder, decoder)]
    asked = settings.likelihood
    if all(paths):
        found = [Description.read(path) for path in (encoder, decoder)]
        if all(found) and (isinstance(asked, Automatic) or asked == found[1].likelihood):
            return from_export(encoder, decoder)
    likelihood = likelihood_of(settings, dataset, decoder if paths[1] else None)
    ranges = dict(zip(("encoder_range", "decoder_range"), (settings.encoder_range, settings.decoder_range)))
    for half, side in zip((encoder, decoder), HALVES):
        check_half(half, side)
    name = name or (name_of(decoder) if paths[1] else name_of_model(decoder))
    if not any(paths) and not any(isinstance(half, keras.layers.Layer) for half in (encoder, decoder)):
        return from_functions(encoder, decoder, likelihood, name, **ranges)
    return from_halves(
        as_function(encoder, "encoder"),
        as_function(decoder, "decoder"),
        likelihood,
        name,
        settings.encoder_outputs,
        settings.spread,
        image_shape=dataset.image_shape,
        **ranges,
    )


def check_half(half, side):
    """Raises a UsageError if `half` of a model is neither a path nor callable."""
    if not callable(half) and not isinstance(half, str | os.PathLike):
        raise UsageError(
            f"the {side} is a {type(half).__name__}: expected a Keras model, a function, or a path (a pair is"
            " (encoder, decoder))"
        )


def as_function(half, side):
    """Returns `half` of a model (a path, a Keras model or layer, or a function) in the form of `load_function`."""
    if isinstance(half, str | os.PathLike):
        return load_function(half)
    if isinstance(half, keras.layers.Layer):
        return keras_function(half)

    def run(inputs):
        results = half(inputs)
        if isinstance(results, dict):
            return {name: np.asarray(value, "float32") for name, value in results.items()}
        if not isinstance(results, tuple | list):
            code = np.asarray(results, "float32")
            return (
                {"mean": code, "log_var": np.full(code.shape, -100.0, "float32")}
                if side == "encoder"
                else {"0": code}
            )
        return {str(place): np.asarray(value, "float32") for place, value in enumerate(results)}

    run.ordered, run.input_shape = True, None
    return run


def likelihood_of(settings, dataset, decoder=None):
    """Returns the requested likelihood, else that of the decoder's run, else one that fits the images.

    A model of another library is assumed to have been trained on grey values, without binarisation.
    """
    if not isinstance(settings.likelihood, Automatic):
        return settings.likelihood
    if decoder is not None and (run := run_of(decoder)):
        return run.read_config().likelihood
    found = settings.likelihood.resolve(dataset.train.images(0, LOOKED_AT))
    return Bernoulli(binarize="none") if isinstance(found, Bernoulli) else found


def cut(model):
    """Returns the (encoder, decoder) of a Keras model of images to images, cut at its narrowest tensor.

    If the narrowest tensor is computed from two tensors of its shape, these are the encoder's outputs: mean and spread.

    Raises:
        UsageError: The model has no such tensor, or its layers cannot be inspected.
    """
    ways_out = (
        "give the pair (encoder, decoder), a model with attributes encoder and decoder, or"
        " keras_vae.from_functions(encode, decode)"
    )
    if len(getattr(model, "inputs", None) or ()) != 1 or not getattr(model, "outputs", None):
        raise UsageError(
            f"the model {model.name} cannot be split into encoder and decoder: it is not a functional model with one"
            f" input ({ways_out})"
        )
    inputs, output, calls = retraced(model)
    size = size_of(output)
    for _, _, call, code in sorted(narrow_places(calls), key=lambda entry: entry[:2]):
        if size_of(code) >= size:
            break
        try:
            decoder = keras.Model(code, output, name=model.name)
        except ValueError:  # another path bypasses this tensor
            continue
        return keras.Model(inputs, outputs_of(call, code), name=f"{model.name}_encoder"), decoder
    raise UsageError(
        f"the model {model.name} has no bottleneck: no tensor smaller than its images lies on every path ({ways_out})"
    )


class Call(NamedTuple):
    """A layer's call in a functional model: its input and output tensors."""

    inputs: list
    outputs: list


def retraced(model):
    """Returns the input of a functional model, its first output, and its layers' calls (`Call`), in order.

    The layers are those of the model; a nested model is one layer.
    """
    calls = []

    def call(layer, *args, **kwargs):
        results = layer(*args, **kwargs)
        calls.append(Call(keras.tree.flatten((args, kwargs)), keras.tree.flatten(results)))
        return results

    if isinstance(model, keras.Sequential):
        tensor = source = keras.Input(model.inputs[0].shape[1:], dtype=model.inputs[0].dtype)
        for layer in model.layers:
            tensor = call(layer, tensor)
        return source, tensor, calls
    traced = keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=call)
    return traced.inputs[0], traced.outputs[0], calls


def size_of(tensor):
    """Returns the size of a symbolic tensor for one image; infinity if it is unknown."""
    shape = tensor.shape
    return np.inf if shape is None or len(shape) < 2 or None in shape[1:] else int(np.prod(shape[1:]))


def narrow_places(calls):
    """Yields (size, order, call, tensor) of every output of a layer; order is lower for later layers."""
    for place, call in enumerate(calls):
        for tensor in call.outputs:
            if keras.backend.is_keras_tensor(tensor) and size_of(tensor) < np.inf:
                yield size_of(tensor), -place, call, tensor


def outputs_of(call, code):
    """Returns the outputs of an encoder that ends in `call`: mean and spread if the code is sampled, else the code."""
    if len(call.outputs) > 1:
        return call.outputs
    drawn_from = [tensor for tensor in call.inputs if keras.backend.is_keras_tensor(tensor)]
    alike = all(tuple(tensor.shape) == tuple(code.shape) for tensor in drawn_from)
    return drawn_from if len(drawn_from) == 2 and alike else code


def source_of(given, data, settings, asked=()):
    """Returns the `Source` of a model in a program, with the commands for its run if it has one.

    Args:
        given: A `Given`.
        data, settings, asked: As in `dataset_of`.
    """
    from keras_vae.training.advice import epochs_of

    if given.run is None:
        return UNKNOWN
    images = set(asked) & {field.name for field in dataclasses.fields(DataSettings)}
    named = ("--dataset", os.fspath(data)) if isinstance(data, str | os.PathLike) else ()
    typed = data is None or named  # no command can name images in memory
    flags = to_flags(settings, set(asked))
    return Source(
        evaluated=(typed_path(given.run.path), *named, *flags) if typed else None,
        config_file=typed_path(given.run.config_file),
        config=given.run.read_config(),
        data=(*named, *to_flags(settings, images)),
        **epochs_of(given.run),
    )


def dataset_of(data, given, settings, asked=()):
    """Returns the `Dataset` of the images `data` (`IMAGES`); for None the dataset of the model's run.

    Args:
        data: The images.
        given: The `Given`.
        settings: An `Evaluation`.
        asked: The names of the settings that were given; those of the images override the run's.

    Raises:
        UsageError, DatasetError: The images are missing or cannot be used.
    """
    if isinstance(data, Dataset):
        return data
    names = [field.name for field in dataclasses.fields(DataSettings) if field.name in asked]
    own = {name: getattr(settings, name) for name in names}
    if data is None and given.run is None:
        raise UsageError(
            f"evaluate(model, dataset) needs a dataset, because the model is not in a run folder: give {IMAGES}"
        )
    if data is None:
        return load(dataclasses.replace(given.run.read_config(), **own))
    if isinstance(data, str | os.PathLike) or (
        callable(getattr(data, "load", None)) and dataclasses.is_dataclass(data)
    ):
        return dataset_by_name(data, given, settings, own)
    return dataset_of_arrays(data)


def dataset_by_name(data, given, settings, own):
    """Returns the `Dataset` for a name, a path or a source, in the image size of the model."""
    config = settings if given.run is None else given.run.read_config()
    fitting = {} if given.run is None else {"limit": None}
    if given.image_shape is not None:
        *size, channels = given.image_shape
        fitting |= {"image_size": tuple(size)} | ({"channels": channels} if channels in (1, 3) else {})
    try:
        config = dataclasses.replace(config, dataset=data, **{**fitting, **own})
    except ValueError as error:
        raise UsageError(str(error)) from error
    return load(config)


@dataclasses.dataclass(frozen=True)
class InMemory(Arrays):
    """Arrays in a program, checked and read like those in a file."""

    arrays: object = None

    def read(self, path):
        """Returns ({split: (key, images)}, {split: labels}); without splits, all are "train"."""
        names = ("train",) if len(self.arrays) == 1 else ("train", "test")
        names = ("train", "validation", "test") if len(self.arrays) == 3 else names
        keys = ("",) if len(names) == 1 else names
        parts = {name: (key, images) for name, key, (images, _) in zip(names, keys, self.arrays)}
        labels = {name: labels for name, (_, labels) in zip(names, self.arrays) if labels is not None}
        return parts, labels


def dataset_of_arrays(data):
    """Returns the `Dataset` of arrays or of a stream: images, (images, labels), or one of these for each split."""
    return InMemory("images", splits_of(data)).load(LoadOptions())


def splits_of(data):
    """Returns a list of (images, labels or None): one for all images, or one for each split in the usual order.

    Raises:
        UsageError: It is unclear which part contains the images.
    """
    if isinstance(data, dict):
        named = [data[name] for name in ("train", "validation", "test") if name in data]
        return [images_and_labels(part) for part in named] if named else [images_and_labels(data)]
    if is_stream(data):
        return [images_and_labels(data)]
    if isinstance(data, tuple | list) and 1 <= len(data) <= 3:
        if len(data) > 1 and all(is_split(part) for part in data):
            return [images_and_labels(part) for part in data]
        if len(data) == 2:
            return [images_and_labels(data)]
    return [images_and_labels(data)]


def is_split(part):
    """Returns whether `part` of a tuple is a split (images, a pair, or a stream) and not labels."""
    return (
        isinstance(part, tuple | dict)
        or is_stream(part)
        or (isinstance(part, list) and len(part) == 2)
        or np.ndim(part) >= 3
    )


def is_stream(data):
    """Returns whether `data` provides images one batch after another."""
    if isinstance(data, np.ndarray | list | tuple | dict | str) or hasattr(data, "__array__"):
        return False
    return isinstance(data, Iterable) or hasattr(data, "__getitem__")


def images_and_labels(data):
    """Returns (images, labels or None) as arrays, from an array, a pair, a dict, or a stream of these."""
    if is_stream(data):
        return from_stream(data)
    if isinstance(data, dict):
        images = next((data[key] for key in ("images", "image", "x", "x_train") if key in data), None)
        labels = next((data[key] for key in ("labels", "label", "y", "y_train") if key in data), None)
        if images is None:
            raise UsageError(
                f"a dict with the keys {', '.join(map(str, data)) or '(none)'} has no images: expected the keys images and"
                " labels"
            )
        return as_images(images), None if labels is None else np.asarray(labels)
    if isinstance(data, tuple) or (isinstance(data, list) and len(data) == 2 and np.ndim(data[1]) <= 1):
        if len(data) not in (1, 2) or is_stream(data[0]):
            raise UsageError(f"a tuple of {len(data)} elements is ambiguous: expected {IMAGES}")
        return as_images(data[0]), None if len(data) == 1 or data[1] is None else np.asarray(data[1])
    return as_images(data), None


def as_images(values):
    """Returns `values` as an array of images; raises a UsageError if they are not images."""
    try:
        array = np.asarray(values)
    except (ValueError, TypeError) as error:
        raise UsageError(f"a {type(values).__name__} is not an array of images: expected {IMAGES}") from error
    if array.dtype == object or array.dtype.kind not in "biuf":
        raise UsageError(f"a {type(values).__name__} is not an array of images: expected {IMAGES}")
    return array


def from_stream(data):
    """Returns the images and labels of a tf.data.Dataset, a PyDataset or a generator, up to a limit."""
    images, labels, count, numbers = [], [], 0, 0
    for element in elements(data):
        found, classes = images_and_labels(element[:2] if isinstance(element, tuple | list) else element)
        if found.ndim == 2 or (found.ndim == 3 and found.shape[-1] <= 4):  # one image
            found, classes = (
                found[None],
                None if classes is None else np.reshape(classes, (1, *np.shape(classes))),
            )
        images.append(found)
        labels.append(classes)
        count, numbers = count + len(found), numbers + found.size
        if count >= MOST_IMAGES or numbers >= MOST_NUMBERS:
            say(f"using the first {count:,} images of the stream")
            break
    if not images:
        raise UsageError(f"the {type(data).__name__} yields no images: expected {IMAGES}")
    whole = np.concatenate(images)
    return whole, None if any(part is None for part in labels) else np.concatenate(labels)


def elements(data):
    """Yields the elements of a stream, as arrays in their structure."""
    if isinstance(data, tf.data.Dataset):
        data = data.as_numpy_iterator()
    elif not isinstance(data, Iterable) or isinstance(data, keras.utils.PyDataset):
        return map(data.__getitem__, range(len(data)))
    return iter(data)
