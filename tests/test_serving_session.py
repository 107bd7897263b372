"""The exported folders under what TF Serving runs them with, and under a runtime that shares no code with it.

TF Serving itself is not at hand. Its loader and its session are, in TensorFlow's library: `c_session.py` drives them,
in a process of its own, with serialized requests.
"""

import pathlib
import subprocess
import sys
from functools import partial

import c_session
import numpy as np
import pytest
import tensorflow as tf
from exported import write_run

from keras_vae.serving.prepare import BATCH_SIZES
from keras_vae.serving.signatures import dtype_of, predicting, read_signatures, shape_of
from keras_vae.serving.warmup import example_inputs, read_warmup, write_warmup

pytestmark = pytest.mark.long

MODELS = {
    "vector": {},
    "spatial": {"latent": "4x4x2"},
    "conditional": {"objective": "conditional_vae", "num_classes": 5},
    "bfloat16": {"dtype": "mixed_bfloat16"},
}
SEEDS = [0, 1, -1, 2**31, 2**62, -(2**63), 7]
COUNTS = (0, 1, 7)
ROUNDING = 1e-6  # other orders of the same sums


@pytest.fixture(scope="module", params=MODELS)
def exported(request, tmp_path_factory):
    """A run of each kind of model, and its model."""
    path = tmp_path_factory.mktemp("exported") / "run"
    return write_run(path, **MODELS[request.param])


def make_inputs(signature, count):
    """Returns random inputs for a signature."""
    generator = np.random.default_rng(count)
    inputs = {}
    for name, info in signature.inputs.items():
        size = (count, *shape_of(info)[1:])
        if name == "seed":
            inputs[name] = np.array(SEEDS[:count], "int64")
        elif name == "label":
            inputs[name] = generator.integers(0, 5, size)
        elif name == "image":
            inputs[name] = generator.random(size).astype(dtype_of(info))
        else:
            inputs[name] = generator.normal(size=size).astype(dtype_of(info))
    return inputs


def make_request(signature, inputs, output_filter=()):
    """Returns a PredictRequest."""
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    request = PredictRequest(output_filter=output_filter)
    request.model_spec.name, request.model_spec.signature_name = "any", signature
    for name, array in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
    return request


@pytest.fixture(scope="module")
def ask():
    """A function of a SavedModel's folder and requests: what the C++ session answers to each.

    That is the outputs by name, or the error's text.
    """
    from tensorflow_serving.apis.predict_pb2 import PredictResponse

    script = pathlib.Path(__file__).with_name("c_session.py")
    process = subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask_one(folder, request):
        c_session.write(process.stdin, b"F", str(folder).encode())
        c_session.write(process.stdin, b"Q", request.SerializeToString())
        kind, content = c_session.read(process.stdout)
        if kind == b"E":
            return content.decode()
        assert kind == b"R", "the process died: its last words are on standard error"
        outputs = PredictResponse.FromString(content).outputs
        return {name: tf.make_ndarray(tensor) for name, tensor in outputs.items()}

    yield lambda folder, requests: [ask_one(folder, request) for request in requests]
    process.stdin.close()
    assert process.wait() == 0
    process.stdout.close()


def tensors(arrays):
    """Returns tensors of arrays by name."""
    return {name: tf.constant(array) for name, array in arrays.items()}


# What each signature is said to do, in the model's own methods.
OWN = {
    "decode": lambda model, latent, *label: {"image": model.decode(latent, *label)},
    "encode": lambda model, image, *label: dict(zip(("mean", "log_var"), model.encode(image, *label))),
    "reconstruct": lambda model, image, *label: {
        "image": model.decode(model.encode(image, *label)[0], *label)
    },
}


