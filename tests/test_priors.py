import dataclasses
import math

import numpy as np
import pytest
import scipy.stats
import sklearn.datasets
import tensorflow
from test_diagnosis import entropy, linear_data, linear_model, posterior_variance, within

from keras_vae import evaluate
from keras_vae.data import Annotations, LoadOptions, in_memory
from keras_vae.evaluation.sections.evidence import gather
from keras_vae.evaluation.sections.likelihood import log_weights
from keras_vae.evaluation.settings import Evaluation
from keras_vae.evaluation.subject import from_export, from_model, weighing
from keras_vae.export.saved_models import export, export_decoder
from keras_vae.model.autoencoder import Autoencoder
from keras_vae.model.networks import Convolutional
from keras_vae.model.objectives import OBJECTIVES
from keras_vae.model.priors import PRIORS, FlowPrior, MixturePrior, VampPrior
from keras_vae.model.priors.mixture import mixture_log_density
from keras_vae.model.step import Step
from keras_vae.runtime.lazy import keras, tf
from keras_vae.samplers import PriorSampler, load, save
from keras_vae.samplers import Vamp as Components

NETWORK = Convolutional(widths=(4,), dense=6, activation="elu")
LEARNED = {"mixture": MixturePrior(4), "vamp": VampPrior(5), "flow": FlowPrior(depth=2, width=8)}
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
    density = np.exp(model.prior.log_prob(grid()))
    assert density.sum() * AREA == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("prior", LEARNED.values(), ids=LEARNED)
def test_draws_have_the_moments_and_the_entropy_of_the_density(prior):
    model = perturbed(prior)
    drawn = np.asarray(model.prior.draw(20_000, seed=3))
    log_density = np.asarray(model.prior.log_prob(grid()), "float64")
    density = np.exp(log_density) * AREA
    mean = density @ grid()
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.06)
    np.testing.assert_allclose(drawn.var(axis=0), density @ (grid() - mean) ** 2, rtol=0.06)
    negative_entropy = density @ log_density
    assert np.mean(model.prior.log_prob(drawn)) == pytest.approx(negative_entropy, abs=0.03)


@pytest.mark.long
@pytest.mark.parametrize("latent", [3, (2, 2, 2)], ids=["vector", "spatial"])
@pytest.mark.parametrize("name", ["mixture", "flow"])
def test_a_prior_starts_as_wide_as_the_standard_normal(name, latent):
    model = make(PRIORS[name](), latent)
    drawn = np.asarray(model.prior.draw(4000, seed=0))
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
    model = make(MixturePrior(1))
    np.testing.assert_allclose(
        model.prior.log_prob(grid()), -math.log(2 * math.pi) - 0.5 * (grid() ** 2).sum(1), rtol=1e-5
    )


@pytest.mark.parametrize(("given", "kept"), [(-200.0, -14.0), (-3.0, -3.0), (80.0, 6.0)])
def test_a_mixtures_log_variances_are_those_of_a_posterior_at_most(given, kept):
    model = make(MixturePrior(1))
    model.prior_layer.log_vars.assign([[given, given]])
    code = np.array([[0.5, -0.25]], "float32")
    expected = scipy.stats.norm.logpdf(code.astype("float64"), scale=math.exp(kept / 2)).sum()
    assert float(model.prior.log_prob(code)[0]) == pytest.approx(expected, rel=1e-5)


def test_a_mixtures_log_variances_turn_back_at_the_bound(digits):
    model = make(MixturePrior(1))
    model.compile(keras.optimizers.SGD(0.01))
    model.prior_layer.log_vars.assign([[-14.0, -14.0]])  # far too narrow for the codes
    model.train_on_batch(digits[:8])
    moved = np.asarray(model.prior_layer.log_vars)
    assert moved.max() <= 6.0
    assert moved.min() > -14.0


def test_vamp_of_one_pseudo_input_is_the_posterior_there(digits):
    model = make(VampPrior(1))
    image = digits[:1].clip(0.01, 0.99)
    model.adapt(image)
    mean, log_var = model.encode(image)
    expected = scipy.stats.norm(mean, np.exp(0.5 * np.asarray(log_var))).logpdf(grid()).sum(axis=1)
    np.testing.assert_allclose(model.prior.log_prob(grid()), expected, rtol=1e-3, atol=1e-3)


def test_the_rate_is_the_log_ratio_at_the_codes_and_agrees_with_the_closed_form(digits):
    # A mixture whose components are all N(0, I) is N(0, I), so the mean of log q - log p is the closed form.
    model = make(MixturePrior(3))
    model.prior_layer.means.assign(np.zeros((3, 2)))
    model.prior_layer.log_vars.assign(np.zeros((3, 2)))
    images = np.repeat(digits[:1], 20_000, axis=0)
    step = Step(model, images, None, True)
    values = np.asarray(step.rate, "float64")
    closed = float(np.mean(model.latent.rate(step.posterior)))
    assert values.mean() == pytest.approx(closed, abs=4 * float(values.std()) / math.sqrt(len(values)))


@pytest.mark.long
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


# As samplers, and in what is measured of a model


@pytest.mark.parametrize("latent", [2, (2, 2, 2)], ids=["vector", "spatial"])
@pytest.mark.parametrize("prior", LEARNED.values(), ids=LEARNED)
def test_the_prior_as_a_sampler_has_the_same_density_also_from_a_file(prior, latent, tmp_path):
    model = perturbed(prior, latent)
    sampler = model.prior.sampler()
    codes = np.asarray(model.prior.draw(50, seed=1)) + 0.1
    expected = np.asarray(model.prior.log_prob(codes))
    np.testing.assert_allclose(sampler.log_prob(codes), expected, rtol=1e-4, atol=1e-4)
    save(sampler, tmp_path / "prior.npz")
    np.testing.assert_array_equal(load(tmp_path / "prior.npz").log_prob(codes), sampler.log_prob(codes))


