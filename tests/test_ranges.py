"""In which value ranges a foreign model takes and gives images: exact principal components in each of them."""

import numpy as np
import pytest
from test_diagnosis import check

from keras_vae import evaluate, from_functions
from keras_vae.data import Annotations, LoadOptions, in_memory
from keras_vae.errors import UsageError
from keras_vae.evaluation.ranges import check_range, range_named
from keras_vae.evaluation.settings import Evaluation
from keras_vae.evaluation.subject import check_subject
from keras_vae.report import write_report
from keras_vae.report.runs import summary

SHAPE, CODES = (6, 6, 1), 4
# Images in [0, 1] times the first, plus the second.
KNOWN = {
    "probabilities": (1, 0),
    "symmetric": (2, -1),
    "centered": (1, -0.5),
    "bytes": (255, 0),
}


@pytest.fixture(scope="module")
def data():
    """Images of four directions and noise, far from the middle of [0, 1]."""
    generator = np.random.default_rng(0)
    directions = np.linalg.qr(generator.standard_normal((36, CODES)))[0] * [0.5, 0.4, 0.35, 0.3]
    images = 0.3 + 0.3 * generator.random(36) + generator.standard_normal((900, CODES)) @ directions.T
    images = np.clip(images + 0.03 * generator.standard_normal(images.shape), 0, 1)
    return in_memory("components", images.reshape(-1, *SHAPE).astype("float32"), LoadOptions(), Annotations())


def standard(data):
    """The scale and offset of standardized training images."""
    images = data.train.images()
    return 1 / images.std(), -images.mean() / images.std()


def components(data, scale, offset):
    """Probabilistic principal components of `scale * images + offset`, in closed form (Tipping and Bishop 1999).

    Returns:
        encode, decode; and the share of the variance of the first 200 training images that they leave.
    """
    values = scale * data.train.images().reshape(-1, 36).astype("float64") + offset
    mean = values.mean(0)
    _, singular, directions = np.linalg.svd(values - mean, full_matrices=False)
    variances = np.square(singular) / len(values)
    noise = variances[CODES:].mean()
    weights = directions[:CODES].T * np.sqrt(variances[:CODES] - noise)
    posterior = np.linalg.inv(weights.T @ weights + noise * np.eye(CODES))

    def encode(images):
        codes = (images.reshape(len(images), -1) - mean) @ weights @ posterior
        return codes, np.broadcast_to(np.log(noise * np.diag(posterior)), codes.shape)

    def decode(codes):
        return (mean + codes @ weights.T).reshape(-1, *SHAPE)

    return encode, decode


def left(data):
    """The share of the variance of the first 200 training images that the components of all leave."""
    images = data.train.images(0, 200)
    encode, decode = components(data, 1, 0)
    decoded = np.clip(decode(encode(images)[0]), 0, 1)
    return np.square(images - decoded).mean() / np.square(images - images.mean(0)).mean()


@pytest.mark.parametrize("name", [*KNOWN, "standardized"])
def test_the_range_of_exact_components_is_found(name, data, capsys):
    scale, offset = KNOWN.get(name) or standard(data)
    subject, _ = check_subject(from_functions(*components(data, scale, offset)), data)
    assert (subject.ranges["encoder"], subject.ranges["decoder"]) == (name, name)
    assert subject.ranges["fits"] is True
    assert subject.ranges["unexplained"] == pytest.approx(left(data), rel=0.01)
    said = capsys.readouterr().out
    assert list(subject.notes) == said.splitlines()
    assert (name in said) == (name != "probabilities")


def test_components_are_judged_the_same_whether_they_scale_images_inside_or_outside(data):
    encode, decode = components(data, 2, -1)
    inside = from_functions(lambda images: encode(2 * images - 1), lambda codes: (decode(codes) + 1) / 2)
    asked = from_functions(encode, decode, encoder_range="symmetric", decoder_range=(-1, 1))
    subjects = [check_subject(one, data)[0] for one in (inside, from_functions(encode, decode), asked)]
    assert [one.ranges["encoder"] for one in subjects] == ["probabilities", "symmetric", "symmetric"]
    images = data.test.images(0, 20)
    for one in subjects[1:]:
        np.testing.assert_allclose(one.encode(images)[0], subjects[0].encode(images)[0], atol=1e-4)
        codes = subjects[0].encode(images)[0]
        np.testing.assert_allclose(one.decode(codes), subjects[0].decode(codes), atol=1e-5)


def test_results_report_and_command_say_which_ranges_were_taken_and_why(data, tmp_path):
    results = check(evaluate(from_functions(*components(data, 2, -1)), data, features="random"))
    assert results["ranges"] == {
        "encoder": "symmetric",
        "decoder": "symmetric",
        "unexplained": pytest.approx(left(data), rel=0.01),
        "fits": True,
    }
    assert "--encoder_range symmetric --decoder_range symmetric" in results["notes"][0]
    assert results["reconstruction"]["test"]["unexplained"] < 0.1
    (said,) = (line for line in summary(results, tmp_path, 0.0) if "value ranges" in line)
    assert said.startswith(
        f"  value ranges: encoder symmetric, decoder symmetric: reconstructions leave {left(data):.0%} of"
    )
    page = write_report(tmp_path, results, {}).read_text(encoding="utf-8")
    assert "Value ranges of the model" in page


