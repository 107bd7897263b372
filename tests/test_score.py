"""The score of an image: a function of the image and the seed alone, in the model, its file and its export."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
import sklearn.datasets

from keras_vae.export.saved_models import export_encoder
from keras_vae.layers.basic import PixelVariance
from keras_vae.model import batches
from keras_vae.model.autoencoder import Autoencoder
from keras_vae.model.networks.convolutional import Convolutional
from keras_vae.model.networks.mlp import Perceptron
from keras_vae.model.scoring import noise_of
from keras_vae.runtime.lazy import keras, ops, tf

DIGITS = (sklearn.datasets.load_digits().images[:40, ..., None] / 16).astype("float32")
ROUNDING = 2e-4  # of some 50 nats in float32


def make(objective="vae", likelihood="bernoulli", latent=3, **settings):
    keras.utils.set_random_seed(1)
    spatial = isinstance(latent, tuple)
    network = Convolutional(widths=(4, 4)) if spatial else Perceptron(hidden=(8,))
    model = Autoencoder((8, 8, 1), latent, objective, likelihood, network, **settings)
    model.compile("adam")
    return model


def exported(model, folder, **settings):
    """The signature `score` of the exported encoder, as plain TensorFlow loads it."""
    loaded = tf.saved_model.load(str(export_encoder(model, folder, **settings)))
    signature = loaded.signatures["score"]

    def score(images, seeds, **labels):
        inputs = {"image": tf.constant(images), "seed": tf.constant(seeds, "int64"), **labels}
        return signature(**inputs)["score"].numpy()

    score.loaded = loaded  # whose variables would go
    return score


def test_the_score_is_the_importance_weighted_bound_in_float64():
    model = make(likelihood={"kind": "gaussian", "sigma": 0.3})
    found = model.score(DIGITS[:4], num_samples=5, seed=11)
    mean, log_var = (np.asarray(part, "float64") for part in model.encode(DIGITS[:4]))
    noise = np.asarray(noise_of(np.array([11]), 5, (3,)), "float64")
    log_weights = []
    for drawn in noise:
        codes = mean + np.exp(log_var / 2) * drawn
        decoded = np.asarray(model.decoder(codes.astype("float32")), "float64")
        log_likelihood = scipy.stats.norm.logpdf(DIGITS[:4], decoded, 0.3).sum(axis=(1, 2, 3))
        log_prior = scipy.stats.norm.logpdf(codes).sum(axis=1)
        log_posterior = scipy.stats.norm.logpdf(codes, mean, np.exp(log_var / 2)).sum(axis=1)
        log_weights.append(log_likelihood + log_prior - log_posterior)
    expected = -scipy.special.logsumexp(log_weights, axis=0, b=1 / 5)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_code_without_noise_is_scored_by_the_distortion():
    model = make("autoencoder")
    shown = np.asarray(model.predict(DIGITS, verbose=0), "float64")
    # Of grey values the mean over binarisations, which is the cross-entropy.
    expected = -(DIGITS * np.log(shown) + (1 - DIGITS) * np.log1p(-shown)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(model.score(DIGITS), expected, rtol=1e-4)
    np.testing.assert_array_equal(model.score(DIGITS, seed=1), model.score(DIGITS, seed=2))


def test_a_codebooks_score_has_its_constant_rate():
    model = make({"kind": "vq_vae", "codebook": 16}, {"kind": "gaussian", "sigma": 1.0}, latent=(2, 2, 2))
    decoded = np.asarray(model.decoder(model.encode(DIGITS)[0]), "float64")
    distortion = -scipy.stats.norm.logpdf(DIGITS, decoded).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(model.score(DIGITS), distortion + 4 * np.log(16), rtol=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian_optimal", "ms_ssim"])
def test_the_score_depends_on_image_and_seed_alone(likelihood, tmp_path, monkeypatch):
    model = make(likelihood=likelihood)
    model.fit(DIGITS, batch_size=8, epochs=1, verbose=0)
    scores = np.asarray(model.score(DIGITS, num_samples=3, seed=5))
    assert scores.shape == (40,)
    assert scores.std() > 0.1
    model.evaluate(DIGITS[:16], verbose=0)
    order = np.random.default_rng(0).permutation(40)
    np.testing.assert_allclose(
        model.score(DIGITS[order], num_samples=3, seed=5), scores[order], atol=ROUNDING
    )
    np.testing.assert_allclose(model.score(DIGITS[7:8], num_samples=3, seed=5), scores[7:8], atol=ROUNDING)
    assert np.abs(np.asarray(model.score(DIGITS, num_samples=3, seed=6)) - scores).max() > 1e-3
    monkeypatch.setattr(batches, "MOST_AT_ONCE", 9)
    np.testing.assert_allclose(model.score(DIGITS, num_samples=3, seed=5), scores, atol=ROUNDING)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.score(DIGITS, num_samples=3, seed=5), scores, atol=ROUNDING)
    score = exported(model, tmp_path, num_samples=3)
    np.testing.assert_allclose(score(DIGITS, np.full(40, 5)), scores, atol=ROUNDING)


@pytest.mark.long
def test_each_row_of_a_request_has_its_own_seed_and_no_rows_are_none(tmp_path):
    model = make("conditional_vae", num_classes=3, dtype="mixed_bfloat16")
    labels, seeds = np.arange(6) % 3, np.array([0, 1, -1, 2**40, 2**63 - 1, 0])
    score = exported(model, tmp_path)
    given = score(DIGITS[:6], seeds, label=tf.constant(labels, "int64"))
    np.testing.assert_allclose(given, model.score(DIGITS[:6], labels, seed=seeds), atol=ROUNDING)
    np.testing.assert_allclose(given[:1], model.score(DIGITS[:1], labels[:1], seed=0), atol=ROUNDING)
    empty = score(DIGITS[:0], np.zeros(0, "int64"), label=tf.zeros((0,), "int64"))
    assert empty.shape == model.score(DIGITS[:0], labels[:0]).shape == (0,)
    with pytest.raises(tf.errors.InvalidArgumentError, match="the images run from"):
        score(255 * DIGITS[:6], seeds, label=tf.constant(labels, "int64"))


def test_more_codes_tighten_the_bound():
    model = make(likelihood="gaussian")
    few, many = (np.mean(model.score(DIGITS, num_samples=number)) for number in (1, 64))
    assert many < few


def test_the_remembered_variance_is_a_mean_without_the_bias_of_its_start():
    memory = PixelVariance("variance")
    assert not memory.is_known()
    for error, total in ((1.0, None), (9.0, ops.convert_to_tensor(0.0)), (3.0, ops.convert_to_tensor(2.0))):
        memory.follow(ops.convert_to_tensor(error), total)  # a batch that weighs nothing is none
    assert float(memory.variance()) == pytest.approx((0.99 * 1 + 3) / 1.99, rel=1e-5)
    before = np.asarray(memory.sums).copy()
    memory.load_own_variables({})  # from a file made before the variance was kept
    np.testing.assert_array_equal(memory.sums, before)


def test_a_variance_that_training_has_not_measured_is_asked_for(tmp_path):
    model = make(likelihood="gaussian_optimal")
    with pytest.raises(ValueError, match="takes its variance from training"):
        model.score(DIGITS)
    with pytest.warns(UserWarning, match="does not have the signature score"):
        version = export_encoder(model, tmp_path)
    assert set(tf.saved_model.load(str(version)).signatures) == {"serving_default", "encode", "reconstruct"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_samples": 0}, "num_samples is 0: expected a whole number"),
        ({"num_samples": 2.5}, r"num_samples is 2\.5"),
        ({"seed": 0.5}, r"seed is 0\.5: expected a whole number"),
        ({"seed": [1, 2]}, r"seed is \[1, 2\]: expected a whole number \(int64\), or one for each of the 40"),
    ],
)
def test_what_is_no_number_of_codes_or_seed_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make().score(DIGITS, **settings)


def test_images_of_another_range_are_refused():
    with pytest.raises(ValueError, match="the images run from 0 to 255"):
        make().score(255 * DIGITS)


def test_terms_of_an_image_do_not_move_with_what_was_evaluated_before():
    model = make()
    before = np.asarray(model.terms(DIGITS[:1])["loss"])
    model.evaluate(DIGITS, verbose=0)
    np.testing.assert_array_equal(model.terms(DIGITS[:1])["loss"], before)


@pytest.mark.parametrize("objective", ["vae", "conditional_vae"])
def test_many_images_go_in_batches_and_give_the_same_numbers(objective, monkeypatch):
    model = make(objective, num_classes=4)
    labels = np.arange(40) % 4 if model.conditional else None

    def run():
        mean, log_var = model.encode(DIGITS, labels)
        return [mean, log_var, model.decode(mean, labels), model.sample(40, seed=3)]

    at_once = run()
    monkeypatch.setattr(batches, "MOST_AT_ONCE", 7)
    seen, stack = [], keras.layers.Dense.call
    monkeypatch.setattr(
        keras.layers.Dense,
        "call",
        lambda *given, **named: (seen.append(len(given[1])), stack(*given, **named))[1],
    )
    in_parts = run()
    assert max(seen) == 7
    for one, other in zip(in_parts, at_once):
        assert type(one) is type(other)
        np.testing.assert_allclose(one, other, atol=1e-6)
    empty = model.encode(DIGITS[:0], None if labels is None else labels[:0])
    assert empty[0].shape == (0, 3)


def test_as_many_rows_go_at_once_as_their_pixels_allow():
    assert [batches.images_at_once(values) for values in (64, 64 * 64 * 3, 2**21)] == [256, 85, 1]
