"""Exported runs behind TF Serving, or behind a server of the same REST interface on one's own machine.

Imports: `explorer`, `runtime`. Begin with `app.py`; `client.py` talks to a server.
"""


def __getattr__(name):
    if name != "DecoderClient":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from keras_vae.serving.client import DecoderClient

    return DecoderClient
