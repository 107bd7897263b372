"""Training throughput against peers: `python benchmarks/training.py --peers_python PYTHON` prints a table.

The same two networks (`peers/networks.py`), batches, optimizer (Adam, 1e-3) and loss everywhere: keras_vae, the way of
keras.io's example, and PyTorch in Pythae's loop, float32 and bfloat16. Contenders run in turn, each time in a process
of its own, its first epoch thrown away. In every round the machine's ceilings are measured too.

    python -m venv peers && peers/bin/pip install -r benchmarks/requirements.txt
    python benchmarks/training.py --peers_python peers/bin/python
"""

import sys

from measure import (
    CEILINGS,
    OURS,
    arguments,
    can_import,
    ceiling_table,
    interleaved,
    machine,
    mebibytes,
    over,
    peer_command,
    publish,
    ratios,
    share_of_products,
    table,
    with_onednn,
)
from peers.networks import NETWORKS

STEPS = {"keras_io": 150, "pythae": 10}  # an epoch: some seconds on two cores


PRECISIONS = ("float32", "bfloat16")  # of PyTorch


def commands_of(network, epochs, steps, peers_python, precisions):
    """Returns the contenders' commands by name."""
    flags = ["--network", network, "--epochs", epochs, "--steps", steps or STEPS[network]]
    commands = {
        OURS: with_onednn(peer_command("ours", *flags)),
        "keras.io's way": peer_command("keras_io", *flags),
    }
    if peers_python:
        for precision in precisions:
            commands[f"PyTorch {precision}"] = peer_command(
                "pytorch", *flags, "--precision", precision, python=peers_python
            )
    return commands


def check(network, results):
    """Raises a ValueError where a contender trained another network."""
    for name, repeats in results.items():
        if repeats[0]["weights"] != NETWORKS[network].num_weights:
            raise ValueError(
                f"{name} has {repeats[0]['weights']} weights: {NETWORKS[network].num_weights} expected"
            )


def rows_of(network, results, ceilings):
    """Yields the table's rows on one network."""
    peers = [name for name in results if name != OURS]
    best = max(peers, key=lambda name: over(results[name], "images_per_second").median)
    flops = NETWORKS[network].flops_of_step
    for name, repeats in results.items():
        precision = repeats[0]["precision"]
        rate = flops / over(repeats, "seconds_a_step").median
        yield (
            network,
            name,
            precision.removeprefix("mixed_"),
            over(repeats, "images_per_second").show(),
            f"{1000 * over(repeats, 'seconds_a_step').median:,.1f}",
            ratios(repeats, results[best], "images_per_second").show(".2f"),
            f"{rate / 1e9:,.0f}",
            share_of_products(rate, precision, ceilings),
            mebibytes(over(repeats, "peak_memory_bytes").median),
        )


HEADER = (
    "network",
    "contender",
    "precision",
    "images/s",
    "ms a step",
    "times the best peer",
    "GFLOP/s",
    "of the ceiling",
    "peak memory",
)


def overhead_row(network, repeats):
    """Returns a row on what a step of `fit` takes beyond the compiled step alone."""
    fit, bare = (over(repeats, name).median for name in ("seconds_a_step", "bare_seconds_a_step"))
    share = over(repeats, "overhead")
    return network, f"{1000 * fit:,.1f}", f"{1000 * bare:,.1f}", share.show(".1%")


def main():
    """Measures, prints tables and writes all repeats."""
    parser = arguments(__doc__, rounds=5, output="build/benchmarks/training.json")
    parser.add_argument(
        "--peers_python", help="an interpreter that has benchmarks/requirements.txt installed"
    )
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument(
        "--precisions",
        nargs="+",
        choices=PRECISIONS,
        default=list(PRECISIONS),
        help="PyTorch's precisions; bfloat16 is very slow on a CPU that has to emulate it",
    )
    parser.add_argument("--epochs", type=int, default=4, help="measured ones a process")
    parser.add_argument("--steps", type=int, help="an epoch; by default 150 on keras_io, 10 on pythae")
    asked = parser.parse_args()
    facts = {"machine": machine()}
    peers_python = asked.peers_python or sys.executable
    if not can_import(peers_python, "torch"):
        print(f"no PyTorch rows: {peers_python} has no torch (--peers_python)", file=sys.stderr)
        peers_python = None
    commands = {CEILINGS: with_onednn(peer_command(CEILINGS))}
    for network in asked.networks:
        contenders = commands_of(network, asked.epochs, asked.steps, peers_python, asked.precisions)
        commands |= {f"{network}, {name}": command for name, command in contenders.items()}
    results = interleaved(commands, asked.rounds)
    facts[CEILINGS] = ceilings = results.pop(CEILINGS)
    rows, overheads = [], []
    for network in asked.networks:
        found = {name: results[f"{network}, {name}"] for name in contenders}
        check(network, found)
        facts[network] = found
        rows += rows_of(network, found, ceilings)
        overheads.append(overhead_row(network, found[OURS]))
    publish(
        asked.output,
        facts,
        table(HEADER, rows),
        table(("network", "ms a step of fit", "of the compiled step", "overhead"), overheads),
        ceiling_table(ceilings),
    )


if __name__ == "__main__":
    main()
