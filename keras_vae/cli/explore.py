"""`keras-vae explore`: writes the explorer of one or two runs as an HTML file, and files for TensorBoard."""

import contextlib
import shlex
from dataclasses import dataclass

from keras_vae.config.codec import option
from keras_vae.config.flags import command, parse
from keras_vae.errors import DatasetError, UsageError
from keras_vae.runtime import devices
from keras_vae.runtime.files import whole
from keras_vae.runtime.programs import program
from keras_vae.training.preset_runs import open_run

DESCRIPTION = "Writes the latent explorer of one run, or of two side by side, for use without a server."
EXAMPLES = """\
examples:
  python -m keras_vae.explorer saved_models/NAME --static           saved_models/NAME/explorer.html
  python -m keras_vae.explorer saved_models/A saved_models/B --static --output both.html
  python -m keras_vae.explorer saved_models/NAME --projector        files for TensorBoard's Embedding Projector
  python -m keras_vae.serving run saved_models/NAME                 the live explorer, on http://localhost
"""


@dataclass(frozen=True)
class Exported:
    """The files to write."""

    static: bool = option(False, "write the page as one HTML file that needs no server")
    projector: bool = option(False, "write codes, labels and images for TensorBoard to logs/projector")
    output: str | None = option(
        None, "path of the HTML file (default: explorer.html in the first run's folder)"
    )


@command("keras-vae explore", bad_input=(DatasetError,))
def main(argv=None):
    """Runs the command; exits with 0, 2 (bad input) or 1 (a bug)."""
    parsed = parse(
        Exported,
        argv,
        prog=program("explore"),
        description=DESCRIPTION,
        epilog=EXAMPLES,
        extra=lambda parser: parser.add_argument(
            "runs",
            nargs="+",
            metavar="saved_models/NAME",
            help="one run or preset, or two to show side by side",
        ),
    )
    asked, paths = parsed.config, parsed.extra.runs
    if not (asked.static or asked.projector):
        raise UsageError("nothing to write: give --static, --projector or both")
    if len(paths) > 2:
        raise UsageError(f"{len(paths)} runs are given, but the page shows one or two")
    runs = [open_run(path) for path in paths]
    devices.start()
    from keras_vae.explorer.page import static_page
    from keras_vae.explorer.projector import write_projector
    from keras_vae.explorer.world import World

    worlds = [World(run) for run in runs]
    if asked.projector:
        for world in worlds:
            folder = write_projector(world)
            devices.say(
                str(folder),
                f"next: tensorboard --logdir {shlex.quote(str(world.run.logs))}   (the tab Projector)",
            )
    if asked.static:
        page = static_page(worlds)
        path = asked.output or runs[0].path / "explorer.html"
        try:
            with whole(path) as temporary:
                temporary.write_text(page, encoding="utf-8")
        except OSError as error:
            raise UsageError(
                f"{path} cannot be written: {error.strerror or error} (try another --output)"
            ) from error
        devices.say(f"{path}   {len(page.encode()) / 2**20:.1f} MiB, needs no server")


def prepare(run, model, dataset):
    """Computes what the explorer of a run opens with, after its training or evaluation."""
    from keras_vae.explorer.world import keep

    with contextlib.suppress(UsageError, DatasetError):  # the explorer says it when it is opened
        keep(run, model, dataset)


if __name__ == "__main__":
    main()
