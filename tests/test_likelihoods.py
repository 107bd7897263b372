import numpy as np
import pytest
import scipy.special
import scipy.stats

from keras_vae.lazy import keras, tf
from keras_vae.likelihoods import (
    LIKELIHOODS,
    MIN_LOG_SIGMA,
    Bernoulli,
    Gaussian,
    LearnedGaussian,
    OptimalGaussian,
)

SHAPE = (5, 4, 3, 2)  # batch, height, width, channels


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(size=SHAPE).astype("float32")


@pytest.fixture
def decoded():
    return np.random.default_rng(1).uniform(0.1, 0.9, size=SHAPE).astype("float32")


def per_image(values):
    return values.sum(axis=(1, 2, 3))


def gaussian_nats(images, means, sigma):
    log_density = scipy.stats.norm.logpdf(images.astype("float64"), means.astype("float64"), sigma)
    return per_image(log_density)


def with_log_sigma(means, log_sigma):
    """The decoder's output where the likelihood appends the log of its standard deviation."""
    return np.concatenate([means, np.full_like(means[..., :1], log_sigma)], axis=-1)


def test_bernoulli_is_the_sum_of_pixel_log_masses_in_nats(images, decoded):
    bits, logits = (images > 0.5).astype("float32"), 8 * decoded - 4
    expected = per_image(scipy.stats.bernoulli.logpmf(bits, scipy.special.expit(logits.astype("float64"))))
    np.testing.assert_allclose(Bernoulli().log_prob(bits, logits), expected, rtol=1e-5)


def test_bernoulli_of_zero_logits_is_log_two_a_pixel(images):
    # log(1/2) for each of the 4 * 3 * 2 values, whatever the image
    nats = Bernoulli("none").log_prob(images, np.zeros(SHAPE, "float32"))
    np.testing.assert_allclose(nats, np.full(5, -24 * np.log(2)), rtol=1e-6)


@pytest.mark.parametrize("sigma", [0.02, 0.1, 1.0])
def test_gaussian_is_the_sum_of_pixel_log_densities_in_nats(images, decoded, sigma):
    expected = gaussian_nats(images, decoded, sigma)
    np.testing.assert_allclose(Gaussian(sigma).log_prob(images, decoded), expected, rtol=1e-4)


@pytest.mark.parametrize("log_sigma", [-4.0, -1.0, 0.5])
def test_learned_gaussian_reads_log_sigma_from_the_last_channel(images, decoded, log_sigma):
    nats = LearnedGaussian().log_prob(images, with_log_sigma(decoded, log_sigma))
    np.testing.assert_allclose(nats, gaussian_nats(images, decoded, np.exp(log_sigma)), rtol=1e-4)


def test_optimal_gaussian_is_the_gaussian_whose_variance_is_the_error(images, decoded):
    sigma = np.sqrt(np.mean(np.square(images.astype("float64") - decoded)))
    expected = gaussian_nats(images, decoded, sigma)
    np.testing.assert_allclose(OptimalGaussian().log_prob(images, decoded), expected, rtol=1e-4)
    # Each value costs (1 + log 2 pi + log MSE) / 2 in the mean (Rybkin et al. 2021, equation 6).
    total = -0.5 * 24 * 5 * (1 + np.log(2 * np.pi * sigma**2))
    assert float(np.sum(OptimalGaussian().log_prob(images, decoded))) == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.1, 2.0])
def test_no_fixed_sigma_beats_the_optimal_one(images, decoded, factor):
    sigma = factor * float(np.sqrt(np.mean(np.square(images - decoded))))
    best = float(np.sum(OptimalGaussian().log_prob(images, decoded)))
    assert float(np.sum(Gaussian(sigma).log_prob(images, decoded))) < best


def test_optimal_gaussian_of_a_perfect_decoder_is_bounded_with_finite_gradients(images):
    decoded = tf.Variable(images)
    with tf.GradientTape() as tape:
        nats = OptimalGaussian().log_prob(tf.constant(images), decoded)
    # sigma stops at exp(-6): -24 (log sqrt(2 pi) - 6)
    np.testing.assert_allclose(nats, np.full(5, -24 * (0.5 * np.log(2 * np.pi) + MIN_LOG_SIGMA)), rtol=1e-5)
    assert np.isfinite(tape.gradient(nats, decoded)).all()


