"""Samplers: densities from which the codes of new images are drawn.

A sampler is a frozen dataclass whose first field is `latent_shape`. All samplers have these methods:

    fit(codes)       returns a new sampler fitted to `Codes(mean, log_var)`. The argument `components` passes the
                     principal components of the means, if they are known
    sample(seeds)    returns codes, float32 `[n, *latent]`, for `seeds`, int64 `[n]`. Row i depends only on seeds[i]
    log_prob(codes)  returns the log density of codes, `[n, *latent]`, in nats, `[n]`. two_stage does not have it

The property `settings` is a dict of the settings of the fit. `sample` is also traced into the decoder's SavedModel
(`keras_vae.export.saved_models`). It is therefore written in TensorFlow, works for every n including 0, and draws noise
with `standard_normal`. The field `density` of a fitted sampler is a NamedTuple of arrays or of such tuples. Its arrays
become constants in the export and named arrays in an NPZ file.

Imports: `layers`. Begin with `prior.py`, the shortest, and `flow_matching.py`, which fits codes of any distribution.
"""

import dataclasses
import typing
import zipfile
import zlib

import numpy as np

from keras_vae.config.codec import nest
from keras_vae.errors import UsageError
from keras_vae.runtime.files import whole
from keras_vae.runtime.half import halved, widened
from keras_vae.runtime.programs import to_type
from keras_vae.samplers.codes import Codes
from keras_vae.samplers.flow import FlowSampler
from keras_vae.samplers.flow_matching import FlowMatching
from keras_vae.samplers.gaussian import GaussianSampler
from keras_vae.samplers.mixture import Mixture
from keras_vae.samplers.noise import standard_normal
from keras_vae.samplers.pixel_cnn import PixelCNN
from keras_vae.samplers.prior import PriorSampler
from keras_vae.samplers.two_stage import TwoStage
from keras_vae.samplers.uniform import UniformSampler
from keras_vae.samplers.vamp import Vamp

__all__ = [
    "FITTED",
    "SAMPLERS",
    "Codes",
    "FlowSampler",
    "FlowMatching",
    "GaussianSampler",
    "Mixture",
    "PixelCNN",
    "PriorSampler",
    "TwoStage",
    "UniformSampler",
    "Vamp",
    "load",
    "save",
    "standard_normal",
]

SAMPLERS: dict[str, type] = {
    "flow": FlowSampler,
    "flow_matching": FlowMatching,
    "gaussian": GaussianSampler,
    "mixture": Mixture,
    "pixel_cnn": PixelCNN,
    "prior": PriorSampler,
    "two_stage": TwoStage,
    "uniform_codes": UniformSampler,
    "vamp": Vamp,
}

# The samplers that are fitted to codes. The others are the priors that models are trained with.
FITTED = tuple(name for name, kind in SAMPLERS.items() if kind not in (PriorSampler, UniformSampler))


def name_of(sampler):
    """Returns the name of a sampler in `SAMPLERS`."""
    (name,) = (name for name, kind in SAMPLERS.items() if type(sampler) is kind)
    return name


def save(sampler, path, half=False):
    """Writes `sampler`, one of `SAMPLERS`, to the file `path` atomically, as an NPZ archive without pickles.

    `half` stores large arrays, such as directions and the weights of networks, in half precision (`halved`).
    """
    fields = {field.name: getattr(sampler, field.name) for field in dataclasses.fields(sampler)}
    arrays = {name: halved(value) if half else value for name, value in flatten(fields)}
    # NumPy would add a suffix to a file name.
    with whole(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, sampler=name_of(sampler), **arrays)


def load(path):
    """Returns the sampler in the file `path`.

    Raises:
        OSError: The file cannot be read.
        UsageError: The file does not contain a sampler of this package.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {key: widened(stored[key]) for key in stored.files}
        kind = SAMPLERS[arrays.pop("sampler").item()]
        return build(kind, nest(arrays))
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise UsageError(
            f"{path} does not contain a sampler: {error} ({to_type('evaluate')} writes it again)"
        ) from error


def flatten(fields, prefix=""):
    """Yields pairs (name, value) of `fields`; the fields of a NamedTuple get dotted names."""
    for name, value in fields.items():
        if hasattr(value, "_asdict"):
            yield from flatten(value._asdict(), f"{prefix}{name}.")
        elif value is not None:
            yield prefix + name, value


def build(kind, value):
    """Returns an object of the type `kind`, the type of a sampler's field, from an array or a dict of arrays."""
    if isinstance(value, dict):
        kind = (*typing.get_args(kind), kind)[0]  # the first type of `Density | None`
        hints = typing.get_type_hints(kind)
        return kind(**{name: build(hints[name], part) for name, part in value.items()})
    if kind is np.ndarray:
        return value
    return tuple(value.tolist()) if typing.get_origin(kind) is tuple else value.item()
