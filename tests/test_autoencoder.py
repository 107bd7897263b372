import json
import math
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest
import sklearn.datasets

from keras_vae.model.autoencoder import VAE, Autoencoder
from keras_vae.model.components import component
from keras_vae.model.likelihoods import LIKELIHOODS, Bernoulli, Gaussian
from keras_vae.model.networks import Convolutional
from keras_vae.model.objectives import OBJECTIVES, BetaVAE, PlainAutoencoder, VariationalBound
from keras_vae.model.step import CODES, OBSERVATION, STREAMS, TRAINING, Step
from keras_vae.runtime.lazy import keras, tf

NETWORK = Convolutional(widths=(4,), dense=6, activation="elu")
GREY = Bernoulli("none")  # no noise in what is observed


@pytest.fixture(scope="module")
def digits():
    return (sklearn.datasets.load_digits().images[:50, ..., None] / 16).astype("float32")


def make(objective="vae", likelihood=GREY, optimizer=None, weights_seed=1, compile_with=None, **kwargs):
    keras.utils.set_random_seed(weights_seed)
    model = Autoencoder((8, 8, 1), 2, objective, likelihood, NETWORK, **kwargs)
    model.compile(optimizer or keras.optimizers.SGD(1e-3), **(compile_with or {}))
    return model


def assert_same_weights(one, other, **tolerance):
    for ours, theirs in zip(one.get_weights(), other.get_weights()):
        if tolerance:
            np.testing.assert_allclose(ours, theirs, **tolerance)
        else:
            np.testing.assert_array_equal(ours, theirs)


def gap(one, other):
    return max(np.abs(a - b).max() for a, b in zip(one.get_weights(), other.get_weights()))


# The step


@pytest.mark.long
@pytest.mark.parametrize(("policy", "tolerance"), [("float32", 1e-6), ("mixed_float16", 2e-4)])
def test_accumulated_gradients_make_the_step_of_the_whole_batch(digits, policy, tolerance):
    # Means over halves of equal size: the mean of both gradients is the gradient of the mean.
    def model(steps):
        optimizer = keras.optimizers.SGD(1e-3, gradient_accumulation_steps=steps)
        if policy == "mixed_float16":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=16)
        return make("autoencoder", optimizer=optimizer, dtype=policy)

    whole, parts, start = model(None), model(2), model(None)
    parts.train_on_batch(digits[:8])
    assert_same_weights(parts, start)
    parts.train_on_batch(digits[8:16])
    whole.train_on_batch(digits[:16])
    assert gap(parts, whole) < tolerance < gap(start, whole)


def test_batches_whose_gradients_are_accumulated_have_noise_of_their_own(digits):
    model = make("vae", optimizer=keras.optimizers.SGD(0.0, gradient_accumulation_steps=4))
    counted, losses = [], []
    for _ in range(3):
        model.reset_metrics()
        losses.append(float(model.train_on_batch(digits[:8], return_dict=True)["loss"]))
        counted.append(int(model.iteration()))
    assert counted == [1, 2, 3]
    assert len(set(losses)) == 3


def test_a_training_step_is_that_of_a_hand_written_vae(digits):
    rate = 1e-3
    model = make("vae", Bernoulli(), keras.optimizers.SGD(rate), seed=5)
    encoder, decoder, images = model.encoder, model.decoder, tf.constant(digits[:8])

    # Salakhutdinov and Murray's binarisation and Kingma and Welling's estimator, by TensorFlow alone.
    def stream(use):
        return [(5 * 2 + TRAINING) * STREAMS + use, 0]

    bits = tf.cast(tf.random.stateless_uniform(images.shape, stream(OBSERVATION)) < images, tf.float32)
    noise = tf.random.stateless_normal([8, 2], stream(CODES))
    with tf.GradientTape() as tape:
        posterior = encoder(bits)
        mean, log_var = posterior["mean"], posterior["log_var"]
        logits = decoder(mean + tf.exp(log_var / 2) * noise)
        distortion = tf.reduce_sum(
            tf.nn.sigmoid_cross_entropy_with_logits(labels=bits, logits=logits), axis=(1, 2, 3)
        )
        kl = -0.5 * tf.reduce_sum(1 + log_var - mean**2 - tf.exp(log_var), axis=1)
        loss = tf.reduce_mean(distortion + kl)
    weights = [weight.value for weight in model.trainable_weights]
    expected = [w - rate * g for w, g in zip(weights, tape.gradient(loss, weights))]

    logs = model.train_on_batch(images, return_dict=True)
    assert logs["loss"] == pytest.approx(float(loss), rel=1e-5)
    assert logs["rate"] == pytest.approx(float(tf.reduce_mean(kl)), rel=1e-3)
    assert logs["distortion"] == pytest.approx(float(tf.reduce_mean(distortion)), rel=1e-5)
    for weight, value in zip(model.trainable_weights, expected):
        np.testing.assert_allclose(weight.value, value, rtol=1e-4, atol=1e-6)


