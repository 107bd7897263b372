"""What training does, beside the objective, to make codes easy to sample."""

import json
import types

import numpy as np
import pytest
import scipy.fft

from keras_vae.config.codec import from_json, to_json
from keras_vae.config.flags import parse
from keras_vae.model.autoencoder import Autoencoder
from keras_vae.model.likelihoods import Gaussian
from keras_vae.model.networks import Convolutional
from keras_vae.model.regularizers import (
    REGULARIZERS,
    CodeNoise,
    Equivariance,
    NoRegularizer,
    SpectralPenalty,
)
from keras_vae.model.regularizers.maps import cosines, shares
from keras_vae.model.step import Step
from keras_vae.runtime.lazy import keras, ops
from keras_vae.training.config import Config

NETWORK = Convolutional(widths=(4, 5), activation="elu")
SIGMA = 0.5


def make(image_shape=(8, 8, 1), latent=(2, 2, 3), objective="autoencoder", network=NETWORK, **kwargs):
    keras.utils.set_random_seed(2)
    return Autoencoder(image_shape, latent, objective, Gaussian(SIGMA), network, **kwargs)


def images_of(shape, count=4):
    return np.random.default_rng(0).uniform(size=(count, *shape)).astype("float32")


# Equivariance


def set_turns(monkeypatch, quarters):
    def randint(shape, *_, dtype, **__):
        return ops.cast(np.reshape(quarters, [int(size) for size in shape]), dtype)

    monkeypatch.setattr(keras.random, "randint", randint)


@pytest.mark.parametrize(
    ("image_shape", "margins"),
    [((8, 8, 1), ((0, 0), (0, 0))), ((7, 6, 3), ((0, 1), (1, 1)))],
    ids=["whole", "with margins"],
)
def test_equivariance_is_the_distortion_of_turned_and_halved_images(image_shape, margins, monkeypatch):
    model = make(image_shape, regularizer=Equivariance(weight=0.3, scales=(0.5,)))
    # A model of half the size whose decoder has the same weights, and no margins.
    half = make((4, 4, image_shape[-1]), (1, 1, 3))
    half.decoder.set_weights(model.decoder.get_weights())
    images, quarters = images_of(image_shape), [0, 1, 2, 3]
    set_turns(monkeypatch, quarters)
    terms = model.terms(images)

    codes = np.asarray(model.encode(images)[0])
    padded = np.pad(images, ((0, 0), *margins, (0, 0)))
    codes, padded = (
        np.stack([np.rot90(value, turn) for value, turn in zip(values, quarters)])
        for values in (codes, padded)
    )
    halved = padded.reshape(4, 4, 2, 4, 2, -1).mean((2, 4))
    decoded = np.asarray(half.decoder(codes.mean((1, 2), keepdims=True)))
    (top, bottom), (left, right) = margins
    errors = (halved - decoded)[:, top : 4 - bottom, left : 4 - right]
    density = -0.5 * (errors / SIGMA) ** 2 - np.log(SIGMA * np.sqrt(2 * np.pi))
    expected = -density.mean((1, 2, 3)) * np.prod(image_shape)
    np.testing.assert_allclose(terms["equivariance"], expected, rtol=1e-5)
    np.testing.assert_allclose(terms["loss"], terms["distortion"] + 0.3 * expected, rtol=1e-5)


