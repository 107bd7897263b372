"""The embedded server as a process of its own: started, asked, loaded and stopped from outside."""

import contextlib
import queue
import signal
import socket
import subprocess
import sys
import threading

import httpx
import numpy as np
import pytest
from exported import make_codes, write_run

from keras_vae.serving import DecoderClient
from keras_vae.serving.models import Model

REQUESTS, CLIENTS = 10_000, 4
ROUNDING = 1e-6


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("served") / "run")[0]


@contextlib.contextmanager
def started(*words):
    """Yields the process of `python -m keras_vae.serving run ... --port 0` and its URL, once it answers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "keras_vae.serving", "run", *map(str, words), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        assert line.startswith("serving "), process.communicate()[1]
        url = line.partition(" on ")[2].partition("/v1")[0]
        yield process, url
    finally:
        process.kill()
        process.communicate()


def resident(process):
    """Returns the memory that a process holds, in MiB."""
    with open(f"/proc/{process.pid}/status") as file:
        (line,) = (line for line in file if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_until_it_is_told_to_stop_and_ends_well(run, number):
    with started(run.path) as (process, url):
        with DecoderClient(url, timeout=60) as client:
            assert client.decode(make_codes(2)).shape == (2, 8, 8, 1)
            process.send_signal(number)
            _, err = process.communicate(timeout=60)
        assert process.returncode == 0
        assert err == ""
        port = int(url.rpartition(":")[2])
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", port))  # free again


@pytest.mark.long
def test_it_listens_on_loopback_alone_and_answers_to_no_other_name(run):
    with started(run.path) as (_, url):
        port = int(url.rpartition(":")[2])
        assert url == f"http://127.0.0.1:{port}"  # as the socket itself says
        assert httpx.get(f"{url}/v1/models/decoder").status_code == 200
        assert httpx.get(f"{url}/v1/models/decoder", headers={"host": "localhost"}).status_code == 200
        assert httpx.get(f"{url}/v1/models/decoder", headers={"host": "evil.example"}).status_code == 400
        # A port that is taken ends with one line.
        again = subprocess.run(
            [sys.executable, "-m", "keras_vae.serving", "run", run.path, "--port", str(port)],
            capture_output=True,
            text=True,
        )
        assert again.returncode == 2
        assert again.stderr == (
            f"keras-vae serve: error: cannot listen on 127.0.0.1:{port}: Address already in use"
            " (try another --port)\n"
        )


@pytest.mark.long
def test_it_holds_10000_requests_from_several_clients_in_bounded_memory_with_no_wrong_row(run):
    """Each request is of other codes; the expected images are the SavedModel's own."""
    codes = make_codes(REQUESTS + CLIENTS)
    decoder = Model("decoder", run.serving / "decoder")
    decoder.load_newest()
    expected = decoder.loaded().predict("decode", {"latent": codes})["image"]
    with started(run.path, "--max_batch", "8") as (process, url):
        todo, wrong, memory = queue.SimpleQueue(), [], []
        for number in range(REQUESTS):
            todo.put(number)

        def ask():
            with DecoderClient(url, timeout=60) as client:
                while True:
                    try:
                        number = todo.get_nowait()
                    except queue.Empty:
                        return
                    rows = 1 + number % 3
                    found = client.decode(codes[number : number + rows])
                    if not np.allclose(found, expected[number : number + rows], rtol=0, atol=ROUNDING):
                        wrong.append(number)
                    if number % 1000 == 999:
                        memory.append(resident(process))

        clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        assert not wrong
        assert len(memory) == REQUESTS // 1000
        # From the third thousand on: before that, buffers grow to what such requests take.
        assert max(memory[2:]) - memory[2] < 20, memory
        with open(f"/proc/{process.pid}/status") as file:
            (threads,) = (int(line.split()[1]) for line in file if line.startswith("Threads"))
        assert threads < 100
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")


@pytest.mark.long
def test_a_flood_of_bad_requests_does_no_harm(run):
    with started(run.path, "--max_request_bytes", "10000") as (process, url):
        with httpx.Client(base_url=url, timeout=60) as client:
            before = resident(process)
            for number in range(200):
                bodies = (b"", b"{", b"[" * 5_000, b'{"instances": [[1]]}', b"x" * 50_000, b"\x00" * 100)
                response = client.post("/v1/models/decoder:predict", content=bodies[number % len(bodies)])
                assert response.status_code in (400, 413)
                assert response.json()["error"]
            good = client.post("/v1/models/decoder:predict", json={"instances": [[0, 0, 0]]})
            assert good.status_code == 200
            assert resident(process) - before < 50
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
