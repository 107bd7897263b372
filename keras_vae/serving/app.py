"""The web application of the embedded server: TF Serving's REST interface, and the explorer's page at `/`.

    GET  /v1/models/NAME[/versions/N]           state of the versions
    GET  /v1/models/NAME[/versions/N]/metadata  signatures
    POST /v1/models/NAME[/versions/N]:predict   row ("instances") or columnar ("inputs") format

The explorer is added by `keras_vae.explorer.explorer_routes(app, runs)`. What it finds there:

    app.state.models    dict, name -> `Model`: `model.loaded().predict(signature, {name: array})` -> {name: array}
    app.state.servables list, for each run in `runs` a dict `{"decoder": name, "encoder": name}` of names in `models`
"""


def servable_names(runs):
    """Returns, for each run, the names under which its decoder and its encoder are served.

    They are `decoder` and `encoder` where there is one run; of several each begins with the run's name.
    """
    servables = ("decoder", "encoder")
    if len(runs) == 1:
        return [{servable: servable for servable in servables}]
    return [{servable: f"{run.path.name}-{servable}" for servable in servables} for run in runs]


def make_app(runs, max_request_bytes=32 << 20, max_batch=1024):
    """Returns the FastAPI application that serves `runs`.

    Args:
        runs: A list of `keras_vae.runs.Run`.
        max_request_bytes: A longer body is refused with 413.
        max_batch: A request of more rows is refused with 400.
    """
    import fastapi

    app = fastapi.FastAPI(title="keras_vae", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.servables = servable_names(runs)
    app.state.models = {}
    try:
        from keras_vae.explorer import explorer_routes
    except ModuleNotFoundError:
        return app
    explorer_routes(app, runs)
    return app
