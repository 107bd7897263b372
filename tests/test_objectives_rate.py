"""Objectives that weigh the rate: schedules, a rate that is set, a rate that is free, and where they meet the VAE."""

import types

import numpy as np
import pytest
import sklearn.datasets

from keras_vae.layers.densities import batch_mean
from keras_vae.model.autoencoder import Autoencoder
from keras_vae.model.networks import Convolutional
from keras_vae.model.objectives import OBJECTIVES
from keras_vae.model.objectives.annealing import Annealed
from keras_vae.model.objectives.autoencoding import DenoisingAutoencoder
from keras_vae.model.objectives.capacity import Capacity, FreeBits
from keras_vae.model.objectives.discrepancy import InfoVAE, WassersteinMMD
from keras_vae.model.objectives.moments import CodesCovariance, MeansCovariance
from keras_vae.model.objectives.variational import BetaVAE, VariationalBound
from keras_vae.model.step import Step
from keras_vae.runtime.lazy import keras, tf

NETWORK = Convolutional(widths=(4,), dense=6, activation="elu")
ANNEALED = sorted(name for name, kind in OBJECTIVES.items() if issubclass(kind, Annealed))
pytestmark = pytest.mark.filterwarnings("ignore:the loss weighs the rate")


@pytest.fixture(scope="module")
def digits():
    return (sklearn.datasets.load_digits().images[:64, ..., None] / 16).astype("float32")


def make(objective, latent=2, optimizer=None, **kwargs):
    keras.utils.set_random_seed(1)
    model = Autoencoder((8, 8, 1), latent, objective, "gaussian", NETWORK, **kwargs)
    model.compile(optimizer or keras.optimizers.SGD(1e-4))
    return model


def stand_in(distortion, rate, iteration=0, **posterior):
    values = {"distortion": distortion, "rate": rate, "iteration": iteration, **posterior}
    values = {name: np.asarray(value, "float32") for name, value in values.items()}
    return types.SimpleNamespace(**values, weights=None, mean=batch_mean)


# Schedules


@pytest.mark.parametrize(
    ("iteration", "weight"),
    [(0, 0.1), (4, 0.5), (9, 1), (10, 1), (19, 1), (20, 0.1), (40, 0.1), (49, 1), (59, 1), (60, 1), (900, 1)],
)
def test_cycles_start_again_from_zero_and_the_last_stays_at_full_weight(iteration, weight):
    # 3 cycles of 10 / 0.5 = 20 steps, each of which grows in its first half
    schedule = VariationalBound(warmup=10, cycles=3, share=0.5)
    assert float(schedule.progress(np.float32(iteration))) == pytest.approx(weight)


def test_cycles_are_those_of_fu_et_al():
    # tau = mod(t - 1, T / M) / (T / M), beta = min(1, tau / share): ours is the same a step earlier, never 0
    steps, cycles, share = 1200, 4, 0.75
    schedule = VariationalBound(cycles=cycles, share=share).resolve(num_images=1, num_steps=steps)
    for t in range(2, steps):
        if (t - 1) % (steps // cycles):
            tau = (t - 1) % (steps // cycles) / (steps // cycles)
            assert float(schedule.progress(np.float32(t - 2))) == pytest.approx(min(1, tau / share), rel=1e-4)


def test_cycles_share_the_training_between_them():
    assert VariationalBound(cycles=4).resolve(num_images=1, num_steps=800).warmup == 100  # half of 800 / 4
    assert VariationalBound(cycles=4, warmup=7).resolve(num_images=1, num_steps=800).warmup == 7
    assert VariationalBound().resolve(num_images=1, num_steps=800) == VariationalBound()


@pytest.mark.long
@pytest.mark.parametrize("name", ANNEALED)
def test_every_pull_towards_the_prior_can_be_annealed(name, digits):
    whole = OBJECTIVES[name]().resolve(num_images=1000, num_steps=100)
    tenth = OBJECTIVES[name](warmup=10).resolve(num_images=1000, num_steps=100)
    losses = []
    for objective in (whole, tenth):
        model = make(objective, num_classes=2)
        labels = np.arange(len(digits)) % 2 if model.conditional else None
        terms = objective(model, Step(model, digits, labels, True))
        losses.append(np.asarray(terms["loss"]) - np.asarray(terms["distortion"]))
    np.testing.assert_allclose(losses[1], losses[0] / 10, rtol=1e-2, atol=1e-3)
    assert np.abs(losses[0]).max() > 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"warmup": -1}, r"objective\.warmup is -1: expected a number of steps"),
        ({"cycles": 0}, r"objective\.cycles is 0: expected 1 \(linear\) or more"),
        ({"share": 0.0}, r"objective\.share is 0\.0: expected a share of a cycle"),
        ({"share": 1.5}, r"objective\.share is 1\.5"),
    ],
)
def test_a_schedule_that_is_none_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        VariationalBound(**fields)


