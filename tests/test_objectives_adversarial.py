"""Critics: what they estimate, whom their gradients reach, and their state."""

import functools

import numpy as np
import pytest
import sklearn.datasets

from keras_vae.layers.basic import GivenSeed
from keras_vae.model.autoencoder import Autoencoder
from keras_vae.model.networks import Convolutional
from keras_vae.model.objectives.adversarial import (
    AdversarialAutoencoder,
    FactorVAE,
    critic_loss,
    log_ratio,
    permute_dims,
)
from keras_vae.model.step import Step
from keras_vae.runtime.lazy import keras, ops, tf

NETWORK = Convolutional(widths=(4,), dense=8, activation="elu")
OBJECTIVES = [FactorVAE(critic_widths=(16, 16)), AdversarialAutoencoder(critic_widths=(16, 16))]
every_objective = pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda one: type(one).__name__)


@pytest.fixture(scope="module")
def digits():
    return (sklearn.datasets.load_digits().images[:64, ..., None] / 16).astype("float32")


def make(objective, latent=3, **kwargs):
    keras.utils.set_random_seed(1)
    model = Autoencoder((8, 8, 1), latent, objective, network=NETWORK, **kwargs)
    model.compile(keras.optimizers.Adam(1e-3))
    return model


def gradients(model, images, term):
    """The gradients of one term by the weights of encoder, decoder and critic: a list for each."""
    parts = [model.encoder, model.decoder, model.critic]
    with tf.GradientTape() as tape:
        value = ops.mean(model.objective(model, Step(model, images, None, True))[term])
    return tape.gradient(value, [[weight.value for weight in part.trainable_weights] for part in parts])


def reached(part):
    return [gradient is not None and bool(np.any(gradient)) for gradient in part]


# Terms


def test_the_critics_loss_is_the_cross_entropy_of_its_two_logits():
    # -log softmax(a, b)[0] = softplus(b - a): the first set is to have the first logit, the second the other.
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 5, 2)).astype("float32")
    measured = critic_loss(lambda codes, training: ops.convert_to_tensor(codes), first, second)

    def entropy(logits, which):
        return np.log(np.exp(logits).sum(axis=1)) - logits[:, which]

    np.testing.assert_allclose(measured, 0.5 * (entropy(first, 0) + entropy(second, 1)), rtol=1e-5)
    blind = critic_loss(lambda codes, training: ops.zeros((5, 2)), first, second)
    np.testing.assert_allclose(blind, np.log(2), rtol=1e-6)


@pytest.mark.parametrize("shape", [(3,), (2, 2, 3)])
def test_each_dimension_is_permuted_by_itself_and_keeps_its_values(shape):
    codes = np.arange(200 * np.prod(shape), dtype="float32").reshape(200, *shape)
    permuted = np.asarray(permute_dims(codes, keras.random.SeedGenerator(0))).reshape(200, -1)
    columns = codes.reshape(200, -1)
    np.testing.assert_array_equal(np.sort(permuted, axis=0), columns)
    orders = {tuple(np.argsort(column)) for column in permuted.T}
    assert len(orders) == columns.shape[1]  # no two by the same permutation


def test_permuting_takes_the_correlation_and_leaves_the_marginals():
    noise = np.random.default_rng(0).normal(size=(4000, 1)).astype("float32")
    permuted = np.asarray(permute_dims(np.concatenate([noise, noise], axis=1), keras.random.SeedGenerator(1)))
    assert abs(np.corrcoef(permuted.T)[0, 1]) < 4 / np.sqrt(4000)


def test_a_trained_critic_knows_the_total_correlation_of_a_gaussian():
    # Two units of correlation r: TC = -log(1 - r^2) / 2, 0.51 nats at 0.8.
    keras.utils.set_random_seed(0)
    objective = FactorVAE(critic_widths=(32, 32), critic_rate=3e-3)
    critic, optimizer = objective.critic((8, 8, 1), (2,)), objective.critic_optimizer()
    rng, root = np.random.default_rng(0), np.linalg.cholesky([[1, 0.8], [0.8, 1]])

    def draw(count):
        return (rng.normal(size=(count, 2)) @ root.T).astype("float32")

    @tf.function
    def train(codes, number):
        with tf.GradientTape() as tape:
            loss = ops.mean(critic_loss(critic, codes, permute_dims(codes, GivenSeed(0, number))))
        optimizer.apply(tape.gradient(loss, critic.trainable_weights), critic.trainable_weights)

    optimizer.build(critic.trainable_variables)
    for number in range(500):
        train(tf.constant(draw(256)), tf.constant(number))
    assert np.mean(log_ratio(critic(draw(20_000)))) == pytest.approx(-np.log(1 - 0.8**2) / 2, abs=0.06)


