"""Rules for all requests to the embedded server: time limit, clients that leave, HEAD, OPTIONS and errors as JSON."""

import asyncio
import contextlib
import re

from keras_vae.serving.extra import extra
from keras_vae.serving.health import LIVE, is_probe_of_root
from keras_vae.serving.json_tensors import dumps

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]", "::1")


def failure(status, message, headers=None):
    """Returns the response for an error in TF Serving's form, `{"error": "..."}`."""
    response = extra("starlette.responses").Response
    return response(dumps({"error": message}), status, headers, "application/json")


class RequestRules:
    """ASGI middleware for requests.

    A request that has not arrived after `seconds` is answered with status 408 and its connection is closed. A client that
    leaves before its request has arrived ends the request without a traceback. HEAD is GET without the body, which the
    server leaves out.
    """

    def __init__(self, app, seconds):
        self.app, self.seconds = app, seconds

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        accept = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
        if scope["method"] == "GET" and is_probe_of_root(scope["path"], accept):
            scope = {**scope, "path": LIVE[0], "raw_path": LIVE[0].encode()}
        gone = extra("starlette.requests").ClientDisconnect
        with contextlib.suppress(gone):  # there is nobody to answer
            await self.app(scope, self.in_time(scope, receive, send, gone), send)

    def in_time(self, scope, receive, send, gone):
        """Returns `receive`, which ends the request with the exception `gone` when its time is over."""
        loop = asyncio.get_running_loop()
        deadline, complete = loop.time() + self.seconds, False

        async def receive_in_time():
            nonlocal complete
            if complete:  # only the end of the connection is left to receive
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(deadline - loop.time(), 0))
            except TimeoutError:
                words = f"the request did not arrive within {self.seconds:g} seconds"
                await failure(408, words, {"Connection": "close"})(scope, receive, send)
                raise gone from None
            complete = not message.get("more_body", False)
            return message

        return receive_in_time


class LoopbackNames:
    """ASGI middleware that answers only requests to a loopback host name.

    Otherwise a foreign web page in the user's browser could reach the server through a host name that resolves to
    127.0.0.1.
    """

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        host = dict(scope.get("headers", ())).get(b"host", b"").decode("latin-1")
        known = scope["type"] != "http" or re.sub(r":\d*$", "", host) in LOOPBACK_NAMES
        await (self.app if known else failure(400, f"Invalid host header: {host}"))(scope, receive, send)


def add_rules(app, seconds, cors=()):
    """Adds the rules to a FastAPI application.

    Args:
        app: The application.
        seconds: The time within which a request must have arrived.
        cors: Origins of web pages that may read the answers, such as `https://example.org`, or `*` for all.
    """
    exceptions = extra("starlette.exceptions")
    app.add_exception_handler(exceptions.HTTPException, refused)
    app.add_exception_handler(Exception, broken)
    app.add_middleware(RequestRules, seconds=seconds)
    if cors:
        app.add_middleware(
            extra("starlette.middleware.cors").CORSMiddleware,
            allow_origins=list(cors),
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["*"],
            allow_private_network=True,
        )


async def refused(request, error):
    """Answers a request that no route takes; OPTIONS gets the methods of its path."""
    path, headers = request.url.path, dict(error.headers or {})
    if error.status_code == 405 and request.method == "OPTIONS":
        allowed = {"GET", "POST"} if path.startswith("/v1/") else set(headers["Allow"].split(", "))
        allowed |= {"OPTIONS"} | ({"HEAD"} if "GET" in allowed else set())
        return extra("starlette.responses").Response(
            status_code=204, headers={"Allow": ", ".join(sorted(allowed))}
        )
    if error.status_code == 404:
        return failure(404, f"there is nothing at {path}: the models are at /v1/models")
    return failure(error.status_code, f"Malformed request: {request.method} {path}", headers)


async def broken(request, error):
    """Answers a request that ended with an unexpected error, which the server logs."""
    return failure(500, f"the server failed: {type(error).__name__}")
