import numpy as np
import pytest
import scipy.ndimage
import scipy.special
import scipy.stats

from keras_vae.evaluation.metrics.reconstruction import ssim
from keras_vae.layers.densities import soft_bounds
from keras_vae.model.likelihoods import (
    LIKELIHOODS,
    Bernoulli,
    ContinuousBernoulli,
    DiscretizedLogistic,
    Gaussian,
    GaussianPerPixel,
    Laplace,
    LearnedGaussian,
    LearnedLaplace,
    LogisticMixture,
    MultiScaleSimilarity,
    OptimalGaussian,
)
from keras_vae.model.likelihoods.gaussian import MIN_LOG_SIGMA
from keras_vae.model.likelihoods.logistic import MAX_LOG_SCALE, MIN_LOG_SCALE
from keras_vae.model.likelihoods.ms_ssim import gaussian_window, multi_scale_similarity, num_scales
from keras_vae.runtime.lazy import keras, tf

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


# What the decoder may say of one grey pixel; each density has to hold together at all of them.
ONE_PIXEL = [
    *((ContinuousBernoulli(), [logit]) for logit in (0.0, 1e-4, -0.3, 0.99, 1.01, -3.0, 12.0, -300.0)),
    *((GaussianPerPixel(), [0.3, log_sigma]) for log_sigma in (-3.0, -1.0, 0.5)),
    (LearnedLaplace(), [0.4, -2.0]),
    (Laplace(0.05), [0.7]),
]
LOGISTICS = [
    (DiscretizedLogistic(levels), [location, log_scale])
    for levels in (2, 16, 256)
    for location in (-0.5, 0.0, 0.31, 1.0, 4.0)
    for log_scale in (-30.0, -5.0, -2.0, 0.0, 30.0)
]


def one_pixel(likelihood, grid, parameters):
    """The log densities of images of one grey pixel, `[n]`, and the image that is shown."""
    decoded = np.tile(np.array(parameters, "float32"), (len(grid), 1, 1, 1))
    nats = likelihood.log_prob(grid.astype("float32").reshape(-1, 1, 1, 1), decoded)
    assert keras.backend.standardize_dtype(nats.dtype) == "float32"
    return np.asarray(nats, "float64"), float(np.asarray(likelihood.mean(decoded))[0, 0, 0, 0])


@pytest.mark.parametrize(("likelihood", "parameters"), ONE_PIXEL)
def test_density_integrates_to_one_and_its_mean_is_the_image_shown(likelihood, parameters):
    low, high = (0, 1) if isinstance(likelihood, ContinuousBernoulli) else (-15, 16)
    grid = np.linspace(low, high, 200_001)
    nats, shown = one_pixel(likelihood, grid, parameters)
    density = np.exp(nats)
    assert np.trapezoid(density, grid) == pytest.approx(1, rel=1e-4)
    assert shown == pytest.approx(np.trapezoid(grid * density, grid), abs=1e-4)


@pytest.mark.parametrize("logit", [-20.0, -1.001, -0.999, -0.01, 0.002, 0.6, 7.0])
def test_continuous_bernoulli_is_a_truncated_exponential(logit):
    # exp(t x) over [0, 1] falls off at the rate -t; with t above 0 it is seen from the other end.
    grid = np.linspace(0, 1, 11)
    expected = scipy.stats.truncexpon.logpdf(
        grid if logit < 0 else 1 - grid, abs(logit), scale=1 / abs(logit)
    )
    nats, shown = one_pixel(ContinuousBernoulli(), grid, [logit])
    np.testing.assert_allclose(nats, expected, rtol=1e-5, atol=1e-5)
    # Their equation 7, with the probability p of the logit: p / (2p - 1) + 1 / (2 artanh(1 - 2p))
    p = scipy.special.expit(logit)
    assert shown == pytest.approx(p / (2 * p - 1) + 1 / (2 * np.arctanh(1 - 2 * p)), abs=1e-5)


def test_continuous_bernoulli_of_zero_logits_is_uniform(images):
    np.testing.assert_allclose(
        ContinuousBernoulli().log_prob(images, np.zeros(SHAPE, "float32")), np.zeros(5), atol=1e-6
    )


