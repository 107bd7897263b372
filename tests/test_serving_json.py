"""Tensors in JSON: what TF Serving takes, what it refuses, and in which words."""

import base64
import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo

from keras_vae.errors import StatusError
from keras_vae.serving.json_tensors import dumps, parse, read_tensors, show, signature_name, write_tensors


def info(dtype, *shape):
    return TensorInfo(
        dtype=tf.as_dtype(dtype).as_datatype_enum, tensor_shape=tf.TensorShape(shape).as_proto()
    )


CODES = {"latent": info("float32", None, 2)}
SEEDS = {"seed": info("int64", None)}
BOTH = {"latent": info("float32", None, 2), "label": info("int64", None)}
FILES = {"file": info("string", None)}
FLAGS = {"flag": info("bool", None)}


def read(body, infos):
    """Returns the arrays in a body, by both ways of reading them, which have to agree."""
    document = parse(body.encode())
    answers = []
    for exact in (True, "true" in body or "false" in body):
        try:
            answers.append(read_tensors(document, infos, exact))
        except StatusError as error:
            answers.append(error)
    exactly, quickly = answers
    if isinstance(exactly, StatusError):
        assert str(exactly) == str(quickly)
        raise exactly
    for name, array in exactly[0].items():
        np.testing.assert_array_equal(array, quickly[0][name])
        assert array.dtype == quickly[0][name].dtype
    return exactly


@pytest.mark.parametrize(
    ("body", "infos", "expected", "by_row"),
    [
        ('{"instances": [[1, 2.5], [-3e-2, 4]]}', CODES, {"latent": [[1, 2.5], [-0.03, 4]]}, True),
        ('{"instances": [{"latent": [1, 2]}]}', CODES, {"latent": [[1, 2]]}, True),
        ('{"inputs": [[1, 2]]}', CODES, {"latent": [[1, 2]]}, False),
        ('{"inputs": {"latent": [[1, 2]], "other": 5}}', CODES, {"latent": [[1, 2]]}, False),
        ('{"inputs": {"latent": [[NaN, -Infinity]]}}', CODES, {"latent": [[np.nan, -np.inf]]}, False),
        ('{"inputs": []}', SEEDS, {"seed": []}, False),
        ('{"instances": [5, -9223372036854775808]}', SEEDS, {"seed": [5, -(2**63)]}, True),
        (
            '{"instances": [{"latent": [1, 2], "label": 7}, {"label": 8, "latent": [3, 4]}]}',
            BOTH,
            {"latent": [[1, 2], [3, 4]], "label": [7, 8]},
            True,
        ),
        (
            '{"inputs": {"latent": [[1, 2]], "label": [7]}}',
            BOTH,
            {"latent": [[1, 2]], "label": [7]},
            False,
        ),
        ('{"instances": [true, false]}', FLAGS, {"flag": [True, False]}, True),
        ('{"instances": ["ab", {"b64": "/wA="}]}', FILES, {"file": [b"ab", b"\xff\x00"]}, True),
        ('{"inputs": {"b64": "/wA="}}', FILES, {"file": b"\xff\x00"}, False),
        ('{"instances": [{"file": {"b64": "/wA="}}]}', FILES, {"file": [b"\xff\x00"]}, True),
    ],
)
def test_a_request_is_read(body, infos, expected, by_row):
    arrays, rows = read(body, infos)
    assert rows is by_row
    assert list(arrays) == list(infos)
    for name, values in expected.items():
        dtype = tf.as_dtype(infos[name].dtype).as_numpy_dtype
        assert arrays[name].dtype == dtype
        np.testing.assert_array_equal(arrays[name], np.array(values, dtype))


