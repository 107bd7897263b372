"""The server's routes for the live page, under `/explorer/`.

    GET  /                                      the page
    GET  /explorer/static/FILE                  its modules and style sheet
    GET  /explorer/report/N/...                 the report of run N
    GET  /explorer/api/runs                     the runs' names
    GET  /explorer/api/N/world                  data of run N with which the page opens (`World.facts`)
    GET  /explorer/api/N/replay                 the training replay (`keras_vae.explorer.replay`)
    GET  /explorer/api/N/map/LAYER              a slow layer of its map (`World.layer`), when it is computed
    POST /explorer/api/N/decode                 float32 codes -> uint8 images
    POST /explorer/api/N/encode                 a float32 image -> code, reconstruction, distortion, rate
    GET  /explorer/api/N/sample?source=&first=&count=      float32 codes
    POST /explorer/api/N/density?source=        float32 codes -> float32 log densities
    POST /explorer/api/N/layer?part=&name=      a float32 image or code -> feature maps

Bodies are plain little-endian numbers. Conditional runs also take `label=`. Errors are answered with status 4xx and
`{"error": "..."}`.
"""

import asyncio
import contextlib
import mimetypes
import os
import threading

import numpy as np

from keras_vae.errors import DatasetError, UsageError
from keras_vae.explorer.network import FeatureMaps
from keras_vae.explorer.packing import to_text
from keras_vae.explorer.page import STATIC, live_page
from keras_vae.explorer.replay import replay_of
from keras_vae.explorer.world import LAYERS, World

MOST_ROWS = 512  # codes per request
MOST_BYTES = 64 << 20


class Refused(Exception):
    """A rejected request, with the status code and a message."""


class Lively:
    """A `World` with locks, so that concurrent requests compute everything only once."""

    def __init__(self, run):
        self.world, self.maps, self.texts, self.is_ready = World(run), None, {}, False
        self.locks = {name: threading.Lock() for name in ("facts", "maps", "ready", "replay", *LAYERS)}

    def once(self, name, compute):
        """Returns `compute()` as JSON, computed once."""
        with self.locks[name]:
            if name not in self.texts:
                self.texts[name] = to_text(compute())
            return self.texts[name]

    def facts(self, number):
        """Returns the world's facts as JSON; afterwards the model is made ready in the background."""
        report = self.world.run.report / "index.html"
        link = f"explorer/report/{number}/index.html" if report.is_file() else None
        text = self.once("facts", lambda: {**self.world.facts, "report": link})
        threading.Thread(target=self.ready, daemon=True).start()
        return text

    def ready(self):
        """Loads the model and compiles its decoder, once."""
        with self.locks["ready"], contextlib.suppress(UsageError, DatasetError):
            if not self.is_ready:
                label = 0 if self.world.model.conditional else None
                self.world.decode(np.zeros((1, self.world.dims), "float32"), label)
                self.is_ready = True

    def map_layer(self, name):
        """Returns a layer of the map as JSON; a hand that drags does not wait for it, so the decoder is made ready first."""
        self.ready()
        return self.once(name, lambda: {"layer": self.world.layer(name)})

    def layer(self, part, name, value, label):
        """Returns a network layer's feature maps for one image or code."""
        with self.locks["maps"]:
            if self.maps is None:
                self.maps = FeatureMaps(self.world.model)
            return self.maps(part, name, value, label)


def prepare(app):
    """Computes the data with which the page opens, in the background, before the page is requested."""

    def work():
        for number, one in enumerate(app.state.explored[:2]):
            with contextlib.suppress(UsageError, DatasetError):  # which the page shows
                one.facts(number)

    threading.Thread(target=work, daemon=True).start()


