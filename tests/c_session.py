"""The loader and the session that TF Serving calls, driven by their C interface: `python c_session.py`.

Reads from standard input the folder of a SavedModel and a serialized PredictRequest, and writes to standard output
a PredictResponse or an error, and so on; before each stand its kind (F, Q, R, E) and its length. Between both stand TF Serving's rules for requests, as
`keras_vae.serving.signatures` has them: the session itself knows tensors, and no signatures.

`TF_LoadSessionFromSavedModel` wraps `LoadSavedModel` of TensorFlow's C++, which TF Serving's bundle factory calls.
"""

import ctypes
import pathlib
import struct
import sys

import numpy as np
import tensorflow as tf  # before the library: in the other order the process dies
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import predict_pb2

from keras_vae.errors import StatusError
from keras_vae.serving.signatures import check_inputs, check_outputs, find_signature

LIBRARY = pathlib.Path(tf.__file__).parent / "libtensorflow_cc.so.2"
CODES = {3: "INVALID_ARGUMENT", 5: "NOT_FOUND", 9: "FAILED_PRECONDITION", 12: "UNIMPLEMENTED", 13: "INTERNAL"}
HEADER = struct.Struct("<cI")


class Output(ctypes.Structure):
    """TF_Output: a tensor in the graph."""

    _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]


class Buffer(ctypes.Structure):
    """TF_Buffer: bytes."""

    _fields_ = [("data", ctypes.c_void_p), ("length", ctypes.c_size_t), ("deallocator", ctypes.c_void_p)]


def load_library():
    """Returns the library, its functions' results declared: pointers but where it is said otherwise."""
    library = ctypes.CDLL(str(LIBRARY))
    results = {
        "TF_Message": ctypes.c_char_p,
        "TF_GetCode": ctypes.c_int,
        "TF_TensorType": ctypes.c_int,
        "TF_NumDims": ctypes.c_int,
        "TF_Dim": ctypes.c_int64,
        "TF_TensorByteSize": ctypes.c_size_t,
        "TF_SessionRun": None,
        "TF_DeleteTensor": None,
    }
    for name in ("NewStatus", "NewSessionOptions", "NewGraph", "NewBuffer", "LoadSessionFromSavedModel"):
        results[f"TF_{name}"] = ctypes.c_void_p
    for name in ("GraphOperationByName", "AllocateTensor", "TensorData"):
        results[f"TF_{name}"] = ctypes.c_void_p
    for name, result in results.items():
        getattr(library, name).restype = result
    return library


class Session:
    """A SavedModel in a C++ session; `folder` in bytes."""

    def __init__(self, folder):
        self.tf = load_library()
        self.status = ctypes.c_void_p(self.tf.TF_NewStatus())
        self.graph = ctypes.c_void_p(self.tf.TF_NewGraph())
        meta_graph = ctypes.c_void_p(self.tf.TF_NewBuffer())
        tags = (ctypes.c_char_p * 1)(b"serve")
        options = ctypes.c_void_p(self.tf.TF_NewSessionOptions())
        session = self.tf.TF_LoadSessionFromSavedModel(
            options, None, folder, tags, 1, self.graph, meta_graph, self.status
        )
        self.check()
        self.session = ctypes.c_void_p(session)
        buffer = ctypes.cast(meta_graph, ctypes.POINTER(Buffer)).contents
        stored = meta_graph_pb2.MetaGraphDef.FromString(ctypes.string_at(buffer.data, buffer.length))
        self.signatures = stored.signature_def

    def check(self):
        """Raises a `StatusError` where the last call failed."""
        code = self.tf.TF_GetCode(self.status)
        if code:
            raise StatusError(CODES.get(code, str(code)), self.tf.TF_Message(self.status).decode())

    def place(self, name):
        """Returns the tensor called `operation:index`."""
        operation, _, index = name.partition(":")
        found = self.tf.TF_GraphOperationByName(self.graph, operation.encode())
        assert found, name
        return Output(found, int(index))

    def run(self, feeds, fetches):
        """Returns the tensors called `fetches`, where those in the dict `feeds` are fed."""
        places = (Output * len(feeds))(*map(self.place, feeds))
        values = (ctypes.c_void_p * len(feeds))(*map(self.to_tensor, feeds.values()))
        targets = (Output * len(fetches))(*map(self.place, fetches))
        results = (ctypes.c_void_p * len(fetches))()
        self.tf.TF_SessionRun(
            self.session, None, places, values, len(feeds), targets, results, len(fetches), None, 0, None, self.status
        )  # fmt: skip
        for value in values:
            self.tf.TF_DeleteTensor(ctypes.c_void_p(value))
        self.check()
        return [self.to_array(ctypes.c_void_p(result)) for result in results]

    def to_tensor(self, array):
        """Returns a TF_Tensor of an array of numbers."""
        array = np.ascontiguousarray(array).reshape(np.shape(array))
        sizes = (ctypes.c_int64 * array.ndim)(*array.shape)
        dtype = tf.as_dtype(array.dtype).as_datatype_enum
        size = ctypes.c_size_t(array.nbytes)
        tensor = ctypes.c_void_p(self.tf.TF_AllocateTensor(dtype, sizes, array.ndim, size))
        ctypes.memmove(self.tf.TF_TensorData(tensor), array.ctypes.data, array.nbytes)
        return tensor.value

    def to_array(self, tensor):
        """Returns a TF_Tensor as an array, and deletes it."""
        shape = [self.tf.TF_Dim(tensor, axis) for axis in range(self.tf.TF_NumDims(tensor))]
        content = ctypes.string_at(self.tf.TF_TensorData(tensor) or 0, self.tf.TF_TensorByteSize(tensor))
        dtype = tf.as_dtype(self.tf.TF_TensorType(tensor)).as_numpy_dtype
        self.tf.TF_DeleteTensor(tensor)
        return np.frombuffer(content, dtype).reshape(shape)

    def predict(self, request):
        """Returns a PredictResponse, as TF Serving's `RunPredict` makes it."""
        name, signature = find_signature(self.signatures, request.model_spec.signature_name)
        check_inputs(signature, request.inputs)
        names = check_outputs(signature, list(request.output_filter))
        feeds = {
            signature.inputs[alias].name: tf.make_ndarray(tensor) for alias, tensor in request.inputs.items()
        }
        arrays = self.run(feeds, [signature.outputs[alias].name for alias in names])
        response = predict_pb2.PredictResponse()
        response.model_spec.signature_name = name
        for alias, array in zip(names, arrays):
            response.outputs[alias].CopyFrom(tf.make_tensor_proto(array))
        return response


def write(stream, kind, content):
    """Writes bytes of a kind."""
    stream.write(HEADER.pack(kind, len(content)) + content)
    stream.flush()


def read(stream):
    """Returns the next kind and its bytes; no kind at the end."""
    header = stream.read(HEADER.size)
    if not header:
        return None, b""
    kind, length = HEADER.unpack(header)
    return kind, stream.read(length)


def main():
    """Answers requests until there are no more."""
    sessions = {}
    while True:
        kind, folder = read(sys.stdin.buffer)
        if kind is None:
            return
        _, content = read(sys.stdin.buffer)
        try:
            if folder not in sessions:
                sessions[folder] = Session(folder)
            response = sessions[folder].predict(predict_pb2.PredictRequest.FromString(content))
            write(sys.stdout.buffer, b"R", response.SerializeToString())
        except StatusError as error:
            write(sys.stdout.buffer, b"E", str(error).encode())


if __name__ == "__main__":
    main()
