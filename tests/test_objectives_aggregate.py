"""Objectives that look at all codes of a batch: total correlation, second moments, discrepancy from the prior."""

import itertools
import math
import types

import numpy as np
import pytest
import scipy.spatial
import scipy.stats

from keras_vae.layers.densities import (
    batch_mean,
    gaussian_kernel,
    inverse_multiquadratic,
    maximum_mean_discrepancy,
    squared_distances,
)
from keras_vae.model.autoencoder import Autoencoder
from keras_vae.model.networks import Convolutional
from keras_vae.model.objectives import OBJECTIVES
from keras_vae.model.objectives.discrepancy import InfoVAE, WassersteinMMD
from keras_vae.model.objectives.moments import CodesCovariance, MeansCovariance
from keras_vae.model.objectives.total_correlation import BetaTCVAE, log_aggregate, stratified_log_weights


def make(objective, latent):
    return Autoencoder((8, 8, 1), latent, objective, network=Convolutional(widths=(2,), dense=0))


def draws(seed, *shapes):
    generator = np.random.default_rng(seed)
    return [generator.standard_normal(shape).astype("float32") for shape in shapes]


def terms_of(objective, mean, log_var, codes, prior_codes=None):
    """What the objective makes of posteriors and codes, `[batch, *latent]`, with a distortion of 10 an image."""
    axes = tuple(range(1, mean.ndim))
    log_density = scipy.stats.norm.logpdf(codes, mean, np.exp(log_var / 2)).sum(axis=axes)
    rate = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum(axis=axes)
    step = types.SimpleNamespace(
        distortion=np.full(len(mean), 10, "float32"),
        rate=rate.astype("float32"),
        posterior={"mean": mean, "log_var": log_var},
        codes=codes,
        draw=types.SimpleNamespace(codes=codes, log_density=log_density.astype("float32")),
        prior_codes=prior_codes,
        iteration=np.float32(0),
        weights=None,
        mean=batch_mean,
    )
    model = types.SimpleNamespace(dims=types.SimpleNamespace(latents=math.prod(mean.shape[1:])))
    return {name: np.asarray(value) for name, value in objective(model, step).items()}


# Total correlation


@pytest.mark.parametrize(("batch", "num_images"), [(2, 2), (4, 4), (4, 9), (64, 60_000)])
def test_the_weights_are_the_stratified_ones(batch, num_images):
    weights = np.exp(stratified_log_weights(batch, num_images))
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.diag(weights), 1 / num_images, rtol=1e-5)
    others = batch - 1
    single = (num_images - others) / (num_images * others)
    for row in range(batch):
        rest = np.sort(np.delete(weights[row], row))
        np.testing.assert_allclose(rest, np.sort([single, *[1 / others] * (others - 1)]), rtol=1e-4)


def test_one_image_is_its_own_mixture():
    np.testing.assert_allclose(stratified_log_weights(1, 1000), [[0.0]], atol=1e-6)


def test_the_estimate_of_the_density_has_no_bias():
    # Over all ways to put 2 of the 4 other images beside image 0, the mean of sum_j w_j q_j is that of all 5 q.
    densities = np.array([0.9, 0.1, 0.4, 0.2, 0.6])
    weights = np.exp(stratified_log_weights(3, 5))[0]
    estimates = [weights @ densities[[0, *others]] for others in itertools.permutations(range(1, 5), 2)]
    assert np.mean(estimates) == pytest.approx(densities.mean(), rel=1e-5)


def test_log_aggregate_is_that_of_loops_over_images_and_dimensions():
    batch, size, num_images = 5, 3, 40
    mean, log_var, noise = draws(0, (batch, size), (batch, size), (batch, size))
    codes = mean + np.exp(log_var / 2) * noise
    weights = np.exp(np.asarray(stratified_log_weights(batch, num_images), "float64"))
    joint, marginal = np.zeros(batch), np.zeros(batch)
    for i in range(batch):
        table = np.array(
            [
                [
                    scipy.stats.norm.pdf(codes[i, k], mean[j, k], math.exp(log_var[j, k] / 2))
                    for k in range(size)
                ]
                for j in range(batch)
            ]
        )
        joint[i] = math.log(sum(weights[i, j] * np.prod(table[j]) for j in range(batch)))
        marginal[i] = sum(math.log(weights[i] @ table[:, k]) for k in range(size))
    aggregate, marginals = log_aggregate(codes, mean, log_var, num_images)
    np.testing.assert_allclose(aggregate, joint, rtol=1e-4)
    np.testing.assert_allclose(marginals, marginal, rtol=1e-4)


