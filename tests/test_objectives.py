import types

import numpy as np
import pytest

from keras_vae.model.autoencoder import Dims
from keras_vae.model.objectives import BetaVAE, PlainAutoencoder, VariationalBound
from keras_vae.model.posteriors import DiagonalGaussian, Point

DISTORTION, RATE = np.array([10.0, 20.0, 30.0], "float32"), np.array([1.0, 2.0, 4.0], "float32")
DIMS = Dims(pixels=784, latents=16)


def terms_of(objective, iteration=0):
    step = types.SimpleNamespace(distortion=DISTORTION, rate=RATE, iteration=np.float32(iteration))
    return objective(types.SimpleNamespace(dims=DIMS), step)


def test_an_autoencoder_has_the_distortion_alone_and_a_point_for_a_code():
    np.testing.assert_array_equal(terms_of(PlainAutoencoder())["loss"], DISTORTION)
    assert PlainAutoencoder().latent == Point()
    assert PlainAutoencoder().effective_beta(DIMS) is None


def test_the_bound_is_distortion_plus_rate():
    np.testing.assert_allclose(terms_of(VariationalBound())["loss"], [11, 22, 34])
    assert VariationalBound().latent == DiagonalGaussian()


@pytest.mark.parametrize("beta", [0.0, 0.5, 4.0])
def test_beta_weighs_the_rate_and_nothing_that_is_reported(beta):
    terms = terms_of(BetaVAE(beta=beta))
    np.testing.assert_allclose(terms["loss"], DISTORTION + beta * RATE)
    np.testing.assert_array_equal(terms["rate"], RATE)
    np.testing.assert_array_equal(terms["distortion"], DISTORTION)


def test_beta_one_is_the_plain_vae():
    np.testing.assert_array_equal(terms_of(BetaVAE(beta=1.0))["loss"], terms_of(VariationalBound())["loss"])


def test_the_mean_reduction_is_beta_of_pixels_by_latents():
    # mean over P pixels + mean over d latents = (distortion + (P / d) rate) / P
    mean, scaled = terms_of(VariationalBound(reduction="mean")), terms_of(BetaVAE(beta=784 / 16))
    np.testing.assert_allclose(mean["loss"], scaled["loss"])
    np.testing.assert_allclose(mean["loss"] / 784, DISTORTION / 784 + RATE / 16, rtol=1e-6)
    assert BetaVAE(beta=2.0, reduction="mean").effective_beta(DIMS) == 2 * 784 / 16


@pytest.mark.parametrize(("iteration", "weight"), [(0, 0.1), (4, 0.5), (9, 1.0), (10, 1.0), (10_000, 1.0)])
def test_warmup_lets_the_weight_grow_by_the_step_up_to_one(iteration, weight):
    loss = terms_of(VariationalBound(warmup=10), iteration)["loss"]
    np.testing.assert_allclose(loss, DISTORTION + weight * RATE, rtol=1e-6)
    loss = terms_of(BetaVAE(warmup=10, beta=3.0), iteration)["loss"]
    np.testing.assert_allclose(loss, DISTORTION + 3 * weight * RATE, rtol=1e-6)


def test_warmup_leaves_the_final_weight_as_it_is():
    assert VariationalBound(warmup=100).effective_beta(DIMS) == 1
    assert BetaVAE(warmup=100, beta=3.0).effective_beta(DIMS) == 3


@pytest.mark.parametrize("beta", [-1.0, float("nan")])
def test_a_beta_that_is_no_weight_is_refused(beta):
    with pytest.raises(ValueError, match=r"objective\.beta is .*0 or more \(1 is the plain VAE\)"):
        BetaVAE(beta=beta)


def test_a_negative_warmup_is_refused():
    with pytest.raises(ValueError, match=r"objective\.warmup is -1: expected a number of steps, 0 or more"):
        VariationalBound(warmup=-1)
