"""Numbers at their ends: nothing becomes NaN unsaid; training names the step and the term, and keeps what was good."""

import dataclasses
import json
import math
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from commands import TINY, is_finite, rows_of, run_main, run_well
from linear import Linear
from PIL import Image
from test_conformance import DIGITS, SIZES, goes_with, labels_of

import keras_vae
from keras_vae.data import Annotations, LoadOptions, in_memory
from keras_vae.errors import TrainingStopped, UsageError
from keras_vae.evaluation.subject import check_subject, from_functions
from keras_vae.layers.densities import MAX_LOG_VAR, MIN_LOG_VAR
from keras_vae.model.autoencoder import Autoencoder
from keras_vae.model.likelihoods import LIKELIHOODS
from keras_vae.model.networks import NETWORKS
from keras_vae.model.objectives import OBJECTIVES, VariationalBound
from keras_vae.model.priors import PRIORS
from keras_vae.runtime.lazy import ops
from keras_vae.training import pace
from keras_vae.training.config import Config

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore:the loss weighs the rate")]
SMALL = NETWORKS["convolutional"](widths=(4,), dense=8)


def make(objective="vae", image_shape=(8, 8, 1), latent=3, rate=1e-3, **kwargs):
    """A model that learns eagerly: a step is not worth its compilation here."""
    keras.utils.set_random_seed(1)
    if isinstance(objective, str):
        objective = OBJECTIVES[objective](**SIZES.get(objective, {})).resolve(num_images=32, num_steps=8)
        latent = latent if goes_with(objective, (latent,)) else (1, 1, latent)
    settings = {"network": SMALL, "num_classes": 10, **kwargs}
    model = Autoencoder(image_shape, latent, objective, **settings)
    model.compile(keras.optimizers.Adam(rate), run_eagerly=True)
    return model


def learn(model, images, **kwargs):
    """Returns the history of a `fit` to some of the digits, or to `images` with labels as theirs."""
    return model.fit(images, labels_of(model, images), verbose=0, shuffle=False, **kwargs).history


def assert_sound(model, history):
    assert all(math.isfinite(value) for values in history.values() for value in values), history
    assert is_finite(model)
    assert np.isfinite(model.sample(2)).all()


# As small as can be


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_batches_of_one_image_of_one_pixel_with_a_code_of_one_number(objective):
    model = make(objective, (1, 1, 1), 1)
    grey = np.array([0.0, 0.3, 1.0], "float32").reshape(3, 1, 1, 1)
    # A batch of two and a last one of one.
    assert_sound(model, learn(model, grey, batch_size=2))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_every_likelihood_of_black_and_of_white_pixels(likelihood):
    model = make("vae", (1, 1, 3), 1, likelihood=likelihood)
    ends = np.repeat([0.0, 1.0], 3).astype("float32").reshape(2, 1, 1, 3)
    assert_sound(model, learn(model, ends, batch_size=1))


@pytest.mark.parametrize(
    "part", [*({"network": name} for name in NETWORKS), *({"prior": name} for name in PRIORS)], ids=str
)
def test_every_network_and_prior_of_one_pixel(part):
    model = make("vae", (1, 1, 1), 1, **part)
    grey = np.full((1, 1, 1, 1), 0.3, "float32")
    model.adapt(grey)
    assert_sound(model, learn(model, grey))


def test_a_run_on_single_pixels_is_whole_and_its_export_finite(tmp_path):
    np.save(tmp_path / "pixels.npy", np.random.default_rng(0).integers(0, 256, (21, 1, 1), dtype=np.uint8))
    settings = [*TINY, "--latent", 1, "--batch_size", 1, "--epochs", 1, "--output", tmp_path]
    run_well("--dataset", tmp_path / "pixels.npy", *settings)
    folder = tmp_path / "pixels-vae-1"
    assert all(math.isfinite(float(value)) for row in rows_of(folder) for value in row.values())
    assert_good(folder)