def explorer_routes(app, runs):
    """Adds the page, its data and the runs' reports to a FastAPI application.

    Args:
        app: The application.
        runs: A list of `Run`; the page shows one of them, or two side by side.
    """
    from fastapi import Request, Response
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import ClientDisconnect

    lively = [Lively(run) for run in runs]

    def find(number):
        if not 0 <= number < len(lively):
            raise Refused(404, f"there is no run {number}: expected 0 to {len(lively) - 1}")
        return lively[number]

    async def numbers(request, row, most):
        """Returns the body as float32 `[n, row]`."""
        limit = min(4 * row * most, MOST_BYTES)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise Refused(413, f"the body is longer than {limit:,} bytes, {most} rows of {row} numbers")
        if not body or len(body) % (4 * row):
            raise Refused(400, f"the body has {len(body):,} bytes: expected rows of {row} float32 numbers")
        values = np.frombuffer(bytes(body), "<f4").reshape(-1, row)
        if not np.isfinite(values).all():
            raise Refused(400, "the body contains NaN or infinity")
        return values

    def binary(array):
        return Response(np.ascontiguousarray(array).tobytes(), media_type="application/octet-stream")

    def as_json(text):
        return Response(text, media_type="application/json", headers={"Cache-Control": "no-store"})

    def answered(function):
        """Returns the endpoint `function`, with errors answered in JSON."""

        async def endpoint(request: Request):
            try:
                return await function(request)
            except ClientDisconnect:  # nobody reads the answer
                return Response(status_code=400)
            except asyncio.CancelledError:  # the server is stopped while something slow is computed
                return Response(status_code=503)
            except Refused as refused:
                status, problem = refused.args
            except (UsageError, DatasetError) as error:
                status, problem = 400, str(error)
            return Response(to_text({"error": problem}), status, media_type="application/json")

        return endpoint

    def whole_number(text, name):
        try:
            return int(text)
        except ValueError:
            raise Refused(400, f"{name} is {text!r}: expected a whole number") from None

    def asked(request):
        return find(whole_number(request.path_params["number"], "the run"))

    async def loaded(request):
        """Returns the requested run with its model loaded, outside the event loop."""
        one = asked(request)
        if "model" not in vars(one.world):
            await run_in_threadpool(lambda: one.world.dims)
        return one

    def label(request, one):
        """Returns the requested label, or None for unconditional models."""
        if not one.world.model.conditional:
            return None
        value = whole_number(request.query_params.get("label", ""), "label")
        if not 0 <= value < one.world.model.num_classes:
            raise Refused(400, f"label is {value}: expected 0 to {one.world.model.num_classes - 1}")
        return value

    async def page(request):
        title = " and ".join(one.world.name for one in lively[:2])
        return Response(live_page(title), media_type="text/html")

    async def static(request):
        return file_of(STATIC, request.path_params["name"])

    async def report(request):
        return file_of(asked(request).world.run.report, request.path_params["name"])

    def file_of(folder, name):
        path = folder / name
        # isfile comes first, because names that contain NUL or are too long cannot be resolved.
        if not os.path.isfile(path) or not path.resolve().is_relative_to(folder.resolve()):
            raise Refused(404, f"there is no {name}")
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        kind = "text/javascript" if path.suffix == ".js" else kind
        return Response(path.read_bytes(), media_type=kind, headers={"Cache-Control": "no-cache"})

    async def names(request):
        return as_json(to_text([one.world.name for one in lively]))

    async def world(request):
        number = whole_number(request.path_params["number"], "the run")
        return as_json(await run_in_threadpool(find(number).facts, number))

    async def replay(request):
        one = asked(request)
        return as_json(await run_in_threadpool(one.once, "replay", lambda: replay_of(one.world)))

    async def map_layer(request):
        one, name = asked(request), request.path_params["layer"]
        if name not in LAYERS:
            raise Refused(404, f"the map has no layer {name}: expected {', '.join(LAYERS)}")
        return as_json(await run_in_threadpool(one.map_layer, name))

    async def decode(request):
        one = await loaded(request)
        codes = await numbers(request, one.world.dims, MOST_ROWS)
        return binary(await run_in_threadpool(one.world.decode, codes, label(request, one)))

    async def encode(request):
        one = await loaded(request)
        shape = one.world.model.image_shape
        images = await numbers(request, int(np.prod(shape)), 1)
        image = np.clip(images[0].reshape(shape), 0, 1)
        found = await run_in_threadpool(one.world.encode, image, label(request, one))
        return as_json(to_text(found))

    def source_of(request, one):
        source = request.query_params.get("source", "prior")
        if source not in one.world.sampler_names:
            raise Refused(400, f"source is {source!r}: expected one of {', '.join(one.world.sampler_names)}")
        return source

    async def density(request):
        one = await loaded(request)
        source = source_of(request, one)
        codes = await numbers(request, one.world.dims, MOST_ROWS)
        found = await run_in_threadpool(one.world.density, source, codes)
        if found is None:
            raise Refused(400, f"{source} has no log density that is quick to compute")
        return binary(found.astype("<f4"))

    async def sample(request):
        one, query = await loaded(request), request.query_params
        source = source_of(request, one)
        first, count = (whole_number(query.get(key, "1"), key) for key in ("first", "count"))
        if not 1 <= count <= MOST_ROWS or not 0 <= first < 2**62:
            raise Refused(
                400, f"count is {count} and first is {first}: expected 1 to {MOST_ROWS}, and at least 0"
            )
        seeds = np.arange(first, first + count)
        return binary(await run_in_threadpool(one.world.sample, source, seeds))

    async def layer(request):
        one, query = await loaded(request), request.query_params
        shapes = {"encoder": one.world.model.image_shape, "decoder": one.world.model.latent_shape}
        part = query.get("part", "")
        if part not in shapes:
            raise Refused(400, f"part is {part!r}: expected encoder or decoder")
        value = await numbers(request, int(np.prod(shapes[part])), 1)
        try:
            maps = await run_in_threadpool(
                one.layer, part, query.get("name", ""), value[0].reshape(shapes[part]), label(request, one)
            )
        except KeyError as missing:
            raise Refused(404, f"the {part} has no layer {missing}") from None
        return as_json(to_text({"maps": maps}))

    routes = [
        ("GET", "/", page),
        ("GET", "/explorer/static/{name}", static),
        ("GET", "/explorer/report/{number}/{name:path}", report),
        ("GET", "/explorer/api/runs", names),
        ("GET", "/explorer/api/{number}/world", world),
        ("GET", "/explorer/api/{number}/replay", replay),
        ("GET", "/explorer/api/{number}/map/{layer}", map_layer),
        ("POST", "/explorer/api/{number}/decode", decode),
        ("POST", "/explorer/api/{number}/density", density),
        ("POST", "/explorer/api/{number}/encode", encode),
        ("GET", "/explorer/api/{number}/sample", sample),
        ("POST", "/explorer/api/{number}/layer", layer),
    ]
    for method, path, function in routes:
        app.add_route(path, answered(function), methods=[method])
    app.state.explored = lively
