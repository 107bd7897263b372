"""Serves an application on this machine until a signal stops it."""

import contextlib
import signal
import socket

from keras_vae.errors import UsageError
from keras_vae.serving.extra import extra
from keras_vae.serving.request_rules import LoopbackNames

LOOPBACK = ("127.0.0.1", "localhost", "::1")
CONNECTIONS = 256  # further connections are answered with status 503
IDLE_SECONDS, STOP_SECONDS = 30, 5


def listen(host, port):
    """Returns a socket that listens on `host` and `port`; raises a `UsageError` if that is impossible."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only if the protocol is given; without it a request takes 40 ms longer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(CONNECTIONS)  # early clients wait until the application is ready
        return listener
    except (OSError, UnicodeError, TypeError) as error:  # the latter two: an invalid host name
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot listen on {host}:{port}: {reason} (try another --port)") from error


def address(listener):
    """Returns the URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def guarded(app, host):
    """Returns `app`, which on a loopback address responds only to loopback host names."""
    return LoopbackNames(app) if host in LOOPBACK else app


def punctual(seconds):
    """Returns uvicorn's HTTP protocol, which closes connections whose next request has no headers after `seconds`.

    uvicorn itself waits for them without a limit, and a few hundred such connections would keep all others out. A
    connection that is idle between two requests is closed by uvicorn.
    """
    protocol = extra("uvicorn.protocols.http.auto").AutoHTTPProtocol

    class Punctual(protocol):
        expected_after = ()  # the last request, None at first, whose successor's headers are being waited for

        def connection_made(self, transport):
            super().connection_made(transport)
            self.expect_headers()

        def data_received(self, data):
            super().data_received(data)
            if self.cycle is None or self.cycle.response_complete:  # only the beginning of the headers
                self.expect_headers()

        def expect_headers(self):
            if self.expected_after is not self.cycle:  # otherwise the clock runs already
                self.expected_after = self.cycle
                self.loop.call_later(seconds, self.close_without_headers, self.cycle)

        def close_without_headers(self, cycle):
            if self.cycle is cycle and not self.transport.is_closing():
                self.transport.close()

    return Punctual


def serve(app, listener, host, request_seconds=60.0, started=None):
    """Serves requests on `listener` until SIGINT or SIGTERM; pending requests are finished first.

    Args:
        app: The application.
        listener: A listening socket.
        host: The address that it listens on.
        request_seconds: How long a request's headers may take.
        started: A function that is called once the server answers, or None. It may start a thread that imports packages:
            tensorflow_datasets replaces the import function of all threads while it is imported, so that an import of
            the server's at the same time fails (`etils.epy.lazy_imports`).
    """
    uvicorn, anyio = extra("uvicorn"), extra("anyio")

    class Server(uvicorn.Server):
        async def startup(self, sockets=None):
            await super().startup(sockets)
            await anyio.sleep(0)  # imports its backend
            if started:
                started()

    config = uvicorn.Config(
        guarded(app, host),
        http=punctual(request_seconds),
        log_level="warning",
        access_log=False,
        lifespan="on",
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    # uvicorn stops at either signal and then raises the signal again, which these handlers ignore.
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with contextlib.closing(listener):
            Server(config).run(sockets=[listener])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
