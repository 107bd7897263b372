"""A client for TF Serving's gRPC interface."""

import numpy as np

from keras_vae.errors import StatusError
from keras_vae.serving.extra import extra
from keras_vae.serving.signatures import dtype_of, predicting, shape_of

APIS = "tensorflow_serving.apis"
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Grpc:
    """A connection to a server's gRPC port.

    Args:
        target: Host and port, such as `localhost:8500`.
    """

    def __init__(self, target):
        self.grpc = extra("grpc")
        self.channel = self.grpc.insecure_channel(target, UNLIMITED)
        self.predictions = extra(f"{APIS}.prediction_service_pb2_grpc").PredictionServiceStub(self.channel)
        self.models = extra(f"{APIS}.model_service_pb2_grpc").ModelServiceStub(self.channel)
        self.predict_messages = extra(f"{APIS}.predict_pb2")
        self.metadata_messages = extra(f"{APIS}.get_model_metadata_pb2")
        self.status_messages = extra(f"{APIS}.get_model_status_pb2")

    def close(self):
        """Closes the connection."""
        self.channel.close()

    def signatures(self, model, version, timeout):
        """See `Rest.signatures`."""
        request = self.metadata_messages.GetModelMetadataRequest(metadata_field=["signature_def"])
        choose(request.model_spec, model, version)
        answer = self.ask(self.predictions.GetModelMetadata, request, timeout)
        found = self.metadata_messages.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(found)
        return {
            name: (tensors(signature.inputs), tensors(signature.outputs))
            for name, signature in predicting(found.signature_def).items()
        }

    def predict(self, model, version, signature, inputs, timeout):
        """Returns the outputs as arrays by name."""
        import tensorflow as tf

        request = self.predict_messages.PredictRequest()
        choose(request.model_spec, model, version)
        request.model_spec.signature_name = signature
        for name, array in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
        answer = self.ask(self.predictions.Predict, request, timeout)
        return {name: tf.make_ndarray(tensor) for name, tensor in answer.outputs.items()}

    def states(self, model, version, timeout):
        """See `Rest.states`."""
        request = self.status_messages.GetModelStatusRequest()
        choose(request.model_spec, model, version)
        answer = self.ask(self.models.GetModelStatus, request, timeout)
        state = self.status_messages.ModelVersionStatus.State
        return {
            entry.version: (state.Name(entry.state), entry.status.error_message)
            for entry in answer.model_version_status
        }

    def ask(self, call, request, timeout):
        """Returns the server's response; raises a `StatusError` if the call fails."""
        try:
            return call(request, timeout=timeout)
        except self.grpc.RpcError as error:
            raise StatusError(error.code().name, error.details()) from error


def choose(model_spec, model, version):
    """Sets the model and the version of a request: None for the newest, a number or a label."""
    model_spec.name = model
    if isinstance(version, str):
        model_spec.version_label = version
    elif version is not None:
        model_spec.version.value = version


def tensors(infos):
    """Returns (dtype, shape) of tensors by name."""
    return {name: (np.dtype(dtype_of(info)), shape_of(info)) for name, info in infos.items()}
