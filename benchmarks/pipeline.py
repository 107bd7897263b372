"""Does the input pipeline feed the model as fast as it eats? `python benchmarks/pipeline.py --data_dir DIR`

Images in memory, a dataset of TensorFlow Datasets, and a folder of JPEGs of 64x64, which it writes: images a second of
the pipeline alone, and of training on it, in turn. DIR holds the dataset, prepared or as its download files; nothing
is downloaded.
"""

import math
import pathlib
import sys
import tempfile

from measure import (
    CEILINGS,
    arguments,
    ceiling_table,
    interleaved,
    machine,
    mebibytes,
    over,
    peer_command,
    publish,
    run,
    share_of_copying,
    table,
)
from peers.task import write_jpegs

SIZE = 64
HEADER = (
    "images",
    "shape",
    "pipeline alone, images/s",
    "training, images/s",
    "pipeline over training",
    "of copying",
    "peak memory",
)


BYTES_A_VALUE = 1 + 4  # read as uint8, written as float32


def row_of(name, repeats, ceilings):
    """Returns the table's row on a source."""
    moved = BYTES_A_VALUE * math.prod(repeats[0]["image_shape"]) * over(repeats, "pipeline").median
    return (
        name,
        "x".join(map(str, repeats[0]["image_shape"])),
        over(repeats, "pipeline").show(),
        over(repeats, "training").show(),
        over(repeats, "times").show(".0f"),
        share_of_copying(moved, ceilings),
        mebibytes(over(repeats, "peak_memory_bytes").median),
    )


def main():
    """Measures, prints a table and writes all repeats."""
    parser = arguments(__doc__, rounds=3, output="build/benchmarks/pipeline.json")
    parser.add_argument("--data_dir", help="folder of prepared or downloaded data, as train.py takes it")
    parser.add_argument("--tfds", default="mnist", help="name in TensorFlow Datasets")
    parser.add_argument("--jpegs", type=int, default=5000, help="images in the folder")
    parser.add_argument("--steps", type=int, default=50, help="batches of 128 that the model eats at a time")
    asked = parser.parse_args()
    facts = {"machine": machine()}
    data_dir = ["--data_dir", pathlib.Path(asked.data_dir).resolve()] if asked.data_dir else []
    with tempfile.TemporaryDirectory() as folder:
        write_jpegs(pathlib.Path(folder), asked.jpegs, SIZE)
        sources = {
            "in memory": [],
            f"TensorFlow Datasets: {asked.tfds}": ["--tfds", asked.tfds, *data_dir],
            f"folder of {asked.jpegs:,} JPEGs": ["--folder", folder],
        }
        commands = {
            name: peer_command("feeding", *flags, "--steps", asked.steps) for name, flags in sources.items()
        }
        facts["sources"] = results = interleaved(commands, asked.rounds)
    facts[CEILINGS] = ceilings = [run(peer_command(CEILINGS))]
    for name, repeats in results.items():
        if "missing" in repeats[0]:
            print(f"no row on {name}: {repeats[0]['missing']}", file=sys.stderr)
    rows = [
        row_of(name, repeats, ceilings) for name, repeats in results.items() if "missing" not in repeats[0]
    ]
    publish(asked.output, facts, table(HEADER, rows), ceiling_table(ceilings))


if __name__ == "__main__":
    main()
