"""What each signature costs, in TensorFlow alone and through a server: `python benchmarks/serving.py RUN`

Prints for each signature and batch size the median time of a call of the SavedModel itself, and the images a second;
then the median and the 99th percentile of requests of one row, from several clients at once, to the embedded server,
which it starts, or to the server that is named by --url (TF Serving too: `http://` or `grpc://`).

    python benchmarks/serving.py saved_models/digits-vae-8
    python benchmarks/serving.py saved_models/digits-vae-8 --url grpc://localhost:8500
"""

import argparse
import contextlib
import os
import pathlib
import queue
import subprocess
import sys
import threading
import time

import numpy as np

from keras_vae.runtime import devices
from keras_vae.serving import DecoderClient
from keras_vae.serving.models import Model
from keras_vae.serving.signatures import predicting
from keras_vae.serving.warmup import example_inputs
from keras_vae.training.run_folder import Run

BATCHES = (1, 4, 16, 64, 256)


def measure_model(model, seconds):
    """Prints the cost of each signature of a loaded model."""
    version = model.loaded()
    for name, signature in sorted(predicting(version.signatures).items()):
        for batch in BATCHES:
            inputs = example_inputs(signature, batch)
            version.predict(name, inputs)
            times, end = [], time.perf_counter() + seconds
            while not times or time.perf_counter() < end:
                begun = time.perf_counter()
                version.predict(name, inputs)
                times.append(time.perf_counter() - begun)
            median = np.median(times)
            print(
                f"| {model.name} | {name} | {batch} | {1000 * median:.2f} | {batch / median:,.0f} |",
                flush=True,
            )


def measure_server(url, signature, requests, clients):
    """Prints how long requests of one row take, sent by several clients at once."""
    servable, name = signature.split(":")
    todo, times = queue.SimpleQueue(), []
    for number in range(requests):
        todo.put(number)

    def ask():
        with DecoderClient(url, timeout=60) as client:
            takes, _ = client.signature(servable, name)
            inputs = {key: np.zeros((1, *shape[1:]), dtype) for key, (dtype, shape) in takes.items()}
            with contextlib.suppress(queue.Empty):
                while True:
                    todo.get_nowait()
                    begun = time.perf_counter()
                    client.predict(servable, name, **inputs)
                    times.append(time.perf_counter() - begun)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - begun
    median, late = np.percentile(times, (50, 99))
    print(
        f"| {servable} | {name} | {clients} | {1000 * median:.1f} | {1000 * late:.1f} | {len(times) / took:,.0f} |",
        flush=True,
    )


@contextlib.contextmanager
def embedded(run):
    """Yields the URL of the embedded server of a run."""
    command = [sys.executable, "-m", "keras_vae.serving", "run", run.path, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().partition(" on ")[2].partition("/v1")[0]
        finally:
            process.terminate()


def main():
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--url", help="a server that runs already")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each signature and batch size")
    parser.add_argument("--requests", type=int, default=2000, help="for each signature and number of clients")
    arguments = parser.parse_args()
    run = Run.open(arguments.run)
    devices.start()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{os.cpu_count()} cores, load {load:.1f} before this\n")
    print("| model | signature | rows | ms | images/s |\n|---|---|---|---|---|")
    for name in ("decoder", "encoder"):
        model = Model(name, run.serving / name)
        model.load_newest()
        measure_model(model, arguments.seconds)
    print("\n| model | signature | clients | median ms | 99% ms | requests/s |\n|---|---|---|---|---|---|")
    with contextlib.nullcontext(arguments.url) if arguments.url else embedded(run) as url:
        for signature in ("decoder:decode", "decoder:sample", "encoder:encode", "encoder:reconstruct"):
            for clients in (1, 8):
                measure_server(url, signature, arguments.requests, clients)


if __name__ == "__main__":
    main()