def test_a_decoder_that_repeats_its_input_is_equivariant():
    model = make((4, 4, 2), (4, 4, 2), regularizer=Equivariance(scales=(0.5, 0.25)))
    inputs = keras.Input((4, 4, 2))
    model.decoder = keras.Model(inputs, keras.layers.Activation("linear")(inputs))
    images = ops.convert_to_tensor(images_of((4, 4, 2), 8))
    step = types.SimpleNamespace(
        codes=images,
        targets=images,
        labels=None,
        weights=None,
        training=True,
        regularizer_seed=lambda number: number,
    )
    terms = model.regularizer(model, step)
    least = 32 * np.log(SIGMA * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(terms["equivariance"], np.full(8, least), rtol=1e-5)


def test_what_is_not_square_is_turned_by_half_turns_alone(monkeypatch):
    from keras_vae.model.regularizers.equivariance import turned

    set_turns(monkeypatch, [0, 1, 2, 3])
    values = images_of((2, 3, 1))
    (found,) = turned([values], 0)
    np.testing.assert_array_equal(found, np.concatenate([values[:2], values[2:, ::-1, ::-1]]))


def test_running_statistics_are_those_of_whole_images():
    network = Convolutional(widths=(4, 5), activation="elu", normalization="batch")
    weights = []
    for regularizer in ("none", Equivariance(weight=0.0)):
        model = make(network=network, regularizer=regularizer)
        model.compile(keras.optimizers.SGD(1e-4))
        model.fit(images_of((8, 8, 1), 8), batch_size=8, verbose=0)
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


# Matrices over rows and columns


def test_shares_are_means_over_equal_parts():
    np.testing.assert_allclose(shares(4, 2), [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    # A part of 3 values in 2 has 1.5 of them.
    np.testing.assert_allclose(shares(3, 2), [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]])
    np.testing.assert_allclose(shares(7, 4).sum(1), np.ones(4))


def test_cosines_are_the_orthonormal_transform():
    np.testing.assert_allclose(cosines(6, 6), scipy.fft.dct(np.eye(6), norm="ortho", axis=0), atol=1e-12)


# Noise


def test_noise_has_a_size_in_deviations_of_the_codes(monkeypatch):
    numbers = np.random.default_rng(3)
    strength, noise = numbers.normal(size=(4, 1, 1, 1)), numbers.normal(size=(4, 2, 2, 3))
    monkeypatch.setattr(
        keras.random,
        "normal",
        lambda shape, **_: ops.cast(strength if shape[1] == 1 else noise, "float32"),
    )
    model = make(regularizer=CodeNoise(sigma=0.7))
    images = images_of((8, 8, 1))
    codes = np.asarray(model.encode(images)[0])
    weights = np.array([1, 2, 1, 0], "float32")
    for given in (None, weights):
        step = Step(model, images, None, True, given)
        shares = (np.ones(4) if given is None else given).reshape(4, 1, 1, 1)
        mean = (shares * codes).sum(0) / shares.sum()
        deviation = np.sqrt((shares * (codes - mean) ** 2).sum(0) / shares.sum()).reshape(-1)
        size = 0.7 * np.sqrt(np.mean(deviation**2)) * np.abs(strength)
        np.testing.assert_allclose(step.decoded, model.decoder(codes + size * noise), rtol=1e-4, atol=1e-5)


def test_noise_is_added_in_training_alone_and_anew_each_step():
    model, images = make(regularizer="noise"), images_of((8, 8, 1))
    evaluated = Step(model, images, None, False)
    np.testing.assert_array_equal(evaluated.decoded, model.decoder(evaluated.codes))
    first, again, next_one = (Step(model, images, None, True, counter=count).decoded for count in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - next_one).max() > 1e-3


def test_noise_reaches_each_of_several_codes():
    model = make(objective="iwae", regularizer=CodeNoise(sigma=3.0))
    plain = make(objective="iwae")
    images = images_of((8, 8, 1))
    noisy, clean = (Step(one, images, None, True).draws(2) for one in (model, plain))
    np.testing.assert_allclose(noisy.log_ratio, clean.log_ratio, rtol=1e-5)
    assert (np.abs(noisy.log_likelihood - clean.log_likelihood) > 1e-3).all()


# The spectrum


def share_of(codes, cutoff=0.5, weights=None):
    step = types.SimpleNamespace(
        posterior={"mean": ops.convert_to_tensor(codes, "float32")},
        mean=lambda values: ops.mean(values, axis=0),
    )
    model = types.SimpleNamespace(latent_shape=codes.shape[1:])
    terms = SpectralPenalty(weight=10.0, cutoff=cutoff)(model, step)
    np.testing.assert_allclose(terms["loss"], 10 * np.asarray(terms["high_frequencies"]))
    assert terms["loss"].shape == codes.shape[:1]
    return float(terms["high_frequencies"][0])


@pytest.mark.parametrize("cutoff", [0.3, 0.5])
def test_the_spectrum_is_that_of_the_cosine_transform(cutoff):
    codes = np.random.default_rng(4).normal(size=(20, 6, 5, 3)) * np.linspace(1, 2, 3) + 7
    centred = codes - codes.mean(0)
    power = scipy.fft.dctn(centred, axes=(1, 2), norm="ortho") ** 2
    high = np.maximum.outer(np.arange(6) / 6, np.arange(5) / 5) >= cutoff
    np.testing.assert_allclose(share_of(codes, cutoff), power[:, high].sum() / power.sum(), rtol=1e-4)


def test_white_codes_smooth_ones_and_checkerboards():
    numbers = np.random.default_rng(5)
    strengths = numbers.normal(size=(50, 1, 1, 2))
    checks = (-1.0) ** np.add.outer(np.arange(8), np.arange(8))[..., None]
    assert share_of(numbers.normal(size=(200, 8, 8, 2))) == pytest.approx(0.75, abs=0.01)
    assert share_of(np.tile(strengths, (1, 8, 8, 1))) == pytest.approx(0, abs=1e-6)
    assert share_of(strengths * checks) > 0.85
    assert share_of(np.ones((3, 8, 8, 2))) == 0


def test_a_share_is_not_lowered_by_smaller_codes():
    codes = np.random.default_rng(6).normal(size=(9, 4, 4, 2))
    assert share_of(codes / 100) == pytest.approx(share_of(codes), rel=1e-5)


# Normalized codes


@pytest.mark.parametrize(
    ("latent", "network"), [((2, 2, 3), NETWORK), ((5,), NETWORK), ((5,), "mlp")], ids=str
)
def test_normalized_codes_have_a_length_and_the_decoder_sees_their_direction(latent, network):
    model, images = make(latent=latent, network=network, regularizer="normalized"), images_of((8, 8, 1))
    codes = np.asarray(model.encode(images)[0])
    np.testing.assert_allclose(np.mean(codes**2, axis=-1), np.ones(codes.shape[:-1]), rtol=0.01)
    others = np.random.default_rng(7).normal(size=(4, *latent)).astype("float32")
    others /= np.sqrt(np.mean(others**2, axis=-1, keepdims=True))
    np.testing.assert_allclose(model.decode(7 * others), model.decode(others), atol=1e-4)
    assert set(model.terms(images)) == {"loss", "distortion"}  # there is no rate


# Refused, with the way out


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("vq_vae", (2, 2, 3), "noise"), "those of objective vq_vae are entries of a codebook"),
        (("vq_vae", (2, 2, 3), "normalized"), "entries of a codebook"),
        (("vae", 4, "equivariance"), r"at least 2x2 positions, and the latent is 4 \(try --latent 2x2x16"),
        (("vae", 4, "spectral"), "regularizer spectral needs a map"),
        (("vae", (1, 4, 3), "spectral"), "the latent is 1x4x3"),
        (("vae", (2, 2, 3), "normalized"), r"which objective vae has \(try --objective autoencoder\)"),
        (("wae_mmd", (2, 2, 3), "normalized"), "which objective wae_mmd has"),
        (("autoencoder", (2, 2, 1), "normalized"), "2x2x1: expected 2 or more numbers at each position"),
        (("vae", (2, 2, 3), {"kind": "spectral", "cutoff": 0.9}), "has no frequencies that high"),
        (("vae", (2, 2, 3), Equivariance(scales=(0.9,))), "has 0.9, which leaves a map of 2x2 unchanged"),
        (("vae", (7, 7, 3), Equivariance(scales=(0.2,))), "padding covers the whole image of 8x8x1"),
        (("vae", (2, 2, 3), "equivarience"), "did you mean equivariance"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(given, message):
    objective, latent, regularizer = given
    with pytest.raises(ValueError, match=message) as refusal:
        make(latent=latent, objective=objective, regularizer=regularizer)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        ("equivariance", {"weight": -1}, r"regularizer\.weight is -1: it must be 0 or more"),
        ("equivariance", {"scales": (0.5, 1.5)}, r"regularizer\.scales is \(0.5, 1.5\): expected sizes"),
        ("equivariance", {"scales": ()}, r"regularizer\.scales is \(\)"),
        ("noise", {"sigma": 0.0}, r"regularizer\.sigma is 0.0: it must be above 0"),
        ("noise", {"sigma": float("nan")}, r"regularizer\.sigma is nan"),
        ("spectral", {"weight": float("nan")}, r"regularizer\.weight is nan"),
        ("spectral", {"cutoff": 1.0}, r"regularizer\.cutoff is 1.0: it must lie between 0 and 1"),
    ],
)
def test_a_field_out_of_range_is_refused_by_name(kind, fields, message):
    with pytest.raises(ValueError, match=message):
        REGULARIZERS[kind](**fields)


# Settings and files


@pytest.mark.parametrize("name", REGULARIZERS)
def test_a_setting_comes_back_from_json(name):
    config = Config(regularizer=name)
    assert from_json(Config, json.loads(json.dumps(to_json(config)))) == config
    assert type(config.regularizer).name == name
    assert type(config.regularizer).__doc__


def test_flags_choose_a_regularizer_and_its_fields():
    words = ["--regularizer", "equivariance", "--regularizer.scales", "0.5", "--no-regularizer.rotations"]
    assert parse(Config, words).config.regularizer == Equivariance(scales=(0.5,), rotations=False)


def test_older_settings_and_models_have_none():
    settings = to_json(Config())
    del settings["regularizer"]
    assert from_json(Config, settings).regularizer == NoRegularizer()
    config = make().get_config()
    assert "regularizer" not in config  # older versions of this package read the file
    assert Autoencoder.from_config(config).regularizer == NoRegularizer()
