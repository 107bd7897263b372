"""The loaded versions of a model, kept in sync with the folder that they are exported to.

All versions are served; requests that name no version get the newest. A new version is loaded while the older ones
continue to answer, as in TF Serving.
"""

import contextlib
import pathlib
import re
import threading

from keras_vae.errors import StatusError, UsageError
from keras_vae.runtime.checksums import check_sealed
from keras_vae.serving.signatures import (
    check_inputs,
    check_outputs,
    dtype_of,
    find_signature,
    predicting,
    read_signatures,
    shape_of,
)
from keras_vae.serving.status import invalid
from keras_vae.serving.warmup import example_inputs, takes_numbers

POLL_SECONDS = 1.0  # TF Serving's --file_system_poll_wait_seconds


class Version:
    """A loaded SavedModel.

    Attributes:
        number: The version number, which is the name of its folder.
        signatures: `SignatureDef`s by name.
    """

    def __init__(self, folder):
        from keras_vae.runtime.lazy import tf

        self.number = int(pathlib.Path(folder).name)
        check_sealed(folder)
        self.signatures = read_signatures(folder)
        self.model = tf.saved_model.load(
            str(folder)
        )  # kept, because its variables live only as long as it does
        for name, signature in predicting(self.signatures).items():
            if takes_numbers(signature):
                self.predict(name, example_inputs(signature, 1))

    def predict(self, signature_name, inputs, output_filter=()):
        """Returns the outputs of a signature.

        Args:
            signature_name: Empty for the default.
            inputs: Arrays by name, all with the same number of rows.
            output_filter: Names of outputs; empty for all.

        Returns:
            Arrays by name.

        Raises:
            StatusError: The request does not fit the signature.
        """
        from keras_vae.runtime.lazy import tf

        name, signature = find_signature(self.signatures, signature_name)
        check_inputs(signature, inputs)
        wanted = check_outputs(signature, output_filter)
        check_shapes(signature, inputs)
        tensors = {key: tf.constant(array, dtype_of(signature.inputs[key])) for key, array in inputs.items()}
        try:
            outputs = self.model.signatures[name](**tensors)
            return {key: outputs[key].numpy() for key in wanted}
        except tf.errors.OpError as error:
            from tensorflow.core.protobuf import error_codes_pb2

            raise StatusError(error_codes_pb2.Code.Name(error.error_code), said(error.message)) from error


def said(message):
    """Returns the text of a graph's own assertion without its location in the graph; other messages unchanged."""
    _, _, assertion = message.partition("assertion failed: [")
    return assertion.partition("\n")[0].rstrip("]").replace("] [", " ") if assertion else message


def check_shapes(signature, inputs):
    """Raises a `StatusError` if arrays do not have the signature's shapes or the same number of rows.

    In TF Serving the graph itself fails, at the first operation that the shape does not fit, which its message names.
    """
    for name, array in inputs.items():
        shape = shape_of(signature.inputs[name])
        if len(shape) != array.ndim or any(
            size not in (-1, found) for size, found in zip(shape, array.shape)
        ):
            raise invalid(f"input {name}: expected shape {list(shape)}, got {list(array.shape)}")
    if len({len(array) for array in inputs.values()}) > 1:
        raise invalid("Batching Run() input tensors must have equal 0th-dimension size")


class Model:
    """A servable: a folder with one subfolder per version.

    Attributes:
        name: Its name in requests.
        folder: The path, such as `saved_models/NAME/serving/decoder`.
    """

    def __init__(self, name, folder):
        self.name, self.folder = name, pathlib.Path(folder)
        self.loading = threading.Lock()
        self.states = {}  # number -> (state, a StatusError or None, a Version or None)

    def exported(self):
        """Returns the version numbers in the folder, newest first."""
        if not self.folder.is_dir():
            return []
        found = (path.name for path in self.folder.iterdir() if (path / "saved_model.pb").is_file())
        return sorted((int(name) for name in found if re.fullmatch("[0-9]+", name)), reverse=True)

    def load_newest(self):
        """Loads the newest version; raises a `UsageError` if there is none or it cannot be loaded."""
        numbers = self.exported()
        if not numbers:
            raise UsageError(f"{self.folder} holds no exported version (finish the training to export one)")
        self.load(numbers[0])
        _, error, version = self.states[numbers[0]]
        if version is None:
            raise UsageError(f"{self.folder / str(numbers[0])} cannot be loaded: {error.message}")

    def load(self, number):
        """Loads a version, or records why it cannot be loaded."""
        with self.loading:
            self.states[number] = "LOADING", None, None
            try:
                self.states[number] = "AVAILABLE", None, Version(self.folder / str(number))
            except Exception as error:  # a bad file must not end the versions that are already served
                message = f"{type(error).__name__}: {error}".partition("\n")[0]
                self.states[number] = "END", StatusError("UNKNOWN", message), None

    def poll(self):
        """Unloads versions that are gone from the folder and loads new ones, newest first."""
        exported = self.exported()
        for number, (state, _, _) in list(self.states.items()):
            if number not in exported and state == "AVAILABLE":
                self.states[number] = "END", None, None
        for number in exported:
            state, error, _ = self.states.get(number, ("START", None, None))
            if state == "START" or (state == "END" and error is None):
                self.load(number)

    def loaded(self, number=None):
        """Returns the `Version` of that number, by default the newest; raises a `StatusError` if it is not loaded."""
        available = {key: version for key, (_, _, version) in list(self.states.items()) if version}
        if number is None and available:
            number = max(available)
        if number not in available:
            asked = f"Latest({self.name})" if number is None else f"Specific({self.name}, {number})"
            raise StatusError("NOT_FOUND", f"Servable not found for request: {asked}")
        return available[number]

    def is_ready(self, number=None):
        """Returns whether a version, by default any, is loaded."""
        return any(version and number in (None, key) for key, (_, _, version) in list(self.states.items()))

    def status(self, number=None):
        """Returns the state of one version, or of all, newest first, in the form of TF Serving's GetModelStatus."""
        states = dict(self.states)
        if number is not None and number not in states:
            raise StatusError("NOT_FOUND", f"Could not find version {number} of model {self.name}")
        return {
            "model_version_status": [
                {
                    "version": str(key),
                    "state": state,
                    "status": {
                        "error_code": error.code if error else "OK",
                        "error_message": error.message if error else "",
                    },
                }
                for key, (state, error, _) in sorted(states.items(), reverse=True)
                if number in (None, key)
            ]
        }


class Watcher:
    """Polls the folders of models in a thread while its context is open."""

    def __init__(self, models, seconds=POLL_SECONDS):
        self.models, self.seconds = models, seconds
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.watch, name="versions", daemon=True)

    def watch(self):
        """Polls until the context is closed."""
        while True:
            for model in self.models:
                with contextlib.suppress(OSError):  # the folder changed while it was listed: seen next time
                    model.poll()
            if self.stopped.wait(self.seconds):
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()
