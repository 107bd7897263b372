"""The densities over codes: what they draw, what they say of codes, and how they are kept."""

import dataclasses
import inspect
import pickle
import resource
import time
import warnings

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from keras_vae.samplers import (
    SAMPLERS,
    Codes,
    GaussianSampler,
    Mixture,
    PriorSampler,
    load,
    save,
    standard_normal,
)
from keras_vae.samplers.low_rank import quantiles

# Samplers of the indices of a codebook have tests of their own.
CONTINUOUS = sorted(set(SAMPLERS) - {"pixel_cnn", "uniform_codes"})
SHAPES = [(3,), (4, 4, 3)]
# Networks that are trained for seconds would make this file take minutes.
SMALL = {
    "flow": {"updates": 100, "width": 16, "depth": 2, "rank": 8},
    "flow_matching": {"updates": 60, "width": 16, "rank": 8},
    "two_stage": {"updates": 100, "width": 16, "rank": 8},
}
# Products of matrices choose their order of sums by the number of rows.
ROUNDING = 1e-5
NO_NOISE = -100.0  # the log-variance that plain autoencoders are given


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, "float32")


def clusters(num_codes, shape, log_var=-4.6, seed=0):
    """Codes in two clusters, at -2 and +2 in each dimension, of deviation 0.3, with posteriors of deviation 0.1."""
    side = np.where(normal(num_codes, *[1] * len(shape), seed=seed + 1) > 0, 2, -2)
    mean = (side + 0.3 * normal(num_codes, *shape, seed=seed)).astype("float32")
    return Codes(mean, np.full(mean.shape, log_var, "float32"))


def dense(sampler):
    """The means and covariances of a sampler's components, and their weights, without any saving of memory."""
    density = sampler.density
    axes = density.axes.astype("float64")
    noise = np.diag(density.noise.astype("float64"))
    means = [density.center + axes @ mean for mean in density.means]
    return density.weights, means, [axes @ factor @ factor.T @ axes.T + noise for factor in density.factors]


def unfitted(name, shape):
    return SAMPLERS[name](shape, **SMALL.get(name, {}))


def test_all_samplers_are_fitted_by_the_same_arguments_in_the_same_places():
    for kind in SAMPLERS.values():
        assert list(inspect.signature(kind.fit).parameters)[:3] == ["self", "codes", "components"]


class Fitted(dict):
    """Samplers by name and shape of the codes, each fitted when it is first asked for."""

    def __missing__(self, key):
        name, shape = key
        self[key] = unfitted(name, shape).fit(clusters(500, shape))
        return self[key]


@pytest.fixture(scope="module")
def conforming():
    """Every kind of sampler, fitted to codes of every shape."""
    return Fitted()


LONG = {"flow_matching"}  # it has tests of its own
# Learned samplers of maps take seconds to compile.
every_sampler = pytest.mark.parametrize(
    "key",
    [
        pytest.param(
            (name, shape),
            marks=[pytest.mark.long] if name in LONG or (name in SMALL and len(shape) > 1) else [],
        )
        for name in CONTINUOUS
        for shape in SHAPES
    ],
    ids=lambda key: f"{key[0]}-{len(key[1])}d",
)


@pytest.mark.long
@every_sampler
def test_codes_are_float32_of_the_latents_shape_for_any_number_of_seeds(conforming, key):
    for count in (0, 1, 5):
        codes = conforming[key].sample(np.arange(count))
        assert codes.dtype == "float32"
        assert codes.shape == (count, *key[1])
        assert np.isfinite(codes).all()


@pytest.mark.long
@every_sampler
def test_a_row_is_its_seeds_alone(conforming, key):
    seeds = np.array([5, -7, 2**62, 5], "int64")
    together = conforming[key].sample(seeds).numpy()
    for index, seed in enumerate(seeds):
        np.testing.assert_allclose(conforming[key].sample([seed])[0], together[index], atol=ROUNDING)
    np.testing.assert_allclose(together[0], together[3], atol=ROUNDING)
    assert np.abs(together[0] - together[1]).max() > 0.01