def assert_good(folder):
    """Asserts that a run's model and exports can be loaded and give numbers."""
    model = keras.saving.load_model(folder / "model.keras")
    assert is_finite(model)
    assert np.isfinite(model.sample(4)).all()
    grey = tf.fill([2, *model.image_shape], 0.5)
    assert np.isfinite(model(grey)).all()
    encoder, decoder = (
        tf.saved_model.load(str(folder / "serving" / name / "1")) for name in ("encoder", "decoder")
    )
    codes = encoder.signatures["encode"](image=grey)
    assert all(np.isfinite(code).all() for code in codes.values())
    assert np.isfinite(decoder.signatures["decode"](latent=codes["mean"])["image"]).all()


# Codes from far out


@dataclasses.dataclass(frozen=True)
class Extreme(Linear):
    """A linear network that adds `offset` to what the head `name` puts out."""

    name: str = "log_var"
    offset: float = 0.0

    def encoder(self, image_shape, latent_shape, latent, policy):
        plain = super().encoder(image_shape, latent_shape, dataclasses.replace(latent), policy)
        plain.get_layer(self.name).bias.assign(np.full(latent_shape, self.offset))
        return plain


@pytest.mark.parametrize("value", [1e30, -1e30, 3e38, -3e38])
def test_log_variances_from_far_out_are_bounded_and_learned_with(value):
    model = make(network=Extreme(offset=value))
    assert_sound(model, learn(model, DIGITS[:8], epochs=2))
    log_var = model.encode(DIGITS[:8])[1]
    np.testing.assert_allclose(log_var, MAX_LOG_VAR if value > 0 else MIN_LOG_VAR, atol=1e-5)


@pytest.mark.parametrize(
    ("head", "value", "said"),
    [
        ("log_var", math.inf, "largest weight became inf at the end of epoch 1"),
        ("log_var", -math.inf, "largest weight became inf at the end of epoch 1"),
        (
            "log_var",
            math.nan,
            "rate became nan at step 1 of epoch 1 (before: nothing, it was the first step)",
        ),
        ("mean", 1e30, "distortion and rate became inf at step 1 of epoch 1"),
        ("mean", -math.inf, "became nan at step 1 of epoch 1"),
    ],
)
def test_what_no_bound_makes_a_number_stops_training_by_name(head, value, said):
    model = make(network=Extreme(name=head, offset=value), likelihood="gaussian")
    with pytest.raises(TrainingStopped) as stopped:
        learn(model, DIGITS[:8])
    assert said in str(stopped.value)


def subject(mean=0.0, log_var=0.0, after=0):
    """A model of two functions, whose codes are as said from the call `after` on."""
    calls = []

    def encode(images):
        calls.append(None)
        codes = images.reshape(len(images), -1)[:, 20:22]
        far = len(calls) > after
        return codes + np.float32(mean if far else 0), np.full_like(codes, log_var if far else 0)

    def decode(codes):
        return np.clip(np.broadcast_to(codes[:, :1, None, None], (len(codes), 8, 8, 1)), 0, 1)

    return from_functions(encode, decode, LIKELIHOODS["gaussian"]())


def digits():
    return in_memory("digits", DIGITS, LoadOptions(), Annotations())


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        ({"log_var": 1e30}, "codes as large as inf"),
        ({"mean": 1e30}, "codes as large as 1e[+]30"),
        ({"log_var": math.inf}, "NaN or infinity"),
        ({"log_var": -math.inf}, "NaN or infinity"),
        ({"mean": math.nan}, "NaN or infinity"),
    ],
)
def test_codes_that_mean_nothing_are_not_measured(codes, said):
    with pytest.raises(UsageError, match=said):
        check_subject(subject(**codes), digits())


def test_one_code_among_many_that_is_none_is_found(monkeypatch):
    with pytest.raises(UsageError, match="NaN or infinity"):
        keras_vae.evaluate(subject(mean=math.nan, after=1), digits(), features="random")


