"""What a trained model costs in use: `python benchmarks/decoding.py RUN --peers_python PYTHON` prints tables.

    decoding and sampling   images a second of the run's exported decoder by batch size, each in a process of its own
    likelihood              importance-sampled log-likelihoods of 10,000 images by keras_vae and by Pythae's `get_nll`, in
                            turn: the same networks (`peers/networks.py`), images and number of samples; Pythae's in
                            float32, the only precision it has for this, and ours in its own choice and in float32
    evaluate.py             its steps, on a copy of the run

A hundred samples of an image are 1.1 GFLOP with the network keras_io and 27 with pythae, hence fewer images of that:

    python train.py --dataset mnist --name measured
    python benchmarks/decoding.py saved_models/measured --peers_python peers/bin/python
    python benchmarks/decoding.py saved_models/measured --only likelihood --networks pythae --images 200
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

from measure import (
    CEILINGS,
    FOLDER,
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
    run,
    share_of_products,
    table,
)
from peers.networks import NETWORKS

ROWS = (1, 8, 64, 256, 1024)
SIGNATURES = ("decode", "sample")
PYTHAE = "Pythae"
PRECISIONS = ("auto", "float32")  # of ours


def decoding(asked):
    """Returns the repeats and the table of the exported decoder."""
    versions = asked.run.resolve() / "serving" / "decoder"
    newest = max(
        (path for path in versions.iterdir() if path.name.isdigit()), key=lambda path: int(path.name)
    )
    results = interleaved(
        {
            f"{signature}, {rows} rows": peer_command(
                "saved_model", newest, "--signature", signature, "--rows", rows, "--seconds", asked.seconds
            )
            for signature in SIGNATURES
            for rows in ROWS
        },
        asked.rounds,
    )
    flops = run(peer_command("decoder", asked.run.resolve()))["flops"]
    results[CEILINGS] = ceilings = [run(peer_command(CEILINGS))]
    rows = [
        (
            name,
            over(repeats, "images_per_second").show(),
            f"{1000 * over(repeats, 'seconds').median:,.2f}",
            share_of_products(flops * over(repeats, "images_per_second").median, "float32", ceilings),
            mebibytes(over(repeats, "peak_memory_bytes").median),
        )
        for name, repeats in results.items()
        if name != CEILINGS
    ]
    header = "signature", "images/s", "ms a call", "of the ceiling of float32", "peak memory"
    return results, f"{table(header, rows)}\n\n{ceiling_table(ceilings)}"


def likelihood(asked):
    """Returns the repeats and the tables of likelihoods, for all networks asked for."""
    peers_python = asked.peers_python or sys.executable
    has_pythae = can_import(peers_python, "torch", "pythae")
    if not has_pythae:
        print(f"no rows of Pythae: {peers_python} has no pythae (--peers_python)", file=sys.stderr)
    commands = {CEILINGS: peer_command(CEILINGS)}
    for network in asked.networks:
        flags = ["--network", network, "--images", asked.images, "--samples", asked.samples]
        for precision in PRECISIONS:
            commands[f"{network}, {OURS} {precision}"] = peer_command(
                "likelihood_ours", *flags, "--precision", precision
            )
        if has_pythae:
            commands[f"{network}, {PYTHAE}"] = peer_command("likelihood_pythae", *flags, python=peers_python)
    results = interleaved(commands, asked.rounds)
    rows = [row for network in asked.networks for row in likelihood_rows(network, results, asked.samples)]
    header = (
        "network",
        f"{asked.samples} samples",
        "precision",
        "images/s",
        f"times {PYTHAE}'s",
        "GFLOP/s",
        "of the ceiling",
    )
    shown = table((*header, "nats, untrained", "peak memory"), rows)
    return results, f"{shown}\n\n{ceiling_table(results[CEILINGS])}"


def likelihood_rows(network, results, samples):
    """Yields the table's rows on one network."""
    pythae = results.get(f"{network}, {PYTHAE}")
    for name in (*(f"{OURS} {precision}" for precision in PRECISIONS), PYTHAE):
        repeats = results.get(f"{network}, {name}")
        if repeats is None:
            continue
        speed = over(repeats, "images_per_second")
        rate = speed.median * NETWORKS[network].flops_of_likelihood(samples) / 1e9
        precision = repeats[0]["precision"]
        yield (
            network,
            name,
            precision.removeprefix("mixed_"),
            speed.show(",.1f"),
            ratios(repeats, pythae, "images_per_second").show(".2f") if pythae else "",
            f"{rate:,.0f}",
            share_of_products(1e9 * rate, precision, results[CEILINGS]),
            f"{repeats[0]['nats']:.2f}",
            mebibytes(over(repeats, "peak_memory_bytes").median),
        )


def evaluation(asked):
    """Returns the costs and the table of evaluate.py's steps."""
    costs = []
    for _ in range(asked.evaluations):
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / asked.run.name
            shutil.copytree(asked.run, copy, ignore=shutil.ignore_patterns("checkpoints", "logs", "report"))
            data_dir = ["--data_dir", asked.data_dir] if asked.data_dir else []
            command = [sys.executable, FOLDER.parent / "evaluate.py", copy, "--no-repair", *data_dir]
            subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
            costs.append(json.loads((copy / "report" / "results.json").read_text())["cost"])
    steps = [{step["name"]: step["seconds"] for step in cost["steps"]} for cost in costs]
    rows = [(name, over(steps, name).show(".1f")) for name in steps[0]]
    rows.append(("all", over(costs, "seconds").show(".1f")))
    rows.append(("peak memory", mebibytes(over(costs, "peak_memory_bytes").median)))
    return costs, table(("step of evaluate.py", "seconds"), rows)


SECTIONS = {"decoding": decoding, "likelihood": likelihood, "evaluation": evaluation}


def main():
    """Measures, prints tables and writes all repeats."""
    parser = arguments(__doc__, rounds=3, output="build/benchmarks/decoding.json")
    parser.add_argument("run", type=pathlib.Path, help="a run of train.py")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument(
        "--peers_python", help="an interpreter that has benchmarks/requirements.txt installed"
    )
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=["keras_io"])
    parser.add_argument("--images", type=int, default=10_000, help="whose likelihood is measured")
    parser.add_argument("--samples", type=int, default=100, help="codes an image")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each signature and batch size")
    parser.add_argument("--evaluations", type=int, default=1, help="repeats of evaluate.py")
    parser.add_argument(
        "--data_dir", help="for evaluate.py, where the run's dataset is not where the run says"
    )
    asked = parser.parse_args()
    facts, tables = {"machine": machine()}, []
    for name in asked.only:
        facts[name], shown = SECTIONS[name](asked)
        tables.append(shown)
    publish(asked.output, facts, *tables)


if __name__ == "__main__":
    main()
