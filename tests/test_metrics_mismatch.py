"""The prior's mismatch, on models whose aggregated posterior is known in closed form."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from keras_vae.evaluation.metrics import mismatch
from keras_vae.evaluation.metrics.rate import measure_rate
from keras_vae.samplers import principal


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, "float32")


def like(mean, variance):
    """The log-variances of posteriors that all have `variance`."""
    return np.broadcast_to(np.log(np.asarray(variance, "float32")), mean.shape)


def fitted(train, test, variance=1.0, **settings):
    aggregate = mismatch.fit_aggregate(train, like(train, variance), **settings)
    return aggregate, mismatch.measure_mismatch(aggregate, test, like(test, variance))


def divergence(mean, covariance):
    """KL(N(mean, covariance) || N(0, I))."""
    return 0.5 * (mean @ mean + np.trace(covariance) - len(mean) - np.linalg.slogdet(covariance)[1])


def linear_gaussian(num_images, scale=1.0, seed=0):
    """Posterior means and variances of x = W z + e, z ~ N(0, I), e ~ N(0, s^2 I), W with orthogonal columns.

    p(z|x) = N(M x, S) with S = (I + W'W / s^2)^-1, which is diagonal here, and M = S W' / s^2. The means have
    variance 1 - S, so that the aggregated posterior is N(0, I). `scale` multiplies the means.
    """
    lengths, noise = np.array([3.0, 2.0, 1.0, 0.5, 0.1]), 0.7
    weights = np.linalg.qr(np.random.default_rng(99).normal(size=(12, 5)))[0] * lengths
    generator = np.random.default_rng(seed)
    images = generator.normal(size=(num_images, 5)) @ weights.T + noise * generator.normal(
        size=(num_images, 12)
    )
    variance = 1 / (1 + lengths**2 / noise**2)
    return (scale * images @ weights * variance / noise**2).astype("float32"), variance


def test_a_linear_gaussian_model_has_no_mismatch_and_all_its_rate_is_information():
    (train, variance), (test, _) = linear_gaussian(4000), linear_gaussian(4000, seed=1)
    aggregate, found = fitted(train, test, variance)
    # f has 5 means and 15 covariances to estimate, which costs 20 / (2 n) = 0.0025 nats.
    assert abs(found.nats) < 0.0025 + 4 * found.nats_se < 0.03
    assert abs(found.curve[-1]) < 0.02
    # I = sum log(1 / S) / 2, and the mean rate is the same.
    rate = measure_rate(test, like(test, variance)).per_image.mean()
    information = -0.5 * np.log(variance).sum()
    assert rate == pytest.approx(information, abs=0.15)  # standard error 0.036
    contrasted = mismatch.contrast(test, like(test, variance), seed=0)
    assert (
        contrasted.lower - 4 * contrasted.lower_se < information < contrasted.upper + 4 * contrasted.upper_se
    )
    assert mismatch.mismatch_auc(aggregate, found.rank, test, like(test, variance), 0) == pytest.approx(
        0.5, abs=0.04
    )


def test_a_linear_gaussian_model_with_its_means_scaled_has_the_divergence_of_its_closed_form():
    (train, variance), (test, _) = linear_gaussian(4000, 1.5), linear_gaussian(4000, 1.5, seed=1)
    _, found = fitted(train, test, variance)
    exact = divergence(np.zeros(5), np.diag(1.5**2 * (1 - variance) + variance))
    assert exact > 0.5
    assert found.nats == pytest.approx(exact, abs=4 * found.nats_se)
    # All of it is in the marginals, and the maximum lies within the errors of L_0.
    assert found.marginal_nats == pytest.approx(exact, abs=4 * found.nats_se)


MIXING = np.random.default_rng(7).normal(size=(6, 6))


def correlated(num_images, seed, noise=0.3):
    """Codes whose aggregated posterior is N(b, A'A + noise I)."""
    return (normal(num_images, 6, seed=seed) @ MIXING + np.linspace(-1, 1, 6)).astype("float32"), noise


def test_any_gaussian_aggregated_posterior_gives_its_divergence_from_the_prior():
    (train, noise), (test, _) = correlated(6000, 0), correlated(6000, 1)
    _, found = fitted(train, test, noise)
    exact = divergence(np.linspace(-1, 1, 6), MIXING.T @ MIXING + noise * np.eye(6))
    assert found.nats == pytest.approx(exact, abs=4 * found.nats_se)
    assert found.nats_se < 0.02 * exact
    assert found.in_sample_nats == pytest.approx(found.nats, abs=8 * found.nats_se)
    assert found.nats - found.marginal_nats > 0.5


def test_full_rank_mismatch_does_not_change_when_codes_are_rotated_though_the_marginals_do():
    (train, noise), (test, _) = correlated(500, 0), correlated(300, 1)
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(6, 6)))[0].astype("float32")
    before, after = (fitted(train @ by, test @ by, noise)[1] for by in (np.eye(6, dtype="float32"), turn))
    assert after.curve[-1] == pytest.approx(before.curve[-1], rel=1e-4)
    assert abs(after.marginal_nats - before.marginal_nats) > 0.05


