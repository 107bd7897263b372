"""Writes a picture of samples: `keras-vae sample digits-8 --count 16`."""

from dataclasses import dataclass

from keras_vae import presets
from keras_vae.config.codec import option
from keras_vae.config.flags import command, parse
from keras_vae.errors import UsageError
from keras_vae.runtime import devices
from keras_vae.runtime.files import writing
from keras_vae.training.preset_runs import check_known, recommended_sampler, run_at

MOST = 1024  # images in a picture


@dataclass(frozen=True)
class Sampled:
    """The picture to write."""

    count: int = option(16, f"number of images, at most {MOST}", metavar="N")
    seed: int = option(0, "random seed")
    labels: tuple[str, ...] = option(
        (), "classes of the images, for a conditional model: one for all, or one each"
    )
    prior: bool = option(False, "draw from the model's prior, even if a better sampler is known")
    out: str = option("samples.png", "path of the PNG file")

    def __post_init__(self):
        if not 1 <= self.count <= MOST:
            raise ValueError(f"count is {self.count}: it must be from 1 to {MOST}")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}: it must be 0 or more")


@command("keras-vae sample")
def main(argv=None):
    """Runs the command; exits with 2 if the input is bad."""
    parsed = parse(
        Sampled,
        argv,
        prog="keras-vae sample",
        description="Writes a picture of images drawn from a preset or a run, by the sampler recommended for it.",
        epilog=presets_line(),
        extra=lambda parser: parser.add_argument(
            "model", metavar="PRESET_OR_RUN", help="a preset or a run folder"
        ),
    )
    asked = parsed.config
    check_known(parsed.extra.model)
    devices.start()
    from keras_vae.samplers import name_of

    model = model_of(parsed.extra.model)
    source = "the prior" if asked.prior or model.sampler is None else name_of(model.sampler)
    if asked.prior:
        model.sampler = None
    try:
        images = model.sample(asked.count, asked.seed, chosen(asked.labels))
    except ValueError as error:
        raise UsageError(error) from error
    from keras_vae.report.shown import Picture

    with writing(asked.out):
        Picture(images, most=MOST).save(asked.out)
    devices.say(f"{asked.out}: {asked.count} samples of {parsed.extra.model}, drawn from {source}")


def presets_line():
    """Returns the line of a help that lists the presets."""
    return f"presets: {', '.join(presets.known())}, hf://user/repository\n"


def model_of(text):
    """Returns the model of a preset or of a run, with the sampler that is recommended for it."""
    from keras_vae.evaluation.subject import load_model
    from keras_vae.model.autoencoder import Autoencoder

    if presets.is_known(text):
        return Autoencoder.from_preset(text)
    run = run_at(text)
    model = load_model(run)
    model.sampler = recommended_sampler(run)
    return model


def chosen(labels):
    """Returns the labels as `sample` takes them: None, one for all, or a list; numbers as integers."""
    found = [int(label) if label.isdecimal() else label for label in labels]
    return found[0] if len(found) == 1 else found or None
