"""Samplers that train a network: flows and the two-stage autoencoder; and the subspace that they work in."""

import random
import resource
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import multivariate_normal

from keras_vae.layers import flows
from keras_vae.samplers import SAMPLERS, Codes, FlowSampler, GaussianSampler, TwoStage, Vamp
from keras_vae.samplers.second_stage import GAIN, SecondStage
from keras_vae.samplers.subspace import find_subspace
from keras_vae.samplers.training import train

NO_NOISE = -100.0  # the log-variance that plain autoencoders are given


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, "float32")


def bananas(count, seed=0):
    """Codes whose draws are (a, b + a^2 - 1), a and b standard normal; the posteriors have half of b's variance."""
    first, second = normal(2, count, seed=seed)
    mean = np.stack([first, np.sqrt(0.5) * second + first**2 - 1], axis=1)
    log_var = np.stack([np.full(count, -9.0), np.full(count, np.log(0.5))], axis=1)
    return Codes(mean, log_var.astype("float32"))


def draws_of(codes, seed=100):
    return codes.mean + np.exp(0.5 * codes.log_var) * normal(*codes.mean.shape, seed=seed)


def covariance_of(subspace):
    """The covariance of codes where t is N(0, I), without any saving of memory."""
    scale, axes = np.diag(subspace.scale.astype("float64")), subspace.axes.astype("float64")
    if subspace.is_whole:
        return scale @ scale
    inside = axes @ np.diag(np.square(subspace.spread.astype("float64"))) @ axes.T
    return scale @ (inside + np.eye(len(axes)) - axes @ axes.T) @ scale


@pytest.mark.parametrize("rank", [1, 3, 6])
def test_the_density_around_a_subspace_is_scipys(rank):
    # A flow that was not trained is the identity, so the codes are GaussianSampler.
    codes = Codes(normal(400, 6) @ normal(6, 6, seed=1) + 3, 0.5 * normal(400, 6, seed=2) - 1)
    sampler = FlowSampler((6,), rank=rank, updates=0).fit(codes)
    subspace = sampler.density.subspace
    expected = multivariate_normal(subspace.center, covariance_of(subspace))
    points = 4 * normal(7, 6, seed=3)
    np.testing.assert_allclose(sampler.log_prob(points), expected.logpdf(points), rtol=1e-4)
    draws = sampler.sample(np.arange(6000)).numpy()
    np.testing.assert_allclose(draws.mean(axis=0), expected.mean, atol=0.2)
    np.testing.assert_allclose(
        np.cov(draws, rowvar=False), expected.cov, atol=0.06 * np.abs(expected.cov).max()
    )


def test_the_coordinates_of_draws_are_uncorrelated_and_of_unit_variance():
    codes = Codes(4 * normal(2000, 5) @ normal(5, 30, seed=1), normal(2000, 30, seed=2) - 1)
    subspace = find_subspace(*codes, rank=4)
    coordinates, squared = subspace.coordinates(codes.mean, 0.5 * codes.log_var, np.random.default_rng(0))
    np.testing.assert_allclose(np.cov(coordinates, rowvar=False), np.eye(4), atol=0.06)
    # What is left is noise of unit variance in 26 dimensions.
    assert squared.mean() == pytest.approx(26, rel=0.05)
    np.testing.assert_allclose(subspace.axes.T @ subspace.axes, np.eye(4), atol=1e-5)


def test_embedding_undoes_the_coordinates():
    codes = Codes(normal(50, 8), normal(50, 8, seed=1))
    for rank in (3, 8):
        subspace = find_subspace(*codes, rank=rank)
        coordinates, _ = subspace.coordinates(codes.mean)
        away = ((codes.mean - subspace.center) / subspace.scale).astype("float32")
        again = subspace.embed(coordinates.astype("float32"), None if subspace.is_whole else away)
        np.testing.assert_allclose(again, codes.mean, atol=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("settings", [{"kind": "maf"}, {"kind": "realnvp"}, {"rank": 1}])
def test_a_log_density_integrates_to_one(settings):
    sampler = FlowSampler((2,), **{"updates": 200, "width": 16, **settings}).fit(bananas(500))
    across, up = np.linspace(-6, 6, 301), np.linspace(-8, 25, 801)
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    cell = (across[1] - across[0]) * (up[1] - up[0])
    assert np.exp(sampler.log_prob(grid)).sum() * cell == pytest.approx(1, abs=0.01)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["maf", "realnvp"])