@pytest.mark.parametrize("prior", LEARNED.values(), ids=LEARNED)
def test_the_sampler_draws_what_the_prior_draws(prior):
    model = perturbed(prior)
    ours = np.asarray(model.prior.draw(4000, seed=1))
    theirs = model.prior.sampler().sample(np.arange(4000)).numpy()
    for dim in range(2):
        assert scipy.stats.ks_2samp(ours[:, dim], theirs[:, dim]).pvalue > 1e-3


@pytest.mark.long
@pytest.mark.parametrize("prior", LEARNED.values(), ids=LEARNED)
def test_an_exported_decoder_samples_from_the_prior_and_knows_it_whatever_it_samples_from(prior, tmp_path):
    model = perturbed(prior)
    paths = export(model, tmp_path)
    seeds = np.arange(5)
    drawn = model.prior.sampler().sample(seeds)
    signature = tensorflow.saved_model.load(str(paths["decoder"])).signatures["sample"]
    np.testing.assert_allclose(signature(seed=tensorflow.constant(seeds))["latent"], drawn, atol=1e-5)
    repaired = export_decoder(model, tmp_path, PriorSampler((2,)))
    codes = np.asarray(drawn)
    for decoder in (paths["decoder"], repaired):
        known = from_export(paths["encoder"], decoder).prior
        np.testing.assert_allclose(known.log_prob(codes), from_model(model).prior.log_prob(codes), rtol=1e-5)


@pytest.mark.long
def test_a_displaced_prior_is_measured_as_the_standard_one_is_of_codes_in_its_place():
    # The linear model's codes at 3 +- 2, under four equal components N(3, 2^2), which are one.
    prior = Components.from_arrays([0.25] * 4, np.full((4, 3), 3.0), np.full((4, 3), 2 * math.log(2)))
    subject = dataclasses.replace(linear_model(scale=2.0, shift=3.0), prior=prior)
    results = evaluate(subject, linear_data(), nll_samples=60)
    # z = 3 + 2 u with u ~ N(0, I): rates, bounds and divergences are those of u, in closed form.
    found = results["rate_distortion"]
    within(found["rate"], -0.5 * np.log(posterior_variance()).sum(), found["rate_se"])
    within(found["elbo"], -entropy(), found["elbo_se"])
    # Under the true posterior every weight is p(x), whatever the code.
    within(results["likelihood"]["nats"], entropy(), results["likelihood"]["nats_se"])
    assert results["likelihood"]["effective_sample_size"] == pytest.approx(60, rel=1e-3)
    mismatch = results["prior_mismatch"]
    within(mismatch["nats"], 0.0, mismatch["nats_se"])
    assert mismatch["auc"] == pytest.approx(0.5, abs=0.05)
    assert mismatch["norms"]["prior_mean"] == pytest.approx(mismatch["norms"]["posterior_mean"], rel=0.03)
    assert mismatch["signal_radius"]["ratio"] == pytest.approx(1, abs=0.05)
    told = results["told_apart"]["prior"]
    within(told["auc"], 0.5, told["auc_se"])
    assert results["prior"] == "mixture"
    assert results["latent"]["kl_spectrum"] is None
    words = str(results["verdict"])
    assert "N(0, I)" not in words
    assert "the prior" in words


@pytest.mark.long
@pytest.mark.parametrize("prior", LEARNED.values(), ids=LEARNED)
def test_the_models_own_weights_and_those_from_its_parts_have_one_mean(prior, digits):
    # E w = p(x), whoever draws: the two estimates agree within their errors.
    model = make(prior)
    model.adapt(digits)
    parts = from_model(model)
    dataset = in_memory("digits", digits, LoadOptions(), Annotations())
    subject = dataclasses.replace(parts, log_weights=weighing(model)["log_weights"])
    studies = [gather(one, 2, dataset, None, Evaluation(features="random")) for one in (subject, parts)]
    ours, theirs = (log_weights(study, 4, 600) for study in studies)
    largest = np.maximum(ours.max(axis=1), theirs.max(axis=1))[:, None]
    means, errors = zip(
        *(
            (w.mean(axis=1), w.std(axis=1) / math.sqrt(600))
            for w in (np.exp(ours - largest), np.exp(theirs - largest))
        )
    )
    assert (np.abs(means[0] - means[1]) < 4 * np.hypot(*errors)).all()


@pytest.mark.long
def test_a_flow_posterior_is_measured_by_its_own_draws_and_not_as_a_gaussian(digits):
    # Both are E log q - log p over draws: training's of one code an image, the evaluation's of several.
    model = make("standard", objective={"kind": "planar_flow", "depth": 4})
    for weight in model.sampling.weights + model.encoder.weights[-6:]:
        weight.assign(weight + 0.5 * np.random.default_rng(4).normal(size=weight.shape))
    dataset = in_memory("digits", digits, LoadOptions(), Annotations())
    results = evaluate(model, dataset, features="random", nll_samples=16)
    found = results["rate_distortion"]
    images = np.repeat(dataset.test.images(0, found["n"]), 30, axis=0)
    step = Step(model, images, None, False)
    rates = np.reshape(step.rate, (-1, 30)).mean(axis=1)
    within(found["rate"], rates.mean(), math.hypot(found["rate_se"], rates.std() / math.sqrt(len(rates))))
    assert results["latent"]["kl_spectrum"] is None
    assert results["likelihood"]["nats"] <= -found["elbo"] + 2 * found["elbo_se"]
