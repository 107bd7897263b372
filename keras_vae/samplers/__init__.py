"""Where the codes of new images are drawn from: densities over codes.

A sampler is a frozen dataclass whose first field is `latent_shape`. Its methods have the same signature in
all of them:

    fit(codes)       the sampler fitted to `Codes(mean, log_var)`; the one that it is called on stays as it was
    sample(seeds)    codes, float32 `[n, *latent]`, from `seeds`, int64 `[n]`: row i depends on seeds[i] alone
    log_prob(codes)  the log density of codes, `[n, *latent]`, `[n]`, in nats

and `settings` is a dict of what it was fitted with. `sample` is also traced into the decoder's SavedModel
(`keras_vae.export`), so it is written in TensorFlow, for any n, 0 included, and draws its noise with
`standard_normal`. What a fitted sampler holds goes into the export as constants where it is arrays, as weights
where it is variables.
"""

import dataclasses
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from keras_vae.samplers.gaussian import Gaussian
from keras_vae.samplers.low_rank import Codes, Density
from keras_vae.samplers.mixture import Mixture
from keras_vae.samplers.noise import standard_normal
from keras_vae.samplers.prior import Prior

__all__ = ["SAMPLERS", "Codes", "Gaussian", "Mixture", "Prior", "load", "save", "standard_normal"]

SAMPLERS = {
    "gaussian": Gaussian,
    "mixture": Mixture,
    "prior": Prior,
}


def save(sampler, path):
    """Writes `sampler`, one of `SAMPLERS`, to the file `path` as an NPZ archive without pickles, whole or not at all."""
    (name,) = (name for name, kind in SAMPLERS.items() if type(sampler) is kind)
    arrays = {field.name: getattr(sampler, field.name) for field in dataclasses.fields(sampler)}
    density = arrays.pop("density", None)
    if density is not None:
        arrays |= {f"density.{key}": array for key, array in density._asdict().items()}
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=path.parent) as folder:
        temporary = Path(folder) / path.name
        with open(temporary, "wb") as file:  # given a name, NumPy would add an ending
            np.savez(file, sampler=name, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)


def load(path):
    """Returns the sampler in the file `path`.

    Raises:
        OSError: The file cannot be read.
        ValueError: It holds no sampler of ours.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
        kind = SAMPLERS[arrays.pop("sampler").item()]
        density = {key: arrays.pop(key) for key in list(arrays) if key.startswith("density.")}
        fields = {key: array.tolist() for key, array in arrays.items()}
        fields["latent_shape"] = tuple(fields["latent_shape"])
        if density:
            fields["density"] = Density(
                **{key.removeprefix("density."): array for key, array in density.items()}
            )
        return kind(**fields)
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} holds no sampler: {error} (evaluate.py writes them anew)") from error