def test_a_flow_comes_close_to_the_entropy_and_its_samples_to_the_moments(kind):
    codes = bananas(4000)
    sampler = FlowSampler((2,), kind=kind, updates=800, width=32).fit(codes)
    held_out = draws_of(bananas(8000, seed=5))
    entropy = np.log(2 * np.pi * np.e)
    log_prob = sampler.log_prob(held_out).mean()
    # The sample's standard error is 0.011; a Gaussian is log(3) / 2 = 0.55 nats worse.
    assert -entropy - 0.06 < log_prob < -entropy + 0.04
    assert GaussianSampler((2,)).fit(codes).log_prob(held_out).mean() < -entropy - 0.4
    draws = sampler.sample(np.arange(4000)).numpy()
    np.testing.assert_allclose(draws.mean(axis=0), [0, 0], atol=0.2)
    np.testing.assert_allclose(np.cov(draws, rowvar=False), [[1, 0], [0, 3]], atol=0.7)
    assert np.corrcoef(draws[:, 0] ** 2, draws[:, 1])[0, 1] > 0.7  # sqrt(2/3) = 0.82


def test_the_two_stages_samples_bend_as_the_codes_do():
    sampler = TwoStage((2,), updates=1000, width=64).fit(bananas(4000))
    draws = sampler.sample(np.arange(4000)).numpy()
    np.testing.assert_allclose(draws.mean(axis=0), [0, 0], atol=0.25)
    np.testing.assert_allclose(np.cov(draws, rowvar=False), [[1, 0], [0, 3]], atol=0.9)
    assert np.corrcoef(draws[:, 0] ** 2, draws[:, 1])[0, 1] > 0.6  # of a Gaussian 0


def test_the_second_stages_loss_by_hand():
    # All weights 0: the posterior is N(0, I), as good as the bounds on its variance, whose rate is 0; f(u) = 0.
    stage = SecondStage(3, 8, seed=0)
    for weight in stage.weights:
        weight.assign(tf.zeros_like(weight))
    stage.decoder.gamma_weight.assign(0.7 / GAIN)
    codes = 2 * normal(5, 3)
    expected = np.square(codes).sum(axis=1) / (2 * np.exp(1.4)) + 3 * 0.7 + 1.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(stage.loss(codes, [1, 2]), expected, rtol=1e-4)


def test_gamma_falls_to_the_noise_that_is_there():
    # Standardised codes on a line: f can follow it, and what it leaves has no more than the line's own noise.
    along = normal(2000, 1)
    codes = Codes(np.concatenate([along, along], axis=1), np.full((2000, 2), np.log(0.01), "float32"))
    sampler = TwoStage((2,), updates=800, width=32).fit(codes)
    draws = sampler.sample(np.arange(2000)).numpy()
    assert np.std(draws[:, 0] - draws[:, 1]) < 3 * np.sqrt(0.02)
    with sampler.constant_weights():
        gamma = float(keras.ops.exp(GAIN * sampler.part.gamma_weight))
    assert 0.5 * 0.1 < gamma < 3 * 0.1


def test_a_trained_flow_is_handed_over_as_it_is():
    flow = flows.Flow(12, "realnvp", depth=3, width=16, seed=4)
    for index, weight in enumerate(flow.weights):
        weight.assign(weight + 0.2 * normal(*weight.shape, seed=index))
    sampler = FlowSampler.of_flow(flow, (2, 2, 3))
    codes = sampler.sample(np.arange(5))
    assert codes.shape == (5, 2, 2, 3)
    expected = flow.log_prob(tf.reshape(codes, (5, 12)))
    np.testing.assert_allclose(sampler.log_prob(codes), expected, rtol=1e-5)
    flow.weights[0].assign(tf.ones_like(flow.weights[0]))
    np.testing.assert_array_equal(sampler.sample(np.arange(5)), codes)  # with the weights that it had then


