"""One table over every objective, latent and policy: each row gets all the tests."""

import numpy as np
import pytest
import sklearn.datasets

from keras_vae.autoencoder import Autoencoder, Step
from keras_vae.lazy import keras, tf
from keras_vae.networks import Convolutional
from keras_vae.objectives import OBJECTIVES

POLICIES = ("float32", "mixed_bfloat16")
LATENTS = ((3,), (2, 2, 3))
NETWORK = Convolutional(widths=(6, 8), dense=16, activation="elu")


def goes_with(objective, latent):
    """Returns whether the objective takes a latent of that shape."""
    try:
        objective.latent.check(latent)
    except ValueError:
        return False
    return True


ROWS = [
    pytest.param(name, latent, policy, id=f"{name}-{'vector' if len(latent) == 1 else 'spatial'}-{policy}")
    for name in OBJECTIVES
    for latent in LATENTS
    if goes_with(OBJECTIVES[name](), latent)
    for policy in POLICIES
]
every_row = pytest.mark.parametrize(("objective", "latent", "policy"), ROWS)
pytestmark = pytest.mark.filterwarnings("ignore:the loss weighs the rate")


NUM_CLASSES = 10
LABELS = sklearn.datasets.load_digits().target[:256]


@pytest.fixture(scope="module")
def digits():
    return (sklearn.datasets.load_digits().images[:256, ..., None] / 16).astype("float32")


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


def make(objective, latent, policy, **kwargs):
    keras.utils.set_random_seed(1)
    objective = OBJECTIVES[objective](**SIZES.get(objective, {})).settle(num_images=256, num_steps=32)
    model = Autoencoder(
        (8, 8, 1), latent, objective, network=NETWORK, dtype=policy, num_classes=NUM_CLASSES, **kwargs
    )
    model.compile(keras.optimizers.Adam(3e-3))
    return model


@every_row
def test_outputs_are_finite_and_have_their_shapes(objective, latent, policy, digits):
    model = make(objective, latent, policy)
    images = digits[:5]
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


@every_row
def test_the_terms_are_those_that_are_named_each_a_number_an_image(objective, latent, policy, digits):
    model = make(objective, latent, policy)
    terms = model.objective(model, Step(model, digits[:5], labels_of(model, digits[:5]), True))
    assert set(terms) == {"loss", *model.objective.terms}
    assert all(np.shape(value) == (5,) for value in terms.values())


@every_row
def test_gradients_reach_every_weight(objective, latent, policy, digits):
    model = make(objective, latent, policy, likelihood="gaussian_learned")
    noise = np.random.default_rng(0)
    for weight in model.trainable_weights:  # networks that end in zeros pass no gradient on
        weight.assign_add(0.01 * noise.normal(size=weight.shape))
    with tf.GradientTape() as tape:
        loss = model.compute_loss(digits[:16], labels_of(model, digits[:16]))
    assert np.isfinite(loss)
    weights = model.trainable_weights
    parts = (model.encoder, model.decoder, model.sampling, model.prior_layer, model.critic)
    assert {id(w) for w in weights} == {id(w) for part in parts if part for w in part.trainable_weights}
    for weight, gradient in zip(weights, tape.gradient(loss, [weight.value for weight in weights])):
        assert gradient is not None, weight.path
        assert np.isfinite(gradient).all(), weight.path
        assert np.any(gradient), weight.path


@every_row
def test_loss_falls_and_a_saved_model_is_the_same_model(objective, latent, policy, digits, tmp_path):
    model = make(objective, latent, policy)
    labels = labels_of(model, digits)
    losses = model.fit(digits, labels, batch_size=32, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < 0.9 * losses[0]

    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded) is Autoencoder
    assert loaded.get_config() == model.get_config()
    shown = inputs_of(model, digits[:8])
    np.testing.assert_array_equal(loaded.predict(shown, verbose=0), model.predict(shown, verbose=0))
    assert loaded.optimizer.iterations == 32
    optimizers = [(one.optimizer, getattr(one, "critic_optimizer", None)) for one in (model, loaded)]
    for optimizer, twin in zip(*optimizers):
        for ours, theirs in zip(optimizer.variables if optimizer else (), twin.variables if twin else ()):
            np.testing.assert_array_equal(ours, theirs)
    ours, theirs = (one.evaluate(digits, labels, verbose=0, return_dict=True) for one in (model, loaded))
    assert ours == theirs
    # Noise follows the step counter, which is in the file: both go on alike.
    for one in (model, loaded):
        one.fit(digits[:64], labels_of(model, digits[:64]), batch_size=32, shuffle=False, verbose=0)
    for ours, theirs in zip(model.get_weights(), loaded.get_weights()):
        np.testing.assert_array_equal(ours, theirs)