@pytest.mark.parametrize("servable", ["decoder", "encoder"])
@pytest.mark.parametrize("count", COUNTS)
def test_the_cpp_session_gives_the_loaded_signatures_numbers(exported, ask, servable, count):
    folder = exported[0].serving / servable / "1"
    signatures = predicting(read_signatures(folder))
    inputs = {name: make_inputs(signature, count) for name, signature in signatures.items()}
    answers = ask(folder, [make_request(name, inputs[name]) for name in signatures])
    loaded = tf.saved_model.load(str(folder))
    for name, found in zip(signatures, answers):
        expected = loaded.signatures[name](**tensors(inputs[name]))
        assert set(found) == set(expected)
        for key, value in expected.items():
            assert found[key].dtype == np.float32
            assert found[key].shape == (count, *shape_of(signatures[name].outputs[key])[1:])
            np.testing.assert_array_equal(found[key], value, err_msg=f"{name} {key}")


@pytest.mark.parametrize("servable", ["decoder", "encoder"])
def test_the_cpp_session_gives_a_float32_models_own_numbers_bit_for_bit(exported, ask, servable):
    run, model = exported
    if model.dtype_policy.name != "float32":
        pytest.skip("it is exported in float32, and computes in bfloat16 itself")
    folder = run.serving / servable / "1"
    signatures = {name: value for name, value in read_signatures(folder).items() if name in OWN}
    assert signatures
    inputs = {name: make_inputs(signature, 7) for name, signature in signatures.items()}
    answers = ask(folder, [make_request(name, inputs[name]) for name in signatures])
    for name, found in zip(signatures, answers):
        given = [
            tf.constant(inputs[name][key]) for key in ("latent", "image", "label") if key in inputs[name]
        ]
        # Traced for any number of rows, as an export is: the algorithm of a convolution depends on it.
        specs = [tf.TensorSpec((None, *value.shape[1:]), value.dtype) for value in given]
        expected = tf.function(partial(OWN[name], model), input_signature=specs)(*given)
        for key, value in expected.items():
            np.testing.assert_array_equal(found[key], value, err_msg=f"{name} {key}")


def test_rows_of_sample_depend_on_their_seeds_alone_in_the_cpp_session(exported, ask):
    run, _ = exported
    folder = run.serving / "decoder" / "1"
    signature = read_signatures(folder)["sample"]
    inputs = make_inputs(signature, len(SEEDS))
    rows = [{name: array[[row]] for name, array in inputs.items()} for row in range(len(SEEDS))]
    together, *alone = ask(folder, [make_request("sample", each) for each in (inputs, *rows)])
    for row, found in enumerate(alone):
        np.testing.assert_array_equal(found["latent"][0], together["latent"][row])
        np.testing.assert_allclose(found["image"][0], together["image"][row], atol=ROUNDING)


@pytest.fixture(scope="module")
def vector(tmp_path_factory):
    """A run with a latent of 3 numbers."""
    return write_run(tmp_path_factory.mktemp("vector") / "run")[0]