def test_codes_are_drawn_in_training_and_evaluation_and_not_in_prediction(digits):
    model = make()
    first, second = model.train_on_batch(digits), model.test_on_batch(digits)
    assert first != second
    np.testing.assert_array_equal(model.predict(digits, verbose=0), model.predict(digits, verbose=0))
    mean, _ = model.encode(digits)
    np.testing.assert_allclose(model.predict(digits, verbose=0), model.decode(mean), atol=1e-6)


@pytest.mark.long
def test_beta_vae_with_beta_one_is_the_vae(digits):
    one, other = make("vae"), make(BetaVAE(beta=1.0))
    for model in (one, other):
        model.fit(digits, batch_size=25, shuffle=False, verbose=0)
    assert_same_weights(one, other)


@pytest.mark.long
def test_the_mean_reduction_trains_as_beta_of_pixels_by_latents(digits):
    with pytest.warns(UserWarning, match="effective beta of 32"):
        one, other = make(VariationalBound(reduction="mean")), make(BetaVAE(beta=64 / 2))
    for model in (one, other):
        model.fit(digits, batch_size=25, shuffle=False, verbose=0)
    assert_same_weights(one, other)


def test_warmup_counts_the_optimizers_steps(digits):
    model = make(VariationalBound(warmup=4), optimizer=keras.optimizers.SGD(0.0))
    for step in range(6):
        model.reset_metrics()
        logs = model.train_on_batch(digits, return_dict=True)
        weight = min(1, (step + 1) / 4)
        assert logs["loss"] == pytest.approx(logs["distortion"] + weight * logs["rate"], rel=1e-5)


def test_a_network_may_be_denoised_by_pairs(digits):
    noisy = np.clip(digits + 0.3, 0, 1)
    model = make("autoencoder", Gaussian(0.5))
    logs = model.evaluate(noisy, digits, verbose=0, return_dict=True)
    decoded = model.decoder(model.encoder(noisy)["mean"])
    expected = -np.asarray(Gaussian(0.5).log_prob(digits, decoded)).mean()
    assert logs["distortion"] == pytest.approx(expected, rel=1e-5)
    twin = make("vae", Bernoulli())
    assert twin.evaluate(digits, digits, verbose=0) == twin.evaluate(digits, verbose=0)


# Means


@pytest.mark.parametrize("batch_size", [50, 20, 7])
def test_epoch_metrics_are_exact_means_over_images_whatever_the_batch(digits, batch_size):
    model = make("autoencoder", optimizer=keras.optimizers.SGD(0.0))
    each = -np.asarray(GREY.log_prob(digits, model.decoder(model.encoder(digits)["mean"])), "float64")
    history = model.fit(digits, batch_size=batch_size, verbose=0, validation_data=(digits,)).history
    for name in ("loss", "distortion", "val_loss", "val_distortion"):
        assert history[name] == [pytest.approx(each.mean(), rel=1e-6)]