def test_codes_that_are_only_correlated_have_no_marginal_mismatch():
    # Unit variances, correlation 0.8: L_0 = 0 and L = -log(1 - 0.64) / 2 = 0.511.
    shared = [normal(8000, 1, seed=seed) for seed in range(2)]
    train, test = (
        np.sqrt(0.8) * common + np.sqrt(0.1) * normal(8000, 2, seed=9 + i) for i, common in enumerate(shared)
    )
    _, found = fitted(train.astype("float32"), test.astype("float32"), 0.1)
    assert abs(found.marginal_nats) < 0.03
    assert found.nats == pytest.approx(-0.5 * np.log(0.36), abs=4 * found.nats_se)
    assert found.rank > 0


def test_codes_that_are_only_mis_scaled_are_repaired_by_the_marginals():
    # q(z) = N(0, I / 4): d (1/4 - 1 - log 1/4) / 2.
    zero = np.zeros((50, 20), "float32")
    _, found = fitted(zero, zero, 0.25)
    assert found.nats == pytest.approx(10 * (np.log(4) - 0.75), rel=1e-5)
    assert found.marginal_nats == pytest.approx(found.nats)
    assert found.nats_se == pytest.approx(0, abs=1e-9)


def test_a_collapsed_model_has_no_mismatch():
    zero = np.zeros((50, 20), "float32")
    _, found = fitted(zero, zero)
    assert found.nats == pytest.approx(0, abs=1e-5)
    assert np.isfinite(found.curve).all()


def dense_covariance(aggregate, rank):
    """The covariance of f_rank, of which the module never makes the d by d numbers."""
    directions = aggregate.directions[:, :rank].astype("float64")
    residual = aggregate.residuals[rank] * (np.eye(len(directions)) - directions @ directions.T)
    root = np.sqrt(aggregate.scale)
    return root[:, None] * ((directions * aggregate.variances[:rank]) @ directions.T + residual) * root


@pytest.mark.parametrize(("num_codes", "size", "ranks"), [(300, 6, (0, 2, 5)), (12, 30, (0, 3, 11))])
def test_the_log_ratio_is_that_of_dense_gaussians(num_codes, size, ranks):
    mean = normal(num_codes, size) * np.linspace(0.2, 2, size, dtype="float32") + 0.5
    log_var = 0.3 * normal(num_codes, size, seed=1) - 1
    aggregate = mismatch.fit_aggregate(mean, log_var)
    codes = normal(5, size, seed=2)
    for rank in ranks:
        density = multivariate_normal(aggregate.center, dense_covariance(aggregate, rank))
        expected = density.logpdf(codes) - multivariate_normal(np.zeros(size), np.eye(size)).logpdf(codes)
        np.testing.assert_allclose(mismatch.log_ratio(aggregate, rank, codes), expected, rtol=1e-3, atol=1e-3)