def test_factor_vae_adds_gamma_times_what_its_critic_says_of_the_codes(digits):
    model = make(FactorVAE(critic_widths=(8,), gamma=3.0))
    step = Step(model, digits, None, True)
    terms = model.objective(model, step)
    ratio = log_ratio(model.critic(step.codes))
    np.testing.assert_allclose(terms["total_correlation"], ratio, rtol=1e-5)
    np.testing.assert_allclose(terms["loss"], step.distortion + step.rate + 3 * ratio, rtol=1e-5)


def test_an_adversarial_autoencoder_adds_minus_the_log_of_the_critics_probability(digits):
    model = make(AdversarialAutoencoder(critic_widths=(8,), weight=2.0))
    step = Step(model, digits, None, True)
    terms = model.objective(model, step)
    probability = ops.softmax(model.critic(step.codes))[:, 0]  # of being the prior's
    np.testing.assert_allclose(terms["loss"], step.distortion - 2 * ops.log(probability), rtol=1e-5)
    expected = critic_loss(model.critic, step.prior_codes, step.codes)
    np.testing.assert_allclose(terms["critic_loss"], expected, rtol=1e-6)


# Who trains whom


@every_objective
@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("loss", (True, True, False)),
        ("distortion", (True, True, False)),
        ("critic_loss", (False, False, True)),
        ("of the critic in the loss", (True, False, False)),
    ],
)
def test_gradients_reach_only_whom_they_should(objective, term, expected, digits):
    names = {FactorVAE: "total_correlation", AdversarialAutoencoder: "encoder_loss"}
    name = names[type(objective)] if term.startswith("of") else term
    parts = [reached(part) for part in gradients(make(objective), digits, name)]
    for part, wanted in zip(parts, expected):
        assert all(part) if wanted else not any(part)


def test_a_prior_that_learns_is_fitted_to_the_codes_by_the_loss_alone(digits):
    model = make(AdversarialAutoencoder(critic_widths=(8,)), prior="mixture")
    learned = [weight.value for weight in model.prior_layer.trainable_weights]
    with tf.GradientTape(persistent=True) as tape:
        step = Step(model, digits, None, True)
        terms = model.objective(model, step)
        fit = -model.prior.log_prob(ops.stop_gradient(step.codes))
    ours, theirs, critics = (
        tape.gradient(values, learned) for values in (terms["loss"], fit, terms["critic_loss"])
    )
    for one, other in zip(ours, theirs):
        np.testing.assert_allclose(one, other, rtol=1e-5)
    assert any(reached(ours))
    assert not any(reached(critics))


@pytest.mark.long
@every_objective
def test_one_step_is_that_of_two_tapes_and_two_optimizers(objective, digits):
    model, twin = make(objective), make(objective)
    images = tf.constant(digits)

    def terms():
        return twin.objective(twin, Step(twin, images, None, True))

    own, criticising = twin.own_weights, twin.critic.trainable_weights
    with tf.GradientTape() as tape:
        loss = ops.mean(terms()["loss"])
    with tf.GradientTape() as critics_tape:
        critics = ops.mean(terms()["critic_loss"])
    updates = tape.gradient(loss, own), critics_tape.gradient(critics, criticising)
    keras.optimizers.Adam(1e-3).apply(updates[0], own)
    optimizer = objective.critic_optimizer()
    optimizer.apply(updates[1], criticising)
    logs = model.train_on_batch(digits, return_dict=True)
    assert logs["loss"] == pytest.approx(float(loss), rel=1e-5)
    assert logs["critic_loss"] == pytest.approx(float(critics), rel=1e-5)
    for ours, theirs in zip(model.get_weights(), twin.get_weights()):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)
    assert len(own) + len(criticising) == len(model.trainable_weights)


