import numpy as np
import pytest

from keras_vae.layers.basic import AppendLogSigma, GivenSeed, Sampling, SoftBounds
from keras_vae.layers.densities import MAX_LOG_VAR, MIN_LOG_VAR
from keras_vae.model.posteriors import POINT_LOG_VAR, DiagonalGaussian, Point
from keras_vae.runtime.lazy import keras, tf


def test_sampling_draws_the_moments_that_it_is_given():
    count = 40_000
    mean, log_var = np.array([-1.0, 0.0, 3.0], "float32"), np.array([-2.0, 0.0, 1.0], "float32")
    codes = Sampling(seed=0)([np.tile(mean, (count, 1)), np.tile(log_var, (count, 1))])
    sigma = np.exp(log_var / 2)
    # Standard errors: sigma / sqrt(n) of the mean, sigma / sqrt(2 n) of the standard deviation.
    assert (np.abs(np.mean(codes, axis=0) - mean) < 4 * sigma / np.sqrt(count)).all()
    assert (np.abs(np.std(codes, axis=0) - sigma) < 4 * sigma / np.sqrt(2 * count)).all()
    assert np.abs(np.corrcoef(np.transpose(codes)) - np.eye(3)).max() < 4 / np.sqrt(count)


def test_sampling_is_differentiated_through_its_noise():
    # z = m + exp(v / 2) e, so dz/dm = 1 and dz/dv = exp(v / 2) e / 2 = (z - m) / 2
    mean, log_var = (
        tf.Variable(np.full((2, 3), 0.5, "float32")),
        tf.Variable(np.full((2, 3), -1.0, "float32")),
    )
    with tf.GradientTape() as tape:
        codes = Sampling()([mean, log_var], seed=5)
    to_mean, to_log_var = tape.gradient(codes, [mean, log_var])
    np.testing.assert_allclose(to_mean, np.ones((2, 3)))
    np.testing.assert_allclose(to_log_var, (codes - mean) / 2, rtol=1e-5)


@pytest.mark.parametrize("seed", [0, 5])
def test_sampling_with_a_given_seed_draws_the_same_each_time(seed):
    layer, inputs = Sampling(), [np.zeros((4, 2), "float32")] * 2
    np.testing.assert_array_equal(layer(inputs, seed=seed), layer(inputs, seed=seed))


def test_sampling_by_its_own_generator_draws_anew_and_from_its_seed():
    inputs = [np.zeros((4, 2), "float32")] * 2
    layer, twin = Sampling(seed=3), Sampling(seed=3)
    first, second = layer(inputs), layer(inputs)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(twin(inputs), first)


def test_sampling_is_an_ordinary_layer_of_a_functional_model(tmp_path):
    inputs = keras.Input((5,))
    mean, log_var = keras.layers.Dense(2)(inputs), keras.layers.Dense(2, kernel_initializer="zeros")(inputs)
    codes = Sampling(seed=1)([mean, log_var])
    assert codes.shape == (None, 2)
    model = keras.Model(inputs, [mean, codes])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    batch = np.ones((1000, 5), "float32")
    loaded_mean, loaded_codes = loaded.predict(batch, verbose=0)
    np.testing.assert_allclose(loaded_mean, model.predict(batch, verbose=0)[0], rtol=1e-6)
    assert np.std(loaded_codes - loaded_mean) == pytest.approx(1, abs=0.1)


def test_sampling_stays_in_float32_under_a_mixed_policy():
    codes = Sampling()([np.zeros((4, 2), "float16"), np.zeros((4, 2), "float16")])
    assert keras.backend.standardize_dtype(codes.dtype) == "float32"


@pytest.mark.parametrize(
    "layer", [Sampling(seed=4, name="s"), SoftBounds(-3, 2, name="b"), AppendLogSigma(-5, name="a")]
)
def test_layers_come_back_from_their_config(layer):
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(twin) is type(layer)
    assert twin.get_config() == layer.get_config()


def test_soft_bounds_keep_what_lies_well_inside():
    values = np.linspace(-7, -1, 13, dtype="float32")
    # The error of softplus(d) against d is log(1 + exp(-d)), at most exp(-d), at the distance d of each bound.
    error = np.abs(SoftBounds(MIN_LOG_VAR, MAX_LOG_VAR)(values) - values)
    assert (error <= np.exp(-(values - MIN_LOG_VAR)) + np.exp(-(MAX_LOG_VAR - values)) + 2e-6).all()


def test_soft_bounds_are_never_passed():
    values = np.array([-1e6, -100, -20, 20, 100, 1e6], "float32")
    bounded = np.asarray(SoftBounds(MIN_LOG_VAR, MAX_LOG_VAR)(values))
    assert bounded.min() >= MIN_LOG_VAR
    assert bounded.max() <= MAX_LOG_VAR + 1e-6
    assert (np.diff(bounded) >= 0).all()


def test_soft_bounds_have_gradients_outside():
    values = tf.Variable([-30.0, -20.0, 0.0, 12.0, 22.0])
    with tf.GradientTape() as tape:
        bounded = SoftBounds(MIN_LOG_VAR, MAX_LOG_VAR)(values)
    gradient = np.asarray(tape.gradient(bounded, values))
    assert (gradient > 0).all()
    assert gradient[2] == pytest.approx(1, abs=0.01)


def test_a_given_seed_is_a_function_of_its_two_numbers():
    def draw(stream, counter):
        return np.asarray(keras.random.normal((8,), seed=GivenSeed(stream, counter)))

    np.testing.assert_array_equal(draw(1, 2), draw(1, 2))
    for other in (draw(2, 1), draw(1, 3), draw(2, 2)):
        assert not np.array_equal(draw(1, 2), other)


def test_a_point_has_no_noise_and_says_so():
    posterior = {"mean": np.ones((2, 3), "float32")}
    np.testing.assert_array_equal(Point().draw(posterior, seed=None).codes, posterior["mean"])
    np.testing.assert_array_equal(Point().moments(posterior)[1], np.full((2, 3), POINT_LOG_VAR))
    assert Point().new_layer((3,)) is None


@pytest.mark.parametrize("shape", [(3,), (4, 4, 3)])
def test_rate_of_unit_mean_is_half_the_dim(shape):
    # each dimension gives (1 + exp(0) - 1 - 0) / 2 = 1/2
    posterior = {"mean": np.ones((2, *shape), "float32"), "log_var": np.zeros((2, *shape), "float32")}
    np.testing.assert_allclose(DiagonalGaussian().rate(posterior), np.full(2, np.prod(shape) / 2), rtol=1e-6)