@every_sampler
def test_the_log_density_is_a_number_for_each_code_where_there_is_one(conforming, key):
    if key[0] == "two_stage":
        assert not hasattr(conforming[key], "log_prob")
        return
    codes = conforming[key].sample(np.arange(4))
    log_prob = np.asarray(conforming[key].log_prob(codes))
    assert log_prob.shape == (4,)
    assert np.isfinite(log_prob).all()
    np.testing.assert_allclose(np.asarray(conforming[key].log_prob(codes.numpy())), log_prob)


@pytest.mark.long
@every_sampler
def test_a_sampler_is_the_same_after_saving_and_loading(conforming, key, tmp_path):
    sampler = conforming[key]
    save(sampler, tmp_path / "folder" / "sampler.npz")
    again = load(tmp_path / "folder" / "sampler.npz")
    assert type(again) is type(sampler)
    assert again.latent_shape == sampler.latent_shape
    assert again.settings == sampler.settings
    codes = sampler.sample(np.arange(6))
    np.testing.assert_array_equal(again.sample(np.arange(6)), codes)
    if hasattr(sampler, "log_prob"):
        # A solver in float32 is compiled anew, and may sum in another order.
        np.testing.assert_allclose(
            np.asarray(again.log_prob(codes)), np.asarray(sampler.log_prob(codes)), rtol=1e-6
        )
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["sampler.npz"]


@pytest.mark.long
@every_sampler
def test_an_exported_function_draws_the_same(conforming, key, tmp_path):
    module = tf.Module()
    module.sample = tf.function(conforming[key].sample, [tf.TensorSpec((None,), "int64")])
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    expected = conforming[key].sample(np.arange(7))
    np.testing.assert_allclose(loaded.sample(tf.range(7, dtype="int64")), expected, atol=ROUNDING)
    assert loaded.sample(tf.zeros((0,), "int64")).shape == (0, *key[1])


@pytest.mark.long
@every_sampler
def test_fitting_leaves_the_sampler_that_it_is_called_on_as_it_was(key):
    sampler = unfitted(*key)
    before = dict(vars(sampler))
    fitted = sampler.fit(clusters(200, key[1]))
    assert vars(sampler) == before
    assert fitted.settings == sampler.fit(clusters(200, key[1])).settings


