"""The web application of the embedded server: TF Serving's REST interface, and the explorer's page at `/`.

    GET  /v1/models                             names of the models
    GET  /v1/models/NAME[/versions/N]           state of the versions
    GET  /v1/models/NAME[/versions/N]/metadata  signatures
    POST /v1/models/NAME[/versions/N]:predict   row ("instances") or columnar ("inputs") format

`health.py` has the health probes, and `request_rules.py` the rules that hold for all requests. The explorer is added by `keras_vae.explorer.explorer_routes(app, runs)`. It can use:

    app.state.models     dict, name -> `Model`: `model.loaded().predict(signature, {name: array})` -> {name: array}
                         uses the newest version, `model.loaded(1)` is version 1, and `model.exported()` lists all
    app.state.servables  list with a dict `{"decoder": name, "encoder": name}` for each run; the names are in `models`
"""

import contextlib
import os

from keras_vae.explorer.live import explorer_routes
from keras_vae.serving.extra import extra
from keras_vae.serving.health import LIVE, READY, probe
from keras_vae.serving.models import Model, Watcher
from keras_vae.serving.request_rules import add_rules, failure
from keras_vae.serving.rest import answer

SERVABLES = ("decoder", "encoder")
DROPPED = 16  # times the size limit: the connection of a longer request is cut off


def servable_names(runs):
    """Returns, for each run, the names under which its decoder and its encoder are served.

    A single run has the names `decoder` and `encoder`. With several runs, the names begin with the run's name, and with
    its position in the list if several runs have that name.
    """
    if len(runs) == 1:
        return [{servable: servable for servable in SERVABLES}]
    names = [run.path.resolve().name for run in runs]
    prefixes = [
        name if names.count(name) == 1 else f"{place}-{name}" for place, name in enumerate(names, start=1)
    ]
    return [{servable: f"{prefix}-{servable}" for servable in SERVABLES} for prefix in prefixes]


def make_app(runs, max_request_bytes=32 << 20, max_batch=1024, request_seconds=60.0, cors=()):
    """Returns the FastAPI application that serves `runs`; the newest version of each model is loaded.

    The other versions, and versions that are exported later, are loaded while the application runs.

    Args:
        runs: A list of `keras_vae.training.run_folder.Run`.
        max_request_bytes: Longer bodies are rejected with status 413.
        max_batch: Predictions of more rows are rejected with status 400.
        request_seconds: Requests that have not arrived after this time are ended with status 408.
        cors: Origins of web pages that may use the server, `*` for all.

    Raises:
        UsageError: A run has no exported model, or FastAPI is not installed.
    """
    fastapi, threads = extra("fastapi"), extra("anyio")
    names = servable_names(runs)
    models = {
        name: Model(name, run.serving / servable)
        for run, served in zip(runs, names)
        for servable, name in served.items()
    }
    for model in models.values():
        model.load_newest()

    @contextlib.asynccontextmanager
    async def lifespan(_):
        with Watcher(models.values()):
            yield

    app = fastapi.FastAPI(
        title="keras_vae", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None
    )
    app.state.models, app.state.servables = models, names
    # TensorFlow uses all cores for one request, so more concurrent requests only take memory.
    at_work = threads.CapacityLimiter(2 * (os.cpu_count() or 1))

    async def v1(request: fastapi.Request):
        body = await read_body(request, max_request_bytes)
        if body is None:
            words = f"the request is larger than {max_request_bytes} bytes"
            return failure(413, words, {"Connection": "close"})
        path = request.scope.get("raw_path", request.url.path.encode()).decode("ascii", "replace")
        status, content = await threads.to_thread.run_sync(
            answer, models, request.method, path.partition("?")[0], body, max_batch, limiter=at_work
        )
        return fastapi.Response(content, status, media_type="application/json")

    async def health(request: fastapi.Request):
        found = probe(models, request.url.path)
        if found is None:
            raise fastapi.HTTPException(404)
        return fastapi.Response(found[1], found[0], media_type="application/json")

    app.add_api_route("/v1/{rest:path}", v1, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    for path in (*LIVE, *READY, "/v2/models/{rest:path}"):
        app.add_api_route(path, health, methods=["GET"])
    explorer_routes(app, runs)
    add_rules(app, request_seconds, cors)
    return app


async def read_body(request, limit):
    """Returns a request's body, or None if it is longer than `limit` bytes.

    A body that is too long is read for a while and discarded: closing the connection earlier would reset it, and the
    client would not receive the response.
    """
    body, received = bytearray(), 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > DROPPED * limit:
            return None
        if received <= limit:
            body += chunk
    return bytes(body) if received <= limit else None