def test_with_more_codes_than_dimensions_the_last_rank_is_the_plain_full_covariance():
    mean, log_var = normal(200, 5) @ normal(5, 5, seed=3), 0.5 * normal(200, 5, seed=1)
    covariance = np.cov(mean, rowvar=False, bias=True) + np.diag(np.exp(log_var).mean(axis=0))
    aggregate, codes = mismatch.fit_aggregate(mean, log_var), normal(7, 5, seed=2)
    expected = multivariate_normal(mean.mean(axis=0), covariance).logpdf(codes)
    expected -= multivariate_normal(np.zeros(5), np.eye(5)).logpdf(codes)
    np.testing.assert_allclose(mismatch.log_ratio(aggregate, 5, codes), expected, rtol=1e-4)


@pytest.mark.parametrize(("num_codes", "size", "rank"), [(300, 6, 6), (300, 6, 2), (40, 60, 10)])
def test_the_closed_form_over_posteriors_is_the_mean_over_draws(num_codes, size, rank):
    mean, log_var = normal(num_codes, size) * 1.5, 0.3 * normal(num_codes, size, seed=1) - 1
    aggregate = mismatch.fit_aggregate(mean, log_var)
    test, test_log_var = 1.5 * normal(20, size, seed=4), 0.3 * normal(20, size, seed=5) - 1
    exact = mismatch.measure_mismatch(aggregate, test, test_log_var).curve[rank]
    noise = np.random.default_rng(0).standard_normal((2000, 20, size), "float32")
    draws = (test + np.exp(0.5 * test_log_var) * noise).reshape(-1, size)
    ratios = mismatch.log_ratio(aggregate, rank, draws)
    assert exact == pytest.approx(ratios.mean(), abs=4 * ratios.std() / np.sqrt(len(ratios)))


def test_isotropic_codes_of_more_dimensions_than_codes_have_no_mismatch_held_out_and_a_large_one_in_sample():
    # Means N(0, 0.02), variances 0.98: q(z) = N(0, I) exactly.
    train, test = (np.sqrt(0.02, dtype="float32") * normal(250, 4096, seed=seed) for seed in range(2))
    aggregate, found = fitted(train, test, 0.98)
    assert found.nats < 4 * found.nats_se < 0.2
    assert aggregate.in_sample.max() > 5
    assert found.curve[-1] < -3  # full rank, held out, is worse than the prior


def spread_code(num_codes, size, rank, rate, seed):
    """Codes of c2: Gaussian in `rank` of `size` dimensions, unit posteriors, so that R = |mu|^2 / 2 on average."""
    axes = np.linalg.qr(np.random.default_rng(rank).standard_normal((size, rank), "float32"))[0].T
    return normal(num_codes, rank, seed=seed) @ (np.sqrt(2 * rate / rank, dtype="float32") * axes)


@pytest.mark.long
@pytest.mark.parametrize(("size", "rank", "table"), [(16_384, 10, 24), (65_536, 50, 83), (8192, 100, 132)])
def test_the_rank_of_the_signal_decides_what_is_lost_at_655_nats(size, rank, table):
    # lambda = 1 + 2R/k; KL = (k/2) (2R/k - log lambda); I = R - KL = (k/2) log lambda. R - L has less noise than
    # L, in which |mu|^2 / 2 varies by 655 sqrt(2 / k).
    information = rank / 2 * np.log1p(2 * 655 / rank)
    assert information == pytest.approx(table, abs=0.6)
    train, test = (spread_code(300, size, rank, 655, seed) for seed in range(2))
    aggregate, found = fitted(train, test, 1.0)
    rate = measure_rate(test, np.zeros_like(test)).per_image.mean()
    # f estimates k (k + 3) / 2 numbers in the subspace and the center, of total variance 2R. Its residual is in
    # proportion to the dimensions' variances, 1 + 2R/d (1 +- sqrt(2/k)), where that of the codes is 1 in each.
    estimated = (rank * (rank + 3) / 2 + 2 * 655) / (2 * 300)
    misfit = size * (2 * 655 / size) ** 2 * (2 / rank) / 4
    assert found.rank == pytest.approx(rank, abs=5)
    assert information - 2 < rate - found.nats < information + 1.5 * (estimated + misfit) + 1
    if size == 16_384:
        assert mismatch.mismatch_auc(aggregate, found.rank, test, np.zeros_like(test), 0) == 1.0


