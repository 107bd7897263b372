"""What a client raises; all are `ServingError`s, with TensorFlow's status code and a sentence."""

from keras_vae.serving.status import StatusError


class ServingError(StatusError):
    """The server could not answer."""


class NoSuchModel(ServingError):
    """The server has no such model, or not that version of it."""


class StillLoading(ServingError):
    """The version is being loaded; trying again later helps."""


class BadInput(ServingError, ValueError):
    """The request does not fit the model: trying again does not help."""


class ServerGone(ServingError, ConnectionError):
    """No server answers there, or it takes no more requests for now."""


class TimedOut(ServingError, TimeoutError):
    """There was no answer in time."""