def test_the_contract_of_a_predict_request_holds(vector, ask):
    codes, seeds = np.zeros((2, 3), "float32"), np.array([4, 5])
    cases = {
        "the default": make_request("", {"latent": codes}),
        "one output": make_request("sample", {"seed": seeds}, ["latent"]),
        "unknown signature": make_request("encode", {"latent": codes}),
        "nothing given": make_request("decode", {}),
        "one too many": make_request("decode", {"latent": codes, "seed": seeds}),
        "renamed": make_request("decode", {"codes": codes}),
        "float64": make_request("decode", {"latent": codes.astype("float64")}),
        "int32 seeds": make_request("sample", {"seed": seeds.astype("int32")}),
        "wrong shape": make_request("decode", {"latent": codes[:, :2]}),
        "wrong rank": make_request("decode", {"latent": codes[0]}),
        "unknown output": make_request("decode", {"latent": codes}, ["picture"]),
        "output twice": make_request("decode", {"latent": codes}, ["image", "image"]),
        "good again": make_request("decode", {"latent": codes}),
    }
    found = dict(zip(cases, ask(vector.serving / "decoder" / "1", cases.values())))
    assert found["the default"]["image"].shape == (2, 8, 8, 1)
    assert set(found["one output"]) == {"latent"}
    np.testing.assert_array_equal(found["good again"]["image"], found["the default"]["image"])
    refused = {
        "unknown signature": 'FAILED_PRECONDITION: Serving signature key "encode" not found.',
        "nothing given": "INVALID_ARGUMENT: input size does not match signature: 0!=1 len({}) != len({latent})."
        " Sent extra: {}. Missing but required: {latent}.",
        "one too many": "INVALID_ARGUMENT: input size does not match signature: 2!=1 len({latent,seed}) !="
        " len({latent}). Sent extra: {seed}. Missing but required: {}.",
        "renamed": "INVALID_ARGUMENT: Signature input alias: latent(feed name: decode_latent:0) not found in request",
        "float64": "INVALID_ARGUMENT: Expects arg[0] to be float but double is provided",
        "int32 seeds": "INVALID_ARGUMENT: Expects arg[0] to be int64 but int32 is provided",
        "wrong shape": "INVALID_ARGUMENT: ",
        "wrong rank": "INVALID_ARGUMENT: ",
        "unknown output": "INVALID_ARGUMENT: output tensor alias not found in signature: picture Outputs expected to"
        " be in the set {image}.",
        "output twice": "INVALID_ARGUMENT: duplicate output tensor alias: image",
    }
    for name, message in refused.items():
        assert isinstance(found[name], str), name
        assert found[name].startswith(message)


@pytest.mark.parametrize("servable", ["decoder", "encoder"])
def test_the_warm_up_file_is_replayed_without_an_error(exported, ask, servable):
    folder = exported[0].serving / servable / "1"
    path = write_warmup(servable, folder, BATCH_SIZES)
    assert path == folder / "assets.extra" / "tf_serving_warmup_requests"
    requests = read_warmup(folder)
    signatures = predicting(read_signatures(folder))
    asked = [(request.model_spec.signature_name, request.model_spec.name) for request in requests]
    assert asked == [(name, servable) for name in sorted(signatures) for _ in BATCH_SIZES]
    assert len(requests) <= 1000
    assert path.stat().st_size < 4000
    for request, answer in zip(requests, ask(folder, requests)):
        assert isinstance(answer, dict), answer
        assert {len(array) for array in answer.values()} <= set(BATCH_SIZES)
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        signature = signatures[request.model_spec.signature_name]
        for name, array in example_inputs(signature, len(next(iter(inputs.values())))).items():
            np.testing.assert_array_equal(inputs[name], array)
            assert inputs[name].dtype == array.dtype


@pytest.mark.parametrize("signature", ["encode", "reconstruct"])
def test_images_of_another_scale_are_refused_in_the_session(exported, ask, signature):
    run, _ = exported
    folder = run.serving / "encoder" / "1"
    inputs = make_inputs(read_signatures(folder)[signature], 3)
    bad = {**inputs, "image": 255 * inputs["image"]}
    answer, refused = ask(folder, [make_request(signature, inputs), make_request(signature, bad)])
    assert isinstance(answer, dict), answer
    assert "INVALID_ARGUMENT" in refused
    assert "[the images run from]" in refused


@pytest.mark.parametrize("servable", ["decoder", "encoder"])
def test_openvino_reads_the_same_folder_and_finds_the_same_numbers(exported, servable):
    openvino = pytest.importorskip("openvino")
    run, _ = exported
    folder = run.serving / servable / "1"
    signature = read_signatures(folder)["serving_default"]
    inputs = make_inputs(signature, 7)
    compiled = openvino.Core().compile_model(
        openvino.Core().read_model(folder), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    found = compiled({find(compiled.inputs, name).any_name: array for name, array in inputs.items()})
    expected = tf.saved_model.load(str(folder)).signatures["serving_default"](
        **{name: tf.constant(array) for name, array in inputs.items()}
    )
    for name, value in expected.items():
        np.testing.assert_allclose(found[find(compiled.outputs, name)], value, atol=1e-5)


def find(ports, name):
    """Returns the input or output of that name."""
    (port,) = (port for port in ports if name in port.names)
    return port