@pytest.mark.long
@pytest.mark.parametrize(
    ("size", "rate", "estimate"), [(2, 1, 1.03), (10, 5, 6.18), (10, 10, 10.7), (10, 20, math.log(60_000))]
)
def test_information_where_the_aggregate_is_the_prior(size, rate, estimate):
    # N(mean, s^2) with s^2 = exp(-2 rate / size) and mean ~ N(0, 1 - s^2): q(z) = N(0, I), and I(x; z) = rate.
    # Batches of 64 of 60,000 see the truth below log 64 = 4.2 nats, and log N where no other image is near.
    # (The weights put into the first column give 0.96, 3.60, 4.24 and 4.25.)
    batches = 150
    variance = math.exp(-2 * rate / size)
    information = []
    for seed in range(batches):
        mean, noise = draws(seed, (64, size), (64, size))
        mean, log_var = math.sqrt(1 - variance) * mean, np.full_like(mean, math.log(variance))
        codes = (mean + math.sqrt(variance) * noise).astype("float32")
        terms = terms_of(BetaTCVAE(num_images=60_000), mean.astype("float32"), log_var, codes)
        information.append(terms["information"].mean())
    error = float(np.std(information)) / math.sqrt(batches)
    assert np.mean(information) == pytest.approx(estimate, abs=max(4 * error, 0.02))


def test_total_correlation_of_correlated_codes_is_that_of_the_gaussian():
    # Means with correlation c, posterior variance v: q(z) = N(0, S), S = ((1, r), (r, 1)) with r = (1 - v) c; the total
    # correlation is -log(1 - r^2) / 2. With independent means it is 0.
    variance, count = 0.3, 1500
    for correlation in (0.9, 0.0):
        independent, noise = draws(1, (count, 2), (count, 2))
        root = np.linalg.cholesky([[1, correlation], [correlation, 1]])
        mean = (math.sqrt(1 - variance) * independent @ root.T).astype("float32")
        codes = (mean + math.sqrt(variance) * noise).astype("float32")
        log_var = np.full_like(mean, math.log(variance))
        aggregate, marginals = log_aggregate(codes, mean, log_var, count)
        expected = -0.5 * math.log(1 - ((1 - variance) * correlation) ** 2)
        assert np.mean(aggregate) - np.mean(marginals) == pytest.approx(expected, abs=0.05)