def test_cycles_of_unknown_length_are_refused():
    with pytest.raises(ValueError, match=r"objective\.cycles is 3 and objective\.warmup is 0"):
        make(BetaVAE(cycles=3))


# Capacity


@pytest.mark.parametrize(
    ("iteration", "capacity"), [(0, 0.25), (1, 0.5), (99, 25.0), (100, 25.0), (9999, 25.0)]
)
def test_capacity_grows_linearly_and_stays(iteration, capacity):
    # mean rate (1 + 2 + 6) / 3 = 3
    terms = Capacity(gamma=2.0, rise=100)(None, stand_in([10, 20, 30], [1, 2, 6], iteration))
    np.testing.assert_allclose(terms["loss"], np.array([10, 20, 30]) + 2 * abs(3 - capacity), rtol=1e-6)
    np.testing.assert_array_equal(terms["rate"], [1, 2, 6])


def test_capacity_takes_half_of_the_training_to_rise_or_what_it_is_told():
    assert Capacity().resolve(num_images=1, num_steps=300).rise == 150
    assert Capacity(rise=7).resolve(num_images=1, num_steps=300).rise == 7
    with pytest.raises(ValueError, match=r"objective\.rise is 0: set the number of training steps"):
        make(Capacity())


@pytest.mark.parametrize("field", ["gamma", "capacity", "rise"])
def test_a_negative_capacity_is_refused(field):
    with pytest.raises(ValueError, match=rf"objective\.{field} is -1: it must be 0 or more"):
        Capacity(**{field: -1})


@pytest.mark.long
@pytest.mark.parametrize("capacity", [3.0, 12.0])
def test_the_rate_ends_within_five_percent_of_the_capacity(capacity, digits):
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(5e-3, 400))
    objective = Capacity(capacity=capacity).resolve(num_images=64, num_steps=400)
    model = make(objective, latent=4, optimizer=optimizer)
    data = tf.data.Dataset.from_tensors(digits).cache().repeat(400)
    model.fit(data, verbose=0)
    measured = model.evaluate(digits, verbose=0, return_dict=True)
    assert measured["rate"] == pytest.approx(capacity, rel=0.05)


@pytest.mark.parametrize(
    ("objective", "at_the_end"),
    [
        (Capacity(capacity=12.0, gamma=2.0, rise=10**6), Capacity(capacity=12.0, gamma=2.0, rise=1)),
        (BetaVAE(beta=3.0, warmup=10**6), BetaVAE(beta=3.0)),
    ],
)
def test_what_is_measured_is_what_is_trained_in_the_end(objective, at_the_end, digits):
    measured, final = (
        make(kind, latent=4).evaluate(digits, verbose=0, return_dict=True) for kind in (objective, at_the_end)
    )
    assert measured == pytest.approx(final)


# Free bits


