"""`keras-vae sweep`: trains and evaluates a grid of settings, resumes one, or compares runs."""

import json
import os
import pathlib
import subprocess
import sys
import textwrap

from keras_vae.config.flags import Parser, command, parse
from keras_vae.errors import DatasetError, UsageError
from keras_vae.parallel.schedulers import LOCAL, chosen
from keras_vae.parallel.slots import find_places
from keras_vae.runtime.programs import program, to_type
from keras_vae.sweep.folder import Sweep
from keras_vae.sweep.grid import LONGEST_NAME, Axis, Grid, Trial, plain
from keras_vae.sweep.one_run import PROG
from keras_vae.training.run_folder import Run, check_place
from keras_vae.training.setup import check_paths

DESCRIPTION = (
    "Trains and evaluates combinations of settings, and recommends the smallest latent that generates well."
)
EXAMPLES = """\
examples:
  python -m keras_vae.sweep --over latent=2,8,32,128 --over seed=0,1,2 --dataset mnist --epochs 20
  python -m keras_vae.sweep --over objective=autoencoder,vae --over latent=2,16 --nll_samples 100
  python -m keras_vae.sweep --over objective.beta=1,4 --objective beta_vae
  python -m keras_vae.sweep --over "network.widths=16,32;32,64" --jobs 2
  python -m keras_vae.sweep saved_models/SWEEP                  resume a sweep that was stopped or had failures
  python -m keras_vae.sweep --over seed=0,1,2 --scheduler tcp://HOST:8786 --output /shared/runs
                                                                on a Dask cluster (docs/guides/many_machines.md)
  python -m keras_vae.sweep --compare saved_models/A saved_models/B
                                                                compare any runs, without training

All settings of training and evaluation are accepted; --over gives a setting several values.
"""
LINE = 110  # characters in a line of a recommendation
MANY = 1000  # runs; more need --yes


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
                "--compare takes folders of runs or sweeps and no --over: give --compare FOLDER..."
            )
        if other := sorted(parsed.given - {"name", "output"}):
            raise UsageError(f"--{other[0]} cannot be combined with --compare: only --name and --output can")
        compare_folders(folders, parsed.config)
    elif folders:
        if len(folders) > 1:
            raise UsageError(f"{len(folders)} folders are given: resume one sweep at a time")
        if axes or parsed.given:
            raise UsageError(
                "the settings of a resumed sweep cannot change: give only the folder, --jobs and --scheduler"
            )
        work(Sweep.open(folders[0]), chosen(own.scheduler, own.jobs))
    else:
        if not axes:
            raise UsageError("nothing is swept: give --over FIELD=VALUE,VALUE (try --over latent=2,8,32)")
        scheduler = chosen(own.scheduler, own.jobs)
        work(new_sweep(Grid(tuple(words), axes), parsed.config, own.yes, own.jobs), scheduler)


def understood(words, axes):
    """Returns the parsed command line with the first value of each axis; the grid checks the other values."""
    grid = Grid(tuple(words), axes)
    try:
        return parse(
            Trial,
            grid.words(grid.first()),
            prog=program("sweep"),
            description=DESCRIPTION,
            epilog=EXAMPLES,
            extra=add_arguments,
            short=(
                "dataset",
                "latent",
                "objective",
                "epochs",
                "limit",
                "nll_samples",
                "seed",
                "name",
                "output",
            ),
        )
    except UsageError:
        grid.trials()  # names the combination if not all are wrong
        raise


def add_options(parser):
    """Adds the options of the sweep as a whole."""
    parser.add_argument(
        "--over", action="append", metavar="FIELD=A,B", help="a setting and its values; can be repeated"
    )
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="number of parallel runs (default: one per GPU, else 1)"
    )
    parser.add_argument(
        "--scheduler",
        default=LOCAL,
        metavar="ADDRESS",
        help="where runs are executed: local (default), or a Dask scheduler's tcp://HOST:PORT or file; its workers"
        " write to --output, which they share",
    )
    parser.add_argument("--resume", metavar="FOLDER", help="resume this sweep, like FOLDER alone")
    parser.add_argument(
        "--compare",
        action="store_true",
        help="train nothing, and write the page that compares the runs in FOLDER...",
    )
    parser.add_argument("--yes", action="store_true", help=f"confirm a sweep of more than {MANY:,} runs")


def add_arguments(parser):
    """Adds the arguments that are not fields of a trial."""
    parser.add_argument("folders", nargs="*", metavar="FOLDER", help="a sweep to resume")
    add_options(parser)


def new_sweep(grid, config, sure, jobs):
    """Checks `grid`, creates its folder and returns the sweep; `config` is that of its first run."""
    if len(grid) > MANY and not sure:
        raise UsageError(f"the grid has {len(grid):,} runs: give --yes to run them all")
    place = find_places(jobs)[0]
    for trial in grid.trials().values():
        check_paths(trial)
    check_place(config.training(None, config.output))
    check_models(grid, place)
    name = config.name or default_name(config, grid)
    return Sweep.create(grid, config.output, name, asked=config.name is not None)


