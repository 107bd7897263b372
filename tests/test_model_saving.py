"""What models are exported and saved as: without a call before, quantized, and under which names."""

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae.export.saved_models import export
from keras_vae.model import saving
from keras_vae.model.autoencoder import Autoencoder

SMALL = {"kind": "convolutional", "widths": [4], "dense": 8}
IMAGES = np.random.default_rng(0).random((5, 8, 8, 1)).astype("float32")
LABELS = np.array([0, 1, 2, 1, 0])


def make(**settings):
    keras.utils.set_random_seed(3)
    return Autoencoder(**{"image_shape": (8, 8, 1), "latent": 2, "network": SMALL, **settings})


def make_conditional():
    return make(objective="conditional_vae", num_classes=3)


def decoded_by_hand(model, images):
    """The reconstructions from the networks alone: the likelihood is Bernoulli, whose mean is the sigmoid."""
    logits = np.asarray(model.decoder(model.encoder(images)["mean"]), "float64")
    return 1 / (1 + np.exp(-logits))


@pytest.mark.long
@pytest.mark.parametrize("after", ["nothing", "predict", "fit"])
def test_a_model_is_exported_whatever_was_done_before(tmp_path, after):
    model = make()
    if after != "nothing":
        model.compile("adam")
        getattr(model, after)(IMAGES, verbose=0)
    model.export(tmp_path / "e", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "e"))
    signature = loaded.signatures["serving_default"]
    assert signature.structured_input_signature[1] == {"image": tf.TensorSpec((None, 8, 8, 1), name="image")}
    expected = decoded_by_hand(model, IMAGES)
    np.testing.assert_allclose(loaded.serve(IMAGES), expected, atol=1e-6)
    np.testing.assert_allclose(signature(image=IMAGES)["output_0"], expected, atol=1e-6)


def test_a_conditional_model_is_exported_with_its_labels(tmp_path):
    model = make_conditional()
    model.export(tmp_path / "e", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "e"))
    planes = np.broadcast_to(np.eye(3, dtype="float32")[LABELS][:, None, None], (5, 8, 8, 3))
    means = model.encoder(np.concatenate([IMAGES, planes], axis=-1))["mean"]
    logits = model.decoder(np.concatenate([means, np.eye(3, dtype="float32")[LABELS]], axis=-1))
    expected = 1 / (1 + np.exp(-np.asarray(logits, "float64")))
    np.testing.assert_allclose(loaded.serve((IMAGES, LABELS)), expected, atol=1e-6)
    found = loaded.signatures["serving_default"](image=IMAGES, label=tf.constant(LABELS))
    np.testing.assert_allclose(found["output_0"], expected, atol=1e-6)


@pytest.mark.long
def test_a_model_is_exported_to_litert_and_openvino(tmp_path):
    import openvino

    model, expected = make(), decoded_by_hand(make(), IMAGES)
    model.export(tmp_path / "e.tflite", "litert", verbose=False)
    # Deprecated in favour of a package that is not installed.
    with pytest.warns(UserWarning, match="tf.lite.Interpreter is deprecated"):
        interpreter = tf.lite.Interpreter(str(tmp_path / "e.tflite"))
    found = interpreter.get_signature_runner("serving_default")(image=IMAGES)["output_0"]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    model.export(tmp_path / "e.xml", "openvino", verbose=False)
    compiled = openvino.Core().compile_model(str(tmp_path / "e.xml"), "CPU")
    np.testing.assert_allclose(compiled(IMAGES)[0], expected, atol=1e-2)  # it may compute in 16 bits


@pytest.mark.parametrize(
    ("name", "format", "message"),
    [
        ("e", "SavedModel", "format is 'SavedModel': expected one of tf_saved_model, litert, onnx, openvino"),
        ("e", "openvno", r"openvino \(did you mean openvino\?\)"),
        ("e.bin", "litert", r"e.bin': the format litert is written as .tflite \(try '.*e.bin.tflite'\)"),
        ("e", "openvino", "the format openvino is written as .xml"),
    ],
)
def test_an_export_that_cannot_be_is_refused_in_a_sentence_and_writes_nothing(
    tmp_path, name, format, message
):
    with pytest.raises(ValueError, match=message):
        make().export(tmp_path / name, format)
    assert not list(tmp_path.iterdir())


def test_a_format_whose_package_is_missing_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(saving.PACKAGES, "onnx", ("numpy", "no_such_package"))
    with pytest.raises(
        ImportError, match=r"format onnx needs .* not installed: pip install no_such_package$"
    ):
        make().export(tmp_path / "e.onnx", "onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.long
@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_a_quantized_model_is_saved_loaded_and_exported_as_it_is(tmp_path, mode):
    model = make()
    model.compile("adam")
    model.fit(IMAGES, verbose=0)
    before = np.asarray(model(IMAGES))
    model.quantize(mode)
    after = np.asarray(model(IMAGES))
    assert {how["mode"] for how in model.get_config()["quantized"].values()} == {mode}
    assert any(weight.dtype == "int8" for weight in model.weights) == (mode != "float8")
    np.testing.assert_allclose(after, before, atol=0.1)
    model.save(tmp_path / "q.keras")
    loaded = keras.saving.load_model(tmp_path / "q.keras")
    np.testing.assert_array_equal(loaded(IMAGES), after)
    assert int(loaded.optimizer.iterations) == int(model.optimizer.iterations) == 1
    fresh = type(model).from_config(model.get_config())
    model.save_weights(tmp_path / "q.weights.h5")
    fresh.load_weights(tmp_path / "q.weights.h5")
    np.testing.assert_array_equal(fresh(IMAGES), after)
    path = export(model, tmp_path / "serving")["encoder"]
    served = tf.saved_model.load(str(path))
    np.testing.assert_allclose(served.reconstruct(IMAGES)["image"], after, atol=1e-6)
    loaded.fit(IMAGES, verbose=0)


def test_what_cannot_be_quantized_is_said():
    with pytest.raises(ValueError, match=r"(?i)gptq"):  # Keras itself asks for a configuration first
        make().quantize("gptq")
    convolutional = make(latent=(4, 4, 2))
    with pytest.warns(UserWarning, match="nothing was quantized"):
        convolutional.quantize("int8")
    assert "quantized" not in convolutional.get_config()


@pytest.mark.parametrize(
    ("method", "name", "proposed"),
    [
        ("save", "m.h5", "m.keras"),
        ("save", "m.hdf5", "m.keras"),
        ("save", "m.weights.h5", "m.keras"),
        ("save", "m", "m.keras"),
        ("save_weights", "m.h5", "m.weights.h5"),
        ("save_weights", "m.keras", "m.weights.h5"),
        ("save_weights", "m", "m.weights.h5"),
        ("load_weights", "m.h5", "m.weights.h5"),
        ("load_weights", "m.HDF5", "m.weights.h5"),
    ],
)
@pytest.mark.parametrize("kind", [str, pathlib.Path])
def test_names_of_old_formats_are_refused_with_the_way_out(tmp_path, method, name, proposed, kind):
    with pytest.raises(ValueError, match=f"(?s)^[^\n]*{name}': .*try '.*{proposed}'\\)$"):
        getattr(make(), method)(kind(tmp_path / name))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["m.h5", "m.hdf5"])
def test_a_file_of_keras_2_that_could_not_be_loaded_is_not_written(tmp_path, name):
    with pytest.raises(
        ValueError, match=r"a whole model is saved as \.keras.*try model\.save\('model\.keras'\)\)$"
    ):
        keras.saving.save_model(make(), tmp_path / name)