def test_halves_of_two_ranges_are_told_apart(data):
    encode, _ = components(data, 2, -1)
    _, decode = components(data, 1, 0)  # the same codes: directions do not depend on the range
    turned = np.sign(
        (encode(2 * data.test.images() - 1)[0] * components(data, 1, 0)[0](data.test.images())[0]).sum(0)
    )
    subject, _ = check_subject(from_functions(encode, lambda codes: decode(codes * turned)), data)
    assert (subject.ranges["encoder"], subject.ranges["decoder"]) == ("symmetric", "probabilities")


def test_logits_are_found(data):
    encode, decode = components(data, 1, 0)

    def logits(codes):
        images = np.clip(decode(codes), 1e-3, 1 - 1e-3)
        return np.log(images / (1 - images))

    subject, _ = check_subject(from_functions(encode, logits), data)
    assert (subject.ranges["encoder"], subject.ranges["decoder"]) == ("probabilities", "logits")


def test_a_full_set_of_components_is_told_by_its_codes(data):
    """It reconstructs whatever it is given; in another range its codes are far from the prior."""
    values = 2 * data.train.images().reshape(-1, 36).astype("float64") - 1
    mean, deviations = values.mean(0), values.std(0)

    def encode(images):
        codes = (images.reshape(len(images), -1) - mean) / deviations
        return codes, np.full(codes.shape, -4.0)

    subject, _ = check_subject(
        from_functions(encode, lambda codes: (mean + codes * deviations).reshape(-1, *SHAPE)), data
    )
    assert (subject.ranges["encoder"], subject.ranges["decoder"]) == ("symmetric", "symmetric")
    assert "codes deviate from N(0, I) by" in subject.notes[0]


def test_where_no_range_fits_that_is_said_and_noted(data, capsys):
    encode, decode = components(data, 1, 0)
    order = np.random.default_rng(1).permutation(36)  # an encoder of other images
    subject, _ = check_subject(
        from_functions(
            lambda images: [3 * part for part in encode(images)],
            lambda codes: decode(codes).reshape(-1, 36)[:, order].reshape(-1, *SHAPE),
        ),
        data,
    )
    assert subject.ranges["fits"] is False
    assert subject.ranges["unexplained"] > 1.05
    assert "worse than the mean image in every value range" in subject.notes[0]
    assert subject.notes[0] in capsys.readouterr().out


def test_a_decoder_that_ignores_its_code_is_not_taken_for_a_wrong_range(data):
    encode, decode = components(data, 1, 0)
    subject, _ = check_subject(from_functions(encode, lambda codes: decode(0 * codes)), data)
    assert subject.ranges["fits"] is True
    assert subject.ranges["encoder"] == "probabilities"
    assert subject.notes == ()


def test_a_range_that_was_asked_for_is_kept_and_a_better_one_is_named(data):
    subject, _ = check_subject(
        from_functions(*components(data, 2, -1), encoder_range="probabilities", decoder_range="symmetric"),
        data,
    )
    assert (subject.ranges["encoder"], subject.ranges["decoder"]) == ("probabilities", "symmetric")
    assert "--encoder_range symmetric --decoder_range symmetric" in subject.notes[0]


def test_an_encoder_that_refuses_other_values_is_asked_in_its_own_range(data):
    encode, decode = components(data, 2, -1)

    def strict(images):
        if images.min() >= 0:
            raise ValueError("values from -1 to 1, please")
        return encode(images)

    subject, _ = check_subject(from_functions(strict, decode), data)
    assert subject.ranges["encoder"] == "symmetric"


def test_ranges_invert_each_other_in_every_channel():
    images = np.random.default_rng(0).random((50, 3, 3, 3)).astype("float32") * [0.2, 0.5, 1]
    for name in ("symmetric", "centered", "bytes", "standardized", "imagenet", "-3,5"):
        found = range_named(name, images)
        np.testing.assert_allclose(found.images(found.expected(images)), images, atol=1e-6)
    standardized = range_named("standardized", images).expected(images)
    np.testing.assert_allclose(standardized.mean((0, 1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(standardized.std((0, 1, 2)), 1, atol=1e-5)
    # torchvision's Normalize: white is (1 - 0.485) / 0.229 in red.
    assert range_named("imagenet", images).expected(np.ones((1, 1, 1, 3)))[0, 0, 0, 0] == pytest.approx(
        2.2489, abs=1e-4
    )
    assert range_named("-3,5").expected(np.array([0.0, 1.0])) == pytest.approx([-3, 5])


@pytest.mark.parametrize("name", ["symetric", "1,0", "0,inf", "1,2,3", ""])
def test_an_unknown_range_is_refused_by_name(name):
    with pytest.raises(UsageError, match=f"encoder_range is '{name}': expected auto, probabilities"):
        from_functions(None, None, encoder_range=name)
    with pytest.raises(ValueError, match="decoder_range"):
        Evaluation(decoder_range=name)


def test_two_numbers_are_a_range():
    assert check_range((0, 4095), (), "encoder_range") == check_range("0,4095.0", (), "encoder_range")