def test_the_mismatch_needs_few_codes_and_says_so_where_there_are_too_few():
    train, test = (spread_code(500, 4096, 10, 80, seed) for seed in range(2))
    _, some = fitted(train, test, 1.0)
    _, few = fitted(train[:15], test, 1.0)
    assert few.nats < some.nats - 1
    assert few.in_sample_nats > few.nats + 3


def test_dimensions_by_blocks_codes_by_rows_and_thinning_change_nothing_that_matters(monkeypatch):
    train, test = (spread_code(300, 200, 5, 10, seed) for seed in range(2))
    _, whole = fitted(train, test, 1.0)
    monkeypatch.setattr(principal, "BLOCK", 37 * 300)
    _, blocked = fitted(train, test, 1.0)
    np.testing.assert_allclose(blocked.curve, whole.curve, atol=1e-4)
    np.testing.assert_allclose(blocked.curve_se, whole.curve_se, rtol=1e-3, atol=1e-5)
    monkeypatch.setattr(principal, "MOST", 100)
    _, thinned = fitted(train, test, 1.0)
    assert thinned.nats == pytest.approx(whole.nats, abs=0.3)


def test_standard_errors_are_those_of_the_mean_over_images():
    (train, noise), (test, _) = correlated(500, 0), correlated(200, 1)
    aggregate, found = fitted(train, test, noise)
    alone = [
        mismatch.measure_mismatch(aggregate, row[None], like(row[None], noise)).curve[found.rank]
        for row in test
    ]
    assert found.nats == pytest.approx(np.mean(alone), rel=1e-5)
    assert found.nats_se == pytest.approx(np.std(alone, ddof=1) / np.sqrt(200), rel=1e-4)


def filling_the_prior(num_codes, dims, rate, seed=0):
    """Codes of a3: q(z) = N(0, I) exactly, I = R: variance s^2 = exp(-2 R / k), means of variance 1 - s^2."""
    variance = np.exp(-2 * rate / dims)
    mean = np.sqrt(1 - variance) * normal(num_codes, dims, seed=seed)
    return mean.astype("float32"), np.full((num_codes, dims), np.log(variance), "float32")


@pytest.mark.parametrize(("dims", "rate", "tolerance"), [(2, 1, 0.1), (10, 5, 0.6)])
def test_bounds_on_the_information_close_in_on_it_where_it_is_below_log_n(dims, rate, tolerance):
    found = mismatch.contrast(*filling_the_prior(2000, dims, rate), seed=1)
    assert found.lower - 4 * found.lower_se < rate < found.upper + 4 * found.upper_se
    assert found.lower == pytest.approx(rate, abs=tolerance)
    assert found.upper == pytest.approx(rate, abs=tolerance)


@pytest.mark.parametrize(("dims", "rate"), [(10, 20), (50, 50)])
def test_the_lower_bound_is_log_n_above_it_and_that_is_no_sign_of_a_hole(dims, rate):
    mean, log_var = filling_the_prior(1000, dims, rate)
    found = mismatch.contrast(mean, log_var, seed=1)
    assert found.lower == pytest.approx(np.log(1000), abs=0.02)
    assert found.lower <= found.log_n == pytest.approx(np.log(1000))
    assert found.upper > rate
    aggregate = mismatch.fit_aggregate(mean, log_var)
    test = filling_the_prior(1000, dims, rate, seed=5)
    nats = mismatch.measure_mismatch(aggregate, *test).nats
    bounded = mismatch.bounds(rate, nats, found)
    assert bounded.divergence_upper > rate - 7  # much is possible
    assert bounded.divergence_lower < 0.2  # nothing is shown


