"""Serves an application on this machine until it is told to stop."""

import contextlib
import signal
import socket

from keras_vae.errors import UsageError
from keras_vae.serving.extra import extra

LOOPBACK = ("127.0.0.1", "localhost", "::1")
CONNECTIONS = 256  # more at once are answered with 503
IDLE_SECONDS, STOP_SECONDS = 30, 5


def listen(host, port):
    """Returns a socket that listens there; raises a UsageError where it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small packets at once (TCP_NODELAY) only where the protocol is named: else 40 ms a request.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(CONNECTIONS)  # who comes before the application is ready waits
        return listener
    except (OSError, UnicodeError, TypeError) as error:  # the latter two: no name of a host
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot listen on {host}:{port}: {reason} (try another --port)") from error


def address(listener):
    """Returns the URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def guarded(app, host):
    """Returns `app`, which on a loopback address answers only to loopback names.

    Else a page from elsewhere could reach it in the user's browser, by a name that it lets point to 127.0.0.1.
    """
    if host not in LOOPBACK:
        return app
    guard = extra("starlette.middleware.trustedhost").TrustedHostMiddleware
    return guard(app, allowed_hosts=["127.0.0.1", "localhost", "[::1]"], www_redirect=False)


def serve(app, listener, host):
    """Answers requests on `listener` until SIGINT or SIGTERM; requests under way are answered first."""
    uvicorn = extra("uvicorn")
    config = uvicorn.Config(
        guarded(app, host),
        log_level="warning",
        access_log=False,
        lifespan="on",
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    # uvicorn stops at either signal, and then sends itself the signal once more: for it to end well, nothing.
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with contextlib.closing(listener):
            uvicorn.Server(config).run(sockets=[listener])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
