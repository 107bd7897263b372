"""The client over REST and over gRPC, against the embedded server and against one that fails as told."""

import contextlib
import http.server
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from concurrent import futures

import grpc
import numpy as np
import pytest
import tensorflow as tf
from exported import make_codes, make_images, running, write_run
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from keras_vae.errors import (
    BadInput,
    NoSuchModel,
    ServerGone,
    ServingError,
    StatusError,
    StillLoading,
    TimedOut,
)
from keras_vae.serving import DecoderClient
from keras_vae.serving.app import make_app
from keras_vae.serving.over_rest import place
from keras_vae.serving.status import invalid

ROUNDING = 1e-6


class Servicer(
    prediction_service_pb2_grpc.PredictionServiceServicer, model_service_pb2_grpc.ModelServiceServicer
):
    """TF Serving's gRPC interface before our own models: what the client sends and expects, not TF Serving."""

    def __init__(self, models):
        self.models = models

    def version(self, spec, context):
        if spec.name not in self.models:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({spec.name})")
        if spec.version_label:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"Unrecognized servable version label: {spec.version_label}")  # fmt: skip
        number = spec.version.value if spec.HasField("version") else None
        with translated(context):
            return self.models[spec.name].loaded(number)

    def Predict(self, request, context):  # noqa: N802
        version = self.version(request.model_spec, context)
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        with translated(context):
            outputs = version.predict(request.model_spec.signature_name, inputs)
        response = predict_pb2.PredictResponse()
        for name, array in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(array))
        return response

    def GetModelMetadata(self, request, context):  # noqa: N802
        assert list(request.metadata_field) == ["signature_def"]
        found = get_model_metadata_pb2.SignatureDefMap()
        for name, signature in self.version(request.model_spec, context).signatures.items():
            found.signature_def[name].CopyFrom(signature)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.metadata["signature_def"].Pack(found)
        return response

    def GetModelStatus(self, request, context):  # noqa: N802
        if request.model_spec.name not in self.models:
            context.abort(grpc.StatusCode.NOT_FOUND, "Could not find any versions of model")
        response = get_model_status_pb2.GetModelStatusResponse()
        states = self.models[request.model_spec.name].status()
        for entry in states["model_version_status"]:
            response.model_version_status.add(version=int(entry["version"]), state=entry["state"])
        return response


@contextlib.contextmanager
def translated(context):
    """Answers a `StatusError` with its gRPC status."""
    try:
        yield
    except StatusError as error:
        context.abort(grpc.StatusCode[error.code], error.message)


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """The application of a run whose decoder has two versions."""
    run, _ = write_run(tmp_path_factory.mktemp("served") / "run")
    shutil.copytree(run.serving / "decoder" / "1", run.serving / "decoder" / "2")
    app = make_app([run])
    for model in app.state.models.values():
        model.poll()
    return app


@pytest.fixture(scope="module")
def urls(app):
    """The same models over REST and over gRPC."""
    server = grpc.server(futures.ThreadPoolExecutor(2))
    servicer = Servicer(app.state.models)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(servicer, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with running(app) as url:
        yield {"rest": url, "grpc": f"grpc://127.0.0.1:{port}"}
    server.stop(None).wait()


@pytest.fixture(params=["rest", "grpc"])
def url(request, urls):
    return urls[request.param]


@pytest.fixture
def client(url):
    with DecoderClient(url, timeout=60) as client:
        yield client


def test_arrays_go_in_and_come_out_bit_for_bit(client, app):
    decoder, encoder = (app.state.models[name].loaded() for name in ("decoder", "encoder"))
    codes, images, seeds = make_codes(5), make_images(5), np.array([0, 1, -1, 2**40, -(2**63)])
    decoded = client.decode(codes)
    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded, decoder.predict("decode", {"latent": codes})["image"])
    drawn, latent = client.sample(seeds)
    expected = decoder.predict("sample", {"seed": seeds})
    np.testing.assert_array_equal(drawn, expected["image"])
    np.testing.assert_array_equal(latent, expected["latent"])
    mean, log_var = client.encode(images)
    expected = encoder.predict("encode", {"image": images})
    np.testing.assert_array_equal(mean, expected["mean"])
    np.testing.assert_array_equal(log_var, expected["log_var"])
    np.testing.assert_array_equal(
        client.reconstruct(images), encoder.predict("reconstruct", {"image": images})["image"]
    )


def test_lists_and_other_numeric_types_are_converted(client):
    np.testing.assert_array_equal(client.decode([[0, 1, 2]]), client.decode(np.array([[0, 1, 2]], "float64")))
    np.testing.assert_array_equal(client.sample([3])[0], client.sample(np.array([3], "uint8"))[0])