@pytest.mark.long
@every_sampler
def test_fitting_twice_gives_the_same(key):
    first, second = (unfitted(*key).fit(clusters(200, key[1])).sample([1, 2, 3]) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_the_prior_draws_the_noise_itself_and_the_others_add_it():
    codes = clusters(200, (4,))
    np.testing.assert_array_equal(PriorSampler((4,)).sample([3]), standard_normal([3], (4,)))
    gaussian = GaussianSampler((4,)).fit(Codes(np.zeros_like(codes.mean), np.zeros_like(codes.mean)))
    np.testing.assert_allclose(gaussian.sample([3]), standard_normal([3], (4,)), atol=1e-6)


def test_a_collapsed_model_is_sampled_from_the_prior_by_all_and_warns_of_nothing():
    codes = Codes(np.zeros((300, 6), "float32"), np.zeros((300, 6), "float32"))
    points = normal(5, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in (GaussianSampler, Mixture):
            np.testing.assert_allclose(
                kind((6,)).fit(codes).log_prob(points), PriorSampler((6,)).log_prob(points), rtol=1e-5
            )


@pytest.mark.parametrize(
    ("rank", "size", "num_codes"), [(64, 5, 400), (2, 5, 400), (64, 30, 12), (3, 30, 12)]
)
def test_the_gaussians_log_density_is_scipys(rank, size, num_codes):
    mean = normal(num_codes, size) @ normal(size, size, seed=1) + 3
    sampler = GaussianSampler((size,), rank=rank).fit(Codes(mean, 0.3 * normal(num_codes, size, seed=2) - 1))
    ((_,), (center,), (covariance,)) = dense(sampler)
    points = normal(6, size, seed=3) * 5
    expected = multivariate_normal(center, covariance).logpdf(points)
    np.testing.assert_allclose(sampler.log_prob(points), expected, rtol=1e-6)


@pytest.mark.parametrize(("rank", "size"), [(32, 4), (2, 4), (3, 20)])
def test_the_mixtures_log_density_is_scipys(rank, size):
    codes = clusters(600, (size,))
    sampler = Mixture((size,), components=3, rank=rank).fit(codes)
    points = np.concatenate([codes.mean[:4], 3 * normal(4, size)])
    terms = [
        np.log(weight) + multivariate_normal(mean, covariance).logpdf(points)
        for weight, mean, covariance in zip(*dense(sampler))
    ]
    np.testing.assert_allclose(sampler.log_prob(points), logsumexp(terms, axis=0), rtol=1e-6)


def test_a_log_density_integrates_to_one():
    sampler = Mixture((2,), components=2).fit(clusters(400, (2,)))
    axis = np.linspace(-5, 5, 401)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    assert np.exp(sampler.log_prob(grid)).sum() * (axis[1] - axis[0]) ** 2 == pytest.approx(1, abs=0.002)


@pytest.mark.parametrize("kind", [GaussianSampler, Mixture])
def test_draws_have_the_fitted_moments(kind):
    sampler = kind((3,)).fit(clusters(1000, (3,)))
    draws = sampler.sample(np.arange(8000)).numpy()
    weights, means, covariances = dense(sampler)
    mean = weights @ np.array(means)
    covariance = np.einsum("k,kij->ij", weights, covariances)
    covariance += np.einsum("k,ki,kj->ij", weights, means - mean, means - mean)
    # Standard deviation 2 in each dimension: of the mean 0.022, of a variance of 4 about 0.06.
    np.testing.assert_allclose(draws.mean(axis=0), mean, atol=0.1)
    np.testing.assert_allclose(np.cov(draws, rowvar=False), covariance, atol=0.25)


def test_the_full_gaussian_is_the_aggregated_posterior_of_a_linear_gaussian_model():
    # Means of covariance C and posteriors of mean variance v have q(z) of covariance C + diag(v), exactly.
    mean = normal(3000, 4) @ normal(4, 4, seed=1) - 1
    log_var = 0.5 * normal(3000, 4, seed=2)
    sampler = GaussianSampler((4,)).fit(Codes(mean, log_var))
    (_, (center,), (covariance,)) = dense(sampler)
    np.testing.assert_allclose(center, mean.mean(axis=0), rtol=1e-4)
    expected = np.cov(mean, rowvar=False, bias=True) + np.diag(np.exp(log_var).mean(axis=0))
    np.testing.assert_allclose(covariance, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", [GaussianSampler, Mixture])
@pytest.mark.parametrize("rank", [1, 4])
def test_every_dimension_has_the_codes_variance_whatever_the_rank(kind, rank):
    codes = Codes(
        normal(800, 3) @ normal(3, 40, seed=1) + 0.2 * normal(800, 40, seed=4), np.full((800, 40), -2.0)
    )
    sampler = dataclasses.replace(kind((40,)), rank=rank).fit(codes)
    weights, means, covariances = dense(sampler)
    mean = weights @ np.array(means)
    variances = np.einsum("k,kii->i", weights, covariances)
    variances += weights @ np.square(np.array(means) - mean)
    # The mixture's regularisation adds a thousandth.
    np.testing.assert_allclose(variances, codes.mean.var(axis=0) + np.exp(-2), rtol=5e-3)
    np.testing.assert_allclose(mean, codes.mean.mean(axis=0), atol=0.02)


def test_the_mixture_finds_clusters_and_the_gaussian_fills_the_gap_between_them():
    codes = clusters(1000, (3,))
    gaussian, mixture = GaussianSampler((3,)).fit(codes), Mixture((3,), components=2).fit(codes)
    held_out = clusters(500, (3,), seed=10).mean
    assert mixture.log_prob(held_out).mean() > gaussian.log_prob(held_out).mean() + 0.5
    between = [
        np.mean(np.abs(kind.sample(np.arange(1000)).numpy().mean(axis=1)) < 0.9)
        for kind in (gaussian, mixture)
    ]
    assert between[0] > 0.2
    assert between[1] < 0.02
    # Weights of one half each, within their errors of 0.016.
    share = np.mean(mixture.sample(np.arange(4000)).numpy().mean(axis=1) > 0)
    assert share == pytest.approx((codes.mean.mean(axis=1) > 0).mean(), abs=0.04)


def test_the_gain_of_a_sampler_is_the_mismatch_of_the_prior():
    # E_q[log f - log p] for f = q = N(0, 5 I) in 2 dimensions: 4 - log 5.
    train, test = (2 * normal(4000, 2, seed=seed) for seed in range(2))
    sampler = GaussianSampler((2,)).fit(Codes(train, np.zeros_like(train)))
    draws = test + normal(4000, 2, seed=2)
    gain = sampler.log_prob(draws) - np.asarray(PriorSampler((2,)).log_prob(draws))
    assert gain.mean() == pytest.approx(4 - np.log(5), abs=4 * gain.std() / np.sqrt(4000))


@pytest.mark.parametrize("kind", [GaussianSampler, Mixture])
def test_a_plain_autoencoders_codes_get_no_noise_where_the_subspace_holds_them(kind):
    axes = np.linalg.qr(np.random.default_rng(0).normal(size=(50, 3)))[0].astype("float32")
    mean = 4 * normal(500, 3) @ axes.T
    sampler = kind((50,)).fit(Codes(mean, np.full(mean.shape, NO_NOISE)))
    draws = sampler.sample(np.arange(300)).numpy()
    away = draws - draws @ axes @ axes.T
    assert np.linalg.norm(away, axis=1).max() < 0.02 * np.linalg.norm(mean, axis=1).mean()
    assert draws.std(axis=0) == pytest.approx(mean.std(axis=0), rel=0.25)
    assert np.isfinite(sampler.log_prob(mean)).all()
    assert np.isfinite(sampler.log_prob(normal(3, 50))).all()


def test_the_unit_that_an_autoencoder_chose_for_its_codes_makes_no_difference():
    codes = clusters(600, (5,), NO_NOISE)
    small, large = (
        Mixture((5,), components=4).fit(Codes(scale * codes.mean, codes.log_var)).sample(np.arange(50))
        / scale
        for scale in (np.float32(1e-4), np.float32(1e3))
    )
    np.testing.assert_allclose(small, large, rtol=0.01, atol=0.01)


@pytest.mark.parametrize("num_codes", [1, 2, 19, 20, 100])
def test_few_codes_get_one_component_and_that_they_carry_no_more_is_said(num_codes):
    # Nothing but one Gaussian is there; a second component would be of chance.
    mean = normal(num_codes, 4, 4, 4)
    few = 1 < num_codes < 100  # one code has no dimensions, and 100 carry 10 components in 4
    with pytest.warns(UserWarning, match="has 1 of the 10 components") if few else nothing():
        sampler = Mixture((4, 4, 4)).fit(Codes(mean, np.zeros_like(mean)))
    assert sampler.settings["components"] == 1
    assert sampler.settings["rank"] <= max(num_codes // 4, 1)
    gaussian = GaussianSampler((4, 4, 4)).fit(Codes(mean, np.zeros_like(mean)))
    for fitted in (sampler, gaussian):
        assert np.isfinite(fitted.sample(np.arange(5))).all()
        assert np.isfinite(fitted.log_prob(mean)).all()


def nothing():
    return warnings.catch_warnings()


def test_few_codes_are_not_copied():
    # A component on a single code would draw it again: log density far above what held-out codes have.
    mean = 3 * normal(40, 200)
    with pytest.warns(UserWarning, match="has 1 of the 10 components"):
        sampler = Mixture((200,)).fit(Codes(mean, np.full(mean.shape, NO_NOISE)))
    draws = sampler.sample(np.arange(50)).numpy()
    nearest = np.linalg.norm(draws[:, None] - mean[None], axis=2).min(axis=1)
    between = np.linalg.norm(mean[:, None] - mean[None], axis=2)[~np.eye(40, dtype=bool)].mean()
    assert nearest.mean() > 0.5 * between


def test_the_first_component_is_as_likely_as_its_weight():
    assert quantiles(np.array([1.0])).shape == (0,)
    np.testing.assert_allclose(quantiles(np.array([0.5, 0.25, 0.25])), [0, 0.6745], atol=1e-4)
    draws = standard_normal(np.arange(4000), (4,), stream=1).numpy()[:, 0]
    assert np.mean(draws > quantiles(np.array([0.8, 0.2]))) == pytest.approx(0.2, abs=0.025)


@pytest.mark.parametrize("kind", [GaussianSampler, Mixture])
def test_sixty_thousand_small_codes_are_fitted(kind):
    codes = clusters(60_000, (8,))
    begun = time.perf_counter()
    sampler = kind((8,)).fit(codes)
    assert time.perf_counter() - begun < 60
    assert np.abs(sampler.sample(np.arange(100))).mean() == pytest.approx(2, abs=0.5)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:the mixture has")
@pytest.mark.parametrize("kind", [GaussianSampler, Mixture])
def test_a_latent_of_65536_takes_seconds_and_memory_for_its_subspace_alone(kind, tmp_path):
    shape = (8, 8, 1024)
    signal = 5 * normal(300, 20) @ (normal(20, 65_536, seed=1) / 256)
    codes = Codes(signal.reshape(300, *shape), np.full((300, *shape), -0.02, "float32"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB
    begun = time.perf_counter()
    sampler = kind(shape).fit(codes)
    rank = sampler.settings["rank"]
    assert rank >= 18
    draws = sampler.sample(np.arange(20)).numpy()
    log_prob = sampler.log_prob(draws)
    assert time.perf_counter() - begun < 60
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 700 * 1024
    # log q of q's own draws: -(d log(2 pi e) + log det) / 2, with det of the noise and 20 directions of 25 more.
    expected = -0.5 * (65_536 * (np.log(2 * np.pi) + 1 - 0.02) + 20 * np.log(26))
    assert log_prob.mean() == pytest.approx(expected, abs=4 * np.sqrt(65_536 / 2 / 20) + 30)
    # Along the signal the draws are as far out as the codes; the prior's are not.
    axes = np.linalg.qr(sampler.density.axes)[0]
    radius = [np.linalg.norm(flat.reshape(-1, 65_536) @ axes, axis=1).mean() for flat in (draws, codes.mean)]
    assert radius[0] == pytest.approx(radius[1], rel=0.15)
    assert radius[0] > 4 * np.sqrt(rank)
    save(sampler, tmp_path / "sampler.npz")
    stored = (tmp_path / "sampler.npz").stat().st_size
    assert stored < 4 * 65_536 * (rank + 2) + 200_000


def test_an_unfitted_sampler_says_what_to_do():
    with pytest.raises(ValueError, match=r"Mixture is not fitted: call fit\(codes\)"):
        Mixture((3,)).sample([0])


@pytest.mark.parametrize(
    "codes",
    [
        Codes(np.zeros((0, 3)), np.zeros((0, 3))),
        Codes(np.zeros((5, 4)), np.zeros((5, 4))),
        Codes(np.zeros((5, 3)), np.zeros((4, 3))),
    ],
)
def test_codes_of_another_shape_are_refused(codes):
    with pytest.raises(ValueError, match=r"expected \[n, 3\]"):
        GaussianSampler((3,)).fit(codes)


def test_a_file_that_holds_no_sampler_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "sampler.npz"
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "other.npz", something=np.zeros(3))
    np.savez(tmp_path / "unknown.npz", sampler="nobody", latent_shape=(3,))
    np.savez(tmp_path / "strange.npz", sampler="prior", latent_shape=(3,), more=1)
    save(GaussianSampler((3,)).fit(clusters(50, (3,))), path)
    whole = path.read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.npz").write_bytes(b"")
    for name in ("text", "other", "unknown", "strange", "cut", "empty"):
        with pytest.raises(ValueError, match=f"{name}.npz does not contain a sampler: ") as caught:
            load(tmp_path / f"{name}.npz")
        assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.npz")


class Trap:
    """What runs when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


def test_a_pickle_in_a_file_is_never_run(tmp_path):
    np.savez(tmp_path / "trap.npz", sampler=np.array([Trap()], dtype=object))
    (tmp_path / "bare.npz").write_bytes(pickle.dumps(Trap()))
    for name in ("trap.npz", "bare.npz"):
        with pytest.raises(ValueError, match="does not contain a sampler"):
            load(tmp_path / name)


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "sampler.npz"
    save(PriorSampler((3,)), path)
    before = path.read_bytes()

    def fail(file, **arrays):
        file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="No space"):
        save(PriorSampler((4,)), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["sampler.npz"]