def test_free_bits_raise_each_dimensions_mean_rate_to_the_floor():
    # rates m^2 / 2 of unit variances: dimension 0 has (2 + 0) / 2 = 1, dimension 1 has (0.02 + 0.5) / 2 = 0.26
    mean = np.array([[2.0, 0.2], [0.0, 1.0]], "float32")
    step = stand_in([10, 20], [2.02, 0.5])
    step.posterior = {"mean": mean, "log_var": np.zeros_like(mean)}
    for free, expected in ((0.0, 1.26), (0.25, 1.26), (0.5, 1.5), (2.0, 4.0)):
        terms = FreeBits(free=free)(None, step)
        np.testing.assert_allclose(terms["loss"], np.array([10, 20]) + expected, rtol=1e-6)
        np.testing.assert_allclose(terms["rate"], [2.02, 0.5])


def test_free_bits_of_a_spatial_latent_are_those_of_a_channel():
    # one image, 2x1 places, 2 channels, rates m^2 / 2: channel 0 has 0.5 + 2, channel 1 has 0 + 0.125
    mean = np.array([[[[1.0, 0.0]], [[2.0, 0.5]]]], "float32")
    step = stand_in([10], [2.625])
    step.posterior = {"mean": mean, "log_var": np.zeros_like(mean)}
    terms = FreeBits(free=1.0)(None, step)
    np.testing.assert_allclose(terms["loss"], [10 + 2.5 + 1.0], rtol=1e-6)


def test_what_is_free_is_not_pulled():
    mean = tf.constant([[2.0, 0.2], [0.0, 1.0]])
    step = stand_in([10, 20], [2.02, 0.5])
    with tf.GradientTape() as tape:
        tape.watch(mean)
        step.posterior = {"mean": mean, "log_var": tf.zeros_like(mean)}
        loss = tf.reduce_mean(FreeBits(free=0.5)(None, step)["loss"])
    # d/dm of (1/B) sum m^2 / 2 is m / B where the group counts, else 0
    np.testing.assert_allclose(tape.gradient(loss, mean), [[1.0, 0.0], [0.0, 0.0]])


def test_free_bits_below_zero_are_refused():
    with pytest.raises(ValueError, match=r"objective\.free is -1: expected nats"):
        FreeBits(free=-1)


# Where they meet


@pytest.mark.long
@pytest.mark.parametrize(
    ("objective", "known"),
    [
        (BetaVAE(beta=1.0), "vae"),
        (FreeBits(free=0.0), "vae"),
        (Capacity(capacity=0.0, gamma=1.0, rise=1), "vae"),
        (MeansCovariance(off_diagonal=0.0, diagonal=0.0), "vae"),
        (CodesCovariance(off_diagonal=0.0, diagonal=0.0), "vae"),
        (InfoVAE(alpha=0.0, weight=1.0), "vae"),
        (InfoVAE(alpha=-3.0, weight=4.0), "beta_vae"),
        (WassersteinMMD(weight=0.0), "autoencoder"),
    ],
    ids=str,
)
@pytest.mark.parametrize("latent", [2, (2, 2, 3)], ids=str)
def test_at_its_end_an_objective_is_one_that_is_known(objective, known, latent, digits):
    results = []
    for model in (make(objective, latent), make(known, latent)):
        with tf.GradientTape() as tape:
            loss = model.compute_loss(digits)
        results.append([loss, *tape.gradient(loss, [weight.value for weight in model.trainable_weights])])
    for ours, theirs in zip(*results):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * np.abs(theirs).max())


def test_denoising_is_the_autoencoder_of_corrupted_images(digits):
    ours, theirs = make("denoising"), make("autoencoder", corruption="gaussian")
    assert type(ours.objective) is DenoisingAutoencoder
    plain = make("autoencoder")
    for model in (ours, theirs, plain):
        model.run_eagerly = True
        model.train_on_batch(digits)
    for one, other in zip(ours.get_weights(), theirs.get_weights()):
        np.testing.assert_array_equal(one, other)
    assert any(np.any(one != other) for one, other in zip(ours.get_weights(), plain.get_weights()))
    assert make("denoising").corruption != make("denoising", corruption="mask").corruption