def test_many_rows_are_sent_in_several_requests_and_put_together(url, app):
    sent = []
    codes = make_codes(150)
    with DecoderClient(url, rows=64, timeout=60) as client:
        predict = client.transport.predict
        client.transport.predict = lambda *given: sent.append(len(given[3]["latent"])) or predict(*given)
        found = client.decode(codes)
        assert sent == [64, 64, 22]
    expected = app.state.models["decoder"].loaded().predict("decode", {"latent": codes})["image"]
    np.testing.assert_allclose(found, expected, atol=ROUNDING)


def test_no_rows_give_no_rows_without_a_request(client):
    assert client.decode(np.zeros((0, 3))).shape == (0, 8, 8, 1)
    images, codes = client.sample(np.zeros(0, "int64"))
    assert (images.shape, codes.shape) == ((0, 8, 8, 1), (0, 3))


def test_a_version_is_asked_for_by_number(url):
    with DecoderClient(url, version=1, timeout=60) as old, DecoderClient(url, timeout=60) as newest:
        assert newest.states() == {1: "AVAILABLE", 2: "AVAILABLE"}
        np.testing.assert_array_equal(old.decode(make_codes(1)), newest.decode(make_codes(1)))
        assert old.encode(make_images(1))[0].shape == (1, 3)  # whose only version it is


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda client: client.decode(np.zeros((3, 8))), r"latent has the shape \[3, 8\]: decode of decoder takes \[n, 3\] of float32"),
        (lambda client: client.decode(np.zeros(3)), r"latent has the shape \[3\]: decode of decoder takes \[n, 3\]"),
        (lambda client: client.encode(np.zeros((1, 8, 8))), r"image has the shape \[1, 8, 8\]: encode of encoder takes \[n, 8, 8, 1\]"),
        (lambda client: client.sample([0.5]), r"seed is of float64: sample of decoder takes \[n\] of int64"),
        (lambda client: client.decode([["a", "b", "c"]]), r"latent is of <U1"),
        (lambda client: client.decode([[0, 0, 0], [0]]), r"latent of decode of decoder is not an array: .*inhomogeneous"),
        (lambda client: client.decode([[0, 1e39, 0]]), r"latent contains 1e\+39, which is too large: decode of decoder takes \[n, 3\] of float32"),
        (lambda client: client.sample([2**63]), r"seed contains 9223372036854775808, which is too large: sample of decoder takes"),
        (lambda client: client.decode(np.zeros((1, 3)), label=[1]), r"decode of decoder takes no label: its inputs are latent"),
        (lambda client: client.predict("decoder", "decode"), r"decode of decoder needs a latent"),
        (lambda client: client.predict("decoder", "encode", latent=[[0, 0, 0]]), r"decoder has no signature encode: it has decode, sample, serving_default"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_before_it_is_sent(client, ask, message):
    with pytest.raises(BadInput, match=message):
        ask(client)
    with pytest.raises(ValueError, match=message):  # which it is, too
        ask(client)


def test_what_the_server_refuses_is_bad_input_and_is_not_tried_again(client):
    client.known["decoder"] = {
        "decode": (
            {"latent": (np.dtype("float32"), (-1, 2))},
            {"image": (np.dtype("float32"), (-1, 8, 8, 1))},
        )
    }
    begun = time.monotonic()
    with pytest.raises(BadInput, match=r"input latent: expected shape \[-1, 3\], got \[1, 2\]"):
        client.decode([[0, 0]])
    assert time.monotonic() - begun < 5


def test_a_model_or_a_version_that_is_not_there_is_named(url):
    with (
        DecoderClient(url, decoder="nope") as client,
        pytest.raises(NoSuchModel, match="there is no model nope"),
    ):
        client.decode([[0, 0, 0]])
    with (
        DecoderClient(url, version=7) as client,
        pytest.raises(NoSuchModel, match="there is no version 7 of decoder: it has 1, 2"),
    ):
        client.decode([[0, 0, 0]])
    with (
        DecoderClient(url, version="canary") as client,
        pytest.raises(BadInput, match="Unrecognized servable version label: canary"),
    ):
        client.decode([[0, 0, 0]])


def test_a_version_that_is_still_loading_is_waited_for(url, app):
    model = app.state.models["decoder"]
    state = model.states[2]
    model.states[2] = "LOADING", None, None
    try:
        with (
            DecoderClient(url, version=2, retries=2) as client,
            pytest.raises(StillLoading, match="version 2 of decoder is still being loaded"),
        ):
            client.decode([[0, 0, 0]])
        timer = threading.Timer(0.5, lambda: model.states.update({2: state}))
        timer.start()
        with DecoderClient(url, version=2, retries=20, timeout=60) as client:
            assert client.decode([[0, 0, 0]]).shape == (1, 8, 8, 1)
            assert not timer.is_alive()
    finally:
        model.states[2] = state


def test_a_version_that_is_loaded_while_its_state_is_asked_for_is_asked_again(url, app, monkeypatch):
    model = app.state.models["decoder"]
    state = model.states[2]
    model.states[2] = "LOADING", None, None
    try:
        with DecoderClient(url, version=2, retries=2) as client:
            states = client.transport.states

            def ready(*arguments):
                model.states[2] = state
                return states(*arguments)

            monkeypatch.setattr(client.transport, "states", ready)
            assert client.decode([[0, 0, 0]]).shape == (1, 8, 8, 1)
    finally:
        model.states[2] = state


def test_a_version_that_could_not_be_loaded_says_why(urls, app):
    model = app.state.models["decoder"]
    state = model.states[2]
    model.states[2] = "END", invalid("out of memory"), None
    try:
        with (
            DecoderClient(urls["rest"], version=2) as client,
            pytest.raises(NoSuchModel, match="version 2 of decoder could not be loaded: out of memory"),
        ):
            client.decode([[0, 0, 0]])
    finally:
        model.states[2] = state


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_server_that_is_gone_is_tried_again_and_then_named(scheme):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"{scheme}://127.0.0.1:{unused.getsockname()[1]}"
        with DecoderClient(url, retries=2, timeout=5) as client:
            tries = []
            signatures = client.transport.signatures
            client.transport.signatures = lambda *given: tries.append(given) or signatures(*given)
            with pytest.raises(ServerGone, match=f"{url}: no server accepts requests at this address"):
                client.decode([[0, 0, 0]])
            with pytest.raises(ConnectionError):
                client.decode([[0, 0, 0]])
            assert len(tries) == 6


@contextlib.contextmanager
def scripted(*answers):
    """Yields the URL of a server that gives these answers, (status, body, seconds), one after the other."""
    waiting, asked = list(answers), []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            asked.append(self.path)
            status, body, seconds = waiting.pop(0)
            time.sleep(seconds)
            with contextlib.suppress(OSError):  # nobody waits any more
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def told(*answers, **settings):
    """Yields a client of a scripted server, that knows what `decode` takes, and the requests made."""
    float32 = np.dtype("float32")
    with scripted(*answers) as (url, asked), DecoderClient(url, **settings) as client:
        client.known["decoder"] = {"decode": ({"latent": (float32, (-1, 1))}, {"image": (float32, (-1, 2))})}
        yield client, asked


GOOD = b'{"outputs": [[0.25, NaN]]}'


def test_a_full_queue_is_waited_for():
    full = b'{"error": "The batch scheduling queue to which this task was submitted is full"}'
    with told((503, full, 0), (503, full, 0), (200, GOOD, 0)) as (client, asked):
        np.testing.assert_array_equal(client.decode([[0]]), [[0.25, np.nan]])
        assert asked == ["/v1/models/decoder:predict"] * 3
    with told((503, full, 0), (503, full, 0), retries=1) as (client, asked):
        with pytest.raises(ServerGone, match="queue to which this task was submitted is full"):
            client.decode([[0]])
        assert len(asked) == 2


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, BadInput), (413, BadInput), (429, ServingError), (500, ServingError), (504, TimedOut)],
)
def test_what_trying_again_cannot_help_is_not_tried_again(status, kind):
    with told((status, b'{"error": "so it is"}', 0)) as (client, asked):
        with pytest.raises(kind) as caught:
            client.decode([[0]])
        assert type(caught.value) is kind
        assert kind is TimedOut or "so it is" in str(caught.value)
        assert len(asked) == 1


