"""Packs an evaluated run as a preset, to share: `keras-vae pack RUN --license apache-2.0`."""

import pathlib
from dataclasses import dataclass

from keras_vae import presets
from keras_vae.config.codec import option
from keras_vae.config.flags import command, parse
from keras_vae.errors import UsageError
from keras_vae.runtime import devices
from keras_vae.runtime.files import writing
from keras_vae.runtime.programs import to_type, typed_path
from keras_vae.training.preset_runs import run_at, write_preset


@dataclass(frozen=True)
class Packed:
    """What the model card cannot know by itself, and where the preset is written."""

    out: str | None = option(None, "the preset's folder, whose name is the preset's; by default presets/RUN")
    license: str | None = option(None, "licence of the weights, such as apache-2.0")
    data: str | None = option(None, "the training images, in words")
    data_license: str | None = option(None, "licence of the training images")
    half: bool = option(True, "store large arrays in half precision")


@command("keras-vae pack")
def main(argv=None):
    """Runs the command; exits with 2 if the input is bad."""
    parsed = parse(
        Packed,
        argv,
        prog="keras-vae pack",
        description="Packs the model, the sampler and the essential results of an evaluated run as a preset.",
        extra=lambda parser: parser.add_argument("run", metavar="RUN", help="a run folder"),
    )
    run, asked = run_at(parsed.extra.run), parsed.config
    if not (run.report / presets.RESULTS).is_file():
        raise UsageError(
            f"{parsed.extra.run} has no results for the model card: first run"
            f" {to_type('evaluate', parsed.extra.run)}"
        )
    devices.start()
    about = {name: getattr(asked, name) for name in ("license", "data", "data_license")}
    folder = pathlib.Path(asked.out or f"presets/{run.path.resolve().name}")
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    path = write_preset(run, folder, asked.half, **about)
    missing = [f"--{name}" for name, value in about.items() if value is None]
    devices.say(
        f"{typed_path(path)}: a preset of {parsed.extra.run}; read its card, README.md",
        *([f"the card does not say what {', '.join(missing)} would tell it"] if missing else []),
        f"try it: {to_type('sample', typed_path(path))}",
    )