def check_models(grid, place):
    """Exits with a line on standard error if the images cannot be read or a model cannot be built."""
    try:
        checked = subprocess.run(
            [sys.executable, "-m", "keras_vae.sweep.checking"],
            input=json.dumps(grid.to_json()),
            text=True,
            env=place.environment(),
            start_new_session=True,  # Ctrl-C reaches only this process, which then ends that one
        )
    except KeyboardInterrupt:
        raise UsageError("stopped by Ctrl-C before the first run") from None
    if checked.returncode:
        raise SystemExit(checked.returncode)


def default_name(config, grid):
    """Returns the default name, sweep-dataset-fields."""
    source = config.dataset
    dataset = getattr(source, "name", None) or pathlib.Path(getattr(source, "path", "")).stem
    swept = [axis.field for axis in grid.axes]
    return plain("-".join(["sweep", dataset or type(source).__name__.lower(), *swept]))[:LONGEST_NAME]


def work(sweep, scheduler):
    """Runs the remaining trials of the sweep by the scheduler, compares all, and exits with 1 if a run failed."""
    from keras_vae.runtime.devices import say
    from keras_vae.sweep.running import run_all

    names = sweep.grid.trials()  # all are checked: the file may come from another version or be edited
    left = [name for name in names if not sweep.is_done(name)]
    with sweep.held():
        try:
            with scheduler as opened:
                say(f"{sweep.path}: {counted(len(names))}, {len(names) - len(left)} done, {opened.words}")
                run_all(sweep, opened, lambda: compared(sweep))
        except KeyboardInterrupt:
            done = sum(map(sweep.is_done, names))
            raise UsageError(
                f"stopped by Ctrl-C: {done} of {len(names)} runs are done;"
                f" resume with {to_type('sweep', sweep.path)}"
            ) from None
        comparison, page = compared(sweep)
    say(*recommended(comparison), f"page: {page}   (beside it: comparison.csv, comparison.json)")
    if failures := sweep.failures():
        say(
            f"{len(failures)} of {counted(len(names))} failed:",
            *(f"  {name}: {error}   ({sweep.log(name)})" for name, error in failures.items()),
            f"to run them again: {to_type('sweep', sweep.path)}",
        )
        raise SystemExit(1)


def counted(number):
    """Returns text such as `1 run` or `12 runs`."""
    return f"{number:,} run{'s' if number != 1 else ''}"


def compared(sweep):
    """Writes the comparison of a sweep; returns it and the page's path."""
    from keras_vae.sweep.comparison import of_sweep, write_comparison

    return write_comparison(sweep.path, sweep.path.resolve().name, *of_sweep(sweep))


def recommended(comparison):
    """Returns the lines with the recommendations and the number of runs they are based on."""
    done = sum(run["state"] == "done" for run in comparison["runs"])
    lines = [f"{done} of {counted(len(comparison['runs']))} compared"]
    for found in comparison["recommendations"]:
        way = f" for {found['dataset']} ({found['metric']}, n = {found['n']})"
        of = way if len(comparison["recommendations"]) > 1 else ""
        nothing = "none of these settings is usable" if found["tone"] == "bad" else "nothing yet"
        lines.append(f"recommended{of}: {found['words'] or nothing}")
        lines += textwrap.wrap(found["reason"], LINE, initial_indent="  ", subsequent_indent="  ")
    return lines


def compare_folders(folders, config):
    """Writes the page of the runs and sweeps in `folders`; the page of a single sweep goes into its folder."""
    from keras_vae.runtime.devices import say

    if len(folders) == 1 and os.path.isfile(os.path.join(folders[0], "sweep.json")):
        comparison, page = compared(Sweep.open(folders[0]))
    else:
        from keras_vae.sweep.comparison import of_runs, write_comparison

        runs = {run.path.resolve(): run for folder in folders for run in runs_in(folder)}
        target = pathlib.Path(config.output) / (config.name or "compared")
        comparison, page = write_comparison(target, counted(len(runs)), *of_runs(list(runs.values())))
    say(*recommended(comparison), f"page: {page}   (beside it: comparison.csv, comparison.json)")


def runs_in(folder):
    """Returns the run in `folder`, or the runs in its subfolders."""
    folder = pathlib.Path(folder)
    if os.path.isfile(folder / "config.json"):
        return [Run.open(folder)]
    runs = [Run.open(file.parent) for file in sorted(folder.glob("[!.]*/config.json"))]
    if not runs:
        raise UsageError(f"{folder} contains no run: neither it nor a subfolder has a config.json")
    return runs


if __name__ == "__main__":
    main()
