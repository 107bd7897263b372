"""`python -m keras_vae.sweep`: trains and evaluates a grid of settings, goes on with one, or compares runs."""

import json
import os
import pathlib
import shlex
import subprocess
import sys
import textwrap

from keras_vae.config.flags import Parser, command, parse
from keras_vae.errors import DatasetError, UsageError
from keras_vae.sweep.comparison import of_runs, of_sweep, write_comparison
from keras_vae.sweep.folder import Sweep
from keras_vae.sweep.grid import LONGEST_NAME, Axis, Grid, Trial, plain
from keras_vae.sweep.one_run import PROG
from keras_vae.sweep.places import find_places
from keras_vae.training.run_folder import Run, check_place
from keras_vae.training.setup import check_paths

DESCRIPTION = (
    "Trains and evaluates every combination of settings, and says which latent is as small as it may be."
)
EXAMPLES = """\
examples:
  python -m keras_vae.sweep --over latent=2,8,32,128 --over seed=0,1,2 --dataset mnist --epochs 20
  python -m keras_vae.sweep --over objective=autoencoder,vae --over latent=2,16 --nll_samples 100
  python -m keras_vae.sweep --over objective.beta=1,4 --objective beta_vae
  python -m keras_vae.sweep --over "network.widths=16,32;32,64" --jobs 2
  python -m keras_vae.sweep saved_models/SWEEP                  go on with one that was stopped, or had failures
  python -m keras_vae.sweep --compare saved_models/A saved_models/B
                                                                the page alone, of any runs

All settings of training and evaluation are understood; those after --over take several values in turn.
"""
LINE = 110  # characters of what is said in sentences
MANY = 1000  # runs, beyond which one has to say that they are meant


@command(PROG, bad_input=(DatasetError,))
def main(argv=None):
    """Runs the command; exits with 0, 1 (a run failed), or 2 (bad input, or stopped by Ctrl-C)."""
    options = Parser(prog=PROG, add_help=False, allow_abbrev=False)
    add_options(options)
    own, words = options.parse_known_args(sys.argv[1:] if argv is None else argv)
    axes = tuple(Axis.read(text) for text in own.over or ())
    parsed = understood(words, axes)
    folders = parsed.extra.folders + ([own.resume] if own.resume else [])
    if own.compare:
        if axes or not folders:
            raise UsageError(
                "--compare sweeps nothing and takes folders of runs or sweeps: --compare FOLDER..."
            )
        if other := sorted(parsed.given - {"name", "output"}):
            raise UsageError(f"--{other[0]} means nothing beside --compare: only --name and --output do")
        compare_folders(folders, parsed.config)
    elif folders:
        if len(folders) > 1:
            raise UsageError(f"{len(folders)} folders are given: go on with one sweep at a time")
        if axes or parsed.given:
            raise UsageError("a sweep that goes on stays as it was: give the folder, and --jobs at most")
        work(Sweep.open(folders[0]), own.jobs)
    else:
        if not axes:
            raise UsageError("nothing is swept: give --over FIELD=VALUE,VALUE (try --over latent=2,8,32)")
        work(new_sweep(Grid(tuple(words), axes), parsed.config, own.yes, own.jobs), own.jobs)


def understood(words, axes):
    """Returns what the command line says, with the first value of each axis; all else is checked with the grid."""
    grid = Grid(tuple(words), axes)
    try:
        return parse(
            Trial,
            grid.words(grid.first()),
            prog=f"python -m {PROG}",
            description=DESCRIPTION,
            epilog=EXAMPLES,
            extra=add_arguments,
        )
    except UsageError:
        grid.trials()  # names the combination, where the fault is not in all
        raise


def add_options(parser):
    """Adds what concerns the sweep as a whole."""
    parser.add_argument(
        "--over", action="append", metavar="FIELD=A,B", help="a setting and its values; repeat it"
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="runs at once; one a GPU, else 1, by default")
    parser.add_argument("--resume", metavar="FOLDER", help="go on with this sweep, as FOLDER alone does")
    parser.add_argument(
        "--compare", action="store_true", help="run nothing: write the page of the runs in FOLDER..."
    )
    parser.add_argument("--yes", action="store_true", help=f"more than {MANY:,} runs are meant")


def add_arguments(parser):
    """Adds the arguments that are no field of a trial."""
    parser.add_argument("folders", nargs="*", metavar="FOLDER", help="a sweep to go on with")
    add_options(parser)


