"""Which mixture is chosen, against mixtures that are known."""

import json

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from keras_vae.samplers import Codes, Mixture, load, save
from keras_vae.samplers.choosing import MixtureSize, Search, difference, draws, numbers

pytestmark = pytest.mark.filterwarnings("ignore:the mixture has")
VARIANCE = 0.25  # of the noise in all directions; all but a hundredth is the posteriors'
DIM, RANK, COMPONENTS = 20, 8, 6


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, "float32")


class Planted:
    """Codes of a mixture in `RANK` of `DIM` dimensions, and noise in all."""

    def __init__(self, components=COMPONENTS, seed=3):
        generator = np.random.default_rng(seed)
        self.axes = np.linalg.qr(generator.standard_normal((DIM, RANK)))[0]
        self.centers = 3 * generator.standard_normal((components, RANK))
        turns = np.linalg.qr(generator.standard_normal((components, RANK, RANK)))[0]
        self.factors = turns * np.linspace(1.2, 0.6, RANK)

    def codes(self, count, seed):
        generator = np.random.default_rng(seed)
        chosen = generator.integers(0, len(self.centers), count)
        noise = generator.standard_normal((count, RANK))
        inner = self.centers[chosen] + np.einsum("nij,nj->ni", self.factors[chosen], noise)
        mean = inner @ self.axes.T + 0.1 * np.sqrt(VARIANCE) * generator.standard_normal((count, DIM))
        return Codes(mean.astype("float32"), np.full(mean.shape, np.log(0.99 * VARIANCE), "float32"))

    def log_prob(self, codes):
        terms = [
            multivariate_normal(
                self.axes @ center, self.axes @ factor @ factor.T @ self.axes.T + VARIANCE * np.eye(DIM)
            ).logpdf(codes)
            for center, factor in zip(self.centers, self.factors)
        ]
        return logsumexp(terms, axis=0) - np.log(len(self.centers))


@pytest.fixture(scope="module")
def planted():
    """The known mixture, and one that was fitted to its codes."""
    known = Planted()
    return known, Mixture((DIM,), components=20, rank=DIM).fit(known.codes(3000, seed=1))


def test_a_planted_mixture_is_found(planted):
    _, sampler = planted
    assert sampler.settings["rank"] == RANK
    assert 6 <= sampler.settings["components"] <= 20
    tried = {(row["rank"], row["components"]) for row in sampler.settings["candidates"]}
    assert {(4, 1), (8, 1), (16, 1), (20, 1), (8, 3), (8, 10)} <= tried


def test_the_density_that_is_kept_is_near_the_true_one_on_the_same_codes(planted):
    known, sampler = planted
    codes = known.codes(3000, seed=1)
    new = draws(codes.mean[4::5], codes.log_var[4::5], seed=0)
    true = known.log_prob(new.reshape(-1, DIM)).reshape(len(new), -1).mean(axis=1)
    settings = sampler.settings
    assert settings["held_out_codes"] == 600
    # 6 components of 45 numbers, learned from 2,400 codes, cost 270 / 2 / 2400 = 0.06 nats and more.
    assert true.mean() - 0.25 < settings["held_out_nats"] < true.mean() + 0.05
    assert settings["held_out_nats_se"] == pytest.approx(true.std(ddof=1) / np.sqrt(600), rel=0.1)
    others = [row["nats"] for row in settings["candidates"] if row["components"] == 1]
    assert max(others) < true.mean() - 0.5


def test_one_gaussian_is_one_component_of_its_rank():
    sampler = Mixture((DIM,), components=20, rank=DIM).fit(Planted(components=1).codes(1500, seed=1))
    assert (sampler.settings["components"], sampler.settings["rank"]) == (1, RANK)


def test_codes_are_drawn_from_their_posteriors_more_often_where_they_are_few():
    new = draws(np.full((10, 3), 5, "float32"), np.log([[0.01, 1, 100]] * 10).astype("float32"), seed=0)
    assert new.shape == (10, 200, 3)
    np.testing.assert_allclose(new.mean(axis=(0, 1)), [5, 5, 5], atol=1)
    np.testing.assert_allclose(new.std(axis=(0, 1)), [0.1, 1, 10], rtol=0.06)
    assert draws(np.zeros((300, 60_000), "float32"), np.zeros((300, 60_000), "float32"), 0).shape[1] == 1


