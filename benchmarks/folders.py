"""What does a start with a large folder cost? `python benchmarks/folders.py --images 1000000`

Writes a folder of small JPEGs, a thousand in each subfolder, and starts on it three times, each in a process of its own:
without a cache, with an empty one (`--dataset.cache`), and with the full one. Prints seconds until the images can be
trained on, images a second read by training's pipeline, and peak memory.
"""

import pathlib
import sys
import tempfile

from measure import arguments, machine, mebibytes, peer_command, publish, run, table

SIZE, IN_A_FOLDER, PICTURES = 32, 1000, 200
HEADER = "start", "seconds until it trains", "files a second", "read by the pipeline, images/s", "peak memory"


def write_copies(folder, count):
    """Writes `count` files of `PICTURES` different JPEGs: what is in them is not what is measured."""
    from peers.task import write_jpegs

    originals = folder / "0000"
    originals.mkdir()
    write_jpegs(originals, PICTURES, SIZE)
    contents = [path.read_bytes() for path in sorted(originals.iterdir())]
    for number in range(PICTURES, count):
        inside = folder / f"{number // IN_A_FOLDER:04d}"
        if number % IN_A_FOLDER == 0:
            inside.mkdir()
        (inside / f"{number:07d}.jpg").write_bytes(contents[number % PICTURES])


def row_of(name, count, found):
    """Returns the table's row on one start."""
    return (
        name,
        f"{found['seconds']:,.1f}",
        f"{count / found['seconds']:,.0f}",
        f"{found['images_per_second']:,.0f}",
        mebibytes(found["peak_memory_bytes"]),
    )


def main():
    """Measures, prints a table and writes what was found."""
    parser = arguments(__doc__, rounds=1, output="build/benchmarks/folders.json")
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--folder", type=pathlib.Path, help="where they are, or are to be written and kept")
    asked = parser.parse_args()
    facts = {"machine": machine(), "images": asked.images, "starts": {}}
    with tempfile.TemporaryDirectory() as place:
        folder, cache = asked.folder or pathlib.Path(place, "images"), pathlib.Path(place, "cache")
        if not folder.exists():
            print(f"writing {asked.images:,} files", file=sys.stderr, flush=True)
            folder.mkdir()
            write_copies(folder, asked.images)
        starts = {"no cache": [], "an empty cache": ["--cache", cache], "a full cache": ["--cache", cache]}
        for name, flags in starts.items():
            print(name, file=sys.stderr, flush=True)
            facts["starts"][name] = run(peer_command("starting", folder, *flags))
    rows = [row_of(name, asked.images, found) for name, found in facts["starts"].items()]
    publish(asked.output, facts, table(HEADER, rows))


if __name__ == "__main__":
    main()