def test_an_answer_that_comes_too_late_is_not_waited_for():
    with told((200, GOOD, 2), timeout=0.3) as (client, _):
        begun = time.monotonic()
        with pytest.raises(TimedOut, match=r"no answer within 0\.3 s"):
            client.decode([[0]])
        assert time.monotonic() - begun < 1.5


def test_an_answer_that_comes_bit_by_bit_is_not_waited_for_without_end():
    def trickle():
        with listener.accept()[0] as connection, contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(100):
                connection.sendall(b" ")
                time.sleep(0.1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=trickle)
        thread.start()
        begun = time.monotonic()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with DecoderClient(url, timeout=0.5) as client, pytest.raises(TimedOut):
            client.states()
        assert time.monotonic() - begun < 5
        thread.join()


def test_names_of_models_are_quoted_in_an_address():
    assert place("a#b 50%", None) == "/v1/models/a%23b%2050%25"
    assert place("decoder", "can/ary") == "/v1/models/decoder/labels/can%2Fary"
    assert place("decoder", 2) == "/v1/models/decoder/versions/2"


def test_an_answer_that_is_no_json_is_shown():
    with (
        told((200, b"<html>", 0)) as (client, _),
        pytest.raises(ServingError, match=r"HTTP status 200, and the body is not JSON: '<html>'"),
    ):
        client.decode([[0]])


