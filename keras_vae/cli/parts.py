"""What the commands share that compute something for each image of files, here or in parts on a cluster."""

from collections.abc import Sequence
from dataclasses import dataclass

from keras_vae.cli.sample import model_of
from keras_vae.config.codec import option
from keras_vae.config.flags import to_flags
from keras_vae.data.value_range import check_range
from keras_vae.parallel.schedulers import LOCAL, chosen
from keras_vae.parallel.sharding import CHUNK, WHOLE, Part, run_in_parts
from keras_vae.parallel.task import follow_parent
from keras_vae.runtime import devices
from keras_vae.training.config import range_option
from keras_vae.training.preset_runs import check_known, model_checksum, training_of


@dataclass(frozen=True, kw_only=True)
class FilesOptions:
    """The images of files, and where they are computed."""

    range: str | Sequence[float] | None = range_option(
        "values that become 0 and 1 in the images, such as 0,4095; as in training by default"
    )
    scheduler: str = option(
        LOCAL,
        "where it is computed: local, or a Dask scheduler's tcp://HOST:PORT or file, whose workers see the same files",
        metavar="ADDRESS",
    )
    part: str | None = option(
        None, "compute only this part, such as 3/16, into the folder --out", metavar="I/N"
    )

    def __post_init__(self):
        if self.range is not None:
            object.__setattr__(self, "range", check_range(self.range))
        if self.part is not None:
            Part.parse(self.part)
            if self.scheduler != LOCAL:
                raise ValueError("part is one task of a scheduler: it is computed on this machine")

    def rows(self, names):
        """Returns the slice of the images that are asked for."""
        return (Part.parse(self.part) if self.part else WHOLE).rows(len(names))


def add_arguments(parser):
    """Adds the model and the images."""
    parser.add_argument("model", metavar="PRESET_OR_RUN", help="a preset or a run folder")
    parser.add_argument(
        "images", nargs="+", metavar="IMAGES", help="folders of images, image files, and .npy or .npz files"
    )


def begin(parsed):
    """Returns the model of a command line, its training's `Config` and fingerprint or None, and the `Listed` images."""
    check_known(parsed.extra.model)
    follow_parent()
    devices.start()
    from keras_vae.data.listed import listed
    from keras_vae.evaluation.anomalies import prepared_for

    model, (config, fingerprint) = model_of(parsed.extra.model), training_of(parsed.extra.model)
    images = listed(parsed.extra.images, prepared_for(model, config, parsed.config.range))
    say_each("note", images.notes)
    say_each("left out, cannot be read", images.skipped)
    return model, config, fingerprint, images


def say_each(what, lines):
    """Prints each of `lines`, with `what` it is in front."""
    if lines:
        devices.say(*(f"{what}: {line}" for line in lines))


def computed(name, parsed, images, compute, what):
    """Yields dicts of arrays, `compute(pixels, rows)` for each chunk, from this machine or by the asked scheduler.

    Args:
        name: The command's name.
        parsed: The parsed command line.
        images: The `Listed` images.
        compute: A function of images in [0, 1] and the slice of their places.
        what: What is done, for the progress.
    """
    asked = parsed.config
    if asked.scheduler == LOCAL:
        return each_chunk(images, asked.rows(images.names), compute, what)
    flags = to_flags(asked, parsed.given - {"scheduler", "out"})
    words = (name, parsed.extra.model, *parsed.extra.images, *flags)
    about = (model_checksum(parsed.extra.model) or "",)
    return run_in_parts(words, images.names, asked.out, chosen(asked.scheduler, None), about)


def each_chunk(images, rows, compute, what):
    """Yields `compute(pixels, places)` for each chunk of some rows of the images, with progress."""
    from keras_vae.data.progress import progress
    from keras_vae.data.stores import dataset_errors

    count = -(-(rows.stop - rows.start) // CHUNK)
    with dataset_errors():
        for places, pixels in progress(
            images.chunks(CHUNK, rows), count, f"{what}, in parts of {CHUNK} images"
        ):
            yield compute(pixels, places)