def test_an_image_of_weight_two_counts_as_two(digits):
    weighted, repeated = make("autoencoder"), make("autoencoder")
    weights = np.array([2.0, 1.0, 0.0, 1.0], "float32")
    logs = weighted.train_on_batch(digits[:4], sample_weight=weights, return_dict=True)
    expected = repeated.train_on_batch(digits[[0, 0, 1, 3]], return_dict=True)
    assert logs.keys() == expected.keys()
    for name, value in logs.items():
        assert float(value) == pytest.approx(float(expected[name]), rel=1e-6)
    assert_same_weights(weighted, repeated, rtol=1e-5, atol=1e-7)
    # evaluate() and fit() drop weights where there are no targets (keras.utils.pack_x_y_sample_weight).
    once = weighted.evaluate(digits[:4], digits[:4], sample_weight=weights, verbose=0, return_dict=True)
    assert once == pytest.approx(
        weighted.evaluate(digits[[0, 0, 1, 3]], verbose=0, return_dict=True), rel=1e-6
    )


def test_a_column_of_weights_is_a_weight_an_image(digits):
    model, weights = make("autoencoder"), np.array([2.0, 1.0, 0.0, 1.0], "float32")
    data = [tf.data.Dataset.from_tensors((digits[:4], digits[:4], w)) for w in (weights, weights[:, None])]
    assert model.evaluate(data[0], verbose=0) == pytest.approx(model.evaluate(data[1], verbose=0))


def test_a_batch_of_weight_zero_changes_nothing(digits):
    model, twin = make(), make()
    model.train_on_batch(digits[:4], sample_weight=np.zeros(4, "float32"))
    assert_same_weights(model, twin)


def test_the_layers_own_losses_are_minimised_and_reported(digits):
    plain, penalised = make("autoencoder"), make("autoencoder")
    kernel = penalised.decoder.get_layer("parameters")
    kernel.kernel_regularizer = keras.regularizers.L2(3.0)
    kernel.kernel.regularizer = kernel.kernel_regularizer
    before, penalty = kernel.kernel.numpy(), 3 * float(np.sum(kernel.kernel.numpy() ** 2))
    ours = penalised.train_on_batch(digits, return_dict=True)
    theirs = plain.train_on_batch(digits, return_dict=True)
    assert ours["loss"] == pytest.approx(theirs["loss"] + penalty, rel=1e-5)
    assert ours["distortion"] == pytest.approx(theirs["distortion"])
    # SGD at 1e-3 on 3 |k|^2 takes 1e-3 * 6 k off the kernel.
    moved = plain.decoder.get_layer("parameters").kernel.numpy() - kernel.kernel.numpy()
    np.testing.assert_allclose(moved, 6e-3 * before, rtol=1e-3, atol=1e-7)


# Seeds


@pytest.mark.long
def test_the_same_seed_gives_the_same_run_and_another_gives_another(digits):
    runs = [make(seed=seed, weights_seed=weights) for seed, weights in ((0, 1), (0, 1), (9, 1), (0, 2))]
    first, again, other_noise, other_weights = runs
    assert gap(first, other_noise) == 0
    assert gap(first, other_weights) > 0.01
    for model in runs:
        model.fit(digits, batch_size=25, shuffle=False, verbose=0)
    assert_same_weights(first, again)
    assert gap(first, other_noise) > 0


def test_noise_differs_between_steps_uses_and_modes(digits):
    model, draws = make(), []
    for iteration in (0, 1):
        model.optimizer.iterations.assign(iteration)
        for use in (OBSERVATION, CODES):
            draws.append(keras.random.normal((6,), seed=Step(model, digits, None, True).seed(use)))
    for use in (OBSERVATION, CODES):  # evaluation's counter is at 0, as training's was
        draws.append(keras.random.normal((6,), seed=Step(model, digits, None, False).seed(use)))
    assert len({np.asarray(draw).tobytes() for draw in draws}) == 6


def test_evaluation_noise_differs_between_batches_and_not_between_evaluations(digits):
    model, batch = make(likelihood=Bernoulli(), optimizer=keras.optimizers.SGD(0.0)), digits[:10]
    once, again = (model.evaluate(batch, verbose=0, return_dict=True) for _ in range(2))
    assert once == again
    twice = model.evaluate(np.concatenate([batch, batch]), batch_size=10, verbose=0, return_dict=True)
    assert twice["distortion"] != pytest.approx(once["distortion"], rel=1e-6)


