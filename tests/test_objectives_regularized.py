"""Regularised autoencoders: each penalty against another computation of it, and the spectral norm."""

import dataclasses

import numpy as np
import pytest
import sklearn.datasets

from keras_vae.layers.basic import UnitSpectralNorm, spectral_norm
from keras_vae.layers.gradients import derivative_along
from keras_vae.model.autoencoder import Autoencoder
from keras_vae.model.likelihoods import Bernoulli, Gaussian
from keras_vae.model.networks import Convolutional
from keras_vae.model.objectives.regularized import (
    RegularizedGradientPenalty,
    RegularizedL2,
    RegularizedSpectral,
    kernels,
)
from keras_vae.model.step import Step
from keras_vae.runtime.lazy import keras, ops, tf

NETWORK = Convolutional(widths=(4, 6), dense=8, activation="elu")


@pytest.fixture(scope="module")
def digits():
    return (sklearn.datasets.load_digits().images[:128, ..., None] / 16).astype("float32")


def make(objective, latent=3, likelihood="bernoulli", network=NETWORK, **kwargs):
    keras.utils.set_random_seed(1)
    model = Autoencoder((8, 8, 1), latent, objective, likelihood, network, **kwargs)
    model.compile(keras.optimizers.Adam(3e-3))
    return model


def largest_singular_value(kernel):
    kernel = np.asarray(kernel, "float64")
    return np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]


@pytest.mark.parametrize("latent", [3, (2, 2, 3)])
def test_the_loss_is_the_distortion_and_the_weighed_penalties(latent, digits):
    model = make(RegularizedL2(code_weight=0.5, decoder_weight=0.1), latent)
    step = Step(model, digits, None, True)
    terms = model.objective(model, step)
    codes = np.asarray(step.codes).reshape(len(digits), -1)
    np.testing.assert_allclose(terms["code_penalty"], (codes**2).sum(axis=1) / 2, rtol=1e-5)
    weights = [weight.numpy() for weight in model.decoder.trainable_weights if weight.name == "kernel"]
    total = sum((weight**2).sum() for weight in weights)
    np.testing.assert_allclose(terms["decoder_penalty"], total, rtol=1e-5)
    expected = step.distortion + 0.5 * terms["code_penalty"] + 0.1 * total
    np.testing.assert_allclose(terms["loss"], expected, rtol=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("normalization", ["none", "batch"])  # whose averages move once a step
def test_without_weights_it_is_the_plain_autoencoder(normalization, digits):
    weights = {"code_weight": 0.0, "decoder_weight": 0.0}
    network = dataclasses.replace(NETWORK, normalization=normalization)
    models = [
        make(one, network=network)
        for one in ("autoencoder", RegularizedL2(**weights), RegularizedGradientPenalty(**weights))
    ]
    for model in models:
        model.fit(digits, batch_size=64, shuffle=False, verbose=0)
    for other in models[1:]:
        for ours, theirs in zip(models[0].get_weights(), other.get_weights()):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


# The slope


def test_the_derivative_along_a_direction_is_the_jacobian_times_it():
    decoder = make("autoencoder").decoder
    codes, directions = (
        tf.constant(np.random.default_rng(0).normal(size=(2, 5, 3))[i], "float32") for i in (0, 1)
    )
    with tf.GradientTape() as tape:
        tape.watch(codes)
        decoded = decoder(codes)
    expected = tf.einsum("nhwcd,nd->nhwc", tape.batch_jacobian(decoded, codes), directions)
    np.testing.assert_allclose(derivative_along(decoder, codes, directions), expected, rtol=1e-4, atol=1e-6)
    assert not np.any(derivative_along(lambda _: tf.ones((5, 2)), codes, directions))


def test_the_gradient_penalty_is_the_squared_norm_of_the_decoders_jacobian_on_average(digits):
    # One image 4,000 times, and the Jacobian of what is shown, sigmoid of the logits, by reverse differentiation.
    model = make(RegularizedGradientPenalty(), likelihood=Bernoulli("none"))
    for kernel in kernels(model.decoder):
        kernel.assign(2 * kernel)
    images = np.repeat(digits[:1], 4000, axis=0)
    codes = model.encode(images[:1])[0]
    with tf.GradientTape() as tape:
        tape.watch(codes)
        shown = model.decode(codes)
    expected = np.sum(np.square(tape.batch_jacobian(shown, codes)))
    penalty = np.asarray(model.objective.penalty(model, Step(model, images, None, True)))
    assert penalty.mean() == pytest.approx(expected, abs=4 * penalty.std() / np.sqrt(4000))
    assert penalty.std() < 2 * expected


def test_the_gradient_of_the_gradient_penalty_is_that_by_differences(digits):
    model = make(RegularizedGradientPenalty(), likelihood=Gaussian(0.1))
    bias = model.decoder.get_layer("parameters").bias
    bias.assign([0.5])  # away from the clipping
    kernel = model.decoder.get_layer("dense_up").kernel

    def penalty():
        return ops.mean(model.objective.penalty(model, Step(model, digits[:8], None, True)))

    with tf.GradientTape() as tape:
        value = penalty()
    gradient, start = tape.gradient(value, kernel.value), kernel.numpy()
    direction = np.asarray(gradient) / np.linalg.norm(gradient)
    values = []
    for sign in (-1, 1):
        kernel.assign(start + sign * 1e-2 * direction)
        values.append(float(penalty()))
    assert (values[1] - values[0]) / 2e-2 == pytest.approx(np.linalg.norm(gradient), rel=0.01)


# The spectral norm


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (3, 3, 5, 7), (300, 200), (1, 5), (5, 1)])
def test_the_spectral_norm_is_the_largest_singular_value(shape):
    kernel = np.random.default_rng(0).normal(size=shape).astype("float32")
    for scale in (1e-4, 1, 1e4):
        measured = float(spectral_norm(ops.convert_to_tensor(kernel * scale)))
        assert measured == pytest.approx(scale * largest_singular_value(kernel), rel=0.005)


