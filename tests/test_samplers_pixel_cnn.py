"""The autoregressive density of quantised codes, and the uniform one."""

import dataclasses
import itertools

import numpy as np
import pytest

from keras_vae.runtime.lazy import tf
from keras_vae.samplers import Codes, PixelCNN, UniformSampler, load, save
from keras_vae.samplers.learned import flatten
from keras_vae.samplers.pixel_cnn import Conditionals
from keras_vae.samplers.uniform import find_entries, find_indices, uniform

STAY = 0.8


def codebook(entries, channels=2):
    return np.sort(np.random.default_rng(1).normal(size=(entries, channels)).astype("float32"), axis=0)


def quantised(indices, book):
    codes = book[indices]
    return Codes(codes, np.full_like(codes, -100.0))


def untrained(height, width, entries):
    """A PixelCNN of random weights, none of them zero."""
    made = PixelCNN((height, width, 2), depth=2, width=4)
    weights = flatten(made.network(entries))
    weights = weights + np.random.default_rng(2).normal(size=weights.shape).astype("float32") * 0.5
    return dataclasses.replace(made, density=Conditionals(codebook(entries), weights))


def markov(count, height=4, width=4, entries=3):
    """Grids of a chain along each row, whose first element follows the one above it.

    An index stays with probability 0.8, and is else one of the others: its entropy is known.
    """
    noise = np.random.default_rng(0)
    grids = np.zeros((count, height, width), int)
    for row, column in itertools.product(range(height), range(width)):
        before = grids[:, row, column - 1] if column else grids[:, row - 1, 0] if row else None
        moved = noise.integers(1, entries, count) * (noise.random(count) > STAY)
        grids[:, row, column] = (
            noise.integers(0, entries, count) if before is None else (before + moved) % entries
        )
    each = -STAY * np.log(STAY) - (1 - STAY) * np.log((1 - STAY) / (entries - 1))
    return grids, np.log(entries) + (height * width - 1) * each


@pytest.fixture(scope="module")
def fitted():
    grids, _ = markov(3000)
    return PixelCNN((4, 4, 2), depth=2, width=16, updates=500).fit(quantised(grids, codebook(3)))


def test_the_codebook_is_found_in_the_codes_and_the_indices_lead_back():
    book = codebook(5)
    grids = np.random.default_rng(0).integers(0, 5, (7, 3, 4))
    found, indices = find_entries(book[grids])
    assert sorted(map(tuple, found)) == sorted(map(tuple, book))
    np.testing.assert_array_equal(found[indices], book[grids])
    np.testing.assert_array_equal(find_indices(book[grids], found), indices)
    assert find_indices(book[grids] + 1, found).max() == -1
    np.testing.assert_array_equal(find_indices(np.full((1, 1, 1, 2), -0.0), np.zeros((1, 2))), 0)


def test_a_position_is_given_by_those_before_it_in_raster_order_and_no_others():
    network = untrained(4, 4, 3).part
    grid = np.zeros((1, 16), int)
    plain = np.reshape(network(grid.reshape(1, 4, 4)), (16, 3))
    reaches = np.zeros((16, 16), bool)  # [i, j]: whether the index at i changes what is said at j
    for changed in range(16):
        other = grid.copy()
        other[0, changed] = 1
        reaches[changed] = (np.reshape(network(other.reshape(1, 4, 4)), (16, 3)) != plain).any(axis=1)
    assert not np.tril(reaches).any()
    # Three positions away two blocks see: the first column of the next row sees all that stands above but the last.
    assert reaches[0, 1:4].all()
    assert reaches[0:3, 4].all()
    assert reaches[1, 4 + 3]  # no blind spot to the right: (0, 1) reaches (1, 3), and (0, 3) reaches (1, 1)
    assert reaches[3, 4 + 1]


def test_probabilities_of_all_grids_add_up_to_one():
    sampler = untrained(2, 2, 3)
    grids = np.array(list(itertools.product(range(3), repeat=4))).reshape(-1, 2, 2)
    probabilities = np.exp(sampler.log_prob(codebook(3)[grids]))
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert probabilities.std() > 0.1 * probabilities.mean()


def test_what_is_not_in_the_codebook_has_no_probability():
    sampler = untrained(2, 2, 3)
    codes = codebook(3)[np.zeros((2, 2, 2), int)]
    codes[1, 0, 0] += 1
    assert np.isfinite(sampler.log_prob(codes)).tolist() == [True, False]


