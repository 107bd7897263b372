"""Decoder and encoder in other runtimes' formats give what the model gives."""

import numpy as np
import pytest

from keras_vae.export import EXPORTS
from keras_vae.model.autoencoder import VAE
from keras_vae.runtime.lazy import tf

SMALL = {"kind": "convolutional", "widths": [4, 8], "dense": 16}


@pytest.fixture(scope="module")
def model():
    return VAE((8, 8, 1), latent=3, network=SMALL)


@pytest.fixture
def codes():
    return np.random.default_rng(0).standard_normal((4, 3)).astype("float32")


@pytest.mark.long
def test_openvino(model, codes, tmp_path):
    openvino = pytest.importorskip("openvino")
    paths = EXPORTS["openvino"](model, tmp_path / "new")
    core = openvino.Core()
    decode = core.compile_model(core.read_model(paths["decoder"]), "CPU")
    images = model.decode(codes)
    np.testing.assert_allclose(decode(codes)[0], images, atol=1e-4)
    encode = core.compile_model(core.read_model(paths["encoder"]), "CPU")
    found = encode(np.asarray(images))
    for ours, theirs in zip(model.encode(np.asarray(images)), (found[0], found[1])):
        np.testing.assert_allclose(theirs, ours, atol=1e-4)


@pytest.mark.long
def test_litert(model, codes, tmp_path):
    paths = EXPORTS["litert"](model, tmp_path)
    interpreter = tf.lite.Interpreter(model_path=str(paths["decoder"]))
    (given,), (taken,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(given["index"], codes.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], codes)
    interpreter.invoke()
    np.testing.assert_allclose(interpreter.get_tensor(taken["index"]), model.decode(codes), atol=1e-4)


def test_a_format_without_its_package_is_refused(model, tmp_path):
    with pytest.raises(ImportError, match="onnx"):
        EXPORTS["onnx"](model, tmp_path)
