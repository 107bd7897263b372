"""What the embedded server does with requests of all kinds: slow ones, HEAD, OPTIONS, probes, other origins."""

import json
import logging
import socket
import time

import httpx
import pytest
from exported import running, write_run

from keras_vae.cli.serve import Serve
from keras_vae.serving.app import make_app
from keras_vae.serving.server import guarded, punctual

SECONDS = 0.5
PREDICT = b"POST /v1/models/decoder:predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    run = write_run(tmp_path_factory.mktemp("requests") / "run")[0]
    return make_app([run], request_seconds=SECONDS, cors=("https://example.org",))


@pytest.fixture(scope="module")
def client(app):
    with (
        running(guarded(app, "127.0.0.1"), http=punctual(SECONDS)) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        yield client


def connect(client):
    return socket.create_connection((client.base_url.host, client.base_url.port), timeout=20)


def everything(connection):
    """Returns what the server sends until it closes the connection."""
    received = b""
    while part := connection.recv(4096):
        received += part
    return received


def test_a_body_that_never_arrives_ends_with_408(client):
    began = time.monotonic()
    with connect(client) as connection:
        connection.sendall(PREDICT)
        answer = everything(connection)
    assert SECONDS <= time.monotonic() - began < 10
    assert answer.startswith(b"HTTP/1.1 408")
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {
        "error": "the request did not arrive within 0.5 seconds"
    }


def trickle(connection):
    """Sends a byte every tenth of a second, for ten seconds."""
    for _ in range(100):
        connection.sendall(b" ")
        time.sleep(SECONDS / 5)


def test_a_body_that_trickles_ends_too(client):
    """Each byte comes in time; the whole does not."""
    with connect(client) as connection:
        connection.sendall(PREDICT)
        with pytest.raises(OSError):  # noqa: PT011, closed by the server
            trickle(connection)


@pytest.mark.parametrize("sent", [b"", b"GET /v1/models HTTP/1.1\r\nHos"])
def test_headers_that_never_arrive_end_the_connection(client, sent):
    with connect(client) as connection:
        connection.sendall(sent)
        assert everything(connection) == b""


def test_a_second_request_without_its_headers_ends_the_connection(client):
    with connect(client) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /heal")
        began = time.monotonic()
        everything(connection)
        assert time.monotonic() - began < 10


def test_a_client_that_goes_leaves_no_trace(client, caplog):
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            with connect(client) as connection:
                connection.sendall(PREDICT)
        time.sleep(2 * SECONDS)
        assert client.get("/health").status_code == 200
    assert caplog.records == []


def test_a_slow_answer_is_not_cut(app, client):
    """The limit is on the request: the answer may take longer."""

    @app.get("/slow")
    def slow():
        time.sleep(2 * SECONDS)
        return {"done": True}

    app.router.routes.insert(0, app.router.routes.pop())  # in front of the explorer's
    assert client.get("/slow").json() == {"done": True}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", {"status": "alive", "live": True}),  # KServe's v1 client, is_server_live
        ("/v1/models/decoder", {"name": "decoder", "ready": True}),  # and is_model_ready
        ("/v2/health/live", {"live": True}),  # its v2 client, and Triton's
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models/decoder/ready", {"ready": True}),
        ("/v2/models/encoder/versions/1/ready", {"ready": True}),
        ("/health", {"status": "alive"}),
        ("/healthz", {}),
        ("/livez", {}),
        ("/readyz", {"ready": True}),
        ("/v1/models", {"models": ["decoder", "encoder"]}),
    ],
)
def test_probes_are_answered(client, path, expected):
    response = client.get(path)
    assert response.status_code == 200
    assert expected.items() <= response.json().items()


def test_a_browser_gets_the_explorer_at_the_root(client):
    page = client.get("/", headers={"accept": "text/html,*/*;q=0.8"})
    assert page.headers["content-type"].startswith("text/html")


def test_a_model_that_is_loading_is_not_ready(app, client, monkeypatch):
    monkeypatch.setattr(app.state.models["encoder"], "states", {1: ("LOADING", None, None)})
    waiting = client.get("/v2/health/ready")
    assert (waiting.status_code, waiting.json()) == (503, {"ready": False, "waiting": ["encoder"]})
    assert client.get("/v2/models/encoder/ready").status_code == 503
    assert client.get("/v1/models/encoder").json()["ready"] is False
    assert client.get("/v2/health/live").status_code == 200


def test_version_0_is_the_newest(client):
    """As the client of OpenVINO Model Server asks by default."""
    codes = {"instances": [[0.0, 0.5, -1.0]]}
    newest = client.post("/v1/models/decoder:predict", json=codes)
    zero = client.post("/v1/models/decoder/versions/0:predict", json=codes)
    assert zero.status_code == 200
    assert zero.json() == newest.json()
    for path in ("/v1/models/decoder/versions/0", "/v1/models/decoder/versions/0/metadata"):
        assert client.get(path).json() == client.get(path.replace("/versions/0", "")).json()


@pytest.mark.parametrize(
    "path", ["/v1/models", "/v1/models/decoder", "/v1/models/decoder/metadata", "/health"]
)
def test_head_is_get_without_the_body(client, path):
    head, get = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"] == str(len(get.content))


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/models/decoder:predict", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/health", {"GET", "HEAD", "OPTIONS"}),
        ("/explorer/api/0/decode", {"OPTIONS", "POST"}),
    ],
)
def test_options_names_the_methods(client, path, allowed):
    response = client.options(path)
    assert response.status_code == 204
    assert set(response.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nope", 404),
        ("POST", "/nope", 404),
        ("GET", "/v2/models/nope/ready", 404),
        ("GET", "/v2/models/decoder/infer", 404),
        ("PUT", "/health", 405),
        ("GET", "/v1/models/nope", 404),
        ("GET", "/explorer/api/9/world", 404),
    ],
)
def test_every_error_has_the_same_shape(client, method, path, status):
    response = client.request(method, path)
    assert response.status_code == status
    assert list(response.json()) == ["error"]
    assert isinstance(response.json()["error"], str)


def test_another_host_name_is_refused_in_the_same_shape(client):
    response = client.get("/v1/models", headers={"host": "evil.example"})
    assert (response.status_code, list(response.json())) == (400, ["error"])
    for name in ("localhost:8501", "127.0.0.1", "[::1]:8501"):
        assert client.get("/v1/models", headers={"host": name}).status_code == 200


def test_only_the_given_origin_may_read(client):
    mine, other = "https://example.org", "https://evil.example"
    allowed = client.get("/v1/models", headers={"origin": mine})
    assert allowed.headers["access-control-allow-origin"] == mine
    assert "access-control-allow-origin" not in client.get("/v1/models", headers={"origin": other}).headers
    ask = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    preflight = client.options("/v1/models/decoder:predict", headers={"origin": mine, **ask})
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == mine
    assert client.options("/v1/models/decoder:predict", headers={"origin": other, **ask}).status_code == 400


def test_no_origin_may_read_by_default():
    assert Serve().cors == ()


@pytest.mark.parametrize(
    "origin", ["example.org", "https://example.org/page", "http://", "ftp://example.org", ""]
)
def test_what_is_not_an_origin_is_refused(origin):
    with pytest.raises(ValueError, match="expected an origin such as https"):
        Serve(cors=(origin,))
    assert Serve(cors=("*", "http://localhost:3000")).cors


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_a_time_limit_that_is_none_is_refused(seconds):
    with pytest.raises(ValueError, match="request_seconds is"):
        Serve(request_seconds=seconds)