def test_draws_follow_the_probabilities():
    sampler = untrained(1, 3, 2)
    grids = np.array(list(itertools.product(range(2), repeat=3))).reshape(-1, 1, 3)
    probabilities = np.exp(sampler.log_prob(codebook(2)[grids]))
    drawn = find_indices(sampler.sample(np.arange(4000)).numpy(), codebook(2)).reshape(-1, 3) @ [4, 2, 1]
    counts = np.bincount(drawn, minlength=8)
    # Pearson's statistic has 7 degrees of freedom, and is above 24.3 in one case of a thousand.
    assert np.sum((counts - 4000 * probabilities) ** 2 / (4000 * probabilities)) < 24.3


def test_a_known_source_is_learned_to_near_its_entropy(fitted):
    grids, entropy = markov(4000)
    cross_entropy = -fitted.log_prob(codebook(3)[grids[3000:]]).mean()
    # 1,000 grids say the mean to about 0.08 nats; entropy is 10.7, 16 log 3 = 17.6 nats would be no knowledge at all.
    assert entropy - 0.25 < cross_entropy < entropy + 0.3
    drawn = find_indices(fitted.sample(np.arange(500)).numpy(), codebook(3))
    assert (drawn[:, :, 1:] == drawn[:, :, :-1]).mean() == pytest.approx(STAY, abs=0.04)


def test_the_same_seed_fits_the_same_sampler_and_a_file_keeps_it(fitted, tmp_path):
    codes = quantised(markov(60)[0], codebook(3))
    first, again = (PixelCNN((4, 4, 2), depth=1, width=4, updates=100, seed=3).fit(codes) for _ in range(2))
    np.testing.assert_array_equal(first.density.weights, again.density.weights)
    save(fitted, tmp_path / "pixel_cnn.npz")
    loaded = load(tmp_path / "pixel_cnn.npz")
    assert (
        loaded.settings
        == fitted.settings
        == {"depth": 2, "width": 16, "updates": 500, "seed": 0, "entries": 3}
    )
    seeds = np.array([3, 8])
    np.testing.assert_array_equal(loaded.sample(seeds), fitted.sample(seeds))


@pytest.mark.parametrize("kind", [PixelCNN, UniformSampler])
def test_a_row_is_a_function_of_its_own_seed_in_any_batch_and_in_a_graph(kind, fitted):
    sampler = fitted if kind is PixelCNN else UniformSampler.of_codebook(codebook(3), (4, 4, 2))
    graph = tf.function(sampler.sample, input_signature=[tf.TensorSpec((None,), "int64")], autograph=False)
    rows = sampler.sample(np.array([5, -7, 9])).numpy()
    assert rows.shape == (3, 4, 4, 2)
    np.testing.assert_array_equal(graph(np.array([-7])), rows[1:2])
    assert graph(np.zeros(0, "int64")).shape == (0, 4, 4, 2)
    assert not np.array_equal(rows[0], rows[1])


def test_uniform_codes_are_drawn_and_weighed_alike():
    sampler = UniformSampler((2, 3, 2)).fit(quantised(np.arange(60).reshape(10, 2, 3) % 4, codebook(4)))
    codes = sampler.sample(np.arange(2000)).numpy()
    counts = np.bincount(find_indices(codes, codebook(4)).ravel())
    # 12,000 draws of probability 1/4: a standard deviation of 47
    np.testing.assert_allclose(counts, 3000, atol=5 * 47)
    np.testing.assert_allclose(sampler.log_prob(codes[:5]), -6 * np.log(4))
    assert sampler.settings == {"entries": 4}


def test_uniform_numbers_are_uniform():
    numbers = np.sort(uniform(np.arange(50), (200,)).numpy().ravel())
    # Kolmogorov's distance of 10,000 numbers is above 0.0195 in one case of a thousand.
    assert np.abs(numbers - (np.arange(10_000) + 0.5) / 10_000).max() < 0.0195


@pytest.mark.parametrize("kind", [PixelCNN, UniformSampler])
def test_codes_that_are_not_quantised_are_refused(kind):
    vector = np.zeros((5, 3), "float32")
    with pytest.raises(ValueError, match="this sampler is for codes of height x width positions"):
        kind((3,)).fit(Codes(vector, vector))
    for count, shown in ((300, "19,200"), (2, "128")):
        continuous = np.arange(count * 64, dtype="float32").reshape(-1, 8, 8, 1)
        with pytest.raises(
            ValueError, match=rf"{shown} different vectors at {shown} .*at most 16,384 entries"
        ):
            kind((8, 8, 1)).fit(Codes(continuous, continuous))


def test_more_positions_than_are_drawn_in_a_second_are_refused():
    large = np.zeros((1, 64, 32, 1), "float32")
    with pytest.raises(ValueError, match=r"2,048 positions.*at most 1,024 \(try --latent 32x32x1\)"):
        PixelCNN((64, 32, 1)).fit(Codes(large, large))
