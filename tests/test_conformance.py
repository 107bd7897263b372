"""One table over every objective, latent and policy: each row gets all the tests."""

import dataclasses

import numpy as np
import pytest
import sklearn.datasets

from keras_vae.model.autoencoder import Autoencoder
from keras_vae.model.networks import Convolutional
from keras_vae.model.objectives import OBJECTIVES
from keras_vae.model.regularizers import REGULARIZERS
from keras_vae.model.step import Step
from keras_vae.runtime.lazy import keras, tf

POLICIES = ("float32", "mixed_bfloat16")
LATENTS = ((3,), (2, 2, 3))
NETWORK = Convolutional(widths=(6, 8), dense=16, activation="elu")
NEEDED = {"normalized": "autoencoder"}  # the objective that a regularizer needs


def goes_with(objective, latent):
    """Returns whether the objective takes a latent of that shape."""
    try:
        objective.latent.check(latent)
    except ValueError:
        return False
    return True


ROWS = [
    pytest.param((name, latent, policy), id=f"{name}-{'vector' if len(latent) == 1 else 'spatial'}-{policy}")
    for name in OBJECTIVES
    for latent in LATENTS
    if goes_with(OBJECTIVES[name](), latent)
    for policy in POLICIES
] + [
    pytest.param(
        (NEEDED.get(name, "vae"), LATENTS[1], "mixed_bfloat16", name), id=f"regularizer-{name}-mixed_bfloat16"
    )
    for name in REGULARIZERS
    if name != "none"
]
pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore:the loss weighs the rate")]


NUM_CLASSES = 10
DIGITS = (sklearn.datasets.load_digits().images[:256, ..., None] / 16).astype("float32")
LABELS = sklearn.datasets.load_digits().target[:256]


def labels_of(model, images):
    """Returns the labels of the first digits where the model is trained with them, else None."""
    return LABELS[: len(images)] if model.conditional else None


def inputs_of(model, images):
    """Returns what the model is called on."""
    return (images, labels_of(model, images)) if model.conditional else images


# The papers' sizes, made small.
SIZES = {
    "factor_vae": {"critic_widths": (16, 16)},
    "adversarial_autoencoder": {"critic_widths": (16, 16)},
    "ciwae": {"num_samples": 3},
    "miwae": {"num_samples": 2, "num_estimates": 2},
    "piwae": {"num_samples": 2, "num_estimates": 2},
}


def make(objective, latent, policy, regularizer="none", **kwargs):
    keras.utils.set_random_seed(1)
    objective = OBJECTIVES[objective](**SIZES.get(objective, {})).resolve(num_images=256, num_steps=32)
    model = Autoencoder(
        (8, 8, 1),
        latent,
        objective,
        network=NETWORK,
        dtype=policy,
        num_classes=NUM_CLASSES,
        regularizer=regularizer,
        **kwargs,
    )
    model.compile(keras.optimizers.Adam(3e-3))
    return model


@dataclasses.dataclass(frozen=True)
class Trained:
    """A row's model, the loss of each epoch that it was trained for, and itself from its file."""

    model: Autoencoder
    losses: list
    loaded: Autoencoder


@pytest.fixture(scope="module", params=ROWS)
def row(request):
    """`(objective, latent, policy)`, and a regularizer if there is one."""
    return request.param


@pytest.fixture(scope="module")
def fresh(row):
    """A model with a likelihood that is trained too."""
    return make(*row, likelihood="gaussian_learned")


@pytest.fixture(scope="module")
def trained(row, tmp_path_factory):
    """One training run serves all of a row's tests: TensorFlow takes seconds to trace a step."""
    model = make(*row)
    run = model.fit(DIGITS, labels_of(model, DIGITS), batch_size=32, epochs=4, verbose=0)
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    model.save(path)
    return Trained(model, run.history["loss"], keras.saving.load_model(path))


def test_outputs_are_finite_and_have_their_shapes(row, trained):
    latent = row[1]
    model, images = trained.model, DIGITS[:5]
    inputs, labels = inputs_of(model, images), labels_of(model, images)
    mean, log_var = model.encode(images, labels)
    for codes in (mean, log_var):
        assert codes.shape == (5, *latent)
        assert keras.backend.standardize_dtype(codes.dtype) == "float32"
        assert np.isfinite(codes).all()
    decoded, predicted = model.decode(mean, labels), model.predict(inputs, verbose=0)
    for shown in (model(inputs), decoded, model.sample(5), predicted):
        assert shown.shape == (5, 8, 8, 1)
        assert keras.backend.standardize_dtype(shown.dtype) == "float32"
        assert np.min(shown) >= 0
        assert np.max(shown) <= 1


def test_the_terms_are_those_that_are_named_each_a_number_an_image(fresh):
    terms = fresh.terms_of(Step(fresh, DIGITS[:5], labels_of(fresh, DIGITS[:5]), True))
    assert set(terms) == {"loss", *fresh.objective.terms, *fresh.regularizer.terms}
    assert all(np.shape(value) == (5,) for value in terms.values())


def test_gradients_reach_every_weight(fresh):
    model = fresh
    noise = np.random.default_rng(0)
    for weight in model.trainable_weights:  # networks that end in zeros pass no gradient on
        weight.assign_add(0.01 * noise.normal(size=weight.shape))
    with tf.GradientTape() as tape:
        loss = model.compute_loss(DIGITS[:16], labels_of(model, DIGITS[:16]))
    assert np.isfinite(loss)
    weights = model.trainable_weights
    parts = (model.encoder, model.decoder, model.sampling, model.prior_layer, model.critic)
    assert {id(w) for w in weights} == {id(w) for part in parts if part for w in part.trainable_weights}
    for weight, gradient in zip(weights, tape.gradient(loss, [weight.value for weight in weights])):
        assert gradient is not None, weight.path
        assert np.isfinite(gradient).all(), weight.path
        assert np.any(gradient), weight.path


def test_loss_falls(trained):
    assert trained.losses[-1] < 0.9 * trained.losses[0]


def test_a_saved_model_is_the_same_model_and_goes_on_alike(trained):
    model, loaded = trained.model, trained.loaded
    assert type(loaded) is Autoencoder
    assert loaded.get_config() == model.get_config()
    assert loaded.optimizer.iterations == 32
    assert_same_state(model, loaded)
    shown = inputs_of(model, DIGITS[:8])
    np.testing.assert_array_equal(loaded(shown), model(shown))
    # Noise follows the step counter, which is in the file.
    for one in (model, loaded):
        one.train_step((DIGITS[:32], labels_of(model, DIGITS[:32])))
    assert_same_state(model, loaded)


def assert_same_state(model, twin):
    """Asserts that weights and the state of all optimizers are equal."""
    for ours, theirs in zip(state(model), state(twin), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def state(model):
    optimizers = [model.optimizer, getattr(model, "critic_optimizer", None)]
    return [*model.weights, *(value for one in optimizers if one for value in one.variables)]
