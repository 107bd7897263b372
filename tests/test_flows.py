"""The flows invert, their log-determinants are their Jacobians', and they learn densities that are known."""

import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_vae.layers.flows import STEPS, Flow

# Kind, dim, context_dim. Each property test runs over all rows.
ROWS = [(kind, dim, context) for kind in STEPS for dim, context in [(3, 0), (6, 0), (4, 2)]]
rows = pytest.mark.parametrize(("kind", "dim", "context_dim"), ROWS)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, "float32")


def shaken(kind, dim, context_dim=0, depth=3, size=0.5, **settings):
    """A flow whose weights are all random: those that it starts with make it nearly the identity."""
    flow = Flow(dim, kind, depth=depth, width=16, context_dim=context_dim, **settings)
    for index, weight in enumerate(flow.weights):
        weight.assign(weight + size * normal(*weight.shape, seed=index))
    return flow


def given(context_dim, count, seed=9):
    return normal(count, context_dim, seed=seed) if context_dim else None


def jacobian(flow, codes, context=None):
    """d forward_i / d code_j, `[n, dim, dim]`, by automatic differentiation."""
    codes = tf.constant(codes)
    with tf.GradientTape() as tape:
        tape.watch(codes)
        mapped, _ = flow.forward(codes, context)
    return tape.batch_jacobian(mapped, codes).numpy()


@pytest.mark.long
@rows
def test_the_log_determinant_is_the_jacobians(kind, dim, context_dim):
    flow, codes, context = shaken(kind, dim, context_dim), normal(8, dim), given(context_dim, 8)
    _, log_det = flow.forward(codes, context)
    sign, expected = np.linalg.slogdet(jacobian(flow, codes, context))
    np.testing.assert_array_equal(sign, 1)
    np.testing.assert_allclose(log_det, expected, rtol=1e-3, atol=1e-4)
    assert np.ptp(expected) > 0.1


