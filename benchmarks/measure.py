"""What the benchmarks share: contenders in turn, each in a process of its own; medians with their spread; tables.

Standard library alone: contenders import it under interpreters that have nothing of ours.
"""

import argparse
import json
import os
import pathlib
import platform
import resource
import shutil
import statistics
import subprocess
import sys
from typing import NamedTuple

FOLDER = pathlib.Path(__file__).resolve().parent
OURS, CEILINGS = "keras_vae", "ceilings"  # what they are called in tables and files


class Spread(NamedTuple):
    """The median of repeats, and their range."""

    median: float
    low: float
    high: float

    def show(self, form=",.0f"):
        """Returns `median (low to high)`, each number in the format `form`."""
        return f"{self.median:{form}} ({self.low:{form}} to {self.high:{form}})"


def spread(values):
    """Returns the `Spread` of `values`."""
    return Spread(statistics.median(values), min(values), max(values))


def over(results, field):
    """Returns the `Spread` of `field` over the results of a contender's repeats."""
    return spread([result[field] for result in results])


def ratios(ours, theirs, field):
    """Returns the `Spread` over rounds of our `field` divided by theirs in the same round."""
    return spread([one[field] / other[field] for one, other in zip(ours, theirs)])


def arguments(description, rounds, output):
    """Returns the parser of a benchmark: how many `rounds`, and the JSON file that it writes, by default `output`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds, help="repeats of each contender, in turn")
    parser.add_argument(
        "--output", type=pathlib.Path, default=pathlib.Path(output), help="JSON, of all repeats"
    )
    return parser


def peer_command(module, *flags, python=sys.executable):
    """Returns the command that runs `benchmarks/peers/MODULE.py`, from that folder.

    Links of the interpreter's path are not followed: a virtual environment is known by where its link lies.
    """
    return [os.path.abspath(shutil.which(python) or python), "-m", f"peers.{module}", *map(str, flags)]


def with_onednn(command, value="1"):
    """Returns `command` with TensorFlow's oneDNN on or off: train.py turns it on (docs/performance.md)."""
    return ["env", f"TF_ENABLE_ONEDNN_OPTS={value}", *command]


def can_import(python, *modules):
    """Returns whether the interpreter `python` has all `modules`."""
    found = f"import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, {modules!r})))"
    try:
        return subprocess.run([python, "-c", found], capture_output=True).returncode == 0
    except OSError:
        return False


def run(command, **options):
    """Returns what a contender answers: the last line of its output, JSON. `options` are those of `subprocess.run`."""
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, **options)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def interleaved(commands, rounds):
    """Returns the results of each of `commands`, by its name: run one after the other, `rounds` times over.

    What else the machine does, and how warm it is, then changes for all of them alike.
    """
    results = {name: [] for name in commands}
    for number in range(rounds):
        for name, command in commands.items():
            print(f"round {number + 1} of {rounds}: {name}", file=sys.stderr, flush=True)
            results[name].append(run(command))
    return results


def table(header, rows):
    """Returns a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def ceiling_table(ceilings):
    """Returns a table of the machine's limits, from the repeats of `peers/ceilings.py`."""
    rows = [
        (f"{name} products", f"{over(ceilings, name).show()} GFLOP/s") for name in ("float32", "bfloat16")
    ]
    rows.append(("copying, read and written", f"{over(ceilings, 'copy').show('.1f')} GB/s"))
    return table(("ceiling", "measured"), rows)


def share_of_products(flops, precision, ceilings):
    """Returns what share of the rate of large products in `precision` a rate of `flops` a second is, in words."""
    return f"{flops / 1e9 / over(ceilings, precision.removeprefix('mixed_')).median:.0%}"


def share_of_copying(moved, ceilings):
    """Returns what share of the rate of copying `moved` bytes a second are, in words."""
    return f"{moved / 1e9 / over(ceilings, 'copy').median:.1%}"


def mebibytes(size):
    """Returns `size`, in bytes, in words."""
    return f"{size / 2**20:,.0f} MiB"


def peak_memory():
    """Returns the most memory that this process has held, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def machine():
    """Returns what the figures were taken on: processor, cores, and how busy they were."""
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
    }


def processor():
    """Returns the processor's name."""
    lines = []
    if os.path.exists("/proc/cpuinfo"):
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def describe(machine):
    """Returns one line on `machine()`; figures that were taken beside other work are no measure of speed."""
    busy = machine["load_before"] > machine["cores"] / 4
    warning = ": TAKEN UNDER LOAD, no measure of speed" if busy else ""
    return f"{machine['processor']}, {machine['cores']} cores, load {machine['load_before']} before{warning}"


def save(output, facts):
    """Writes `facts` as JSON to `output`, whole or not at all."""
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_name(f"{output.name}.unfinished")
    unfinished.write_text(json.dumps(facts, indent=2) + "\n")
    unfinished.replace(output)


def publish(output, facts, *tables):
    """Saves `facts`, and prints the machine and the `tables`."""
    save(output, facts)
    print(describe(facts["machine"]), *tables, f"all repeats: {output}", sep="\n\n")