def test_a_url_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="it must begin with http://, https:// or grpc://"):
        DecoderClient("localhost:8501")


def test_a_label_is_sent_and_one_label_does_for_all():
    float32, int64 = np.dtype("float32"), np.dtype("int64")
    takes = {"latent": (float32, (-1, 1)), "label": (int64, (-1,))}
    with told((200, b'{"outputs": [[1], [2]]}', 0)) as (client, _):
        client.known["decoder"]["decode"] = takes, {"image": (float32, (-1, 1))}
        sent = []
        predict = client.transport.predict
        client.transport.predict = lambda *given: sent.append(given[3]) or predict(*given)
        client.decode([[0], [1]], label=4)
        assert sent[0]["label"].dtype == int64
        np.testing.assert_array_equal(sent[0]["label"], [4, 4])
        with pytest.raises(BadInput, match="latent has 2 rows, but another input has 3"):
            client.decode([[0], [1]], label=[1, 2, 3])
        with pytest.raises(BadInput, match="decode of decoder needs a label"):
            client.decode([[0], [1]])


@pytest.mark.long
def test_a_client_over_rest_needs_no_tensorflow(urls):
    script = f"""
import sys
from keras_vae.serving import DecoderClient
with DecoderClient({urls["rest"]!r}, timeout=60) as client:
    print(client.decode([[0, 0, 0]]).shape)
assert "tensorflow" not in sys.modules
"""
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert process.stdout.strip() == "(1, 8, 8, 1)", process.stderr


def test_the_code_in_the_documentation_runs(urls):
    page = pathlib.Path(__file__).resolve().parents[1] / "docs" / "guides" / "serve.md"
    # The first block, an export as a layer, is in tests/test_conditional.py.
    _, over_grpc, client = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    places = {"localhost:8500": urls["grpc"].removeprefix("grpc://"), "http://localhost:8501": urls["rest"]}
    for code in (over_grpc.replace("(2, 16)", "(2, 3)"), client):
        for there, url in places.items():
            code = code.replace(there, url)
        names = {}
        exec(compile(code, str(page), "exec"), names)
        assert names["images"].shape[1:] == (8, 8, 1)
    assert names["codes"].shape == names["mean"].shape == (4, 3)


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl")
def test_the_requests_in_the_documentation_are_answered(urls, tmp_path):
    page = pathlib.Path(__file__).resolve().parents[1] / "docs" / "guides" / "serve.md"
    (block,) = re.findall(r"```\n(curl localhost.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    here = block.replace("localhost:8501", urls["rest"].removeprefix("http://")).replace(
        "[[0.5, -1.0], [0, 0]]", "[[0.5, -1.0, 1], [0, 0, 0]]"
    )
    here = here.replace("curl ", "curl --fail --silent --show-error --write-out '\\n' ").replace(
        "python -c", f"{sys.executable} -c"
    )
    command = ["bash", "-euo", "pipefail", "-c", here]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"predictions"') == 2
    assert (tmp_path / "samples.png").is_file()
    assert len(re.findall(r'^\{"outputs":', done.stdout, re.MULTILINE)) == 2


@pytest.mark.skipif("TF_SERVING_URL" not in os.environ, reason="no real TF Serving: set TF_SERVING_URL")
def test_a_real_tf_serving_answers_as_the_interface_says():
    """Against any exported run: `TF_SERVING_URL=http://localhost:8501` or `grpc://localhost:8500`."""
    with DecoderClient(os.environ["TF_SERVING_URL"], timeout=60) as client:
        assert "AVAILABLE" in client.states().values()
        labels = {} if "label" not in client.signature("decoder", "decode")[0] else {"label": 0}
        images, codes = client.sample(np.arange(70), **labels)
        assert images.min() >= 0
        assert images.max() <= 1
        np.testing.assert_allclose(client.decode(codes, **labels), images, atol=1e-5)
        # Alone or together: each row depends on its seed.
        np.testing.assert_allclose(client.sample([3], **labels)[0][0], images[3], atol=1e-5)
        mean, _ = client.encode(images, **labels)
        np.testing.assert_allclose(
            client.decode(mean, **labels), client.reconstruct(images, **labels), atol=1e-5
        )
        with pytest.raises(BadInput):
            client.decode(np.zeros((1, 1, 1, 1, 1)))
    with DecoderClient(os.environ["TF_SERVING_URL"], decoder="nope") as client, pytest.raises(NoSuchModel):
        client.decode([[0]])
