"""Cost against size: `python benchmarks/sizes.py` prints tables of seconds a step, images a second and peak memory.

Of the default network, one size changed at a time: latents of 16 to 65,536 numbers, images of 28 to 256 pixels, 1,000
to 60,000 images in memory and in a folder, batches of 32 to 1,024. Two claims are checked: what a folder's training
takes of memory does not grow with the folder, and an evaluation with 60,000 codes of 65,536 numbers, which is 15 GiB of
them, stays under 4 GiB.

A point is one process. Points that are in the JSON file are not measured again: killed, it goes on where it was.
"""

import functools
import json
import pathlib
import sys
import tempfile

from measure import (
    CEILINGS,
    arguments,
    ceiling_table,
    machine,
    mebibytes,
    over,
    peer_command,
    publish,
    run,
    save,
    share_of_products,
    table,
)
from peers.task import write_jpegs

COUNTS = (1_000, 10_000, 60_000)
FOLDER_SIZE = 64
LATENTS = ("16", "256", "8x8x64", "8x8x1024")
POINTS = {
    "latent": {latent: ["--latent", latent] for latent in LATENTS},
    "image size": {size: ["--size", size] for size in (28, 64, 128, 256)},
    "images in memory": {count: ["--images", count] for count in COUNTS},
    "images in a folder": {count: ["--size", FOLDER_SIZE] for count in COUNTS},
    "batch": {batch: ["--batch", batch] for batch in (32, 128, 512, 1024)},
    "evaluation": {
        f"{count} images, latent 8x8x1024": ["--evaluate", "--latent", "8x8x1024", "--images", count]
        for count in (COUNTS[0], COUNTS[-1])
    },
}
GROWTH = 1.1  # of the peak memory, from the smallest folder to the largest: the list of files is kept
MOST_MEMORY = 4 * 2**30


@functools.cache
def folder_of(count, root):
    """Returns a folder of `count` JPEGs in `root`, which it writes."""
    folder = root / str(count)
    folder.mkdir()
    write_jpegs(folder, count, FOLDER_SIZE)
    return folder


def measured(axis, value, flags, steps, root):
    """Returns what the point's process answers."""
    if axis == "images in a folder":
        flags = [*flags, "--folder", folder_of(value, root)]
    return run(peer_command("size", *flags, "--steps", steps))


def rows_of(points, ceilings):
    """Yields the rows of one table from its points: `value: repeats`."""
    for value, repeats in points.items():
        memory = mebibytes(over(repeats, "peak_memory_bytes").median)
        if "seconds_a_step" in repeats[0]:
            step = over(repeats, "seconds_a_step")
            speed = f"{over(repeats, 'images_per_second').median:,.0f}"
            share = share_of_products(repeats[0]["flops"] / step.median, repeats[0]["precision"], ceilings)
            yield value, step.show(".3f"), speed, share, memory
        else:
            yield value, over(repeats, "seconds").show(".0f"), "", "", memory


def verdicts(results):
    """Yields a sentence on each of the two claims whose points are there."""
    folders = [
        over(repeats, "peak_memory_bytes").median
        for repeats in results.get("images in a folder", {}).values()
    ]
    if len(folders) == len(COUNTS):
        ratio = folders[-1] / folders[0]
        held = "holds" if ratio <= GROWTH else "DOES NOT HOLD"
        yield f"memory does not grow with a folder: {held}, {COUNTS[-1]:,} images take {ratio:.2f} times what {COUNTS[0]:,} do"
    largest = results.get("evaluation", {}).get(list(POINTS["evaluation"])[-1])
    if largest:
        most = over(largest, "peak_memory_bytes").high
        held = "holds" if most < MOST_MEMORY else "DOES NOT HOLD"
        yield f"60,000 codes of 65,536 numbers are evaluated under 4 GiB: {held}, {mebibytes(most)}"


def main():
    """Measures what is not there yet, prints tables and the two verdicts."""
    parser = arguments(__doc__, rounds=1, output="build/benchmarks/sizes.json")
    parser.add_argument("--only", nargs="+", choices=POINTS, default=list(POINTS))
    parser.add_argument("--steps", type=int, default=10, help="an epoch: two are measured, after one")
    parser.add_argument("--first", action="store_true", help="the first point of each table alone")
    asked = parser.parse_args()
    facts = json.loads(asked.output.read_text()) if asked.output.is_file() else {"machine": machine()}
    results = facts.setdefault("points", {})
    if CEILINGS not in facts:
        facts[CEILINGS] = [run(peer_command(CEILINGS))]
    with tempfile.TemporaryDirectory() as root:
        for number in range(asked.rounds):
            for axis in asked.only:
                for value, flags in list(POINTS[axis].items())[: 1 if asked.first else None]:
                    repeats = results.setdefault(axis, {}).setdefault(str(value), [])
                    if len(repeats) > number:
                        continue
                    print(
                        f"round {number + 1} of {asked.rounds}: {axis} {value}", file=sys.stderr, flush=True
                    )
                    repeats.append(measured(axis, value, flags, asked.steps, pathlib.Path(root)))
                    save(asked.output, facts)
    header = "seconds a step, or in all", "images/s", "of the ceiling", "peak memory"
    tables = [table((axis, *header), rows_of(points, facts[CEILINGS])) for axis, points in results.items()]
    publish(asked.output, facts, *tables, ceiling_table(facts[CEILINGS]), *verdicts(results))


if __name__ == "__main__":
    main()
