"""The embedded server's REST interface, against TF Serving's and against the model itself."""

import base64
import json
import re
import shutil

import httpx
import numpy as np
import pytest
import tensorflow as tf
from exported import make_codes, make_images, running, write_run

from keras_vae.errors import UsageError
from keras_vae.serving.app import make_app, servable_names
from keras_vae.serving.models import Model, Watcher
from keras_vae.serving.rest import answer
from keras_vae.serving.status import HTTP_STATUS
from keras_vae.training.run_folder import Run


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A run."""
    return write_run(tmp_path_factory.mktemp("exported") / "run")[0]


@pytest.fixture(scope="module")
def served(exported):
    """A run, and a connection to a server of it."""
    with (
        running(make_app([exported], max_request_bytes=20_000, max_batch=20)) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield exported, client


@pytest.fixture
def decoder(exported, tmp_path):
    """A decoder that is not loaded yet, in a folder of its own."""
    return Model("decoder", shutil.copytree(exported.serving / "decoder", tmp_path / "decoder"))


def publish(model, number):
    """Puts version 1 of a model there as another one too."""
    shutil.copytree(model.folder / "1", model.folder / ".unfinished")
    (model.folder / ".unfinished").rename(model.folder / str(number))


def post(client, path, **body):
    """Returns status and JSON of a prediction."""
    response = client.post(f"/v1/models/{path}", content=json.dumps(body))
    assert response.headers["content-type"] == "application/json"
    return response.status_code, response.json()


def signature(run, servable, name):
    """Returns a function of the SavedModel itself."""
    loaded = tf.saved_model.load(str(run.serving / servable / "1"))
    return lambda **inputs: {
        key: value.numpy()
        for key, value in loaded.signatures[name](
            **{key: tf.constant(value) for key, value in inputs.items()}
        ).items()
    }


def test_decode_in_both_formats_is_the_signature_bit_for_bit(served):
    run, client = served
    codes = make_codes(5)
    expected = signature(run, "decoder", "decode")(latent=codes)["image"]
    for body, key in (
        ({"instances": codes.tolist()}, "predictions"),
        ({"instances": [{"latent": row} for row in codes.tolist()]}, "predictions"),
        ({"inputs": codes.tolist()}, "outputs"),
        ({"inputs": {"latent": codes.tolist()}, "signature_name": "decode"}, "outputs"),
    ):
        status, found = post(client, "decoder:predict", **body)
        assert status == 200
        assert list(found) == [key]
        np.testing.assert_array_equal(np.array(found[key], "float32"), expected)


def test_images_of_another_scale_are_a_bad_request_in_a_sentence(served):
    bad = (255 * make_images(2)).tolist()
    for name in ("encode", "reconstruct"):
        status, found = post(served[1], "encoder:predict", signature_name=name, instances=bad)
        assert status == 400
        assert re.fullmatch(
            r"the images run from \S+ to \S+ and are expected to lie within 0 and 1, .*255\)", found["error"]
        )


def test_sample_and_encode_name_their_outputs_in_both_formats(served):
    run, client = served
    seeds, images = [0, 7, -(2**63)], make_images(3)
    for path, name, inputs in (
        ("decoder", "sample", {"seed": np.array(seeds, "int64")}),
        ("encoder", "encode", {"image": images}),
    ):
        expected = signature(run, path, name)(**inputs)
        lists = {key: value.tolist() for key, value in inputs.items()}
        _, columns = post(client, f"{path}:predict", signature_name=name, inputs=lists)
        (values,) = lists.values()
        _, rows = post(client, f"{path}:predict", signature_name=name, instances=values)
        assert set(columns["outputs"]) == set(expected)
        for key, value in expected.items():
            np.testing.assert_array_equal(np.array(columns["outputs"][key], "float32"), value)
            row_values = [row[key] for row in rows["predictions"]]
            np.testing.assert_array_equal(np.array(row_values, "float32"), value)


def test_a_version_can_be_named(served):
    client = served[1]
    assert post(client, "decoder/versions/1:predict", instances=[[0, 0, 0]])[0] == 200
    assert post(client, "decoder/versions/7:predict", instances=[[0, 0, 0]]) == (
        404,
        {"error": "Servable not found for request: Specific(decoder, 7)"},
    )


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("nope:predict", {"instances": [[0]]}, 404, "Servable not found for request: Latest(nope)"),
        ("decoder/labels/canary:predict", {"instances": []}, 400, "Unrecognized servable version label: canary"),
        ("decoder:predict", {"signature_name": "x", "instances": [[0]]}, 400, 'Serving signature name: "x" not found in signature def'),
        ("decoder:predict", {}, 400, "Missing 'inputs' or 'instances' key"),
        ("decoder:predict", {"instances": [[0, 0]]}, 400, "input latent: expected shape [-1, 3], got [1, 2]"),
        ("decoder:predict", {"inputs": 5}, 400, "input latent: expected shape [-1, 3], got []"),
        ("decoder:predict", {"inputs": [[0, 0, 0]] * 21}, 400, "Task size 21 is larger than maximum input batch size 20"),
        ("decoder:predict", {"instances": [{"nonsense": 0}] * 21}, 400, "Task size 21 is larger than maximum input batch size 20"),
        ("decoder/versions/9223372036854775808:predict", {"instances": []}, 400, "Failed to convert version: 9223372036854775808 to numeric."),
        (f"decoder/versions/{'9' * 5000}:predict", {}, 400, f"Failed to convert version: {'9' * 5000} to numeric."),
        ("decoder:classify", {"examples": []}, 400, "Expected classification signature method_name to be tensorflow/serving/classify. Was: tensorflow/serving/predict"),
        ("decoder:explain", {}, 400, "Malformed request: POST /v1/models/decoder:explain"),
        ("decoder", {}, 400, "Malformed request: POST /v1/models/decoder"),
    ],
)  # fmt: skip
def test_a_bad_request_gets_tf_servings_status_and_words(served, path, body, status, message):
    assert post(served[1], path, **body) == (status, {"error": message})


def test_what_is_no_json_is_a_bad_request(served):
    response = served[1].post("/v1/models/decoder:predict", content=b"{")
    assert response.status_code == 400
    assert response.json()["error"].startswith("JSON Parse error: ")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_malformed_requests(served, method):
    response = served[1].request(method, "/v1/models/decoder")
    assert response.status_code == 400
    assert response.json() == {"error": f"Malformed request: {method} /v1/models/decoder"}


def test_a_request_that_is_too_large_is_refused_whether_or_not_it_says_so(served):
    body = b'{"instances": [' + b" " * 20_000 + b"]}"
    said = served[1].post("/v1/models/decoder:predict", content=body)
    streamed = served[1].post("/v1/models/decoder:predict", content=iter([body[:9_000], body[9_000:]]))
    assert "content-length" not in streamed.request.headers
    for response in (said, streamed):
        assert response.status_code == 413
        assert response.json() == {"error": "the request is larger than 20000 bytes"}


def test_an_image_in_base64_is_no_number_and_is_refused_as_by_tf_serving(served):
    encoded = {"b64": base64.b64encode(b"a file").decode()}
    status, found = post(served[1], "encoder:predict", instances=[encoded])
    assert status == 400
    assert "Type: Object is not of expected type: float" in found["error"]


def test_a_model_that_takes_files_gets_them_by_base64(tmp_path):
    class Files(tf.Module):
        """Gives the size of an image file, a row a file."""

        @tf.function(input_signature=[tf.TensorSpec([None], "string", "file")])
        def size(self, file):
            def one(content):
                return tf.shape(tf.io.decode_image(content, expand_animations=False), "int64")

            return {"size": tf.map_fn(one, file, fn_output_signature=tf.TensorSpec([3], "int64"))}

    module = Files()
    tf.saved_model.save(module, str(tmp_path / "1"), {"serving_default": module.size})
    model = Model("files", tmp_path)
    model.load_newest()
    files = [tf.io.encode_png(np.zeros(shape, "uint8")).numpy() for shape in ((2, 3, 1), (5, 4, 3))]
    rows = [{"b64": base64.b64encode(content).decode()} for content in files]
    for body, key in (({"instances": rows}, "predictions"), ({"inputs": {"file": rows}}, "outputs")):
        status, found = answer(
            {"files": model}, "POST", "/v1/models/files:predict", json.dumps(body).encode(), 10
        )
        assert status == 200
        assert json.loads(found) == {key: [[2, 3, 1], [5, 4, 3]]}
    # What TensorFlow itself finds wrong has its status code.
    bad = json.dumps({"instances": [{"b64": base64.b64encode(b"no image").decode()}]}).encode()
    status, found = answer({"files": model}, "POST", "/v1/models/files:predict", bad, 10)
    assert status == 400
    assert "Unknown image file format" in json.loads(found)["error"]


def test_status_is_that_of_tf_serving(served):
    client = served[1]
    entry = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    for path in ("decoder", "encoder", "decoder/versions/1", "DECODER".lower()):
        found = client.get(f"/v1/models/{path}").json()
        assert found == {"model_version_status": [entry], "name": path.partition("/")[0], "ready": True}
    for path, message in (
        ("nope", "Could not find any versions of model nope"),
        ("nope/versions/2", "Could not find version 2 of model nope"),
        ("decoder/versions/2", "Could not find version 2 of model decoder"),
    ):
        response = client.get(f"/v1/models/{path}")
        assert (response.status_code, response.json()) == (404, {"error": message})
    assert client.get("/v1/models").json() == {"models": ["decoder", "encoder"]}


def test_metadata_is_the_stored_signatures(served):
    client = served[1]
    found = client.get("/v1/models/decoder/metadata").json()
    assert found["model_spec"] == {"name": "decoder", "signature_name": "", "version": "1"}
    signatures = found["metadata"]["signature_def"]["signature_def"]
    assert {"decode", "sample", "serving_default"} <= set(signatures)
    latent = signatures["decode"]["inputs"]["latent"]
    assert latent["dtype"] == "DT_FLOAT"
    assert [dim["size"] for dim in latent["tensor_shape"]["dim"]] == ["-1", "3"]
    assert signatures["decode"]["method_name"] == "tensorflow/serving/predict"
    assert client.get("/v1/models/decoder/versions/2/metadata").status_code == 404


def test_every_status_code_of_tensorflow_has_its_http_status():
    from tensorflow.core.protobuf import error_codes_pb2

    codes = {name for name in error_codes_pb2.Code.keys() if "DO_NOT_USE" not in name}  # noqa: SIM118
    assert codes == set(HTTP_STATUS)


def test_a_new_version_is_served_when_it_is_there_and_an_old_one_until_it_is_gone(decoder):
    decoder.load_newest()
    kept = decoder.loaded()
    assert kept.number == 1
    (decoder.folder / ".unfinished-2").mkdir()
    (decoder.folder / "3").mkdir()  # nothing in it
    decoder.poll()
    assert list(decoder.states) == [1]
    publish(decoder, 2)
    decoder.poll()
    assert decoder.loaded().number == 2
    assert decoder.loaded(1) is kept
    np.testing.assert_array_equal(
        decoder.loaded(1).predict("decode", {"latent": make_codes(2)})["image"],
        decoder.loaded(2).predict("decode", {"latent": make_codes(2)})["image"],
    )
    shutil.rmtree(decoder.folder / "2")
    decoder.poll()
    assert decoder.loaded().number == 1
    states = decoder.status()["model_version_status"]
    assert [(entry["version"], entry["state"]) for entry in states] == [("2", "END"), ("1", "AVAILABLE")]


def test_a_version_that_cannot_be_loaded_leaves_the_others_and_says_why(decoder):
    broken = decoder.folder / "2"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes(b"\x00 no protobuf")
    with pytest.raises(UsageError, match=r"decoder/2 cannot be loaded: DecodeError"):
        decoder.load_newest()
    decoder.poll()
    assert decoder.loaded().number == 1
    two, _ = decoder.status()["model_version_status"]
    assert (two["version"], two["state"], two["status"]["error_code"]) == ("2", "END", "UNKNOWN")
    assert "DecodeError" in two["status"]["error_message"]


def test_a_version_is_loading_until_it_can_answer(decoder, monkeypatch):
    seen = []

    def load(_):
        seen.append(decoder.status()["model_version_status"][0]["state"])
        status, body = answer(
            {"decoder": decoder}, "POST", "/v1/models/decoder:predict", b'{"instances": [[0, 0, 0]]}', 1
        )
        seen.append((status, json.loads(body)["error"]))
        raise MemoryError("too large")

    monkeypatch.setattr("keras_vae.serving.models.Version", load)
    decoder.poll()
    assert seen == ["LOADING", (404, "Servable not found for request: Latest(decoder)")]
    assert decoder.states[1][0] == "END"
    assert decoder.states[1][1].message == "MemoryError: too large"


def test_the_watcher_finds_what_is_exported_while_it_runs_and_stops(decoder):
    with Watcher([decoder], seconds=0.02) as watcher:
        publish(decoder, 2)
        for _ in range(3000):
            if decoder.states.get(2, ("",))[0] == "AVAILABLE":
                break
            watcher.stopped.wait(0.02)
    assert decoder.loaded().number == 2
    assert not watcher.thread.is_alive()


def test_several_runs_are_served_under_their_names(tmp_path):
    runs = [Run(tmp_path / "a" / "x"), Run(tmp_path / "b" / "x"), Run(tmp_path / "y")]
    assert servable_names(runs[:1]) == [{"decoder": "decoder", "encoder": "encoder"}]
    assert [names["decoder"] for names in servable_names(runs[1:])] == ["x-decoder", "y-decoder"]
    assert [names["encoder"] for names in servable_names(runs)] == ["1-x-encoder", "2-x-encoder", "y-encoder"]


def test_a_run_without_an_export_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"serving/decoder holds no exported version"):
        make_app([Run(tmp_path)])
