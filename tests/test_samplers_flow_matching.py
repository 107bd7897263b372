"""Flow matching: its coordinates, its solver and densities, its training, and what it draws."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import multivariate_normal

from keras_vae.samplers import Codes, FlowMatching, GaussianSampler, load, ode, save
from keras_vae.samplers.coordinates import Places, find_places, informative, is_map
from keras_vae.samplers.learning import Learning, Look, outlook, rate, still_gains

NO_NOISE = -100.0  # the log-variance that plain autoencoders are given
SMALL = {"width": 16, "updates": 60}


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, "float32")


def maps(count=400, seed=0):
    """Codes of 4x4 places and 6 channels, of which two carry a signal that is the same at all places."""
    mixing = normal(2, 6, seed=5)
    whole = normal(count, 1, 2, seed=seed) + 0.3 * normal(count, 16, 2, seed=seed + 1)
    mean = 4 * whole @ mixing + normal(1, 16, 6, seed=6)
    log_var = np.broadcast_to(np.linspace(-1, 1, 6, dtype="float32"), mean.shape)
    return Codes(mean.reshape(count, 4, 4, 6), log_var.reshape(count, 4, 4, 6))


def flat(codes):
    return [np.asarray(part, "float32").reshape(len(part), -1) for part in codes]


def gaussian_velocity(mean, covariance):
    """The mean of cos(s) z - sin(s) e given cos(s) e + sin(s) z, for z ~ N(mean, covariance), by conditioning."""

    def velocity(points, time):
        cosine, sine = tf.cos(time), tf.sin(time)
        inner = cosine**2 * np.eye(len(mean), dtype="float32") + sine**2 * covariance
        away = tf.transpose(tf.linalg.solve(inner, tf.transpose(points - sine * mean)))
        return cosine * (mean + sine * away @ covariance) - sine * cosine * away

    return velocity


def test_a_map_has_the_same_few_channels_at_all_places():
    codes = maps()
    places = find_places(*flat(codes), (4, 4, 6), rank=128, channels=64)
    assert (places.rank, len(places.center)) == (2, 16)
    np.testing.assert_allclose(places.center, codes.mean.mean(axis=0).reshape(16, 6), atol=1e-4)
    np.testing.assert_allclose(places.axes.T @ places.axes, np.eye(2), atol=1e-5)
    signal = np.linalg.lstsq(normal(2, 6, seed=5).T, places.subspace.scale[:, None] * places.axes, rcond=None)
    assert np.sqrt(signal[1]).max() < 0.05  # the axes span the signal's channels


def test_coordinates_have_mean_0_and_variance_1_and_those_of_posteriors_their_noise():
    codes = maps(2000)
    places = find_places(*flat(codes), (4, 4, 6), rank=128, channels=64)
    rows = places.rows(*flat(codes))
    drawn = rows.mean + rows.deviation * (normal(*rows.mean.shape, seed=3) @ rows.factor.T)
    exact, _ = places.coordinates(flat(codes)[0] + np.exp(0.5 * flat(codes)[1]) * normal(2000, 96, seed=4))
    for found in (drawn, exact):
        pooled = np.asarray(found, "float64").reshape(-1, 2)
        np.testing.assert_allclose(pooled.mean(axis=0), 0, atol=0.02)
        np.testing.assert_allclose(np.cov(pooled, rowvar=False), np.eye(2), atol=0.05)


def test_a_vector_of_many_numbers_keeps_the_directions_that_carry_information():
    mixing = normal(5, 64, seed=1)
    codes = Codes(normal(3000, 5) @ mixing, np.zeros((3000, 64), "float32"))
    places = find_places(*codes, (64,), rank=128, channels=64)
    assert places.rank == 5
    outside = np.linalg.lstsq(mixing.T, places.subspace.scale[:, None] * places.axes, rcond=None)[1]
    assert np.sqrt(outside).max() < 0.05  # the axes span those directions
    assert find_places(*(part[:, :32] for part in codes), (32,), rank=128, channels=64).subspace.is_whole


@pytest.mark.parametrize(("shape", "rank"), [((4, 4, 6), 8), ((96,), 8), ((96,), 128)])
def test_codes_of_noise_have_the_codes_covariance_at_a_place_and_the_density_of_that(shape, rank):
    codes = maps(2000)
    codes = Codes(*(part.reshape(-1, *shape) for part in codes))
    places = find_places(*flat(codes), shape, rank=rank, channels=64)
    count, size = 4000, 96
    coordinates = normal(count, len(places.center), places.rank, seed=7)
    drawn = places.embed(coordinates, normal(count, size, seed=8)).numpy()
    own = flat(codes)[0] + np.exp(0.5 * flat(codes)[1]) * normal(2000, size, seed=4)
    first = slice(0, 6)  # the channels of one place
    scale = np.abs(np.cov(own[:, first], rowvar=False)).max()
    np.testing.assert_allclose(
        np.cov(drawn[:, first], rowvar=False), np.cov(own[:, first], rowvar=False), atol=0.08 * scale
    )
    again, around = places.coordinates(drawn)
    np.testing.assert_allclose(again, coordinates, atol=2e-3)
    width = places.center.shape[1]
    covariance = dense_covariance(places)
    expected = sum(
        multivariate_normal(center, covariance).logpdf(drawn[:, index * width : (index + 1) * width])
        for index, center in enumerate(places.center)
    )
    normal_part = multivariate_normal(np.zeros(places.rank)).logpdf(coordinates.reshape(-1, places.rank))
    np.testing.assert_allclose(
        np.reshape(normal_part, (count, -1)).sum(axis=1) + around, expected, rtol=2e-4, atol=0.02
    )


def dense_covariance(places):
    """The covariance of a place where t is N(0, I), without any saving."""
    scale, axes = np.diag(places.subspace.scale.astype("float64")), places.axes.astype("float64")
    inside = axes @ np.diag(np.square(places.subspace.spread.astype("float64"))) @ axes.T
    return scale @ (inside + np.eye(len(axes)) - axes @ axes.T) @ scale


def test_what_counts_as_a_map_and_as_information():
    assert [is_map(shape) for shape in ((4, 4, 2), (7, 5, 1), (2, 8, 4), (16,))] == [True, True, False, False]
    # log1p: 4.6, 2.4, 0.001, 0.001: two of them hold more than 99%.
    assert informative(np.array([100, 10, 1e-3, 1e-3])) == 2
    assert informative(np.zeros(4)) == 1


@pytest.mark.parametrize("size", [16, 128])
def test_the_density_by_change_of_variables_is_the_gaussians_own(size):
    generator = np.random.default_rng(0)
    mixing = generator.normal(size=(size, size)) / np.sqrt(size)
    covariance = (0.2 * np.eye(size) + mixing @ mixing.T).astype("float32")
    mean = generator.normal(size=size).astype("float32")
    expected = multivariate_normal(mean, covariance)
    points = expected.rvs(6, random_state=1).astype("float32")
    divergence = ode.exact(gaussian_velocity(mean, covariance))
    found = tf.function(lambda rows: ode.log_density(divergence, rows, 24))(tf.constant(points))
    np.testing.assert_allclose(found, expected.logpdf(points), atol=0.1)


@pytest.mark.long
def test_hutchinsons_estimate_is_unbiased_and_its_error_is_the_one_that_is_seen():
    size = 12
    generator = np.random.default_rng(3)
    matrix = generator.normal(size=(size, size)).astype("float32")
    points = tf.constant(normal(1, size))
    parts = [
        float(
            ode.estimated(lambda rows, time: rows @ matrix.T, ode.signs((1, size), generator))(points, 0.0)[
                1
            ][0]
        )
        for _ in range(2000)
    ]
    assert np.mean(parts) == pytest.approx(np.trace(matrix), abs=4 * np.std(parts) / np.sqrt(2000))


def test_steps_are_exact_where_the_velocity_stays_as_it_is():
    found = ode.euler(lambda points, time: np.float32(2) + 0 * points, normal(3, 2), 4)
    np.testing.assert_allclose(found, normal(3, 2) + np.pi, atol=1e-5)


def test_heun_has_errors_of_second_order():
    exact = np.exp(1.0)
    errors = [
        abs(float(ode.heun(lambda points, time: points, np.float64(1.0), 0.0, 1.0, steps)) - exact)
        for steps in (10, 20)
    ]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.15)


def two_clusters(count, seed=0):
    """Points of a mixture of two Gaussians in 4 dimensions, and which of them each is of."""
    generator = np.random.default_rng(seed)
    label = (generator.random(count) < 0.7).astype("int32")
    side = np.where(label == 1, 1.5, -1.5)[:, None]
    return (side + 0.5 * generator.standard_normal((count, 4))).astype("float32"), label


def true_density(points):
    parts = [multivariate_normal(np.full(4, side), 0.25 * np.eye(4)).logpdf(points) for side in (-1.5, 1.5)]
    return np.logaddexp(np.log(0.3) + parts[0], np.log(0.7) + parts[1])


@pytest.fixture(scope="module")
def clusters():
    """Flow matching on the clusters as points, with their labels."""
    mean, label = two_clusters(6000)
    codes = Codes(mean, np.full(mean.shape, NO_NOISE, "float32"))
    return FlowMatching((4,), width=64, updates=1500, minutes=10.0).fit(codes, labels=label)


def test_learned_densities_are_near_the_true_ones(clusters):
    points, _ = two_clusters(400, seed=9)
    found = clusters.log_prob(points)
    assert found.mean() == pytest.approx(true_density(points).mean(), abs=0.3)
    gaussian = GaussianSampler((4,)).fit(
        Codes(two_clusters(6000)[0], np.full((6000, 4), NO_NOISE, "float32"))
    )
    assert found.mean() > gaussian.log_prob(points).mean() + 0.5


@pytest.mark.long
@pytest.mark.parametrize("steps", [4, 20])
def test_samples_lie_in_the_clusters_in_their_shares(clusters, steps):
    drawn = dataclasses.replace(clusters, steps=steps).sample(np.arange(2000)).numpy()
    assert (drawn.mean(axis=1) > 0).mean() == pytest.approx(0.7, abs=0.04)
    expected = true_density(two_clusters(2000, seed=8)[0]).mean()
    assert true_density(drawn).mean() == pytest.approx(expected, abs=0.6)


@pytest.mark.parametrize("steps", [4, 20])
def test_a_class_can_be_asked_for(clusters, steps):
    labels = np.arange(300) % 2
    drawn = dataclasses.replace(clusters, steps=steps).sample_class(np.arange(300), labels).numpy()
    assert ((drawn.mean(axis=1) > 0) == (labels == 1)).mean() > 0.98


@pytest.mark.long
def test_codes_without_labels_have_no_classes():
    sampler = FlowMatching((3,), **SMALL).fit(Codes(normal(200, 3), np.zeros((200, 3), "float32")))
    assert sampler.num_labels == 0
    with pytest.raises(ValueError, match="labels"):
        sampler.sample_class([0], [0])


@pytest.mark.long
def test_many_coordinates_have_an_estimated_density_with_an_error():
    codes = Codes(normal(300, 8, 8, 4), np.full((300, 8, 8, 4), -1.0, "float32"))
    sampler = FlowMatching((8, 8, 4), **SMALL).fit(codes)
    weights = 0.1 * normal(len(sampler.density.weights))
    sampler = dataclasses.replace(sampler, density=sampler.density._replace(weights=weights))
    value, error = sampler.log_prob_and_error(codes.mean[:2], probes=4)
    assert value.shape == error.shape == (2,)
    assert np.isfinite(value).all()
    assert (error > 0).all()
    small = FlowMatching((3,), **SMALL).fit(Codes(normal(200, 3), np.zeros((200, 3), "float32")))
    assert (small.log_prob_and_error(normal(2, 3))[1] == 0).all()


def test_a_larger_budget_teaches_the_few_steps_anew(tmp_path):
    corners = np.sign(normal(300, 5))  # which take some learning
    codes = Codes(corners, np.full((300, 5), -4.0, "float32"))
    settings = {"width": 16, "updates": 200, "minutes": 10.0}
    whole = FlowMatching((5,), **settings).fit(codes)
    file = tmp_path / "state.npz"
    before = FlowMatching((5,), **{**settings, "updates": 100}).fit(codes, file=file)
    after = FlowMatching((5,), **settings).fit(codes, file=file)
    # The samples are of the network that takes few steps: it must have learned from the better velocities.
    assert not np.array_equal(before.sample(range(4)), after.sample(range(4)))
    np.testing.assert_allclose(after.density.weights, whole.density.weights, atol=1e-5)
    np.testing.assert_allclose(after.density.few, whole.density.few, atol=1e-4)
    same = FlowMatching((5,), **settings).fit(codes, file=file)  # the budget is used up
    np.testing.assert_array_equal(same.density.few, after.density.few)
    smaller = FlowMatching((5,), **{**settings, "updates": 50, "minutes": 1.0}).fit(codes, file=file)
    np.testing.assert_array_equal(smaller.density.few, after.density.few)
    assert smaller.training["minutes"] == 10  # of the training that made it
    again = FlowMatching((5,), **settings).fit(codes, file=file)  # the file is as before
    np.testing.assert_array_equal(again.density.few, after.density.few)


@pytest.mark.long
def test_the_same_updates_give_the_same_sampler_and_a_killed_training_goes_on(tmp_path):
    codes = Codes(normal(300, 5), np.zeros((300, 5), "float32"))
    settings = {"width": 16, "updates": 150, "minutes": 10.0}
    whole = FlowMatching((5,), **settings).fit(codes)
    again = FlowMatching((5,), **settings).fit(codes)
    np.testing.assert_array_equal(whole.density.weights, again.density.weights)

    file, shown = tmp_path / "samplers" / "state.npz", []

    def show(what, seconds, allowed, looks):
        shown.append((what, [look.updates for look in looks]))

    FlowMatching((5,), **{**settings, "updates": 50}).fit(codes, file=file)
    FlowMatching((5,), **settings).fit(codes, file=file, show=show)
    assert shown[0] == ("velocities", [0, 50])  # the first 50 updates are not made again
    shown.clear()
    FlowMatching((5,), **settings).fit(Codes(codes.mean**3, codes.log_var), file=file, show=show)
    assert shown[0] == ("velocities", [0])  # codes of another model begin anew


def test_a_resumed_training_is_the_undisturbed_one(tmp_path):
    start = np.linspace(-1, 1, 7).astype("float32")
    target = tf.constant(np.arange(7, dtype="float32"))

    def loss(weights, number):
        noise = tf.random.stateless_normal((7,), tf.stack([3, tf.cast(number, "int32")]))
        return tf.reduce_sum(tf.square(weights - target + noise))

    def held_out(weights):
        return tf.square(weights - target)

    whole, parts = Learning(start, loss, held_out), Learning(start, loss, held_out)
    whole.go_on(1e9, 150)
    parts.go_on(1e9, 75)
    resumed = Learning(start, loss, held_out)
    resumed.restore_from({f"x.{name}": value for name, value in parts.state().items()}, "x.")
    resumed.go_on(1e9, 150)
    np.testing.assert_array_equal(whole.weights.numpy(), resumed.weights.numpy())
    np.testing.assert_array_equal(whole.average.numpy(), resumed.average.numpy())


def test_the_average_is_karras_power_average():
    updates = []

    def loss(weights, number):
        return tf.reduce_sum(weights)

    learning = Learning(np.ones(1, "float32"), loss, lambda weights: weights)
    for number in range(40):
        learning.compiled(tf.constant(number), tf.constant(1))
        updates.append(float(learning.weights.numpy()[0]))
    # The weights of a power average grow as n^6.94: a sum that is computed here in one go.
    expected = 1.0
    for number, weight in enumerate(updates):
        kept = (1 - 1 / (number + 2)) ** 7.94
        expected = kept * expected + (1 - kept) * weight
    assert float(learning.average.numpy()[0]) == pytest.approx(expected, rel=1e-5)


def test_training_ends_when_held_out_codes_gain_no_more():
    counts = range(0, 2000, 100)
    curve = [Look(count, 0.0, 1 - count / 4000) for count in counts]
    each = [np.full(50, look.loss) for look in curve]
    assert still_gains(curve, each)
    assert still_gains(curve[:2], each[:2])  # too early to say
    assert not still_gains([Look(count, 0.0, 0.5) for count in counts], [np.full(50, 0.5)] * 20)
    # The same gain of 0.15 in the last 600 updates, but one code gains it alone, and another loses half: within its error.
    alone = [np.where(np.arange(50) == 0, 100 * look.loss, 0) for look in curve]
    alone = [losses - np.where(np.arange(50) == 1, 50 * look.loss, 0) for losses, look in zip(alone, curve)]
    assert not still_gains(curve, alone)
    assert rate(0) < rate(99) == rate(1999) > rate(8000) == pytest.approx(rate(1999) / 2, rel=1e-3)


def test_the_outlook_is_exact_for_a_power_law():
    looks = [
        Look(count, 0.0, 0.3 + 2 * count**-0.5) for count in np.unique(np.geomspace(50, 6400, 80).astype(int))
    ]
    found = outlook(looks)
    later = 2 * (6400**-0.5 - 12800**-0.5)
    assert found.next == pytest.approx(later, rel=0.02)
    assert found.least < found.next < found.most == found.last
    assert outlook(looks[:3]) is None


@pytest.mark.long
def test_healthy_codes_stop_soon_and_are_drawn_as_the_gaussian_that_they_are():
    codes = Codes(np.zeros((3000, 8), "float32"), np.zeros((3000, 8), "float32"))
    sampler = FlowMatching((8,), width=32, minutes=5.0, updates=4000).fit(codes)
    assert sampler.training["updates"] < 1500
    assert not sampler.training["gains"]
    drawn = sampler.sample(np.arange(4000)).numpy()
    np.testing.assert_allclose(np.cov(drawn, rowvar=False), np.eye(8), atol=0.12)


def test_saved_samplers_keep_their_classes(clusters, tmp_path):
    save(clusters, tmp_path / "s.npz")
    again = load(tmp_path / "s.npz")
    assert again.num_labels == 2
    assert again.training == clusters.training
    np.testing.assert_array_equal(again.sample_class([5], [1]), clusters.sample_class([5], [1]))


@pytest.mark.long
def test_more_codes_than_the_first_batch_are_learned_from():
    mean, label = two_clusters(600)
    noise = np.full(mean.shape, NO_NOISE, "float32")
    seen = []
    sampler = FlowMatching((4,), **SMALL)

    def further():
        for start in (200, 400):
            seen.append(start)
            rows = slice(start, start + 200)
            yield Codes(mean[rows], noise[rows]), label[rows]

    fitted = sampler.fit(Codes(mean[:200], noise[:200]), labels=label[:200], further=further())
    assert seen == [200, 400]
    assert fitted.density.counts.sum() == 600
    assert isinstance(fitted.density.places, Places)
