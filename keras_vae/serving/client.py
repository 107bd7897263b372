"""A client for TF Serving and the embedded server: NumPy in and out, over REST or gRPC."""

import random
import time
import urllib.parse
import warnings

import numpy as np

from keras_vae.data.value_range import check_range, clipped, scaled
from keras_vae.errors import (
    BadInput,
    NoSuchModel,
    ServerGone,
    ServingError,
    StatusError,
    StillLoading,
    TimedOut,
)
from keras_vae.serving.over_grpc import Grpc
from keras_vae.serving.over_rest import Rest

TRANSPORTS = {"http": Rest, "https": Rest, "grpc": lambda url: Grpc(urllib.parse.urlsplit(url).netloc)}
ERRORS = {
    "INVALID_ARGUMENT": BadInput,
    "FAILED_PRECONDITION": BadInput,
    "NOT_FOUND": NoSuchModel,
    "UNAVAILABLE": ServerGone,
    "DEADLINE_EXCEEDED": TimedOut,
}
RETRIED = (ServerGone, StillLoading)  # requests do not change the server, so they can be repeated
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0


class DecoderClient:
    """A client for a served decoder and its encoder.

    It can be shared by several threads, and used as a context manager, which closes its connections.

    Args:
        url: `http://HOST:PORT` for REST (8501 in TF Serving), `grpc://HOST:PORT` for gRPC (8500).
        decoder, encoder: The names that the models are served under.
        version: The decoder's version: its number, its label, or None for the newest.
        timeout: Seconds that a request may take in total, including retries.
        retries: How often a request is repeated if there is no server, the queue is full or the version is still being
            loaded. Pauses double each time and vary at random.
        rows: Requests with more rows are sent in several parts.
        value_range: `(low, high)`, the values that became 0 and 1 in training, as `value_range` in the export's
            `keras_vae.json`; images are then given in these units. By default they are given in [0, 1].

    Raises:
        ValueError: The URL has another scheme, or the range is invalid.
        UsageError: A package is missing (`pip install --editable '.[serving]'`).
    """

    def __init__(
        self,
        url="http://127.0.0.1:8501",
        *,
        decoder="decoder",
        encoder="encoder",
        version=None,
        timeout=10.0,
        retries=5,
        rows=64,
        value_range=None,
    ):
        scheme = urllib.parse.urlsplit(url).scheme
        if scheme not in TRANSPORTS:
            raise ValueError(f"url is {url!r}: it must begin with http://, https:// or grpc://")
        self.url, self.timeout, self.retries, self.rows = url, timeout, retries, rows
        self.value_range = None if value_range is None else check_range(value_range)
        self.transport = TRANSPORTS[scheme](url)
        self.versions = {decoder: version, encoder: None}
        self.decoder, self.encoder = decoder, encoder
        self.known = {}  # model -> its signatures, once requested

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Closes the connections."""
        self.transport.close()

    def decode(self, latent, label=None):
        """Returns the images of codes.

        Args:
            latent: `[n, *latent]`.
            label: For conditional models: `[n]` integers, or one integer for all.

        Returns:
            `[n, height, width, channels]`, float32 in [0, 1].
        """
        return self.predict(self.decoder, "decode", latent=latent, label=label)["image"]

    def sample(self, seed, label=None):
        """Returns new images and their codes; each depends only on its own seed.

        Args:
            seed: `[n]` integers.
            label: As in `decode`.
        """
        outputs = self.predict(self.decoder, "sample", seed=seed, label=label)
        return outputs["image"], outputs["latent"]

    def encode(self, image, label=None):
        """Returns the mean and the log-variance of the codes of images `[n, height, width, channels]`."""
        outputs = self.predict(self.encoder, "encode", image=self.in_unit_range(image), label=label)
        return outputs["mean"], outputs["log_var"]

    def reconstruct(self, image, label=None):
        """Returns reconstructions, decoded from the means of the images' codes."""
        image = self.in_unit_range(image)
        return self.predict(self.encoder, "reconstruct", image=image, label=label)["image"]

    def in_unit_range(self, images):
        """Returns `images` scaled to [0, 1]; warns about values outside the training range, which are clipped."""
        if self.value_range is None:
            return images
        if note := clipped(images, self.value_range):
            warnings.warn(note, stacklevel=3)
        return scaled(np.asarray(images), self.value_range)

    def states(self, model=None):
        """Returns the state of each version of a model, by number, such as `AVAILABLE`."""
        model = model or self.decoder
        found = self.call(model, self.transport.states, model, None)
        return {number: state for number, (state, _) in found.items()}

    def predict(self, model, signature, **inputs):
        """Returns the outputs of a signature, arrays by name.

        Args:
            model: The name that the model is served under.
            signature: The signature's name.
            **inputs: The signature's inputs; None values are left out.

        Raises:
            NoSuchModel, StillLoading, BadInput, ServerGone, TimedOut: As their names say.
            ServingError: Any other failure.
        """
        takes, gives = self.signature(model, signature)
        inputs = fitted(f"{signature} of {model}", takes, inputs)
        count = len(next(iter(inputs.values())))
        parts = []
        for start in range(0, count, self.rows):
            part = {name: array[start : start + self.rows] for name, array in inputs.items()}
            version = self.versions.get(model)
            parts.append(self.call(model, self.transport.predict, model, version, signature, part))
        return {
            name: joined([part[name if name in part else None] for part in parts], dtype, shape)
            for name, (dtype, shape) in gives.items()
        }

    def signature(self, model, signature):
        """Returns a signature's inputs and outputs: two dicts, name -> (dtype, shape)."""
        if model not in self.known:
            self.known[model] = self.call(model, self.transport.signatures, model, self.versions.get(model))
        if signature not in self.known[model]:
            names = ", ".join(sorted(self.known[model]))
            raise BadInput("INVALID_ARGUMENT", f"{model} has no signature {signature}: it has {names}")
        return self.known[model][signature]

    def call(self, model, ask, *arguments):
        """Returns `ask(*arguments, timeout)`; repeats the request after failures that may be temporary."""
        deadline = time.monotonic() + self.timeout
        pause = FIRST_PAUSE
        for tries_left in range(self.retries, -1, -1):
            try:
                return ask(*arguments, max(deadline - time.monotonic(), 0.001))
            except StatusError as error:
                failure = self.explain(model, error, deadline)
            wait = pause * random.uniform(0.5, 1)
            if not isinstance(failure, RETRIED) or not tries_left or time.monotonic() + wait > deadline:
                raise failure
            time.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE)
        raise AssertionError("unreachable: the last try returns or raises")

    def explain(self, model, error, deadline):
        """Returns the error to raise for a `StatusError`, with what it means and the server's URL."""
        kind, message = ERRORS.get(error.code, ServingError), error.message
        if kind is NoSuchModel:
            kind, message = self.explain_missing(model, message, deadline)
        if kind is TimedOut:
            message = f"no answer within {self.timeout:g} s"
        if kind is ServerGone:
            message = f"no server accepts requests at this address: {message}"
        failure = kind(error.code, f"{self.url}: {message}")
        failure.__cause__ = error
        return failure

    def explain_missing(self, model, message, deadline):
        """Returns the class of error and the message for a version that the server does not serve."""
        asked = self.versions.get(model)
        try:
            states = self.transport.states(model, None, max(deadline - time.monotonic(), 0.001))
        except StatusError:
            return NoSuchModel, f"there is no model {model} ({message})"
        wanted = states.items() if asked is None else [(asked, states.get(asked, ("", "")))]
        for number, (state, fault) in wanted:
            if state in ("START", "LOADING"):
                return StillLoading, f"version {number} of {model} is still being loaded"
            if state == "AVAILABLE":  # loaded since the request
                return StillLoading, f"version {number} of {model} has only just been loaded"
            if fault:
                return NoSuchModel, f"version {number} of {model} could not be loaded: {fault}"
        there = ", ".join(
            str(number) for number, (state, _) in sorted(states.items()) if state == "AVAILABLE"
        )
        return NoSuchModel, f"there is no version {asked} of {model}: it has {there or 'none'}"