def test_posteriors_that_do_not_depend_on_the_image_carry_no_information():
    zero = np.zeros((300, 4), "float32")
    found = mismatch.contrast(zero, zero, seed=0)
    assert found.lower == pytest.approx(0, abs=1e-5)
    assert found.upper == pytest.approx(0, abs=1e-5)


def test_the_sandwich_holds_the_divergence_and_the_information():
    # Two dimensions of variance 1 + 4, unit posteriors: KL = 4 - log 5, I = log 5.
    train, test = (2 * normal(3000, 2, seed=seed) for seed in range(2))
    _, found = fitted(train, test, 1.0)
    rate = measure_rate(test, np.zeros_like(test)).per_image.mean()
    contrasted = mismatch.contrast(test, np.zeros_like(test), seed=0)
    bounded = mismatch.bounds(rate, found.nats, contrasted)
    slack = 4 * (found.nats_se + contrasted.lower_se)
    assert bounded.divergence_lower - slack < 4 - np.log(5) < bounded.divergence_upper + slack
    assert bounded.information_lower - slack < np.log(5) < bounded.information_upper + slack
    assert bounded.divergence_upper - bounded.divergence_lower < 0.2
    assert bounded.divergence_lower + bounded.information_upper == pytest.approx(rate)


def test_bounds_by_hand():
    contrasted = mismatch.Contrast(3.0, 12.0, 0.0, 0.0, 7.0)
    assert mismatch.bounds(20, 5.0, contrasted) == (3, 12, 8, 17)
    assert mismatch.bounds(20, 15.0, contrasted) == (3, 5, 15, 17)
    assert mismatch.bounds(2, -1.0, mismatch.Contrast(-0.1, 2.5, 0, 0, 7)) == (0, 2, 0, 2)


def test_draws_are_the_seeds():
    (train, noise), (test, _) = correlated(300, 0), correlated(300, 1)
    aggregate, found = fitted(train, test, noise)
    log_var = like(test, noise)
    aucs = [mismatch.mismatch_auc(aggregate, found.rank, test, log_var, seed) for seed in (0, 0, 1)]
    assert aucs[0] == aucs[1] != aucs[2]
    assert mismatch.contrast(test, log_var, 0) == mismatch.contrast(test, log_var, 0)
    assert mismatch.contrast(test, log_var, 0) != mismatch.contrast(test, log_var, 1)


@pytest.mark.parametrize(
    ("nats", "contrast", "expected"),
    [
        (-3.0, (6.9, 56.8), (6.9, 25.2, "contrast", "rate")),  # I_LOO was reported, above the rate
        (None, (6.9, 56.8), (6.9, 25.2, "contrast", "rate")),
        (5.0, (6.9, 56.8), (6.9, 20.2, "contrast", "mismatch")),
        (5.0, (6.9, 12.0), (6.9, 12.0, "contrast", "leave_one_out")),
        (5.0, (-0.2, 12.0), (0.0, 12.0, "zero", "leave_one_out")),
        (22.0, (6.9, 12.0), (3.2, 3.2, "upper", "mismatch")),  # both have errors: they may cross by chance
        (30.0, (6.9, 12.0), (0.0, 0.0, "upper", "mismatch")),
    ],
)
def test_the_smallest_upper_bound_on_the_information_is_in_force_and_said(nats, contrast, expected):
    found = mismatch.information(25.2, nats, mismatch.Contrast(*contrast, 0.1, 0.1, 6.9))
    assert found[:2] == pytest.approx(expected[:2])
    assert found[2:] == expected[2:]
