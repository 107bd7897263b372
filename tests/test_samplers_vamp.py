"""The mixture of posteriors: which it takes, how they weigh, and its density."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

from keras_vae.samplers import Codes, Vamp, load, save
from keras_vae.samplers.vamp import (
    Components,
    fit_weights,
    held_out_smoothing,
    held_out_weights,
    log_densities,
    log_mixture,
    smoothed,
)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, "float32")


def three_places(count, shares=(0.6, 0.3, 0.1)):
    """Codes at -4, 0 and 4 in two dimensions, of deviation 0.1, with posteriors of deviation 0.5."""
    place = np.repeat([-4, 0, 4], (np.array(shares) * count).astype(int))
    mean = (place[:, None] + 0.1 * normal(len(place), 2)).astype("float32")
    return Codes(mean, np.full(mean.shape, 2 * np.log(0.5), "float32"))


def test_the_log_density_is_scipys_whatever_the_shape():
    weights, means, log_vars = np.array([0.2, 0.5, 0.3]), normal(3, 2, 2, 3), normal(3, 2, 2, 3, seed=1)
    sampler = Vamp.from_arrays(weights, means, log_vars)
    codes = 2 * normal(9, 2, 2, 3, seed=2)
    terms = [
        np.log(weight) + norm(mean, np.exp(0.5 * log_var)).logpdf(codes).sum(axis=(1, 2, 3))
        for weight, mean, log_var in zip(weights, means, log_vars)
    ]
    np.testing.assert_allclose(sampler.log_prob(codes), logsumexp(terms, axis=0), rtol=1e-6)


def test_a_component_far_from_0_loses_no_digits():
    sampler = Vamp.from_arrays([1.0], np.full((1, 4), 1e3), np.full((1, 4), -8.0))
    assert sampler.log_prob(np.full((1, 4), 1e3))[0] == pytest.approx(-2 * np.log(2 * np.pi) + 16, rel=1e-6)


def test_a_log_density_integrates_to_one():
    sampler = Vamp((2,), components=20).fit(three_places(300))
    axis = np.linspace(-8, 8, 321)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    assert np.exp(sampler.log_prob(grid)).sum() * (axis[1] - axis[0]) ** 2 == pytest.approx(1, abs=0.002)


def test_it_takes_posteriors_from_everywhere_and_weighs_them_as_often_as_they_are():
    codes = three_places(1000)
    sampler = Vamp((2,), components=3).fit(codes)
    weights, means, log_vars = sampler.density
    order = np.argsort(means[:, 0])
    np.testing.assert_allclose(means[order, 0], [-4, 0, 4], atol=0.2)
    np.testing.assert_allclose(weights[order], [0.6, 0.3, 0.1], atol=0.01)
    np.testing.assert_allclose(log_vars, 2 * np.log(0.5))
    assert all((mean == codes.mean).all(axis=1).any() for mean in means)  # posteriors of images, not centres


def test_draws_have_the_mixtures_moments():
    sampler = Vamp.from_arrays([0.25, 0.75], [[-2.0, 0], [2, 1]], np.log([[0.25, 4], [1, 0.01]]))
    draws = sampler.sample(np.arange(8000)).numpy()
    # Means 1 and 0.75; variances E[var] + var[mean]: 0.8125 + 3, 1.0075 + 0.1875.
    np.testing.assert_allclose(draws.mean(axis=0), [1, 0.75], atol=0.08)
    np.testing.assert_allclose(draws.var(axis=0), [3.8125, 1.195], rtol=0.06)


def test_a_step_of_expectation_maximisation_never_lowers_the_likelihood_and_ends_at_its_top():
    density = Vamp.from_arrays(np.ones(4), normal(4, 2), np.zeros((4, 2))).density
    table = log_densities(density, 2 * normal(500, 2, seed=1))
    weights = fit_weights(table)
    assert weights.sum() == pytest.approx(1)

    def likelihood(weights):
        return logsumexp(table + np.log(weights), axis=1).mean()

    # The top of a concave function: no other weights are better.
    for seed in range(50):
        other = np.random.default_rng(seed).dirichlet(np.ones(4))
        assert likelihood(weights) > likelihood(0.95 * weights + 0.05 * other) - 1e-4


def test_few_codes_get_fewer_components():
    assert Vamp((3,)).fit(Codes(normal(20, 3), np.zeros((20, 3)))).settings["components"] <= 10
    assert Vamp((3,)).fit(Codes(normal(1, 3), np.zeros((1, 3)))).settings["components"] == 1


def test_what_weighs_nothing_goes():
    sampler = Vamp.from_arrays([0.5, 0.0, 0.5], normal(3, 2), np.zeros((3, 2)))
    assert sampler.settings["components"] == 2
    assert np.isfinite(sampler.log_prob(normal(2, 2))).all()


def test_a_trained_mixture_is_kept_in_a_file(tmp_path):
    sampler = Vamp.from_arrays([0.5, 0.5], normal(2, 2, 2, 1), np.zeros((2, 2, 2, 1)))
    save(sampler, tmp_path / "sampler.npz")
    again = load(tmp_path / "sampler.npz")
    np.testing.assert_array_equal(again.sample(np.arange(5)), sampler.sample(np.arange(5)))


def test_points_and_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="the codes are points"):
        Vamp((3,)).fit(Codes(normal(50, 3), np.full((50, 3), -100.0)))
    with pytest.raises(ValueError, match=r"have the shapes \[2\]"):
        Vamp.from_arrays([0.5, 0.5], normal(3, 2), np.zeros((3, 2)))


@pytest.mark.parametrize("size", [2, 8, 24])
def test_weights_are_never_worse_than_equal_ones_for_codes_that_they_were_not_fitted_to(size):
    # Narrow posteriors in many dimensions: weights of maximum likelihood are worse by nats.
    mean, deviation = normal(600, size), 0.3
    sampler = Vamp((size,), components=200).fit(
        Codes(mean[:400], np.full((400, size), 2 * np.log(deviation), "float32"))
    )
    weights, means, log_vars = sampler.density
    equal = Vamp.from_arrays(np.ones(len(weights)), means, log_vars)
    codes = mean[400:] + deviation * normal(200, size, seed=1)
    gain = sampler.log_prob(codes) - equal.log_prob(codes)
    assert gain.mean() > -2 * gain.std(ddof=1) / np.sqrt(200) - 1e-9


def test_weights_that_only_chance_tells_apart_stay_equal():
    # Every component explains every code equally well in expectation; maximum likelihood prefers some all the same.
    table = 10 * normal(120, 100)
    new = 10 * normal(2000, 100, seed=1)
    fitted, kept = fit_weights(table), held_out_weights(table)
    assert (log_mixture(new, fitted) - log_mixture(new, np.full(100, 0.01))).mean() < -1
    np.testing.assert_allclose(kept, 0.01)


def test_a_smoothed_posterior_is_convolved_and_moves_to_the_center():
    density = Components(np.ones(1), np.array([[3.0, 5.0]], "float32"), np.log([[0.5, 2.0]]))
    _, means, log_vars = smoothed(density, np.array([1.0, 5.0]), np.array([4.0, 0.0]), 0.19)
    # 1 + sqrt(0.81) * 2 and 5; 0.5 + 0.19 * 4 and 2.
    np.testing.assert_allclose(means, [[2.8, 5]], rtol=1e-6)
    np.testing.assert_allclose(np.exp(log_vars), [[1.26, 2]], rtol=1e-6)
    assert smoothed(density, np.zeros(2), np.ones(2), 0.0) is density


@pytest.mark.parametrize("smoothing", [0.1, 0.7])
def test_smoothing_leaves_mean_and_variance_of_the_whole(smoothing):
    means, log_vars = normal(400, 3) @ normal(3, 3, seed=1) + 2, normal(400, 3, seed=2)
    moved = smoothed(
        Components(np.full(400, 1 / 400), means, log_vars), means.mean(axis=0), means.var(axis=0), smoothing
    )
    np.testing.assert_allclose(moved.means.mean(axis=0), means.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(
        np.exp(moved.log_vars).mean(axis=0) + moved.means.var(axis=0),
        np.exp(log_vars).mean(axis=0) + means.var(axis=0),
        rtol=1e-4,
    )


def test_narrow_posteriors_become_a_density_of_new_codes():
    # Means of N(0, I) in 8 dimensions: the true density of draws is N(0, 1.0025 I), of entropy 4 log(2 pi e) + 0.01.
    mean, deviation = normal(1500, 8), 0.05
    log_var = np.full((1500, 8), 2 * np.log(deviation), "float32")
    sampler = Vamp((8,), components=200).fit(Codes(mean[:1000], log_var[:1000]))
    codes = mean[1000:] + deviation * normal(500, 8, seed=1)
    best = norm(0, np.sqrt(1 + deviation**2)).logpdf(codes).sum(axis=1)
    behind = best - sampler.log_prob(codes)
    assert behind.mean() < 0.5
    assert sampler.settings["smoothing"] >= 0.2
    posteriors = Vamp.from_arrays(np.ones(500), mean[:500], log_var[:500])
    assert (best - posteriors.log_prob(codes)).mean() > 100
    # The draws are not training images: as far from the nearest as new codes are.
    draws = sampler.sample(np.arange(300)).numpy()
    nearest = [
        np.linalg.norm(rows[:, None] - mean[None, :1000], axis=2).min(axis=1).mean()
        for rows in (draws, codes)
    ]
    assert nearest[0] == pytest.approx(nearest[1], rel=0.1)


def test_posteriors_that_overlap_are_left_as_they_are():
    sampler = Vamp((2,), components=20).fit(three_places(600))
    assert sampler.settings["smoothing"] == 0


def test_smoothing_that_gains_no_more_than_its_error_is_left_out():
    # One code at the component's mean, many at twice its deviation: two codes cannot tell.
    density = Components(np.ones(1), np.zeros((1, 1), "float32"), np.zeros((1, 1), "float32"))
    unsure, sure = np.array([[0.0], [2.2]]), np.full((50, 1), 2.0)
    assert held_out_smoothing(density, np.zeros(1), np.ones(1), unsure) == 0
    # N(0, v) at 2 is highest at v = 4, so of 1 + b at the most that is tried.
    assert held_out_smoothing(density, np.zeros(1), np.ones(1), sure) == 0.7


def test_a_file_without_smoothing_is_loaded(tmp_path):
    sampler = Vamp((3,)).fit(Codes(normal(30, 3), np.zeros((30, 3))))
    density = {f"density.{name}": array for name, array in sampler.density._asdict().items()}
    np.savez(tmp_path / "old.npz", sampler="vamp", latent_shape=(3,), components=500, seed=1, **density)
    assert load(tmp_path / "old.npz").settings["smoothing"] == 0