def test_the_three_parts_are_the_rate_at_the_codes():
    mean, log_var, noise = draws(2, (6, 2, 2, 3), (6, 2, 2, 3), (6, 2, 2, 3))
    codes = mean + np.exp(log_var / 2) * noise
    terms = terms_of(BetaTCVAE(alpha=1.0, beta=1.0, gamma=1.0, num_images=100), mean, log_var, codes)
    log_posterior = scipy.stats.norm.logpdf(codes, mean, np.exp(log_var / 2))
    expected = (log_posterior - scipy.stats.norm.logpdf(codes)).sum(axis=(1, 2, 3))
    parts = terms["information"] + terms["total_correlation"] + terms["dimensionwise"]
    np.testing.assert_allclose(parts, expected, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(terms["loss"], 10 + expected, rtol=1e-4, atol=1e-3)


def test_each_part_has_its_own_weight():
    mean, log_var, codes = draws(3, (6, 3), (6, 3), (6, 3))
    terms = terms_of(BetaTCVAE(alpha=2.0, beta=7.0, gamma=0.5, num_images=100), mean, log_var, codes)
    weighed = 2 * terms["information"] + 7 * terms["total_correlation"] + 0.5 * terms["dimensionwise"]
    np.testing.assert_allclose(terms["loss"], 10 + weighed, rtol=1e-5)


def test_total_correlation_is_refused_where_it_cannot_be_measured():
    assert BetaTCVAE().resolve(num_images=77, num_steps=1).num_images == 77
    assert BetaTCVAE(num_images=5).resolve(num_images=77, num_steps=1).num_images == 5
    with pytest.raises(
        ValueError, match=r"objective\.num_images is 0: set it to the number of training images"
    ):
        make(BetaTCVAE(), 2)
    with pytest.raises(
        ValueError, match=r"up to 1,024 dimensions, and the latent has 65,536 \(try --latent 32"
    ):
        make(BetaTCVAE(num_images=10), (8, 8, 1024))


# Second moments


def penalty(covariance, off_diagonal, diagonal):
    """Equations 6 and 7 of Kumar et al., written out."""
    variances = np.diag(covariance)
    return (
        off_diagonal * ((covariance - np.diag(variances)) ** 2).sum()
        + diagonal * ((variances - 1) ** 2).sum()
    )


@pytest.mark.parametrize("shape", [(40, 3), (5, 2, 2, 3)])
def test_penalties_are_those_of_the_covariance_matrix(shape):
    mean, log_var, codes = draws(4, shape, shape, shape)
    of_means = np.cov(mean.reshape(len(mean), -1), rowvar=False, bias=True)
    of_codes = of_means + np.diag(np.exp(log_var).reshape(len(mean), -1).mean(axis=0))
    for kind, covariance in ((MeansCovariance, of_means), (CodesCovariance, of_codes)):
        terms = terms_of(kind(off_diagonal=3.0, diagonal=0.7), mean, log_var, codes)
        expected = penalty(covariance, 3.0, 0.7)
        np.testing.assert_allclose(terms["covariance"], np.full(len(mean), expected), rtol=1e-4)
        np.testing.assert_allclose(terms["loss"], 10 + terms["rate"] + expected, rtol=1e-4)


def test_codes_with_the_priors_moments_are_not_penalised():
    # means at the corners of a square: variance 1 and covariance 0; with variance 0 beside it, so has Cov(z)
    mean = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], "float32")
    none, much = np.full_like(mean, -100), np.zeros_like(mean)
    np.testing.assert_allclose(terms_of(MeansCovariance(), mean, much, mean)["covariance"], 0, atol=1e-4)
    np.testing.assert_allclose(terms_of(CodesCovariance(), mean, none, mean)["covariance"], 0, atol=1e-4)
    # variance 1 more on both dimensions: 10 * (1 + 1)
    np.testing.assert_allclose(
        terms_of(CodesCovariance(), mean, much, mean)["covariance"], np.full(4, 20), rtol=1e-5
    )


def test_a_latent_of_65536_numbers_needs_no_matrix_of_its_square():
    # 17 GB it would take. Two images with means +1 and -1 everywhere: every C_ij is 1, d (d - 1) of them count.
    mean = np.stack([np.ones((8, 8, 1024)), -np.ones((8, 8, 1024))]).astype("float32")
    terms = terms_of(MeansCovariance(off_diagonal=1.0, diagonal=1.0), mean, np.zeros_like(mean), mean)
    assert terms["covariance"][0] == pytest.approx(65_536 * 65_535, rel=1e-5)


@pytest.mark.parametrize("field", ["off_diagonal", "diagonal"])
def test_a_negative_penalty_is_refused(field):
    with pytest.raises(ValueError, match=rf"objective\.{field} is -1: it must be 0 or more"):
        MeansCovariance(**{field: -1})


# Discrepancy


def test_squared_distances_are_those_of_scipy():
    rows, others = draws(5, (4, 3), (6, 3))
    expected = scipy.spatial.distance.cdist(rows, others, "sqeuclidean")
    np.testing.assert_allclose(squared_distances(rows, others), expected, rtol=1e-4, atol=1e-5)
    assert np.asarray(squared_distances(1e3 + rows, 1e3 + rows)).min() >= 0