@pytest.mark.parametrize("settings", [{"dim": 4}, {"dim": 3, "context_dim": 2}])
def test_a_flow_that_does_not_fit_the_latent_is_refused(settings):
    with pytest.raises(ValueError, match="must have the latent's 3 dimensions and no context"):
        FlowSampler.of_flow(flows.Flow(**settings), (3,))


class Settings:
    updates, seed = 1000, 0


def test_training_ends_with_the_best_weights_that_were_seen():
    def squared(rows, seed):
        del seed
        return tf.reduce_sum((rows - weight) ** 2, axis=1)

    rows, apart = np.ones((100, 1), "float32"), np.zeros((10, 1), "float32")
    weight = keras.Variable([0.0])
    assert train(squared, [weight], rows, apart, Settings) == 0  # any update makes it worse
    assert float(weight[0]) == 0
    assert train(squared, [weight], rows, rows, Settings) < 0.3
    assert float(weight[0]) > 0.5


@pytest.mark.long
@pytest.mark.parametrize("kind", [FlowSampler, TwoStage])
def test_global_random_states_stay_as_they_are(kind):
    state, numpy_state = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    kind((3,), updates=100, width=8).fit(Codes(normal(40, 3), normal(40, 3, seed=1))).sample([1])
    assert random.getstate() == state
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


@pytest.mark.long
@pytest.mark.parametrize("kind", [FlowSampler, TwoStage])
@pytest.mark.parametrize("num_codes", [1, 2, 12])
def test_few_codes_are_fitted_all_the_same(kind, num_codes):
    for shape in ((3,), (5, 5, 4)):
        codes = Codes(normal(num_codes, *shape), np.full((num_codes, *shape), NO_NOISE))
        sampler = kind(shape, updates=100, width=8).fit(codes)
        assert np.isfinite(sampler.sample(np.arange(4))).all()


def test_a_large_collapsed_model_is_sampled_from_the_prior():
    codes = Codes(np.zeros((200, 100), "float32"), np.zeros((200, 100), "float32"))
    sampler = FlowSampler((100,), updates=0).fit(codes)
    points = normal(3, 100)
    expected = -0.5 * (100 * np.log(2 * np.pi) + np.square(points).sum(axis=1))
    np.testing.assert_allclose(sampler.log_prob(points), expected, rtol=1e-4)
    np.testing.assert_allclose(sampler.sample(np.arange(500)).numpy().std(), 1, atol=0.02)


@pytest.mark.long
@pytest.mark.parametrize("name", ["flow", "two_stage", "vamp"])
def test_a_latent_of_65536_takes_memory_for_its_subspace_alone(name):
    shape = (8, 8, 1024)
    directions = normal(10, 65_536, seed=1) / 256
    signal = 5 * normal(500, 10) @ directions
    codes = Codes(signal.reshape(500, *shape), np.full((500, *shape), -0.02, "float32"))
    settings = {} if name == "vamp" else {"updates": 100, "width": 32, "rank": 16}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB
    begun = time.perf_counter()
    sampler = SAMPLERS[name](shape, **settings).fit(codes)
    draws = sampler.sample(np.arange(20)).numpy()
    assert time.perf_counter() - begun < 120
    # d x d numbers would be 17 GB; the codes themselves are 0.26.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 1200 * 1024
    assert draws.std() == pytest.approx(codes.mean.std() ** 2 + np.exp(-0.02), rel=0.1)
    axes = np.linalg.qr(directions.T)[0].T
    radius = [
        np.linalg.norm(flat.reshape(len(flat), -1) @ axes.T, axis=1).mean() for flat in (draws, codes.mean)
    ]
    assert radius[0] == pytest.approx(radius[1], rel=0.25)
    if name != "two_stage":
        # log q of q's own draws, about -(d log(2 pi e) + log det) / 2; a posterior's own draws lack the signal.
        expected = -0.5 * 65_536 * (np.log(2 * np.pi) + 1 - 0.02)
        assert sampler.log_prob(draws).mean() == pytest.approx(expected, abs=200)


def test_vamp_has_far_fewer_numbers_than_it_may():
    with pytest.raises(ValueError, match="allows at most 33,554,432"):
        Vamp((2**26,)).fit(Codes(*np.zeros((2, 1, 2**26), "float32")))