def test_the_spectral_norm_where_singular_values_are_equal_or_none_is_left():
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(9, 9)))[0].astype("float32")
    assert float(spectral_norm(ops.convert_to_tensor(rotation))) == pytest.approx(1, rel=1e-5)
    assert np.isfinite(UnitSpectralNorm()(ops.zeros((3, 4)))).all()


@pytest.mark.long
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_every_kernel_of_a_spectral_decoder_has_norm_one_from_the_first_step_to_the_last(policy, digits):
    model = make(RegularizedSpectral(), dtype=policy)
    plain = make("autoencoder")
    for epochs in (0, 2):
        before = [kernel.numpy() for kernel in kernels(model.decoder)]
        model.fit(digits, batch_size=32, epochs=epochs, verbose=0)
        for kernel in kernels(model.decoder):
            assert largest_singular_value(kernel) == pytest.approx(1, rel=0.005)
    assert all(np.any(kernel.numpy() != old) for kernel, old in zip(kernels(model.decoder), before))
    assert len(kernels(model.decoder)) == len(kernels(plain.decoder)) == 5
    assert max(largest_singular_value(kernel) for kernel in kernels(plain.decoder)) > 1.2
    assert all(kernel.constraint is None for kernel in kernels(model.encoder))


@pytest.mark.parametrize(("kernel_size", "strides"), [(3, 1), (3, 2), (4, 2), (5, 2)])
def test_a_convolution_enlarges_by_no_more_than_its_overlap(kernel_size, strides):
    # As an operator: the matrix whose columns are the images of the unit vectors.
    bound = -(-kernel_size // strides)
    for kind in (keras.layers.Conv2D, keras.layers.Conv2DTranspose):
        keras.utils.set_random_seed(0)
        layer = kind(2, kernel_size, strides=strides, padding="same", use_bias=False)
        layer.build((None, 6, 6, 2))
        # Positive weights are the worst case: what overlaps adds up.
        layer.kernel.assign(UnitSpectralNorm()(ops.abs(layer.kernel.value)))
        outputs = np.asarray(layer(np.eye(72, dtype="float32").reshape(72, 6, 6, 2)))
        assert 0.5 * bound < largest_singular_value(outputs.reshape(72, -1)) <= 1.005 * bound


# Refused


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match=r"objective\.code_weight is -1: it must be 0 or more"):
        RegularizedSpectral(code_weight=-1)
    with pytest.raises(ValueError, match=r"objective\.decoder_weight is -1: it must be 0 or more"):
        RegularizedL2(decoder_weight=-1)