def test_the_discrepancy_is_that_of_loops_over_pairs():
    rows, others = draws(6, (5, 2), (7, 2))

    def kernel(one, other):
        square = ((one - other) ** 2).sum()
        return sum(4 * scale / (4 * scale + square) for scale in (0.1, 0.2, 0.5, 1, 2, 5, 10))

    within = sum(kernel(a, b) for a, b in itertools.permutations(rows, 2)) / 20
    within += sum(kernel(a, b) for a, b in itertools.permutations(others, 2)) / 42
    across = sum(kernel(a, b) for a in rows for b in others) / 35
    value = float(maximum_mean_discrepancy(rows, others, inverse_multiquadratic))
    assert value == pytest.approx(within - 2 * across, rel=1e-4)


@pytest.mark.long
@pytest.mark.parametrize(("size", "shift"), [(2, 0.0), (2, 1.0), (8, 0.5)])
def test_the_discrepancy_of_shifted_normals_is_the_closed_form_without_bias(size, shift):
    # x - y ~ N(m, 2 I) and E exp(-|x - y|^2 / d) = (1 + 4 / d)^(-d / 2) exp(-|m|^2 / (d + 4)), so that
    # MMD^2 = 2 (1 + 4 / d)^(-d / 2) (1 - exp(-|m|^2 / (d + 4)))
    expected = 2 * (1 + 4 / size) ** (-size / 2) * (1 - math.exp(-size * shift**2 / (size + 4)))
    values = [
        float(maximum_mean_discrepancy(rows, others + np.float32(shift), gaussian_kernel))
        for rows, others in (draws(seed, (20, size), (30, size)) for seed in range(60))
    ]
    assert min(values) < expected < max(values)
    assert np.mean(values) == pytest.approx(expected, abs=4 * np.std(values) / math.sqrt(60))


def test_a_single_code_tells_nothing():
    rows, others = draws(7, (1, 2), (5, 2))
    assert float(maximum_mean_discrepancy(rows, rows, gaussian_kernel)) == 0
    assert float(maximum_mean_discrepancy(rows, others, gaussian_kernel)) == 0


@pytest.mark.parametrize("shape", [(8, 12), (8, 2, 2, 3)])
def test_the_discrepancy_is_weighed_as_in_the_papers(shape):
    mean, log_var, codes, prior_codes = draws(8, shape, shape, shape, shape)
    flat = codes.reshape(8, 12), prior_codes.reshape(8, 12)
    terms = terms_of(InfoVAE(alpha=0.4, weight=5.0), mean, log_var, codes, prior_codes)
    expected = float(maximum_mean_discrepancy(*flat, gaussian_kernel))
    np.testing.assert_allclose(terms["discrepancy"], np.full(8, expected), rtol=1e-4)
    np.testing.assert_allclose(terms["loss"], 10 + 0.6 * terms["rate"] + 4.4 * expected, rtol=1e-5)

    terms = terms_of(WassersteinMMD(weight=5.0), mean, log_var, codes, prior_codes)
    expected = float(maximum_mean_discrepancy(*flat, inverse_multiquadratic))
    assert set(terms) == {"loss", "distortion", "discrepancy"}
    np.testing.assert_allclose(terms["loss"], 10 + 5 * expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (InfoVAE, {"alpha": 1.5}, r"objective\.alpha is 1\.5: above 1 the rate would be rewarded"),
        (InfoVAE, {"alpha": 0.5, "weight": 0.2}, r"objective\.weight is 0\.2: .* must be 0 or more"),
        (WassersteinMMD, {"weight": -1}, r"objective\.weight is -1: it must be 0 \(a plain autoencoder\)"),
    ],
)
def test_weights_that_reward_a_mismatch_are_refused(kind, fields, message):
    with pytest.raises(ValueError, match=message):
        kind(**fields)


@pytest.mark.parametrize(
    "name", ["beta_tcvae", "dip_vae_i", "dip_vae_ii", "free_bits", "info_vae", "wae_mmd"]
)
def test_what_is_derived_for_the_standard_normal_takes_no_other_prior(name):
    assert OBJECTIVES[name].prior == "standard"