@pytest.mark.long
def test_a_critic_that_tells_codes_from_the_prior_pulls_them_to_it(digits):
    # Codes around 3 or -3, held there until the critic knows them: then the encoder is to go back to 0.
    for side in (3.0, -3.0):
        model = make(AdversarialAutoencoder(critic_widths=(16,), critic_rate=1e-2), latent=1)
        model.optimizer.learning_rate.assign(0.0)
        model.encoder.get_layer("mean").bias.assign([side])
        logs = model.fit(np.tile(digits, (60, 1, 1, 1)), batch_size=64, shuffle=False, verbose=0).history
        assert logs["critic_loss"][-1] < 0.5
        bias = gradients(model, digits, "encoder_loss")[0][-1]
        assert bias.shape == (1,)
        assert np.sign(bias) == np.sign(side)


# State


@pytest.mark.long
@every_objective
def test_a_training_resumed_from_weights_equals_an_undisturbed_one_bit_for_bit(objective, digits, tmp_path):
    # From .keras files: tests/test_conformance.py.
    train = functools.partial(keras.Model.fit, x=digits, batch_size=32, shuffle=False, verbose=0)
    straight, resumed = make(objective), make(objective)
    train(straight)
    straight.save_weights(tmp_path / "model.weights.h5")
    train(straight)
    resumed.load_weights(tmp_path / "model.weights.h5")
    assert resumed.critic_optimizer.iterations == 2
    train(resumed)
    ours, theirs = ([*model.weights, *model.critic_optimizer.variables] for model in (straight, resumed))
    for one, other in zip(ours, theirs):
        np.testing.assert_array_equal(one, other)


@every_objective
def test_under_float16_the_critics_step_is_that_of_float32_and_is_passed_over_on_overflow(objective, digits):
    images = digits[:8]
    full, half = make(objective), make(objective, dtype="mixed_float16")
    for model in (full, half):
        model.run_eagerly = True
    scaled = keras.optimizers.LossScaleOptimizer
    assert isinstance(half.optimizer, scaled)
    assert isinstance(half.critic_optimizer, scaled)
    before = [weight.numpy() for weight in full.critic.weights]
    for model in (full, half):
        model.train_on_batch(images)
    moved = [ours.numpy() - start for ours, start in zip(full.critic.weights, before)]
    for start, ours, theirs in zip(before, moved, half.critic.weights):
        # Adam's first step is the rate times the gradient's sign: the codes' rounding turns a few.
        agree = np.isclose(theirs.numpy() - start, ours, atol=2e-5)
        assert agree.mean() > 0.9
    kept = [weight.numpy() for weight in half.critic.weights]
    half.encoder.get_layer("mean").bias.assign(np.full(3, np.inf))  # what an overflow leaves behind
    half.train_on_batch(images)
    for weight, value in zip(half.critic.weights, kept):
        np.testing.assert_array_equal(weight, value)


# Refused


@pytest.mark.parametrize(
    ("objective", "fields", "message"),
    [
        (FactorVAE, {"gamma": -1.0}, r"objective\.gamma is -1\.0: it must be 0 or more"),
        (FactorVAE, {"critic_widths": ()}, r"objective\.critic_widths is \(\): give at least one size"),
        (FactorVAE, {"critic_rate": 0.0}, r"objective\.critic_rate is 0\.0: it must be above 0"),
        (AdversarialAutoencoder, {"weight": 0.0}, r"objective\.weight is 0\.0: .* --objective autoencoder"),
        (AdversarialAutoencoder, {"critic_widths": (0,)}, r"objective\.critic_widths is \(0,\)"),
    ],
)
def test_what_makes_no_sense_is_refused(objective, fields, message):
    with pytest.raises(ValueError, match=message):
        objective(**fields)


def test_a_prior_of_posteriors_is_refused_where_they_are_points():
    with pytest.raises(ValueError, match=r"prior vamp .* points here \(try --prior mixture\)"):
        make(AdversarialAutoencoder(critic_widths=(8,)), prior="vamp")


def test_the_papers_critics_are_the_defaults():
    # 6 layers of 1,000 on 10 dimensions, and two logits.
    count = (10 + 1) * 1000 + 5 * 1001 * 1000 + 1001 * 2
    assert FactorVAE().critic((64, 64, 1), (10,)).count_params() == count
    config = FactorVAE().critic_optimizer().get_config()
    assert (config["learning_rate"], config["beta_1"], config["beta_2"]) == pytest.approx((1e-4, 0.5, 0.9))
    assert AdversarialAutoencoder().critic((28, 28, 1), (8,)).count_params() == 9000 + 1001 * 1000 + 1001 * 2
