"""How large a latent? `python -m benchmarks.study --output DIR --data_dir MNIST --jobs 2` makes docs/latent_size.md.

Trains and evaluates what its sections need, a run a core, and writes the page's tables and figures. What has a record in
benchmarks/results/study is not made again, and a run that was stopped goes on from its last checkpoint: killed, the
study goes on where it was. To make a run anew one removes its record and its folder.
"""

import argparse
import pathlib
import time

from benchmarks.study.images import write_sets
from benchmarks.study.page import write_page
from benchmarks.study.scheduling import hours, make_all
from benchmarks.study.sections import SECTIONS, covering, trials_of
from benchmarks.study.trials import Place

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "latent_size.md"


def main():
    """Makes what is missing, then the page."""
    arguments = read_arguments()
    output = arguments.output.resolve()
    real = not arguments.smoke
    place = Place(
        output,
        ROOT / "benchmarks" / "results" / "study" if real else output / "records",
        arguments.data_dir,
        arguments.smoke,
    )
    trials = trials_of(arguments.sections)
    if arguments.smoke:
        trials = covering(trials)
    left = [trial for trial in trials.values() if not place.record(trial).is_file()]
    announce(arguments.sections, place)
    failed = []
    if left and not arguments.page:
        begun = time.monotonic()
        write_sets(place.data)
        failed = make_all(left, place, arguments.jobs)
        print(f"{len(left) - len(failed)} runs in {hours(time.monotonic() - begun)}")
    page = PAGE if real else output / PAGE.name
    unplaced = write_page(place, PAGE, page, PAGE.parent / "figures" if real else output / "figures")
    print(f"page: {page}")
    for what, names in (("failed", failed), ("no place in the page for", unplaced)):
        if names:
            print(f"{what}: {', '.join(names)}")
    raise SystemExit(1 if failed or unplaced else 0)


def read_arguments():
    """Returns the command line."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.study", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--output", type=pathlib.Path, default=ROOT / "saved_models" / "study", help="of the runs"
    )
    parser.add_argument("--data_dir", help="folder of MNIST's files, or of prepared TensorFlow Datasets")
    parser.add_argument(
        "--sections",
        type=sections,
        default=tuple(SECTIONS),
        help=f"which, in this order; all by default: {','.join(map(str, SECTIONS))}",
    )
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, each on cores of its own")
    parser.add_argument("--page", action="store_true", help="the page alone, of what is there")
    parser.add_argument("--smoke", action="store_true", help="one tiny run of each kind, all into --output")
    return parser.parse_args()


def sections(text):
    """Returns the sections that `1,4` names."""
    numbers = tuple(dict.fromkeys(int(number) for number in text.split(",")))
    if unknown := [number for number in numbers if number not in SECTIONS]:
        raise argparse.ArgumentTypeError(
            f"there is no section {unknown[0]}: expected some of {sorted(SECTIONS)}"
        )
    return numbers


def announce(numbers, place):
    """Prints what is to be made of each section, and how long that is estimated to take."""
    known = {}
    for number in numbers:
        own = {name: trial for name, trial in trials_of([number]).items() if name not in known}
        known |= own
        left = [trial for trial in own.values() if not place.record(trial).is_file()]
        print(
            f"{number}. {SECTIONS[number].TITLE}: {len(own)} runs, {len(left)} to be made,"
            f" {hours(sum(trial.cost for trial in left))} of one core",
            flush=True,
        )


if __name__ == "__main__":
    main()
