import math

import numpy as np
import pytest
import scipy.stats
import sklearn.datasets

from keras_vae.autoencoder import Autoencoder, Step
from keras_vae.lazy import keras, tf
from keras_vae.networks import Convolutional
from keras_vae.objectives import OBJECTIVES
from keras_vae.priors import PRIORS, FlowPrior, Mixture, Vamp
from keras_vae.priors.mixture import mixture_log_density

NETWORK = Convolutional(widths=(4,), dense=6, activation="elu")
LEARNED = {"mixture": Mixture(4), "vamp": Vamp(5), "flow": FlowPrior(depth=2, width=8)}
SIDE = np.linspace(-8, 8, 161)
AREA = (SIDE[1] - SIDE[0]) ** 2


@pytest.fixture(scope="module")
def digits():
    return (sklearn.datasets.load_digits().images[:128, ..., None] / 16).astype("float32")


def make(prior, latent=2, objective="vae", **kwargs):
    keras.utils.set_random_seed(1)
    return Autoencoder((8, 8, 1), latent, objective, network=NETWORK, prior=prior, **kwargs)


def perturbed(prior, latent=2):
    """A model whose prior has moved away from where it starts."""
    model = make(prior, latent)
    rng = np.random.default_rng(2)
    for weight in model.prior_layer.weights:
        weight.assign(weight + 0.4 * rng.normal(size=weight.shape))
    return model


def grid():
    return np.stack(np.meshgrid(SIDE, SIDE), axis=-1).reshape(-1, 2).astype("float32")


def test_the_table_of_learned_priors_is_complete():
    assert {*LEARNED, "standard"} == set(PRIORS)


@pytest.mark.parametrize("prior", LEARNED.values(), ids=LEARNED)
def test_a_learned_prior_integrates_to_one(prior):
    model = perturbed(prior)
    density = np.exp(model.prior.log_prob(model, grid()))
    assert density.sum() * AREA == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("prior", LEARNED.values(), ids=LEARNED)
def test_draws_have_the_moments_and_the_entropy_of_the_density(prior):
    model = perturbed(prior)
    drawn = np.asarray(model.prior.draw(model, 20_000, seed=3))
    log_density = np.asarray(model.prior.log_prob(model, grid()), "float64")
    density = np.exp(log_density) * AREA
    mean = density @ grid()
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.06)
    np.testing.assert_allclose(drawn.var(axis=0), density @ (grid() - mean) ** 2, rtol=0.06)
    negative_entropy = density @ log_density
    assert np.mean(model.prior.log_prob(model, drawn)) == pytest.approx(negative_entropy, abs=0.03)


@pytest.mark.parametrize("latent", [3, (2, 2, 2)], ids=["vector", "spatial"])
@pytest.mark.parametrize("name", ["mixture", "flow"])
def test_a_prior_starts_as_wide_as_the_standard_normal(name, latent):
    model = make(PRIORS[name](), latent)
    drawn = np.asarray(model.prior.draw(model, 4000, seed=0))
    assert drawn.shape == (4000, *model.latent_shape)
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=0.2)
    np.testing.assert_allclose(drawn.std(axis=0), 1, atol=0.15)


def test_a_mixture_is_what_scipy_says():
    rng = np.random.default_rng(0)
    codes, means = rng.normal(size=(7, 2, 1, 3)) + 5, rng.normal(size=(4, 2, 1, 3)) + 5
    log_vars, weights = rng.normal(size=(4, 2, 1, 3)), np.array([0.1, 0.2, 0.3, 0.4])
    expected = [
        sum(
            weight * scipy.stats.norm(mean, np.exp(0.5 * log_var)).pdf(code).prod()
            for weight, mean, log_var in zip(weights, means, log_vars)
        )
        for code in codes
    ]
    arrays = (array.astype("float32") for array in (codes, np.log(weights), means, log_vars))
    np.testing.assert_allclose(mixture_log_density(*arrays), np.log(expected), rtol=2e-5)


def test_a_mixture_of_one_component_is_the_standard_normal_at_first():
    model = make(Mixture(1))
    np.testing.assert_allclose(
        model.prior.log_prob(model, grid()), -math.log(2 * math.pi) - 0.5 * (grid() ** 2).sum(1), rtol=1e-5
    )


def test_vamp_of_one_pseudo_input_is_the_posterior_there(digits):
    model = make(Vamp(1))
    image = digits[:1].clip(0.01, 0.99)
    model.adapt(image)
    mean, log_var = model.encode(image)
    expected = scipy.stats.norm(mean, np.exp(0.5 * np.asarray(log_var))).logpdf(grid()).sum(axis=1)
    np.testing.assert_allclose(model.prior.log_prob(model, grid()), expected, rtol=1e-3, atol=1e-3)


def test_the_rate_is_the_log_ratio_at_the_codes_and_agrees_with_the_closed_form(digits):
    # A mixture whose components are all N(0, I) is N(0, I), so the mean of log q - log p is the closed form.
    model = make(Mixture(3))
    model.prior_layer.means.assign(np.zeros((3, 2)))
    model.prior_layer.log_vars.assign(np.zeros((3, 2)))
    images = np.repeat(digits[:1], 20_000, axis=0)
    step = Step(model, images, None, True)
    values = np.asarray(step.rate, "float64")
    closed = float(np.mean(model.latent.rate(step.posterior)))
    assert values.mean() == pytest.approx(closed, abs=4 * float(values.std()) / math.sqrt(len(values)))


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("latent", [3, (2, 2, 2)], ids=["vector", "spatial"])
@pytest.mark.parametrize("prior", LEARNED.values(), ids=LEARNED)
def test_gradients_reach_the_prior_and_a_saved_model_has_it(prior, latent, policy, digits, tmp_path):
    model = make(prior, latent, dtype=policy)
    model.compile(keras.optimizers.Adam(1e-3))
    with tf.GradientTape() as tape:
        loss = model.compute_loss(digits[:32])
    weights = model.prior_layer.trainable_weights
    assert weights
    assert all(weight.dtype == "float32" for weight in weights)
    gradients = tape.gradient(loss, [weight.value for weight in weights])
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    assert any(np.any(gradient) for gradient in gradients)

    model.fit(digits, batch_size=32, epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.prior == prior
    assert loaded.evaluate(digits, verbose=0) == model.evaluate(digits, verbose=0)
    np.testing.assert_array_equal(loaded.sample(4, seed=1), model.sample(4, seed=1))


@pytest.mark.parametrize("prior", LEARNED.values(), ids=LEARNED)
def test_what_uses_no_prior_refuses_one(prior):
    assert OBJECTIVES["autoencoder"].prior == "none"
    with pytest.raises(ValueError, match="uses no prior"):
        make(prior, objective="autoencoder")


def test_a_flow_refuses_a_latent_beyond_its_size():
    with pytest.raises(ValueError, match=r"at most 4,096 .*--prior mixture"):
        make(FlowPrior(), (8, 8, 65))
