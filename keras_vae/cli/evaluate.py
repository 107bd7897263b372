"""Measures whether a latent space can generate, and if not, why and what to do: `python evaluate.py`."""

import os
import pathlib

from keras_vae.cli.explore import prepare
from keras_vae.config.flags import command, parse, to_flags
from keras_vae.errors import DatasetError, FeatureError, UsageError
from keras_vae.evaluation.settings import Evaluation, check_model_file
from keras_vae.parallel.schedulers import LOCAL, chosen, complete
from keras_vae.parallel.task import Task, follow_parent
from keras_vae.report.runs import measure_all
from keras_vae.runtime import devices
from keras_vae.runtime.programs import program, to_type, typed_path
from keras_vae.training.preset_runs import open_run
from keras_vae.training.run_folder import Run

DESCRIPTION = (
    "Measures whether a model's latent space can generate, and if not, says why and repairs it if possible."
)
EXAMPLES = """\
examples:
  python evaluate.py                                     the newest run
  python evaluate.py saved_models/NAME                   one run: report/index.html, report/results.json
  python evaluate.py saved_models/A saved_models/B       two runs side by side
  python evaluate.py digits-8                            a preset (docs/guides/presets.md), without training anything
  python evaluate.py --encoder encoder.keras --decoder decoder.keras --dataset mnist
                                                         any other model: .keras files or SavedModels
"""


SHORT_HELP = (
    "repair_minutes",
    "repair",
    "samplers",
    "extended",
    "nll_samples",
    "features",
    "encoder",
    "decoder",
    "dataset",
    "seed",
)


@command("evaluate.py", bad_input=(DatasetError, FeatureError))
def main(argv=None):
    """Runs the command; exits with 0, 2 (bad input) or 1 (a bug)."""
    parsed = parse(
        Evaluation,
        argv,
        prog=program("evaluate"),
        description=DESCRIPTION,
        epilog=EXAMPLES,
        short=SHORT_HELP,
        extra=add_arguments,
    )
    follow_parent()
    settings, paths = parsed.config, parsed.extra.runs
    if settings.encoder and paths:
        raise UsageError("runs cannot be combined with --encoder and --decoder: give only one of them")
    for path in filter(None, (settings.encoder, settings.decoder)):
        check_model_file(path)
    runs = (
        []
        if settings.encoder
        else [open_run(path, settings.output) for path in paths] or [newest_run(settings.output)]
    )
    if parsed.extra.scheduler != LOCAL:
        return measure_on(chosen(parsed.extra.scheduler, None), runs, to_flags(settings, parsed.given))
    devices.start()
    measure_all(settings, runs, parsed.given, prepare)


def add_arguments(parser):
    """Adds the runs, and where they are measured."""
    parser.add_argument("runs", nargs="*", metavar="saved_models/NAME", help="runs or presets to measure")
    parser.add_argument(
        "--scheduler",
        default=LOCAL,
        metavar="ADDRESS",
        help="a Dask scheduler that measures the runs",
    )


def measure_on(scheduler, runs, flags):
    """Measures each run as a task of a scheduler, which a context manager yields."""
    if not runs:
        raise UsageError("--scheduler measures runs: models in files are measured on this machine")
    paths = {typed_path(run.path): os.path.abspath(run.path) for run in runs}
    tasks = {
        name: Task(("-m", "keras_vae_commands", "evaluate", path, *flags), path, f"{path}/evaluation.log")
        for name, path in paths.items()
    }
    with scheduler as opened:
        devices.say(f"{len(tasks)} runs, {opened.words}")
        complete(tasks, opened, len(tasks), again="the same command measures all of them again")
    devices.say(*(f"report: {typed_path(run.report / 'index.html')}" for run in runs))
    if len(paths) > 1:
        devices.say(f"compare: {to_type('sweep', '--compare', *paths)}")


def newest_run(folder):
    """Returns the run in `folder` with the most recently written model."""
    files = pathlib.Path(folder).glob("*/model.keras")
    newest = max(files, key=lambda file: file.stat().st_mtime, default=None)
    if newest is None:
        raise UsageError(
            f"{folder} contains no trained run: train one first ({to_type('train')}), or give its path"
        )
    return Run.open(newest.parent)