@pytest.mark.parametrize(
    ("body", "infos", "message"),
    [
        ("{}", CODES, "Missing 'inputs' or 'instances' key"),
        ('{"instances": [1], "inputs": [1]}', CODES, "only one of 'inputs' or 'instances' keys"),
        ('{"instances": {"latent": 1}}', CODES, "Excepting 'instances' to be an list/array"),
        ('{"instances": []}', CODES, "No values in 'instances' array"),
        ('{"instances": [[1, 2]]}', BOTH, "instances is a plain list, but expecting list of objects"),
        ('{"inputs": [[1, 2]]}', BOTH, "inputs is a plain value/list, but expecting an object"),
        ('{"inputs": {"latent": [[1, 2]]}}', BOTH, "Missing named input: label in 'inputs' object."),
        ('{"inputs": {"seed": [5]}}', CODES, "Missing named input: latent in 'inputs' object."),
        (
            '{"instances": [{"seed": 1}]}',
            CODES,
            "Failed to process element: 0 key: seed of 'instances' list. Error: INVALID_ARGUMENT: JSON object:"
            " does not have named input: seed",
        ),
        (
            '{"instances": [{"latent": [1, 2], "label": 1}, {"latent": [1, 2]}]}',
            BOTH,
            "keys must be equal to: label,latent",
        ),
        (
            '{"instances": [{"latent": [1, 2]}, [1, 2]]}',
            CODES,
            "Expecting object but got list at item 1 of input list",
        ),
        (
            '{"instances": [[1, 2], {"latent": [1, 2]}]}',
            CODES,
            "Expecting value/list but got object at item 1 of input list",
        ),
        ('{"instances": [[1, 2], [1]]}', CODES, "Expecting tensor size: 2 but got: 1"),
        ('{"instances": [[1, 2], [[1], [2]]]}', CODES, "Expecting shape [2] but got: [2,1]"),
        (
            '{"inputs": [[1, 2], [3]]}',
            CODES,
            "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
        ),
        ('{"inputs": [[1, [2]]]}', CODES, "Encountered list at unexpected level: 2 expected < 2"),
        (
            '{"inputs": [[1, 2], 3]}',
            CODES,
            "JSON Value: 3 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
        ),
        ('{"inputs": [["a", 2]]}', CODES, 'JSON Value: "a" Type: String is not of expected type: float'),
        ('{"inputs": [[null, 2]]}', CODES, "JSON Value: null Type: Null is not of expected type: float"),
        ('{"inputs": [[true, 2]]}', CODES, "JSON Value: true Type: True is not of expected type: float"),
        ('{"inputs": [{"b64": "/wA="}]}', CODES, "Type: Object is not of expected type: float"),
        ('{"inputs": [1.5]}', SEEDS, "JSON Value: 1.5 Type: Number is not of expected type: int64"),
        ('{"inputs": [1, 2.0]}', SEEDS, "JSON Value: 2.0 Type: Number is not of expected type: int64"),
        ('{"inputs": [9223372036854775808]}', SEEDS, "is not of expected type: int64"),
        (
            '{"inputs": [[16777217, 1]]}',
            CODES,
            "Cannot convert JSON value: 16777217 to float without loss of precision.",
        ),
        (
            '{"inputs": [[16777216.5, 16777217]]}',
            CODES,
            "Cannot convert JSON value: 16777217 to float without",
        ),
        (
            '{"inputs": [[1e39, 1]]}',
            CODES,
            "Cannot convert JSON value: 1e+39 to float without loss of precision.",
        ),
        ('{"inputs": ["a", 5]}', FILES, "JSON Value: 5 Type: Number is not of expected type: string"),
        ('{"inputs": [{"b64": "*"}]}', FILES, "Unable to base64 decode"),
        ('{"inputs": [{"b64": 5}]}', FILES, "not formatted correctly for base64 data"),
        ('{"inputs": [1]}', FLAGS, "JSON Value: 1 Type: Number is not of expected type: bool"),
    ],
)
def test_a_request_is_refused_in_the_words_of_tf_serving(body, infos, message):
    with pytest.raises(StatusError) as caught:
        read(body, infos)
    assert caught.value.code == "INVALID_ARGUMENT"
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "JSON Parse error: The document is empty"),
        (b'{"instances": [1,', "JSON Parse error: .* at offset: 17"),
        (b"[1]", r"(?s)JSON Value: \[.*1.*\] Is not object"),
        (b"\xff\xfe", "JSON Parse error"),
        (b"[" * 100_000, "JSON Parse error"),
        (b"[" * 900 + b"]" * 900, "Is not object"),
        (b'{"inputs": ' + b"9" * 5000 + b"}", "JSON Parse error"),
        (b'{"signature_name": "\\ud800"}', "JSON Parse error"),
    ],
)
def test_what_is_no_json_object_is_refused(body, message):
    with pytest.raises(StatusError, match=message):
        parse(body)


