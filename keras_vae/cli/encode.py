"""Writes the codes of images: `keras-vae encode saved_models/NAME images`."""

import csv
import pathlib
from dataclasses import dataclass

import numpy as np

from keras_vae.cli.parts import FilesOptions, add_arguments, begin, computed
from keras_vae.cli.sample import presets_line
from keras_vae.config.codec import option
from keras_vae.config.flags import command, parse
from keras_vae.errors import DatasetError, UsageError
from keras_vae.parallel.sharding import write_arrays
from keras_vae.runtime import devices
from keras_vae.runtime.files import whole

DESCRIPTION = (
    "Writes the codes of images into a folder: mean.npy, log_var.npy unless codes have no noise, and files.csv, in the"
    " same order."
)
EXAMPLES = """\
examples:
  keras-vae encode saved_models/NAME images                             a folder
  keras-vae encode digits-8 a.png b.png more.npz --out codes-of-mine
  keras-vae encode saved_models/NAME images --scheduler tcp://HOST:8786 in parts, by a Dask cluster
"""


@dataclass(frozen=True)
class CodesOptions(FilesOptions):
    """The codes to write."""

    out: str = option("codes", "path of the new folder")


@command("keras-vae encode", bad_input=(DatasetError,))
def main(argv=None):
    """Runs the command; exits with 2 if the input is bad."""
    parsed = parse(
        CodesOptions,
        argv,
        prog="keras-vae encode",
        description=DESCRIPTION,
        epilog=f"{EXAMPLES}\n{presets_line()}",
        extra=add_arguments,
    )
    asked = parsed.config
    if pathlib.Path(asked.out).exists():
        raise UsageError(f"{asked.out} exists already: choose another --out")
    model, *_, images = begin(parsed)
    labels = images.labels_for(model)

    def codes(pixels, rows):
        mean, log_var = model.encode(pixels, None if labels is None else labels[rows])
        found = {"mean": np.asarray(mean)}
        return {**found, "log_var": np.asarray(log_var)} if model.latent.has_noise else found

    names = images.names[asked.rows(images.names)]
    write_arrays(asked.out, names, computed("encode", parsed, images, codes, "Encoding"))
    if asked.part is None:
        path = pathlib.Path(asked.out) / "files.csv"
        with whole(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([("file",), *((name,) for name in images.names)])
        devices.say(f"{asked.out}: the codes of {len(images.names):,} images")
