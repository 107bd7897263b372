"""Where the codes of new images are drawn from: densities over codes.

A sampler is a frozen dataclass whose first field is `latent_shape`. Its methods have the same signature in
all of them:

    fit(codes)       the sampler fitted to `Codes(mean, log_var)`; the one that it is called on stays as it was.
                     `components` are the means' principal components, for those that need them and would
                     compute them again
    sample(seeds)    codes, float32 `[n, *latent]`, from `seeds`, int64 `[n]`: row i depends on seeds[i] alone
    log_prob(codes)  the log density of codes, `[n, *latent]`, `[n]`, in nats; two_stage has none

and `settings` is a dict of what it was fitted with. `sample` is also traced into the decoder's SavedModel
(`keras_vae.export.saved_models`), so it is written in TensorFlow, for any n, 0 included, and draws its noise with
`standard_normal`. What a fitted sampler holds, its field `density`, is a NamedTuple of arrays, or of such: they
go into the export as constants, and into an NPZ file by their names.

Imports: `layers`. Begin with `prior.py`, the shortest, and `flow_matching.py`, which repairs any latent.
"""

import dataclasses
import typing
import zipfile
import zlib

import numpy as np

from keras_vae.errors import UsageError
from keras_vae.runtime.files import whole
from keras_vae.runtime.programs import program
from keras_vae.samplers.codes import Codes
from keras_vae.samplers.flow import FlowSampler
from keras_vae.samplers.flow_matching import FlowMatching
from keras_vae.samplers.gaussian import Gaussian
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
    "Gaussian",
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

SAMPLERS = {
    "flow": FlowSampler,
    "flow_matching": FlowMatching,
    "gaussian": Gaussian,
    "mixture": Mixture,
    "pixel_cnn": PixelCNN,
    "prior": PriorSampler,
    "two_stage": TwoStage,
    "uniform_codes": UniformSampler,
    "vamp": Vamp,
}

# Those that learn from codes; the others are what models are trained against.
FITTED = tuple(name for name, kind in SAMPLERS.items() if kind not in (PriorSampler, UniformSampler))


def save(sampler, path):
    """Writes `sampler`, one of `SAMPLERS`, to the file `path` as an NPZ archive without pickles, whole or not at all."""
    (name,) = (name for name, kind in SAMPLERS.items() if type(sampler) is kind)
    fields = {field.name: getattr(sampler, field.name) for field in dataclasses.fields(sampler)}
    arrays = dict(flatten(fields))
    # Given a name, NumPy would add an ending.
    with whole(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, sampler=name, **arrays)


def load(path):
    """Returns the sampler in the file `path`.

    Raises:
        OSError: The file cannot be read.
        UsageError: It holds no sampler of ours.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
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
            f"{path} holds no sampler: {error} ({program('evaluate')} writes them anew)"
        ) from error


def flatten(fields, prefix=""):
    """Yields the name and the value of all that is in `fields`; what a NamedTuple holds as `field.name`."""
    for name, value in fields.items():
        if hasattr(value, "_asdict"):
            yield from flatten(value._asdict(), f"{prefix}{name}.")
        elif value is not None:
            yield prefix + name, value


def nest(arrays):
    """Returns a dict of dicts of what stands in `arrays` under dotted names."""
    nested = {}
    for name, array in arrays.items():
        *outer, last = name.split(".")
        inside = nested
        for part in outer:
            inside = inside.setdefault(part, {})
        inside[last] = array
    return nested


def build(kind, value):
    """Returns an object of the type `kind`, as the fields of samplers have them, of an array or a dict of such."""
    if isinstance(value, dict):
        kind = (*typing.get_args(kind), kind)[0]  # of `Density | None` the first
        hints = typing.get_type_hints(kind)
        return kind(**{name: build(hints[name], part) for name, part in value.items()})
    if kind is np.ndarray:
        return value
    return tuple(value.tolist()) if typing.get_origin(kind) is tuple else value.item()
