"""Writes the decoder and the encoder of a run in another format: `keras-vae export RUN --format litert`."""

from dataclasses import dataclass

from keras_vae.config.codec import option
from keras_vae.config.flags import command, parse
from keras_vae.errors import UsageError
from keras_vae.export import EXPORTS
from keras_vae.runtime import devices
from keras_vae.training.preset_runs import open_run


@dataclass(frozen=True)
class Export:
    """What is written where."""

    format: str = option("litert", f"one of {', '.join(EXPORTS)}")
    output: str | None = option(None, "folder of the files; by default RUN/FORMAT")

    def __post_init__(self):
        if self.format not in EXPORTS:
            raise ValueError(f"format is {self.format}: expected one of {', '.join(EXPORTS)}")


@command("keras-vae export")
def main(argv=None):
    """Runs the command; exits with 2 if the input is bad or a package is missing."""
    parsed = parse(
        Export,
        argv,
        prog="keras-vae export",
        description="Writes the decoder and the encoder of a run for another runtime.",
        extra=lambda parser: parser.add_argument("run", metavar="RUN", help="a run folder"),
    )
    run, settings = open_run(parsed.extra.run), parsed.config
    devices.start()
    from keras_vae.evaluation.subject import load_model

    folder = settings.output or run.path / settings.format
    try:
        paths = EXPORTS[settings.format](load_model(run), folder)
    except ImportError as error:
        raise UsageError(error) from error
    devices.say(*(f"{name}: {path}" for name, path in paths.items()))