@pytest.mark.long
@pytest.mark.parametrize(("kind", "dim", "context_dim"), [row for row in ROWS if row[0] != "planar"])
def test_the_inverse_undoes_it(kind, dim, context_dim):
    flow, codes, context = shaken(kind, dim, context_dim, size=0.3), normal(50, dim), given(context_dim, 50)
    mapped, _ = flow.forward(codes, context)
    assert np.abs(mapped - codes).mean() > 0.1
    np.testing.assert_allclose(flow.inverse(mapped, context), codes, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(tf.function(flow.inverse)(mapped, context), codes, rtol=1e-3, atol=1e-3)


def test_a_planar_flow_says_that_it_has_no_inverse():
    with pytest.raises(ValueError, match="no inverse in closed form"):
        Flow(3, "planar").sample(2)


@pytest.mark.parametrize("kind", STEPS)
def test_the_context_matters_in_every_dimension(kind):
    flow, codes = shaken(kind, 4, 2), normal(5, 4)
    one, other = (flow.forward(codes, given(2, 5, seed))[0] for seed in (1, 2))
    # The first dimension of an autoregressive step sees nothing else.
    assert (np.abs(one - other).max(axis=0) > 1e-3).all()


@pytest.mark.long
@pytest.mark.parametrize("kind", ["maf", "iaf"])
@pytest.mark.parametrize("context_dim", [0, 2])
def test_each_step_is_autoregressive_and_the_next_in_reversed_order(kind, context_dim):
    flow, codes = shaken(kind, 5, context_dim), normal(6, 5)
    for index, step in enumerate(flow.steps):
        slopes = np.abs(jacobian(step, codes, given(context_dim, 6))).max(axis=0)
        if index % 2 == 1:
            slopes = slopes[::-1, ::-1]
        np.testing.assert_array_equal(np.triu(slopes, 1), 0)
        assert (slopes[np.tril_indices(5)] > 1e-4).all()  # and uses all that it may see


@pytest.mark.parametrize("dim", [4, 5])
def test_a_coupling_lets_one_half_move_the_other_and_the_next_the_other_way(dim):
    flow, codes = shaken("realnvp", dim), normal(6, dim)
    first, second = (np.abs(jacobian(step, codes)).max(axis=0) > 1e-4 for step in flow.steps[:2])
    moved = first.sum(axis=1) > 1
    assert moved.sum() == dim // 2
    np.testing.assert_array_equal(first, np.eye(dim, dtype=bool) | np.outer(moved, ~moved))
    np.testing.assert_array_equal(second, np.eye(dim, dtype=bool) | np.outer(~moved, moved))


def test_more_dimensions_than_hidden_units_stay_autoregressive():
    (step,) = Flow(20, "maf", depth=1, width=6).steps
    for weight in step.weights:
        weight.assign(normal(*weight.shape))
    slopes = np.abs(jacobian(step, normal(4, 20))).max(axis=0)
    np.testing.assert_array_equal(np.triu(slopes, 1), 0)
    assert (slopes[-1] > 0).all()


@pytest.mark.parametrize("kind", ["maf", "realnvp"])
def test_a_new_density_is_the_standard_normal(kind):
    codes = normal(5, 4)
    expected = -0.5 * (4 * np.log(2 * np.pi) + np.square(codes).sum(axis=1))
    np.testing.assert_allclose(Flow(4, kind).log_prob(codes), expected, rtol=1e-5)


@pytest.mark.parametrize("kind", STEPS)
def test_one_dimension_is_enough(kind):
    mapped, log_det = shaken(kind, 1).forward(normal(3, 1))
    assert mapped.shape == (3, 1)
    assert np.isfinite(log_det).all()


def test_a_planar_step_is_invertible_whatever_its_weights():
    # w' v >= -1, so the slope along w, 1 + w' v (1 - tanh^2), is never negative.
    for seed in range(5):
        flow = shaken("planar", 3, depth=1, size=4, seed=seed)
        _, log_det = flow.forward(3 * normal(200, 3, seed=seed))
        assert np.isfinite(log_det).all()


def test_a_planar_steps_log_determinant_by_hand():
    # One dimension, v0 = w = 1, b = 0: w v = m(1) = log(1 + e) - 1, and at z = 0 the slope is 1 + w v.
    flow = Flow(1, "planar", depth=1)
    for weight, value in zip(flow.weights, [1.0, 1.0, 0.0]):
        weight.assign(np.full((1, 1), value))
    mapped, log_det = flow.forward(np.zeros((1, 1), "float32"))
    assert float(mapped[0, 0]) == 0
    assert float(log_det[0]) == pytest.approx(np.log(np.log(1 + np.e)), rel=1e-5)


def test_a_planar_steps_log_determinant_is_exact_where_its_weights_are_large():
    # Float64: v as in the paper, and the determinant of I + (1 - t^2) v w' by its decomposition.
    generator, found, expected = np.random.default_rng(0), [], []
    for _ in range(100):
        flow = Flow(2, "planar", depth=1)
        drawn = generator.normal(size=(2, 2))
        direction, normal_to = (8 * row / np.linalg.norm(row) for row in drawn.astype("float32"))
        for weight, value in zip(flow.weights, [[direction], [normal_to], [[0.5]]]):
            weight.assign(np.asarray(value, "float32"))
        w, v = (np.asarray(flow.weights[index], "float64")[0] for index in (1, 0))
        v = v + (np.logaddexp(0, w @ v) - 1 - w @ v) * w / (w @ w)
        code = 0.3 * generator.normal(size=2).astype("float32")
        tanh = np.tanh(code.astype("float64") @ w + 0.5)
        expected.append(np.linalg.slogdet(np.eye(2) + (1 - tanh**2) * np.outer(v, w))[1])
        found.append(float(flow.forward(code[None])[1][0]))
    assert np.isfinite(found).all()
    well_known = np.array(expected) > -20  # below, float64 loses it to rounding
    assert well_known.sum() > 80
    np.testing.assert_allclose(np.array(found)[well_known], np.array(expected)[well_known], atol=2e-3)


def test_a_gated_step_by_hand():
    # Biases alone: logit 2 + b, so u = gate z + (1 - gate) mu, all the same in each dimension.
    flow = Flow(2, "iaf", depth=1)
    flow.steps[0].biases[-1].assign([-2.0, -2.0, 6.0, 6.0])
    mapped, log_det = flow.forward(np.array([[1.0, -1.0]], "float32"))
    np.testing.assert_allclose(mapped, [[3.5, 2.5]], rtol=1e-6)
    np.testing.assert_allclose(log_det, [2 * np.log(0.5)], rtol=1e-6)


def bananas(count, seed=0):
    """Codes (a, b + a^2 - 1) of independent normal a and b, and their entropy, log(2 pi e)."""
    first, second = normal(2, count, seed=seed)
    return np.stack([first, second + first**2 - 1], axis=1), np.log(2 * np.pi * np.e)


def train(flow, batches, learning_rate=5e-3):
    optimizer = keras.optimizers.Adam(learning_rate)
    optimizer.build(flow.trainable_variables)

    @tf.function
    def update(codes):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(flow.log_prob(codes))
        optimizer.apply(tape.gradient(loss, flow.trainable_variables))

    for codes in batches:
        update(tf.constant(codes))


@pytest.mark.long
@pytest.mark.parametrize("kind", ["maf", "realnvp"])
def test_a_trained_flow_comes_close_to_the_entropy_and_its_samples_to_the_moments(kind):
    flow = Flow(2, kind, depth=4, width=32)
    train(flow, (bananas(512, seed)[0] for seed in range(600)))
    codes, entropy = bananas(20_000, seed=1000)
    log_prob = np.asarray(flow.log_prob(codes))
    # No density's mean log density is above minus the entropy, but for the sample's standard error of 0.007.
    assert -entropy - 0.03 < log_prob.mean() < -entropy + 0.02
    draws = np.asarray(flow.sample(20_000, seed=1))
    np.testing.assert_allclose(draws.mean(axis=0), [0, 0], atol=0.15)
    np.testing.assert_allclose(np.cov(draws, rowvar=False), [[1, 0], [0, 3]], atol=0.5)


def two_modes(codes):
    """Log density of normals of deviation 0.6 and 1 around (-2, 0) and (2, 0); no Gaussian's KL is below log 2."""
    sides = [-0.5 * ((codes[:, 0] - side) / 0.6) ** 2 for side in (-2.0, 2.0)]
    return tf.reduce_logsumexp(sides, axis=0) - 0.5 * codes[:, 1] ** 2 - np.log(2 * 0.6 * 2 * np.pi)


def small_banana(codes):
    """Log density of half a banana: gates only contract."""
    first, second = 2 * codes[:, 0], 2 * codes[:, 1]
    return -0.5 * (first**2 + (second - first**2 + 1) ** 2) - np.log(2 * np.pi) + 2 * np.log(2)


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "log_target", "most"), [("planar", two_modes, 0.25), ("iaf", small_banana, 0.05)]
)
def test_a_flow_posterior_comes_close_to_what_no_gaussian_does(kind, log_target, most):
    # q(f(z)) = N(z; 0, I) / |det f|; the loss is KL(q || target), so never below 0 but for the noise.
    flow = Flow(2, kind, depth=8 if kind == "planar" else 4, width=32)
    optimizer = keras.optimizers.Adam(0.02 if kind == "planar" else 5e-3)
    optimizer.build(flow.trainable_variables)

    @tf.function
    def update(noise):
        with tf.GradientTape() as tape:
            codes, log_det = flow.forward(noise)
            log_q = -0.5 * tf.reduce_sum(noise**2, axis=1) - np.log(2 * np.pi) - log_det
            loss = tf.reduce_mean(log_q - log_target(codes))
        optimizer.apply(tape.gradient(loss, flow.trainable_variables))
        return loss

    gaps = [float(update(normal(256, 2, seed=seed))) for seed in range(700)]
    assert gaps[0] > 1
    assert -0.02 < np.mean(gaps[-50:]) < most