@pytest.mark.long
def test_evaluation_between_epochs_leaves_training_as_it_is_bit_for_bit(digits):
    plain, watched = make(likelihood=Bernoulli()), make(likelihood=Bernoulli())
    options = {"batch_size": 25, "shuffle": False, "verbose": 0}
    plain.fit(digits, epochs=2, **options)
    watched.fit(digits, epochs=1, validation_data=(digits,), **options)
    watched.evaluate(digits, verbose=0)
    watched.fit(digits, epochs=1, **options)
    assert_same_weights(plain, watched)


def test_samples_are_a_function_of_their_seed():
    model = make()
    np.testing.assert_array_equal(model.sample(3, seed=4), model.sample(3, seed=4))
    assert not np.array_equal(model.sample(3, seed=4), model.sample(3, seed=5))


# Keras


@pytest.mark.long
def test_callbacks_and_schedules_work_as_on_any_model(digits, tmp_path):
    model = make(optimizer=keras.optimizers.Adam(0.01))
    callbacks = [
        keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="val_loss", save_best_only=True),
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2),
        keras.callbacks.CSVLogger(tmp_path / "history.csv"),
        keras.callbacks.EarlyStopping("val_loss", patience=1, min_delta=1e9),
    ]
    model.fit(digits, epochs=9, validation_split=0.2, verbose=0, callbacks=callbacks)
    rows = (tmp_path / "history.csv").read_text().splitlines()
    header = "epoch,distortion,learning_rate,loss,rate,val_distortion,val_loss,val_rate"
    assert rows[0] == header
    assert len(rows) == 1 + 2  # stopped after one epoch of patience
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01 / 4)
    assert keras.saving.load_model(tmp_path / "best.keras").predict(digits, verbose=0).shape == digits.shape


def test_fit_takes_datasets_and_several_steps_an_execution(digits):
    one, several = make(), make(compile_with={"steps_per_execution": 5})
    data = tf.data.Dataset.from_tensor_slices(digits).batch(5)
    one.fit(data, verbose=0)
    several.fit(data, verbose=0)
    assert several.optimizer.iterations == 10
    assert_same_weights(one, several, rtol=1e-6, atol=1e-7)
    assert several.evaluate(data, verbose=0) == pytest.approx(one.evaluate(data, verbose=0), rel=1e-5)


@pytest.mark.long
def test_a_step_compiles_by_xla(digits):
    # Without noise: under XLA the same seed gives other normals.
    plain, compiled = make("autoencoder"), make("autoencoder", compile_with={"jit_compile": True})
    for model in (plain, compiled):
        model.train_on_batch(digits)
    assert_same_weights(plain, compiled, rtol=1e-4, atol=1e-6)
    noisy = make("vae", Bernoulli(), compile_with={"jit_compile": True})
    assert np.isfinite(noisy.train_on_batch(digits, return_dict=True)["loss"])


def test_clipped_gradients_move_the_weights_by_no_more_than_the_norm(digits):
    model, before = make(optimizer=keras.optimizers.SGD(1.0, global_clipnorm=1e-3)), make()
    model.train_on_batch(digits)
    moved = sum(np.sum((a - b) ** 2) for a, b in zip(model.get_weights(), before.get_weights()))
    assert math.sqrt(moved) == pytest.approx(1e-3, rel=1e-2)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {
            "objective": BetaVAE(beta=2.0, warmup=7),
            "likelihood": Gaussian(0.3),
            "seed": 3,
            "dtype": "mixed_bfloat16",
        },
        {"latent": "2x2x3", "objective": "autoencoder", "likelihood": "gaussian_learned", "name": "named"},
    ],
)
def test_a_model_comes_back_from_its_config_through_json(arguments):
    arguments = {"network": NETWORK, **arguments}
    model = VAE((8, 8, 1), **arguments)
    config = json.loads(json.dumps(model.get_config()))
    twins = [VAE.from_config(config), keras.models.clone_model(model)]
    for twin in twins:
        assert type(twin) is VAE
        assert twin.get_config() == model.get_config()
        assert (twin.objective, twin.likelihood, twin.network) == (
            model.objective,
            model.likelihood,
            model.network,
        )
        assert twin.dtype_policy.name == arguments.get("dtype", "float32")
        assert [weight.shape for weight in twin.weights] == [weight.shape for weight in model.weights]


