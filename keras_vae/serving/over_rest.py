"""A client for TF Serving's REST interface."""

import time
import urllib.parse

import numpy as np

from keras_vae.errors import StatusError
from keras_vae.serving import json_tensors
from keras_vae.serving.extra import extra
from keras_vae.serving.signatures import METHOD

# A status with several codes gets the one that these models can cause; 413 comes from a proxy or the embedded server.
CODES = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
DTYPES = {"DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_INT32": "int32", "DT_INT64": "int64"}


class Rest:
    """A connection to a server's REST port.

    Args:
        url: The server's address, such as `http://localhost:8501`.
    """

    def __init__(self, url):
        self.httpx = extra("httpx")
        self.url = url.rstrip("/")
        self.client = self.httpx.Client(trust_env=False)

    def close(self):
        """Closes the connection."""
        self.client.close()

    def signatures(self, model, version, timeout):
        """Returns name -> (inputs, outputs) of the signatures, both dicts of name -> (dtype, shape)."""
        found = self.ask("GET", f"{place(model, version)}/metadata", None, timeout)
        stored = found["metadata"]["signature_def"]["signature_def"]
        return {
            name: (tensors(signature["inputs"]), tensors(signature["outputs"]))
            for name, signature in stored.items()
            if signature["method_name"] == METHOD
        }

    def predict(self, model, version, signature, inputs, timeout):
        """Returns the outputs as arrays by name; a single output has the name None, which JSON omits."""
        body = json_tensors.dumps({"signature_name": signature, "inputs": inputs})
        outputs = self.ask("POST", f"{place(model, version)}:predict", body, timeout)["outputs"]
        return outputs if isinstance(outputs, dict) else {None: outputs}

    def states(self, model, version, timeout):
        """Returns the state of each version: number -> (state, error message)."""
        found = self.ask("GET", place(model, version), None, timeout)
        return {
            int(entry["version"]): (entry["state"], entry.get("status", {}).get("error_message", ""))
            for entry in found["model_version_status"]
        }

    def ask(self, method, path, body, timeout):
        """Returns the JSON of the server's response; raises a `StatusError` if the request fails."""
        deadline, received = time.monotonic() + timeout, bytearray()
        try:
            with self.client.stream(method, self.url + path, content=body, timeout=timeout) as answer:
                for part in answer.iter_bytes():
                    received += part
                    if time.monotonic() > deadline:  # httpx's own timeout restarts with each part
                        raise self.httpx.ReadTimeout("the answer did not end")
        except self.httpx.TimeoutException as error:
            raise StatusError("DEADLINE_EXCEEDED", f"no answer within {timeout:.1f} s") from error
        except self.httpx.TransportError as error:
            raise StatusError("UNAVAILABLE", str(error) or type(error).__name__) from error
        try:
            content = json_tensors.loads(bytes(received))
        except ValueError:
            content = {
                "error": f"HTTP status {answer.status_code}, and the body is not JSON: {shown(received)}"
            }
        if answer.status_code == 200 and isinstance(content, dict) and "error" not in content:
            return content
        code = CODES.get(answer.status_code, "UNKNOWN")
        message = content.get("error") if isinstance(content, dict) else None
        raise StatusError(code, message or f"HTTP status {answer.status_code}")


def place(model, version):
    """Returns the path of a model's version: None for the newest, a number or a label."""
    parts = ["v1", "models", model]
    if version is not None:
        parts += ["labels" if isinstance(version, str) else "versions", str(version)]
    return "".join("/" + urllib.parse.quote(part, safe="") for part in parts)


def shown(body):
    """Returns the beginning of a response body for a message."""
    return repr(bytes(body).decode("utf-8", "replace")[:100])


def tensors(infos):
    """Returns (dtype, shape) of tensors by name, from the metadata."""
    return {
        name: (
            np.dtype(DTYPES.get(info["dtype"], "object")),
            tuple(int(dim["size"]) for dim in info["tensor_shape"].get("dim", [])),
        )
        for name, info in infos.items()
    }
