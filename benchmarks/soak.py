"""Does memory, or the number of file handles or threads, grow in long runs? `python benchmarks/soak.py`

Half an hour of training, each epoch followed by an export and a whole evaluation with its report, in one process and by
the package's own functions; then half an hour of the embedded server under load, from clients that ask for all its
signatures and for the explorer's data, make mistakes, and come and go. Linux alone: the figures come from /proc.

    python benchmarks/soak.py                                  both, 30 minutes each
    python benchmarks/soak.py --minutes 3 --parts serving      the other part stays in the files as it was found before

A figure is called flat where its growth is known to be small. What came in the first third is left out as warm-up; the
rest is averaged in ten blocks, since what is read at one moment is not independent of the moment before (blocks of two
minutes, that is; those of a run of some minutes are too short for that); a straight line is put through them by least
squares. Flat: the upper end of the 95% interval of its rise, from the first block to the
last, is below the bound: 3% of the memory, one handle, one thread. Growing: the lower end is above 0, and the rise above
the bound. Else it is not known, and more minutes would tell.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import dataclasses
import json
import multiprocessing
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

import numpy as np
from measure import FOLDER, machine, publish, table

PARTS = ("training", "serving")
WARM_UP, BLOCKS = 1 / 3, 10
T_95 = 2.306  # Student's t at 97.5%, for a line through ten points
BOUNDS = {"memory": 0.03, "handles": 1.0, "threads": 1.0}  # of memory a share of its mean
KEPT_VERSIONS = 2
MOST_ROWS, REQUESTS_A_CLIENT = 64, 100
MEBIBYTE = 2**20
ALWAYS = 10**6  # epochs that are never reached
IMAGES = 256  # to train on: what is done once an epoch is what may leak, so that epochs are to be short


# What is measured


def snapshot(pid):
    """Returns resident memory in bytes, open file handles and threads of a process."""
    process = pathlib.Path("/proc") / str(pid)
    resident = int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return resident, len(os.listdir(process / "fd")), len(os.listdir(process / "task"))


def watch(pid, seconds, is_alive):
    """Returns what `snapshot` gave until the time was over: a list of (seconds, memory, handles, threads)."""
    begun, every, rows = time.monotonic(), min(max(seconds / 900, 0.1), 2), []
    while is_alive() and (passed := time.monotonic() - begun) < seconds:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            rows.append((round(passed, 2), *snapshot(pid)))
        time.sleep(every)
    return rows


def judge(times, values, bound):
    """Returns the mean after the warm-up, the rise with its standard error, the bound, and whether that is flat.

    Args:
        times, values: Lists of the same length.
        bound: The largest rise that is called flat.
    """
    times, values = np.asarray(times, float), np.asarray(values, float)
    settled = times >= times[0] + WARM_UP * (times[-1] - times[0])
    if settled.sum() < 2 * BLOCKS:
        raise SystemExit(f"{settled.sum()} measurements are too few: give more --minutes")
    blocks = [
        (times[part].mean(), values[part].mean()) for part in np.array_split(np.flatnonzero(settled), BLOCKS)
    ]
    at, level = np.transpose(blocks)
    span, offset = at[-1] - at[0], at - at.mean()
    slope = (offset * level).sum() / (offset**2).sum()
    residuals = level - level.mean() - slope * offset
    error = np.sqrt((residuals**2).sum() / (BLOCKS - 2) / (offset**2).sum())
    rise, margin = slope * span, T_95 * error * span
    verdict = (
        "flat" if rise + margin < bound else "growing" if rise > bound and rise > margin else "not known"
    )
    return {
        "mean": level.mean(),
        "rise": rise,
        "rise_se": error * span,
        "bound": bound,
        "minutes": span / 60,
        "verdict": verdict,
    }


def judged(rows):
    """Returns what `judge` says of each of `BOUNDS`."""
    times, *columns = zip(*rows)
    found = {}
    for (name, bound), values in zip(BOUNDS.items(), columns):
        found[name] = judge(times, values, bound * np.mean(values) if name == "memory" else bound)
    return found


# Training


def train_on(folder, seconds):
    """Trains, exports and evaluates a run in `folder`, epoch by epoch, until the time is over."""
    from keras_vae.evaluation.settings import Evaluation
    from keras_vae.export.saved_models import export
    from keras_vae.report.runs import measure_run
    from keras_vae.runtime import devices
    from keras_vae.training import loop, setup
    from keras_vae.training.config import Config
    from keras_vae.training.run_folder import State

    devices.start()
    config = Config(
        output=str(folder), name="run", limit=IMAGES, epochs=ALWAYS, precision="float32", schedule="constant"
    )
    dataset = setup.load(config)
    config = setup.resolve(config, dataset)
    model, run = setup.build(config, dataset), loop.folder(None, config, dataset)
    run.write_config(config)
    state, begun = State(fingerprint=dataset.fingerprint), time.monotonic()
    while time.monotonic() - begun < seconds or not state.epoch:
        loop.fit(model, dataset, dataclasses.replace(config, epochs=state.epoch + 1), run, state)
        export(model, run.serving)
        measure_run(Evaluation(repair_minutes=0.0), run, {})  # a minute of learning each would leave few
        for servable in ("decoder", "encoder"):
            for version in sorted((run.serving / servable).iterdir(), key=lambda path: int(path.name))[
                :-KEPT_VERSIONS
            ]:
                shutil.rmtree(version)


def quietly(log, function, *arguments):
    """Calls `function` in this process with its output, and that of its libraries, in the file `log`."""
    with open(log, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    function(*arguments)


def soak_training(folder, seconds):
    """Returns what was seen of the training process, and how much it did."""
    target = (folder / "training.log", train_on, folder, seconds)
    process = multiprocessing.get_context("spawn").Process(target=quietly, args=target)
    process.start()
    rows = watch(process.pid, seconds, process.is_alive)
    process.join()
    if process.exitcode:
        raise SystemExit(f"training failed:\n{(folder / 'training.log').read_text()[-3000:]}")
    epochs = len((folder / "run" / "history.csv").read_text().splitlines()) - 1
    return rows, {"epochs, exports and evaluations": epochs}


# Serving


def ask_on(url, seconds, seed, done):
    """Asks the server for one thing after the other, and counts them in `done`, until the time is over or one fails."""
    from keras_vae.errors import ServingError
    from keras_vae.serving import DecoderClient

    chance, begun = random.Random(seed), time.monotonic()
    while time.monotonic() - begun < seconds:
        with DecoderClient(url, timeout=120) as client:
            known = {name: client.signature(*name.split(":"))[0] for name in SIGNATURES}
            for _ in range(REQUESTS_A_CLIENT):
                if time.monotonic() - begun >= seconds:
                    break
                name = chance.choice([*SIGNATURES, "explorer", "mistake"])
                if name == "explorer":
                    with urllib.request.urlopen(f"{url}/explorer/api/0/world", timeout=120) as answer:
                        json.load(answer)
                elif name == "mistake":
                    with contextlib.suppress(ServingError):
                        client.predict("decoder", "decode", latent=np.zeros((1, 1, 1, 1), "float32"))
                else:
                    rows = chance.randint(1, MOST_ROWS)
                    inputs = {
                        key: np.zeros((rows, *shape[1:]), kind) for key, (kind, shape) in known[name].items()
                    }
                    client.predict(*name.split(":"), **inputs)
                done[name] += 1


SIGNATURES = ("decoder:decode", "decoder:sample", "encoder:encode", "encoder:reconstruct")


def soak_serving(folder, seconds, clients):
    """Returns what was seen of the server of the run in `folder`, and how much it did."""
    command = [sys.executable, "-m", "keras_vae.serving", "run", str(folder / "run"), "--port", "0"]
    done = collections.Counter()
    with (
        open(folder / "serving.log", "ab") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process,
        concurrent.futures.ThreadPoolExecutor(clients) as pool,
    ):
        try:
            url = process.stdout.readline().partition(" on ")[2].partition("/v1")[0]
            if not url:
                raise SystemExit(f"the server failed:\n{(folder / 'serving.log').read_text()[-3000:]}")
            asking = [pool.submit(ask_on, url, seconds, seed, done) for seed in range(clients)]
            rows = watch(process.pid, seconds, lambda: process.poll() is None)
            if process.poll() is not None:
                raise SystemExit(f"the server ended:\n{(folder / 'serving.log').read_text()[-3000:]}")
            for client in asking:
                client.result()  # raises what failed
        finally:
            process.terminate()
    return rows, dict(done)


# What is said of it


def table_of(parts):
    """Returns a row for each figure of each part."""
    lines = []
    for part, found in parts.items():
        for name, figure in found["judged"].items():
            unit = MEBIBYTE if name == "memory" else 1
            mean, rise, error, bound = (figure[key] / unit for key in ("mean", "rise", "rise_se", "bound"))
            lines.append(
                (
                    part,
                    f"{name}{', MiB' if name == 'memory' else ''}",
                    f"{mean:,.1f}",
                    f"{rise:+.2f} ± {error:.2f} in {figure['minutes']:.1f} min",
                    f"{bound:.2f}",
                    figure["verdict"],
                )
            )
    return table(("part", "figure", "mean", "rise", "bound", "verdict"), lines)


def draw(parts, path):
    """Draws each figure of each part over time; the warm-up is shaded."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        len(parts), len(BOUNDS), figsize=(9, 2 * len(parts)), squeeze=False, layout="constrained"
    )
    for row, (part, found) in zip(axes, parts.items()):
        seconds, *columns = np.transpose(found["rows"])
        minutes = seconds / 60
        for place, name, values in zip(row, BOUNDS, columns):
            place.plot(minutes, values / MEBIBYTE if name == "memory" else values, linewidth=1)
            place.axvspan(
                minutes[0],
                minutes[0] + WARM_UP * (minutes[-1] - minutes[0]),
                alpha=0.1,
                color="black",
                linewidth=0,
            )
            place.set_title(f"{part}: {name}{' (MiB)' if name == 'memory' else ''}", fontsize=9)
            place.set_ylim(bottom=0)
            place.tick_params(labelsize=8)
    for place in axes[-1]:
        place.set_xlabel("minutes", fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def main():
    """Soaks, and prints and writes what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30, help="of each part")
    parser.add_argument("--parts", default=",".join(PARTS), help="what is soaked, separated by commas")
    parser.add_argument("--clients", type=int, default=4, help="at the server at once")
    parser.add_argument("--output", type=pathlib.Path, default=FOLDER / "results" / "soak.json", help="JSON")
    parser.add_argument(
        "--figure", type=pathlib.Path, default=FOLDER.parent / "docs" / "figures" / "soak.png", help="PNG"
    )
    asked = parser.parse_args()
    seconds, wanted, found = 60 * asked.minutes, asked.parts.split(","), {}
    facts = {"machine": machine(), "clients": asked.clients}
    with tempfile.TemporaryDirectory(prefix="soak-") as temporary:
        folder = pathlib.Path(temporary)
        os.environ.setdefault("XDG_CACHE_HOME", str(folder / "cache"))
        for part in PARTS:
            if part not in wanted and (part == "serving" or "serving" not in wanted):
                continue
            if part == "training":
                rows, done = soak_training(folder, seconds if part in wanted else 0)
            else:
                rows, done = soak_serving(folder, seconds, asked.clients)
            if part in wanted:
                found[part] = {"done": done, "judged": judged(rows), "rows": rows}
                print(f"{part}: {json.dumps(done)}", file=sys.stderr, flush=True)
    before = json.loads(asked.output.read_text())["parts"] if asked.output.exists() else {}
    parts = {name: part for name in PARTS if (part := found.get(name, before.get(name)))}
    draw(parts, asked.figure)
    publish(asked.output, {**facts, "parts": parts}, table_of(parts))


if __name__ == "__main__":
    main()