def test_weights_alone_can_be_saved_before_any_fit(tmp_path, digits):
    model, other = make(weights_seed=1), make(weights_seed=2)
    model.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    assert_same_weights(model, other)


def test_the_summary_says_what_the_model_is_before_and_after_training(digits):
    model = make()

    def lines():
        printed = []
        model.summary(print_fn=lambda line, **_: printed.append(line))
        return "\n".join(printed)

    before = lines()
    model.fit(digits, batch_size=10, verbose=0)
    for text in (before, lines()):
        assert "images 8x8x1, latent 2 (0.0312 numbers per pixel value)" in text
        assert "VariationalBound" in text
        assert f"{model.count_params():,}" in text
        for layer in ("down_0_0", "bounded_log_var", "up_0_0", "parameters"):
            assert layer in text
        (sampling,) = [line for line in text.splitlines() if "sampling" in line]
        assert "(None, 2)" in sampling


# Precision


def test_float16_losses_are_scaled_and_the_step_is_that_of_float32():
    images = np.random.default_rng(0).random((2, 2, 2, 1)).astype("float32")
    models = []
    for dtype in ("float32", "mixed_float16"):
        keras.utils.set_random_seed(1)
        network = Convolutional(widths=(2,), dense=0, activation="elu")
        model = Autoencoder((2, 2, 1), 1, "vae", GREY, network, dtype=dtype)
        model.compile(keras.optimizers.SGD(0.1))
        models.append(model)
    full, half = models
    assert isinstance(half.optimizer, keras.optimizers.LossScaleOptimizer)
    before = [np.copy(weight) for weight in full.get_weights()]
    for model in models:
        model.run_eagerly = True
        model.train_on_batch(images)
    assert half.optimizer.iterations == 1
    for start, ours, theirs in zip(before, full.get_weights(), half.get_weights()):
        np.testing.assert_allclose(theirs - start, ours - start, rtol=2e-2, atol=2e-3)
    assert max(np.abs(ours - start).max() for start, ours in zip(before, full.get_weights())) > 0.01


@pytest.mark.long
def test_mixed_bfloat16_measures_what_float32_measures(digits):
    full, mixed = make(), make(dtype="mixed_bfloat16")
    assert_same_weights(full, mixed)
    ours = full.evaluate(digits, verbose=0, return_dict=True)
    assert mixed.evaluate(digits, verbose=0, return_dict=True) == pytest.approx(ours, rel=2e-2)


# Devices

TWO_DEVICES = """
import sys
import numpy as np, tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
from keras_vae import VAE, Autoencoder
from keras_vae.model.likelihoods import Bernoulli
from keras_vae.model.networks import Convolutional

images = np.random.default_rng(0).random((11, 8, 8, 1)).astype("float32")
network = Convolutional(widths=(4,), dense=6, activation="elu")
mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

def run(strategy, objective, optimizer, count):
    keras.utils.set_random_seed(1)
    with strategy.scope():
        model = Autoencoder((8, 8, 1), 2, objective, Bernoulli("none"), network)
        model.compile(optimizer)
    data = tf.data.Dataset.from_tensor_slices(images[:count]).batch(4)
    history = model.fit(data, epochs=2, verbose=0).history
    measured = model.evaluate(data, verbose=0, return_dict=True)
    return model, history, measured

# 11 images in batches of 4 end in one of 3, two for one device and one for the other.
one, history, measured = run(tf.distribute.get_strategy(), "autoencoder", keras.optimizers.SGD(0.01), 11)
two, mirrored_history, mirrored_measured = run(mirrored, "autoencoder", keras.optimizers.SGD(0.01), 11)
for ours, theirs in zip(one.get_weights(), two.get_weights()):
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
for name in history:
    np.testing.assert_allclose(history[name], mirrored_history[name], rtol=1e-5)
    np.testing.assert_allclose(measured[name], mirrored_measured[name], rtol=1e-5)

# Each device has noise of its own, in training and in evaluation, at every step.
def counters():
    return mirrored.run(lambda: (two.noise_counter(True), two.noise_counter(False)))
for per_replica in counters():
    first, second = mirrored.experimental_local_results(per_replica)
    assert int(first) != int(second), (first, second)

vae, history, _ = run(mirrored, "vae", "adam", 8)
assert np.isfinite(history["loss"]).all()
path = sys.argv[1]
vae.save(path)
np.testing.assert_allclose(
    keras.saving.load_model(path).predict(images, verbose=0), vae.predict(images, verbose=0), atol=1e-6)
"""


