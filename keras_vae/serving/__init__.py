"""Serves exported runs with TF Serving, or with an embedded server that has the same REST interface.

Imports: `explorer`, `runtime`. Begin with `app.py`; `client.py` talks to a server.
"""


def __getattr__(name):
    if name != "DecoderClient":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from keras_vae.serving.client import DecoderClient

    return DecoderClient
