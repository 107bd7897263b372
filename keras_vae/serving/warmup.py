"""Warm-up requests, which a server runs when it has loaded a model.

The first run of a graph is slow because TensorFlow initialises itself then. TF Serving replays the requests in
`assets.extra/tf_serving_warmup_requests` beside the model, a TFRecord file of at most 1,000 `PredictionLog`s
(`servables/tensorflow/saved_model_warmup_util.cc`). If one fails, loading the model fails.
"""

import pathlib

import numpy as np

from keras_vae.runtime.files import whole
from keras_vae.serving.extra import extra
from keras_vae.serving.signatures import dtype_of, predicting, read_signatures, shape_of

FILE = "assets.extra/tf_serving_warmup_requests"


def example_inputs(signature, rows):
    """Returns inputs for the signature: grey images, codes of 0.5, seeds and labels of 0.

    The values do not matter for a warm-up, and equal values take no space in the file.

    Args:
        signature: A `SignatureDef` with numeric inputs.
        rows: The size of each input's first dimension; other free dimensions have size 1.
    """
    inputs = {}
    for name, info in signature.inputs.items():
        sizes = (rows, *(max(size, 1) for size in shape_of(info)[1:]))
        dtype = np.dtype(dtype_of(info))
        inputs[name] = np.full(sizes, 0.5 if dtype.kind == "f" else 0, dtype)
    return inputs


def takes_numbers(signature):
    """Returns whether all inputs of a signature are numeric."""
    return all(np.dtype(dtype_of(info)).kind in "iuf" for info in signature.inputs.values())


def warmup_requests(model, folder, batch_sizes):
    """Yields a `PredictRequest` for each signature of the SavedModel in `folder` and each batch size.

    Args:
        model: The name under which the model is served.
        folder: The folder of one version.
        batch_sizes: Numbers of rows.
    """
    import tensorflow as tf

    messages = extra("tensorflow_serving.apis.predict_pb2")
    for name, signature in sorted(predicting(read_signatures(folder)).items()):
        for rows in batch_sizes if takes_numbers(signature) else ():
            request = messages.PredictRequest()
            request.model_spec.name = model
            request.model_spec.signature_name = name
            for key, array in example_inputs(signature, rows).items():
                value = array.reshape(-1)[:1]  # a TensorProto repeats its last value
                request.inputs[key].CopyFrom(tf.make_tensor_proto(value, array.dtype, array.shape))
            yield request


def write_warmup(model, folder, batch_sizes):
    """Writes the warm-up requests of the version in `folder` and returns the file's path."""
    import tensorflow as tf

    logs = extra("tensorflow_serving.apis.prediction_log_pb2")
    path = pathlib.Path(folder) / FILE
    with whole(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
        for request in warmup_requests(model, folder, batch_sizes):
            log = logs.PredictionLog(predict_log=logs.PredictLog(request=request))
            writer.write(log.SerializeToString())
    return path


def read_warmup(folder):
    """Returns the `PredictRequest`s in the warm-up file of the version in `folder`."""
    import tensorflow as tf

    logs = extra("tensorflow_serving.apis.prediction_log_pb2")
    records = tf.data.TFRecordDataset(str(pathlib.Path(folder) / FILE)).as_numpy_iterator()
    return [logs.PredictionLog.FromString(record).predict_log.request for record in records]