def test_gaussian_per_pixel_reads_each_pixels_own_sigma(images, decoded):
    log_sigma = np.random.default_rng(2).uniform(-4, -1, SHAPE).astype("float32")
    nats = GaussianPerPixel().log_prob(images, np.concatenate([decoded, log_sigma], axis=-1))
    # The bounds are soft: between them they are the identity up to exp of minus the distance to the nearer one.
    sigma = np.exp(np.asarray(soft_bounds(log_sigma, MIN_LOG_SIGMA, 1.0)))
    np.testing.assert_allclose(nats, gaussian_nats(images, decoded, sigma), rtol=1e-4)
    np.testing.assert_allclose(np.log(sigma), log_sigma, atol=0.2)


@pytest.mark.parametrize("scale", [0.02, 0.1, 1.0])
def test_laplace_is_the_sum_of_pixel_log_densities_in_nats(images, decoded, scale):
    expected = per_image(scipy.stats.laplace.logpdf(images.astype("float64"), decoded, scale))
    np.testing.assert_allclose(Laplace(scale).log_prob(images, decoded), expected, rtol=1e-4)
    learned = LearnedLaplace().log_prob(images, with_log_sigma(decoded, np.log(scale)))
    np.testing.assert_allclose(learned, expected, rtol=1e-4)


@pytest.mark.parametrize(("likelihood", "parameters"), LOGISTICS)
def test_logistic_has_the_mass_of_each_cell_and_shows_its_mean(likelihood, parameters):
    levels = likelihood.levels
    grid = np.linspace(0, 1, levels)
    nats, shown = one_pixel(likelihood, grid, parameters)
    log_scale = float(soft_bounds(np.float32(parameters[1]), MIN_LOG_SCALE, MAX_LOG_SCALE))
    logistic = scipy.stats.logistic(parameters[0], np.exp(log_scale))
    edges = np.concatenate([[-np.inf], grid[:-1] + 0.5 / (levels - 1), [np.inf]])
    # The mass above an edge is the smaller number on the right, the mass below it on the left.
    masses = np.where(grid > parameters[0], -np.diff(logistic.sf(edges)), np.diff(logistic.cdf(edges)))
    seen = masses > 1e-30
    np.testing.assert_allclose(nats[seen], np.log(masses[seen]), rtol=2e-4, atol=2e-4)
    assert np.exp(nats).sum() == pytest.approx(1, rel=1e-4)
    # The mean is that of the logistic clipped to [0, 1]. The cells are a midpoint rule for it: off by half a cell h
    # at most and, where h is below the scale, by h^2 / 24 times a difference of slopes up to 1 / (4 scale).
    cell, scale = 1 / (levels - 1), np.exp(log_scale)
    assert shown == pytest.approx(
        masses @ grid, abs=(cell**2 / (80 * scale) if cell < scale else cell / 2) + 1e-5
    )