def test_gradient_of_learned_sigma_vanishes_at_the_mean_squared_error(images, decoded):
    # d/ds of -n s - SSE exp(-2 s) / 2 is -n + SSE exp(-2 s), zero where exp(2 s) = SSE / n
    best = 0.5 * np.log(np.mean(np.square(images - decoded)))
    gradients = []
    for log_sigma in (best - 0.1, best, best + 0.1):
        variable = tf.Variable(np.float32(log_sigma))
        with tf.GradientTape() as tape:
            channel = tf.zeros([*SHAPE[:-1], 1]) + variable
            nats = LearnedGaussian().log_prob(images, tf.concat([decoded, channel], axis=-1))
        gradients.append(float(tape.gradient(nats, variable)))
    assert gradients[1] == pytest.approx(0, abs=1e-3)
    assert gradients[0] > 20
    assert gradients[2] < -20


def test_learned_sigma_has_a_weight_that_the_density_trains(images, decoded):
    (layer,) = LearnedGaussian().head()
    with tf.GradientTape() as tape:
        output = layer(tf.constant(decoded))
        loss = -tf.reduce_sum(LearnedGaussian().log_prob(images, output))
    assert output.shape == (5, 4, 3, 3)
    # It starts at sigma = 1, up to the softness of the bound, and the error is smaller: sigma has to fall.
    np.testing.assert_allclose(output[..., -1], np.zeros(SHAPE[:-1]), atol=3e-3)
    assert float(tape.gradient(loss, layer.log_sigma)) > 0


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_every_likelihood_has_one_interface(name, images):
    likelihood = LIKELIHOODS[name]()
    outputs = keras.Input((4, 3, likelihood.num_parameters(2)))
    for layer in likelihood.head():
        outputs = layer(outputs)
    decoded = np.random.default_rng(2).normal(0, 2, (5, *outputs.shape[1:])).astype("float32")
    nats = np.asarray(likelihood.log_prob(likelihood.observe(images, 3), decoded))
    shown = np.asarray(likelihood.mean(decoded))
    assert nats.shape == (5,)
    assert np.isfinite(nats).all()
    assert shown.shape == SHAPE
    assert shown.min() >= 0
    assert shown.max() <= 1


def test_dynamic_binarisation_draws_bits_whose_mean_is_the_grey_value():
    grey = np.linspace(0, 1, 11, dtype="float32")
    draws = np.asarray(Bernoulli().observe(np.tile(grey, (20_000, 1)), 7))
    assert set(np.unique(draws)) == {0.0, 1.0}
    standard_error = np.sqrt(grey * (1 - grey) / 20_000)
    assert (np.abs(draws.mean(axis=0) - grey) <= 4 * standard_error).all()  # exact at black and at white


def test_dynamic_binarisation_is_a_function_of_the_seed(images):
    first, again, other = (np.asarray(Bernoulli().observe(images, seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.1


def test_threshold_cuts_at_one_half_and_none_keeps_grey():
    grey = np.array([[0.0, 0.49, 0.5, 0.51, 1.0]], "float32")
    np.testing.assert_array_equal(Bernoulli("threshold").observe(grey, 0), [[0, 0, 0, 1, 1]])
    np.testing.assert_array_equal(Bernoulli("none").observe(grey, 0), grey)


def test_gaussians_take_images_as_they_are(images):
    for likelihood in (Gaussian(), LearnedGaussian(), OptimalGaussian()):
        np.testing.assert_array_equal(likelihood.observe(images, 0), images)


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("nan")])
def test_a_sigma_that_is_no_scale_is_refused_with_the_way_out(sigma):
    with pytest.raises(ValueError, match=r"likelihood\.sigma is .*above 0 \(try --likelihood.sigma 0.1\)"):
        Gaussian(sigma)