def test_a_list_nested_beyond_all_tensors_is_refused():
    with pytest.raises(StatusError, match="unexpected level"):
        read_tensors(parse(b'{"inputs": ' + b"[" * 500 + b"]" * 500 + b"}"), CODES, exact=False)


def test_a_message_does_not_send_a_long_request_back():
    with pytest.raises(StatusError) as caught:
        parse(json.dumps(list(range(10_000))).encode())
    assert len(caught.value.message) < 400


def test_a_long_value_is_written_no_farther_than_it_is_shown():
    assert show([0] * 1000 + [object()]).endswith("...")  # which JSON has no word for


def test_the_name_of_a_signature_is_a_text():
    assert signature_name({}) == ""
    assert signature_name({"signature_name": "decode"}) == "decode"
    with pytest.raises(StatusError, match="key must be a string value"):
        signature_name({"signature_name": 100})


@pytest.mark.parametrize(
    ("tensors", "by_row", "expected"),
    [
        ({"image": np.float32([[1, 2]])}, True, {"predictions": [[1, 2]]}),
        ({"image": np.float32([[1, 2]])}, False, {"outputs": [[1, 2]]}),
        (
            {"mean": np.float32([[1], [2]]), "count": np.int64([3, 4])},
            True,
            {"predictions": [{"count": 3, "mean": [1]}, {"count": 4, "mean": [2]}]},
        ),
        (
            {"mean": np.float32([[1], [2]]), "count": np.int64([3, 4])},
            False,
            {"outputs": {"count": [3, 4], "mean": [[1], [2]]}},
        ),
        ({"image": np.zeros((0, 2), "float32")}, False, {"outputs": []}),
    ],
)
def test_an_answer_is_written(tensors, by_row, expected):
    assert json.loads(write_tensors(tensors, by_row)) == expected


def test_every_float_is_written_so_that_it_comes_back_bit_for_bit():
    # Some of every exponent, and the least. The greatest TF Serving refuses: in decimals it is above itself.
    bits = np.random.default_rng(0).integers(0, 2**32, 20_000, dtype="uint32")
    values = bits.view("float32")
    values = np.concatenate([values[np.isfinite(values)], np.float32([0, -0.0, 1e-45, 3.402823e38])])
    body = write_tensors({"image": values[:, None]}, by_row=False)
    arrays, _ = read_tensors(
        {"inputs": parse(body)["outputs"]}, {"image": info("float32", None, 1)}, exact=False
    )
    np.testing.assert_array_equal(arrays["image"][:, 0].view("uint32"), values.view("uint32"))
    assert len(body) < 17 * len(values)  # brackets and comma among them: as float64 they would take 24


def test_what_is_not_finite_is_written_as_tf_serving_does():
    body = write_tensors({"image": np.float32([[np.nan, np.inf, -np.inf, 1]])}, by_row=False)
    assert body.replace(b" ", b"") == b'{"outputs":[[NaN,Infinity,-Infinity,1.0]]}'


def test_a_whole_float_is_written_with_its_point():
    assert dumps(np.float32([3])) == b"[3.0]"


def test_bytes_go_through_base64_unchanged():
    content = bytes(range(256))
    body = json.dumps({"instances": [{"b64": base64.b64encode(content).decode()}]})
    arrays, _ = read(body, FILES)
    assert arrays["file"].tolist() == [content]