def mixture_parameters(channels, components, log_scale, seed=0):
    """Parameters of one pixel in the order that `LogisticMixture` documents, and their parts."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=components)
    locations = generator.uniform(0.35, 0.65, (channels, components))
    log_scales = log_scale + 0.3 * generator.normal(size=(channels, components))
    coefficients = 0.4 * generator.normal(size=(channels * (channels - 1) // 2, components))
    parts = logits, locations, log_scales, coefficients
    return np.concatenate([part.ravel() for part in parts]), parts


@pytest.mark.parametrize(
    ("channels", "components", "levels"), [(1, 1, 256), (1, 5, 256), (2, 3, 12), (3, 2, 8)]
)
def test_mixture_sums_to_one_over_all_pixels_and_shows_its_mean(channels, components, levels):
    likelihood = LogisticMixture(components, levels)
    parameters, _ = mixture_parameters(channels, components, log_scale=-3.0)
    assert len(parameters) == likelihood.num_parameters(channels)
    values = np.stack(np.meshgrid(*[np.linspace(0, 1, levels)] * channels, indexing="ij"), axis=-1)
    pixels = values.reshape(-1, 1, 1, channels).astype("float32")
    decoded = np.tile(parameters.astype("float32"), (len(pixels), 1, 1, 1))
    masses = np.exp(np.asarray(likelihood.log_prob(pixels, decoded), "float64"))
    assert masses.sum() == pytest.approx(1, rel=1e-4)
    shown = np.asarray(likelihood.mean(decoded))[0, 0, 0]
    np.testing.assert_allclose(shown, masses @ pixels[:, 0, 0], atol=3e-3)


def test_mixture_is_that_of_the_paper_where_it_is_written_out():
    # Salimans et al. 2017, equation 3: green moves with red, blue with red and with green.
    components, levels = 3, 256
    parameters, (logits, locations, log_scales, coefficients) = mixture_parameters(
        3, components, log_scale=-2.5, seed=4
    )
    red, green, blue = pixel = np.array([200, 17, 255]) / 255
    total = 0
    for m, weight in enumerate(scipy.special.softmax(logits)):
        alpha, beta, gamma = np.tanh(coefficients[:, m])
        moved = locations[0, m], locations[1, m] + alpha * red, locations[2, m] + beta * red + gamma * green
        scales = np.exp(
            np.asarray(soft_bounds(log_scales[:, m].astype("float32"), MIN_LOG_SCALE, MAX_LOG_SCALE))
        )
        for value, location, scale in zip(pixel, moved, scales):
            logistic = scipy.stats.logistic(location, scale)
            weight *= (
                1 - logistic.cdf(value - 0.5 / 255)
                if value == 1
                else np.diff(logistic.cdf(value + np.array([-0.5, 0.5]) / 255))[0]
            )
        total += weight
    decoded = parameters.reshape(1, 1, 1, -1).astype("float32")
    nats = LogisticMixture(components, levels).log_prob(pixel.reshape(1, 1, 1, 3).astype("float32"), decoded)
    assert float(nats[0]) == pytest.approx(np.log(total), rel=1e-4)
    assert blue == 1  # the last level, whose cell has no end


def test_mixture_of_one_component_and_one_channel_is_the_logistic(images):
    grey = images[..., :1]
    parameters = np.random.default_rng(5).normal(0, 1, (*grey.shape[:-1], 2)).astype("float32")
    with_logit = np.concatenate([np.ones_like(grey), parameters], axis=-1)
    one, other = LogisticMixture(components=1), DiscretizedLogistic()
    np.testing.assert_allclose(one.log_prob(grey, with_logit), other.log_prob(grey, parameters), rtol=1e-5)
    np.testing.assert_allclose(one.mean(with_logit), other.mean(parameters), atol=1e-6)


@pytest.mark.parametrize("name", LIKELIHOODS)
@pytest.mark.parametrize("extreme", [0.0, 1e-6, 1e-3, 1.0, -1.0, 50.0, -50.0, 1e4, -1e4])
def test_values_and_gradients_are_finite_at_extremes(name, extreme):
    likelihood = LIKELIHOODS[name]()
    images = tf.reshape(tf.constant([0.0, 0.5, 1.0] * 12), (1, 6, 6, 1))
    decoded = tf.Variable(tf.fill((1, 6, 6, 1), extreme))
    with tf.GradientTape() as tape:
        # A learned scale is bounded by its own layer; the parameters beside it are not.
        outputs = tf.tile(decoded, (1, 1, 1, likelihood.num_parameters(1)))
        for layer in likelihood.head():
            outputs = layer(outputs)
        nats, shown = likelihood.log_prob(images, outputs), likelihood.mean(outputs)
        total = tf.reduce_sum(nats) + tf.reduce_sum(shown)
    assert nats.dtype == shown.dtype == tf.float32
    assert np.isfinite(nats).all()
    assert np.isfinite(shown).all()
    assert 0 <= np.min(shown) <= np.max(shown) <= 1
    assert np.isfinite(tape.gradient(total, decoded)).all()


# Two images of one kind, each with its size: 176 is the least at which all five scales have room for the window.
@pytest.mark.parametrize("channels", [1, 3])
def test_ms_ssim_is_tensorflows(channels):
    generator = np.random.default_rng(6)
    first = scipy.ndimage.gaussian_filter(generator.random((2, 176, 192, channels)), (0, 2, 2, 0))
    first = ((first - first.min()) / np.ptp(first)).astype("float32")
    second = np.clip(0.7 * first + 0.3 * generator.random(first.shape), 0, 1).astype("float32")
    expected = np.asarray(tf.image.ssim_multiscale(first, second, max_val=1.0))
    assert 0.3 < expected.min() < expected.max() < 0.98
    np.testing.assert_allclose(multi_scale_similarity(first, second), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("side", "scales"), [(1, 1), (8, 1), (21, 1), (22, 2), (28, 2), (64, 3), (175, 4), (176, 5), (999, 5)]
)
def test_ms_ssim_has_as_many_scales_as_hold_a_window(side, scales):
    assert num_scales(side) == scales
    assert len(gaussian_window(side)) <= side >> (scales - 1)


def test_ms_ssim_of_a_small_image_is_ssim():
    images = np.random.default_rng(8).random((4, 9, 13, 3)).astype("float32")
    second = (0.8 * images + 0.1).astype("float32")
    np.testing.assert_allclose(multi_scale_similarity(images, second), ssim(images, second), atol=1e-4)


def test_ms_ssim_is_a_distortion_that_is_least_at_the_image(images):
    likelihood, logits = MultiScaleSimilarity(weight=2.0), scipy.special.logit(images)
    np.testing.assert_allclose(likelihood.log_prob(images, logits), np.zeros(5), atol=1e-3)
    worse = np.asarray(likelihood.log_prob(images, np.roll(logits, 1, axis=0)))
    assert (worse < -2.0).all()
    assert (worse > -2.0 * 24 * 1.01).all()  # `weight` nats a value at a similarity of 0


@pytest.mark.long
def test_images_of_inverted_contrast_find_back():
    # The structure of the negative is -1, of which no root exists; there is a way back all the same.
    image = np.random.default_rng(7).uniform(0.2, 0.8, (1, 12, 12, 1)).astype("float32")
    likelihood, decoded = MultiScaleSimilarity(), tf.Variable(scipy.special.logit(1 - image))
    optimizer = keras.optimizers.Adam(0.05)
    losses = []
    for _ in range(150):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_sum(likelihood.log_prob(image, decoded))
        optimizer.apply([tape.gradient(loss, decoded)], [decoded])
        losses.append(float(loss))
    assert losses[0] > 0.98 * 144
    assert losses[-1] < 0.1 * 144


def test_a_likelihood_says_what_its_bits_are():
    kinds = {name: likelihood().bin_width for name, likelihood in LIKELIHOODS.items()}
    assert {name for name, width in kinds.items() if width == 1} == {
        "bernoulli",
        "discretized_logistic",
        "logistic_mixture",
    }
    assert {name for name, width in kinds.items() if width is None} == {"ms_ssim"}
    assert {width for width in kinds.values() if width not in (1, None)} == {1 / 255}
    assert Bernoulli("threshold").bin_width == 1
    assert Bernoulli("none").bin_width is None
    assert not Bernoulli("none").is_density
    assert not MultiScaleSimilarity().is_density
    assert ContinuousBernoulli().is_density


def test_bits_of_a_density_over_levels_are_those_of_their_masses():
    # A logistic of several levels: its density times a level's width is nearly its mass.
    logistic, levels = scipy.stats.logistic(0.5, 0.05), np.arange(256) / 255
    bits_of_masses = -np.log2(np.diff(logistic.cdf(np.arange(-1, 256) / 255 + 0.5 / 255)))
    bits_of_density = -logistic.logpdf(levels) / np.log(2) - np.log2(Gaussian().bin_width)
    np.testing.assert_allclose(bits_of_density, bits_of_masses, atol=1e-3)


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
    for likelihood in (
        Gaussian(),
        LearnedGaussian(),
        OptimalGaussian(),
        Laplace(),
        ContinuousBernoulli(),
    ):
        np.testing.assert_array_equal(likelihood.observe(images, 0), images)


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("nan")])
def test_a_sigma_that_is_no_scale_is_refused_with_the_way_out(sigma):
    with pytest.raises(ValueError, match=r"likelihood\.sigma is .*above 0 \(try --likelihood.sigma 0.1\)"):
        Gaussian(sigma)


@pytest.mark.parametrize(
    ("likelihood", "fields", "message"),
    [
        (Laplace, {"scale": 0.0}, r"likelihood\.scale is 0.0: it must be above 0"),
        (MultiScaleSimilarity, {"weight": -1.0}, r"likelihood\.weight is -1.0: it must be above 0"),
        (DiscretizedLogistic, {"levels": 1}, r"likelihood\.levels is 1: it must be at least 2 \(try 256\)"),
        (LogisticMixture, {"levels": 0}, r"likelihood\.levels is 0"),
        (LogisticMixture, {"components": 0}, r"likelihood\.components is 0: it must be at least 1 \(try 5\)"),
    ],
)
def test_a_field_out_of_range_is_refused_by_name(likelihood, fields, message):
    with pytest.raises(ValueError, match=message):
        likelihood(**fields)