def test_the_seed_fixes_the_weights_and_the_global_random_state_stays():
    state, numpy_state = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, second, third = (
        [np.asarray(weight) for weight in Flow(4, "realnvp", seed=seed).weights] for seed in (1, 1, 2)
    )
    assert random.getstate() == state
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert all((one == two).all() for one, two in zip(first, second))
    assert not all((one == two).all() for one, two in zip(first, third))


@pytest.mark.parametrize("kind", STEPS)
def test_a_model_with_a_flow_is_saved_and_loaded(kind, tmp_path):
    inputs, context = keras.Input((4,)), keras.Input((2,))
    flow = shaken(kind, 4, 2)
    model = keras.Model([inputs, context], flow(inputs, context))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for one, two in zip(model([normal(3, 4), normal(3, 2)]), again([normal(3, 4), normal(3, 2)])):
        np.testing.assert_array_equal(one, two)
    assert len(model.trainable_variables) == len(flow.trainable_variables) > 0


def test_inside_a_model_of_lower_precision_all_stays_float32():
    class Holder(keras.layers.Layer):
        def __init__(self):
            super().__init__(dtype="mixed_bfloat16")
            self.flow = Flow(3)

        def call(self, codes):
            return self.flow.log_prob(codes)

    assert Holder()(normal(2, 3)).dtype == "float32"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [({"dim": 3, "kind": "nice"}, "expected one of maf, realnvp"), ({"dim": 0}, "each must be at least 1")],
)
def test_what_cannot_be_built_is_refused(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        Flow(**arguments)