@pytest.mark.long
def test_two_devices_equal_one(tmp_path):
    command = [sys.executable, "-c", TWO_DEVICES, str(tmp_path / "model.keras")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]


# Advice and errors


@pytest.mark.parametrize(
    ("objective", "latent", "number"),
    [
        (BetaVAE(), 2, "4"),
        (BetaVAE(beta=0.25), 2, "0.25"),
        (BetaVAE(beta=0.0), 2, "0"),
        (VariationalBound(reduction="mean"), 2, "32"),
        (VariationalBound(reduction="mean"), (8, 8, 32), "0.0312"),  # 64 / 2048
        (BetaVAE(beta=0.5, reduction="mean"), 8, "4"),
    ],
)
def test_an_effective_beta_far_from_one_is_said_in_one_sentence_with_the_number(objective, latent, number):
    with pytest.warns(UserWarning, match="effective beta") as caught:
        VAE((8, 8, 1), latent, objective, network=NETWORK)
    (warning,) = caught
    assert f"an effective beta of {number} instead of the bound's 1: " in str(warning.message)
    assert warning.filename == __file__


@pytest.mark.parametrize(
    ("objective", "latent"),
    [
        ("vae", 2),
        ("autoencoder", 2),
        (VariationalBound(warmup=10_000), 2),
        (BetaVAE(beta=1.5), 2),
        (VariationalBound(reduction="mean"), 64),
    ],
)
def test_an_effective_beta_near_one_is_not_worth_a_word(objective, latent):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        VAE((8, 8, 1), latent, objective, network=NETWORK)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_shape": (28, 28)}, r"image_shape is \(28, 28\): expected \(height, width, channels\)"),
        ({"image_shape": (28, 28, 0)}, r"image_shape is \(28, 28, 0\)"),
        (
            {"image_shape": (28, None, 1)},
            r"image_shape is \(28, None, 1\): expected \(height, width, channels\)",
        ),
        ({"objective": "beta_va"}, r"objective is 'beta_va': .*\(did you mean beta_vae\?\)"),
        ({"objective": 3}, r"objective is 3: expected one of .*, autoencoder, "),
        (
            {"likelihood": Bernoulli("dynamc")},
            r"likelihood: binarize: expected one of dynamic, threshold, none",
        ),
        (
            {"objective": VariationalBound(reduction="avg")},
            r"objective: reduction: expected one of sum, mean",
        ),
        ({"network": Convolutional(normalization="bach")}, r"network: normalization: expected one of none, "),
        ({"network": {"kind": "convolutional", "width": 3}}, r"network: unknown key 'width'.*mean widths"),
        ({"latent": "9x9x4"}, r"latent is 9x9x4, larger than the images"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name_with_the_way_out(arguments, message):
    with pytest.raises(ValueError, match=message):
        VAE(**{"image_shape": (8, 8, 1), "network": NETWORK, **arguments})


def test_bytes_are_refused_before_they_are_taken_for_grey_values(digits):
    model, as_bytes = make(), (digits * 255).astype("uint8")
    for use in (model.fit, model.evaluate, model.predict):
        with pytest.raises(ValueError, match=r"uint8: expected floats in \[0, 1\] \(divide by 255\)"):
            use(as_bytes, verbose=0)
    with pytest.raises(ValueError, match="uint8"):
        model.encode(as_bytes)


def test_what_is_no_image_is_refused_before_it_is_broadcast(digits):
    model, labels = make(), np.arange(len(digits)) % 10
    for inputs in ((digits, labels), (digits, digits[:, :1]), (digits[..., 0],)):
        with pytest.raises(ValueError, match=r"images are \[batch.*\]: the model takes \[batch, 8, 8, 1\]"):
            model.fit(*inputs, verbose=0)
    with pytest.raises(ValueError, match="the model is not conditional"):
        model.sample(2, labels=[0, 1])


def test_a_component_is_taken_by_name_by_json_or_as_it_is():
    for given in ("beta_vae", {"kind": "beta_vae"}, {"kind": "beta_vae", "beta": 4}, BetaVAE()):
        assert component(given, OBJECTIVES, "objective") == BetaVAE()
    assert component("gaussian", LIKELIHOODS, "likelihood") == Gaussian()


def test_an_objective_of_ones_own_trains_and_says_how_it_can_be_saved(digits, tmp_path):
    class Own(PlainAutoencoder):
        def __call__(self, model, step):
            return {"loss": 2 * step.distortion, "distortion": step.distortion}

    model = make(Own())
    logs = model.train_on_batch(digits, return_dict=True)
    assert logs["loss"] == pytest.approx(2 * logs["distortion"])
    with pytest.raises(
        ValueError, match=r"Own cannot be saved because it has no name.*keras_vae\.OBJECTIVES"
    ):
        model.save(tmp_path / "model.keras")


@pytest.mark.parametrize("shape", [(8, 8, 1), (16, 16, 3), (12, 20, 3)])
@pytest.mark.parametrize("latent", [2, (2, 2, 3)])
def test_no_rows_have_the_shape_of_rows(shape, latent):
    model = VAE(shape, latent, network=NETWORK)
    images, codes = np.zeros((0, *shape), "float32"), np.zeros((0, *model.latent_shape), "float32")
    assert model.sample(0).shape == model.sample(np.int64(0)).shape == (0, *shape)
    assert [part.shape for part in model.encode(images)] == [codes.shape] * 2
    assert model.decode(codes).shape == model(images).shape == (0, *shape)
    assert model.terms(images)["loss"].shape == (0,)


@pytest.mark.parametrize("count", [-1, 2.0, "3", None, np.float32(1)])
def test_how_many_samples_is_a_whole_number(count):
    with pytest.raises(
        ValueError, match=r"^count is .*: expected the number of samples to draw, a whole number from 0"
    ):
        make().sample(count)


@pytest.mark.parametrize("shape", [28, (28, 28), (28, 28, 1, 1), (0, 8, 1), "28x28x1", (8.5, 8, 1), None])
def test_an_image_shape_is_three_whole_numbers(shape):
    with pytest.raises(
        ValueError, match=r"^image_shape is .*: expected \(height, width, channels\), such as"
    ):
        VAE(shape)


@pytest.mark.parametrize(
    ("shape", "proposed"), [((3, 8, 8), (8, 8, 3)), ((1, 8, 6), (8, 6, 1)), ((4, 9, 7), (9, 7, 4))]
)
def test_channels_that_seem_to_come_first_are_mentioned(shape, proposed):
    with pytest.warns(
        UserWarning, match=f"if the channels come first, .* image_shape {re.escape(str(proposed))}"
    ):
        VAE(shape, 2, network=NETWORK)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        VAE(proposed, 2, network=NETWORK)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["array", "tf.data", "generator"])
def test_fit_asks_for_no_shuffling_where_keras_would_warn_that_there_is_none(kind, digits):
    batches = [digits[:20], digits[20:40]]
    data = {"array": digits, "tf.data": tf.data.Dataset.from_tensor_slices(digits).batch(20)}
    data["generator"] = (batch for batch in batches)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="`shuffle=True` was passed")
        make().fit(data[kind], verbose=0)