def test_held_out_codes_touch_neither_subspace_nor_variances():
    codes = Planted().codes(100, seed=1)
    searches = []
    for moved in (0.0, 50.0):
        mean, log_var = codes.mean.copy(), codes.log_var.copy()
        mean[4::5] += moved
        log_var[4::5] += moved / 10
        searches.append(Search(mean, log_var, rank=6, seed=0))
    for one, other in zip(*(search.components + search.variances for search in searches)):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(*(search.coordinates for search in searches))


def test_a_difference_within_its_error_leaves_the_simpler():
    search = Search(*Planted().codes(100, seed=1), rank=6, seed=0)
    base, chance = normal(20).astype("float64"), normal(20, seed=1)
    chance = (chance - chance.mean()) / chance.std(ddof=1)  # mean 0, standard error 1 / sqrt(20) = 0.224
    search.measured = {
        MixtureSize(4, 1): base,
        MixtureSize(6, 10): base + chance + 0.22,
        MixtureSize(6, 1): base - 1,
    }
    assert search.best() == MixtureSize(6, 10)
    assert search.simplest() == MixtureSize(4, 1)
    search.measured[MixtureSize(6, 10)] = base + chance + 0.23
    assert search.simplest() == MixtureSize(6, 10)


def test_the_error_of_a_difference_is_that_of_pairs():
    base = 100 * normal(50).astype("float64")
    mean, error = difference(base + np.tile([1.0, 3.0], 25), base)
    # Deviations of 1 about 2: sqrt(50 / 49) / sqrt(50) = 1 / 7.
    assert (mean, error) == (pytest.approx(2), pytest.approx(1 / 7))


@pytest.mark.parametrize(
    ("most", "expected"),
    [(1, [1]), (2, [1, 2]), (10, [1, 3, 10]), (40, [1, 3, 10, 20, 40]), (50, [1, 3, 10, 20, 40, 50])],
)
def test_the_numbers_that_are_tried_end_with_the_most(most, expected):
    assert numbers(most) == expected


def test_what_was_tried_is_kept_in_the_file_and_is_plain_numbers(planted, tmp_path):
    _, sampler = planted
    save(sampler, tmp_path / "mixture.npz")
    settings = load(tmp_path / "mixture.npz").settings
    assert settings == sampler.settings
    assert json.loads(json.dumps(settings)) == settings
    assert settings["candidates"][0]["behind"] == 0
    nats = [row["nats"] for row in settings["candidates"]]
    assert nats == sorted(nats, reverse=True)


def test_a_file_of_an_older_version_is_loaded(tmp_path):
    sampler = Mixture((3,), components=2).fit(Codes(normal(10, 3), np.zeros((10, 3))))
    density = {f"density.{name}": array for name, array in sampler.density._asdict().items()}
    np.savez(
        tmp_path / "old.npz", sampler="mixture", latent_shape=(3,), components=40, rank=64, seed=7, **density
    )
    again = load(tmp_path / "old.npz")
    assert again.settings == {"components": 1, "rank": sampler.settings["rank"], "seed": 7}
    np.testing.assert_array_equal(again.sample([1, 2]), sampler.sample([1, 2]))


def test_means_of_further_images_are_fitted_too():
    known = Planted()
    few, more = known.codes(100, seed=1), known.codes(2000, seed=2)
    alone = Mixture((DIM,), components=10, rank=RANK).fit(few)
    helped = Mixture((DIM,), components=10, rank=RANK).fit(few, further=np.split(more.mean, 4))
    new = draws(*known.codes(1000, seed=3), seed=0).reshape(-1, DIM)
    gain, error = difference(helped.log_prob(new), alone.log_prob(new))
    assert gain > 3 * error
    assert helped.settings["components"] > alone.settings["components"]