def new_sweep(grid, config, sure, jobs):
    """Returns the sweep of `grid` in a folder of its own, all of it checked; `config` is that of its first run."""
    if len(grid) > MANY and not sure:
        raise UsageError(f"the grid has {len(grid):,} runs: --yes if they are meant")
    place = find_places(jobs)[0]
    for trial in grid.trials().values():
        check_paths(trial)
    check_place(config.training(None, config.output))
    check_models(grid, place)
    name = config.name or default_name(config, grid)
    return Sweep.create(grid, config.output, name, asked=config.name is not None)


def check_models(grid, place):
    """Ends the program, after one line on standard error, where the images or a model cannot be had."""
    try:
        checked = subprocess.run(
            [sys.executable, "-m", "keras_vae.sweep.checking"],
            input=json.dumps(grid.to_json()),
            text=True,
            env=place.environment(),
            start_new_session=True,  # Ctrl-C is for this process, which then ends that one
        )
    except KeyboardInterrupt:
        raise UsageError("stopped by Ctrl-C before the first run") from None
    if checked.returncode:
        raise SystemExit(checked.returncode)


def default_name(config, grid):
    """Returns the sweep's name: sweep-dataset-fields."""
    source = config.dataset
    dataset = getattr(source, "name", None) or pathlib.Path(getattr(source, "path", "")).stem
    swept = [axis.field for axis in grid.axes]
    return plain("-".join(["sweep", dataset or type(source).__name__.lower(), *swept]))[:LONGEST_NAME]


def work(sweep, jobs):
    """Runs what is left of the sweep, compares, and ends the program with 1 where a run failed."""
    from keras_vae.runtime.devices import say
    from keras_vae.sweep.running import run_all

    places = find_places(jobs)
    names = sweep.grid.trials()  # all are checked: the file may come from another version, or from anybody
    left = [name for name in names if not sweep.is_done(name)]
    with sweep.held():
        say(f"{sweep.path}: {counted(len(names))}, {len(names) - len(left)} done, {len(places)} at once")
        try:
            run_all(sweep, places, lambda: compared(sweep))
        except KeyboardInterrupt:
            done = sum(map(sweep.is_done, names))
            raise UsageError(
                f"stopped by Ctrl-C: {done} of {len(names)} runs are done; go on with python -m {PROG} {shlex.quote(str(sweep.path))}"
            ) from None
        comparison, page = compared(sweep)
    say(*recommended(comparison), f"page: {page}   (beside it: comparison.csv, comparison.json)")
    if failures := sweep.failures():
        say(
            f"{len(failures)} of {counted(len(names))} failed:",
            *(f"  {name}: {error}   ({sweep.log(name)})" for name, error in failures.items()),
            f"try them again: python -m {PROG} {shlex.quote(str(sweep.path))}",
        )
        raise SystemExit(1)


def counted(number):
    """Returns so many runs in words."""
    return f"{number:,} run{'s' if number != 1 else ''}"


def compared(sweep):
    """Writes the comparison of a sweep and returns it, and the page's path."""
    return write_comparison(sweep.path, sweep.path.resolve().name, *of_sweep(sweep))


def recommended(comparison):
    """Returns the lines that say what is recommended, and from how much."""
    done = sum(run["state"] == "done" for run in comparison["runs"])
    lines = [f"{done} of {counted(len(comparison['runs']))} compared"]
    for found in comparison["recommendations"]:
        way = f" for {found['dataset']} ({found['metric']}, n = {found['n']})"
        of = way if len(comparison["recommendations"]) > 1 else ""
        lines.append(f"recommended{of}: {found['words'] or 'nothing yet'}")
        lines += textwrap.wrap(found["reason"], LINE, initial_indent="  ", subsequent_indent="  ")
    return lines


def compare_folders(folders, config):
    """Writes the page of the runs and sweeps in `folders`: of one sweep, into it."""
    from keras_vae.runtime.devices import say

    if len(folders) == 1 and os.path.isfile(os.path.join(folders[0], "sweep.json")):
        comparison, page = compared(Sweep.open(folders[0]))
    else:
        runs = {run.path.resolve(): run for folder in folders for run in runs_in(folder)}
        target = pathlib.Path(config.output) / (config.name or "compared")
        comparison, page = write_comparison(target, counted(len(runs)), *of_runs(list(runs.values())))
    say(*recommended(comparison), f"page: {page}   (beside it: comparison.csv, comparison.json)")


def runs_in(folder):
    """Returns the run in `folder`, or the runs in the folders within it."""
    folder = pathlib.Path(folder)
    if os.path.isfile(folder / "config.json"):
        return [Run.open(folder)]
    runs = [Run.open(file.parent) for file in sorted(folder.glob("[!.]*/config.json"))]
    if not runs:
        raise UsageError(f"{folder} holds no run: neither it nor a folder within it has a config.json")
    return runs


if __name__ == "__main__":
    main()
