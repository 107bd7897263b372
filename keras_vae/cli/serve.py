"""Serves exported runs: `keras-vae serve prepare RUN` and `keras-vae serve run RUN`."""

import functools
import re
import shlex
import sys
from dataclasses import dataclass

from keras_vae.config.codec import did_you_mean, option
from keras_vae.config.flags import command, parse
from keras_vae.errors import UsageError
from keras_vae.runtime import devices
from keras_vae.runtime.programs import program
from keras_vae.runtime.progress import notice
from keras_vae.serving.prepare import Canary, prepare
from keras_vae.training.preset_runs import open_run

PROG = "keras-vae serve"
HELP = """\
usage: {program} prepare RUN [options]
       {program} run RUN [RUN ...] [options]

Serves the decoder and the encoder of a trained run.

  prepare   writes the files for TF Serving into RUN/serving: warm-up requests, configuration, compose.yaml
  run       serves the same REST interface, and the explorer, on this machine without TF Serving

Both have --help; docs/guides/serve.md explains them.
"""


@dataclass(frozen=True)
class Serve:
    """The embedded server."""

    host: str = option("127.0.0.1", "address to listen on; 0.0.0.0 accepts the whole network")
    port: int = option(8501, "port to listen on; 0 chooses a free one")
    max_request_bytes: int = option(32 << 20, "longer requests are rejected")
    max_batch: int = option(1024, "requests with more rows are rejected")
    request_seconds: float = option(60.0, "requests that have not arrived after this time are ended")
    cors: tuple[str, ...] = option(
        (), "origins of web pages that may use the server, such as https://example.org; * for all pages"
    )

    def __post_init__(self):
        if not 0 <= self.port < 65536:
            raise ValueError(f"port is {self.port}: it must be between 0 and 65535")
        for name in ("max_request_bytes", "max_batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be at least 1")
        if not 0 < self.request_seconds < float("inf"):
            raise ValueError(f"request_seconds is {self.request_seconds}: it must be positive and finite")
        for origin in self.cors:
            if not re.fullmatch(r"\*|https?://[^/\s]+", origin):
                raise ValueError(
                    f"cors has {origin!r}: expected an origin such as https://example.org or http://localhost:3000,"
                    " without a path, or *"
                )


@command(PROG)
def main(argv=None):
    """Runs a subcommand; exits with 2 if the input is bad."""
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("-h", "--help"):
        print(HELP.format(program=program("serve")), end="")
        return
    if argv[0] not in COMMANDS:
        raise UsageError(f"{argv[0]!r} is not one of {', '.join(COMMANDS)}{did_you_mean(argv[0], COMMANDS)}")
    COMMANDS[argv[0]](argv[1:])


def prepare_command(argv):
    """Runs the subcommand `prepare`."""
    parsed = parse(
        Canary,
        argv,
        prog=f"{program('serve')} prepare",
        description="Writes the files that TF Serving needs into RUN/serving.",
        extra=lambda parser: parser.add_argument("run", metavar="RUN", help="the run's folder"),
    )
    run = open_run(parsed.extra.run)
    devices.start()
    try:
        for path in prepare(run, parsed.config):
            devices.say(str(path))
    except OSError as error:
        raise UsageError(f"{run.serving} cannot be written to: {error.strerror or error}") from error
    devices.say(f"next: docker compose -f {shlex.quote(str(run.serving))}/compose.yaml up")


def run_command(argv):
    """Runs the subcommand `run`."""
    parsed = parse(
        Serve,
        argv,
        prog=f"{program('serve')} run",
        description="Serves TF Serving's REST interface, and the explorer, on this machine.",
        extra=lambda parser: parser.add_argument(
            "runs", metavar="RUN", nargs="+", help="a run's folder or a preset"
        ),
    )
    runs, settings = [open_run(path) for path in parsed.extra.runs], parsed.config
    from keras_vae.serving.server import address, listen, serve

    listener = listen(settings.host, settings.port)
    devices.start()
    from keras_vae.explorer.live import prepare as prepare_explorer
    from keras_vae.serving.app import make_app

    with notice("loading the exported models, which takes up to a minute if they are large"):
        app = make_app(
            runs, settings.max_request_bytes, settings.max_batch, settings.request_seconds, settings.cors
        )
    url = address(listener)
    devices.say(f"serving {', '.join(app.state.models)} on {url}/v1/models (press Ctrl-C to stop)")
    explores = any(route.path == "/" for route in app.routes)
    if explores:
        devices.say(f"the explorer: {url}/")
    started = functools.partial(prepare_explorer, app) if explores else None
    serve(app, listener, settings.host, settings.request_seconds, started)


COMMANDS = {"prepare": prepare_command, "run": run_command}

if __name__ == "__main__":
    main()