# Steps that explode


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_learning_rate_that_explodes_stops_every_objective_and_gives_the_good_weights_back(objective):
    model = make(objective, rate=1e10)
    before = model.get_weights()
    with pytest.raises(TrainingStopped) as stopped:
        learn(model, DIGITS[:32], batch_size=16, epochs=3)
    said = str(stopped.value)
    term = said.split(" became ")[0].split(" and ")[0]
    assert term in ("loss", *model.objective.terms)
    assert (
        "became nan at step 2 of epoch 1 (before: " in said
        or "became inf at step 2 of epoch 1 (before: " in said
    )
    assert "try a learning rate below 1e+10" in said
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert all(np.isfinite(value).all() for value in model.optimizer.variables)


class Explosion(keras.callbacks.Callback):
    """From an epoch on the learning rate explodes."""

    def __init__(self, epoch):
        super().__init__()
        self.first = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.first:
            self.model.optimizer.learning_rate = 1e10


@pytest.mark.parametrize("steps", [1, 2])
def test_the_state_of_the_last_good_epoch_comes_back_and_can_be_gone_on_with(steps, tmp_path):
    # With one step an epoch the loss of the bad one is still good, and what it leads to has to be looked at.
    images = DIGITS[: 16 * steps]
    model, twin = make("factor_vae"), make("factor_vae")
    kept = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    with pytest.raises(TrainingStopped, match="of epoch 3 "):
        learn(model, images, batch_size=16, epochs=5, callbacks=[kept, Explosion(2)])
    learn(twin, images, batch_size=16, epochs=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.keras", "2.keras"]
    for one in (model, twin):
        one.optimizer.learning_rate = 1e-3
    assert_alike(model, twin)
    for one in (model, twin):
        assert_sound(one, learn(one, images, batch_size=16))
    assert_alike(model, twin)


def assert_alike(model, twin):
    for optimizer in ("optimizer", "critic_optimizer"):
        pairs = zip(getattr(model, optimizer).variables, getattr(twin, optimizer).variables, strict=True)
        assert all(np.array_equal(ours, theirs) for ours, theirs in pairs)
    assert all(np.array_equal(*pair) for pair in zip(model.get_weights(), twin.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        (64, "--batch_size 16 --accumulate 4"),
        (6, "--batch_size 3 --accumulate 2"),
        (7, "smaller --network.widths"),
    ],
)
def test_a_step_that_does_not_fit_into_memory_says_the_way_out(tmp_path, monkeypatch, batch, said):
    def exhausted(self, data):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(Autoencoder, "train_step", exhausted)
    code, _, err = run_main("--limit", 64, "--epochs", 1, *TINY, "--batch_size", batch, "--output", tmp_path)
    assert (code, err.count("\n")) == (2, 1)
    assert f"a step of {batch} images does not fit into memory (try {said}" in err


def test_a_command_whose_learning_rate_explodes_ends_with_one_line_and_without_a_model(tmp_path, monkeypatch):
    monkeypatch.setattr(pace, "MOST_STEPS", 1)  # of several in one call only the range would be named
    rate = ["--learning_rate", "1e10", "--schedule", "constant"]
    code, _, err = run_main("--limit", 64, "--epochs", 3, *rate, *TINY, "--output", tmp_path)
    assert (code, err.count("\n")) == (2, 1)
    assert " became nan at step 2 of epoch 1 (before: " in err
    assert "a learning rate below 1e+10" in err
    assert "there was no good model to keep" in err
    assert not (tmp_path / "digits-vae-2" / "model.keras").exists()


@pytest.mark.parametrize(("rate", "said"), [(1e10, "distortion"), (1e39, "largest weight")])
def test_what_explodes_in_the_last_step_is_not_kept_either(tmp_path, rate, said):
    # One image, one step, nothing held out: the only loss was computed before the weights went wrong.
    Image.fromarray(np.full((9, 7), 99, np.uint8)).save(tmp_path / "one.png")
    arguments = ["--learning_rate", rate, "--schedule", "constant", "--epochs", 1, *TINY]
    code, _, err = run_main("--dataset", tmp_path / "one.png", *arguments, "--output", tmp_path / "runs")
    assert (code, err.count("\n")) == (2, 1)
    assert said in err
    assert "at the end of epoch 1" in err
    assert list(tmp_path.rglob("model.keras")) == []
    assert list(tmp_path.rglob("epoch-*")) == []


@dataclasses.dataclass(frozen=True)
class Fragile(VariationalBound):
    """A bound whose rate is NaN from the fifth step on."""

    def __call__(self, model, step):
        terms = super().__call__(model, step)
        spoiled = ops.where(step.iteration >= 4, math.nan, 0.0) if step.training else 0.0
        return {**terms, "rate": terms["rate"] + spoiled, "loss": terms["loss"] + spoiled}


def test_nan_after_good_epochs_keeps_the_best_model_and_exports_it(tmp_path, monkeypatch):
    monkeypatch.setitem(OBJECTIVES, "fragile", Fragile)
    config = Config(
        limit=64, objective=Fragile(), latent=2, batch_size=32, epochs=9, network=SMALL, output=str(tmp_path)
    )
    with pytest.raises(TrainingStopped) as stopped:
        keras_vae.train(config)
    message = str(stopped.value)
    assert message.startswith("rate became nan at steps 1 to 2 of epoch 3 (before: ")  # taken in one call
    assert "--learning_rate" in message
    assert "the best model before it, of epoch 2, is kept in" in message
    folder = tmp_path / "digits-fragile-2"
    assert [row["epoch"] for row in rows_of(folder)] == ["1", "2"]
    assert_good(folder)


# Float16


def test_gradients_that_float16_cannot_hold_are_passed_over_until_the_scale_fits():
    model = make(dtype="mixed_float16")
    model.optimizer.build(model.own_weights)
    model.optimizer.dynamic_scale.assign(2.0**40)
    before = model.get_weights()
    assert_sound(model, learn(model, DIGITS[:8]))
    assert all(np.array_equal(*pair) for pair in zip(model.get_weights(), before, strict=True))
    assert model.optimizer.dynamic_scale == 2.0**39
    model.optimizer.dynamic_scale.assign(2.0**10)
    assert_sound(model, learn(model, DIGITS[:8]))
    assert not all(np.array_equal(*pair) for pair in zip(model.get_weights(), before, strict=True))


def test_activations_that_float16_cannot_hold_stop_training_by_name():
    model = make(dtype="mixed_float16")
    model.set_weights([1e4 * weights for weights in model.get_weights()])
    with pytest.raises(TrainingStopped, match=r"became (nan|inf) at step 1 of epoch 1"):
        learn(model, DIGITS[:8])
    assert is_finite(model)


@dataclasses.dataclass(frozen=True)
class Kinked(VariationalBound):
    """A bound with a root of 0 in it, whose gradient is none."""

    def __call__(self, model, step):
        terms = super().__call__(model, step)
        return {**terms, "loss": terms["loss"] + ops.sqrt(0.0 * terms["rate"])}


@pytest.mark.parametrize(
    ("policy", "said"),
    [("float32", "became nan at step 2"), ("mixed_float16", "gradient became nan at the end")],
)
def test_gradients_that_are_never_numbers_are_said_and_not_passed_over_for_ever(policy, said):
    model = make(Kinked(), dtype=policy)
    with pytest.raises(TrainingStopped, match=said):
        learn(model, DIGITS[:40], batch_size=1)


# What is left of a dataset


def test_a_dataset_without_variance_is_trained_on_and_measured_without_nan():
    images = np.full((400, 8, 8, 1), 128, np.uint8)
    splits = Annotations(np.arange(400) % 2, given_splits=np.repeat([0, 2], [100, 300]))
    dataset = in_memory("grey", images, LoadOptions(), splits)
    model = make(latent=2)
    assert_sound(model, learn(model, dataset.train.images(), batch_size=50, epochs=2))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        results = keras_vae.evaluate(model, dataset)
    text = json.dumps(results)  # as it was computed: the report has null in the place of NaN
    assert "NaN" not in text
    assert "Infinity" not in text
    assert results["verdict"]["name"] == "insufficient_data"
    assert results["verdict"]["findings"][0]["symptom"] == "All images are equal."