def fitted(where, takes, given):
    """Returns a request's inputs as arrays with the signature's dtypes.

    Args:
        where: Name of the signature for error messages.
        takes: The signature's inputs: name -> (dtype, shape).
        given: The values by name, None for missing ones.

    Raises:
        BadInput: The values do not fit the signature.
    """
    given = {name: array_of(where, name, value) for name, value in given.items() if value is not None}
    for name in given.keys() ^ takes.keys():
        fault = "takes no" if name in given else "needs a"
        raise BadInput(
            "INVALID_ARGUMENT", f"{where} {fault} {name}: its inputs are {', '.join(sorted(takes))}"
        )
    count = max((len(array) for array in given.values() if array.ndim), default=1)
    arrays = {}
    for name, (dtype, shape) in takes.items():
        array = given[name]
        if array.ndim == 0 and len(shape) == 1 and len(takes) > 1:
            array = np.full(count, array)  # one label for all
        wanted = f"{where} takes [{', '.join(['n', *map(str, shape[1:])])}] of {dtype}"
        if array.ndim != len(shape) or array.shape[1:] != shape[1:]:
            raise BadInput("INVALID_ARGUMENT", f"{name} has the shape {list(array.shape)}: {wanted}")
        if array.dtype.kind not in ("iu" if dtype.kind in "iu" else "iufb") and array.size:
            raise BadInput("INVALID_ARGUMENT", f"{name} is of {array.dtype}: {wanted}")
        if len(array) != count:
            raise BadInput("INVALID_ARGUMENT", f"{name} has {len(array)} rows, but another input has {count}")
        with np.errstate(over="ignore"):
            arrays[name] = array.astype(dtype)
        lost = arrays[name] != array if dtype.kind in "iu" else np.isinf(arrays[name]) & np.isfinite(array)
        if lost.any():
            raise BadInput(
                "INVALID_ARGUMENT", f"{name} contains {array[lost][0]}, which is too large: {wanted}"
            )
    return arrays


def array_of(where, name, value):
    """Returns a value as an array; raises `BadInput` if its rows have different shapes."""
    try:
        return np.asarray(value)
    except ValueError as error:
        raise BadInput("INVALID_ARGUMENT", f"{name} of {where} is not an array: {error}") from None


def joined(parts, dtype, shape):
    """Returns the rows of all parts as one array; without parts, an empty array of `shape`."""
    if not parts:
        return np.zeros((0, *(max(size, 0) for size in shape[1:])), dtype)
    return np.concatenate([np.asarray(part, dtype) for part in parts])
