"""Importance-weighted bounds, on a linear-Gaussian model whose likelihood is known."""

import numpy as np
import pytest
import scipy.stats
from linear import Linear

from keras_vae.model.autoencoder import Autoencoder
from keras_vae.model.likelihoods import Gaussian
from keras_vae.model.objectives.importance_weighted import (
    CombinedImportanceWeighted,
    ImportanceWeighted,
    MultipleImportanceWeighted,
    PartiallyImportanceWeighted,
)
from keras_vae.model.objectives.variational import VariationalBound
from keras_vae.model.step import Step
from keras_vae.runtime.lazy import keras, ops, tf

SIGMA, LATENT, SHAPE = 0.5, 2, (2, 2, 1)
IMAGE = np.random.default_rng(0).random(SHAPE).astype("float32")


def make(objective, seed=0):
    keras.utils.set_random_seed(3)
    model = Autoencoder(SHAPE, LATENT, objective, Gaussian(SIGMA), Linear(), seed=seed)
    model.compile(keras.optimizers.SGD(0.0))
    return model


def measure(objective, count, seed=0, model=None):
    """Terms of `count` copies of the image, and the gradients of their mean loss by encoder and decoder."""
    model = model or make(objective, seed)
    weights = [part.trainable_weights for part in (model.encoder, model.decoder)]
    with tf.GradientTape() as tape:
        terms = objective(model, Step(model, np.repeat(IMAGE[None], count, axis=0), None, True))
        loss = ops.mean(terms["loss"])
    gradients = tape.gradient(loss, [[weight.value for weight in part] for part in weights])
    terms = {name: np.asarray(value) for name, value in terms.items()}
    return terms, *(np.concatenate([np.ravel(gradient) for gradient in part]) for part in gradients)


def known(model):
    """log p(x), and mean and covariance of the true posterior: x = W z + b + sigma e with z and e of N(0, I)."""
    kernel, bias = (weight.numpy() for weight in model.decoder.get_layer("kernel").weights)
    covariance = kernel.T @ kernel + SIGMA**2 * np.eye(4)
    log_likelihood = scipy.stats.multivariate_normal(bias, covariance).logpdf(IMAGE.ravel())
    posterior = np.linalg.inv(np.eye(LATENT) + kernel @ kernel.T / SIGMA**2)
    return log_likelihood, posterior @ kernel @ (IMAGE.ravel() - bias) / SIGMA**2, posterior


def test_the_bound_rises_with_the_number_of_codes_to_the_known_likelihood():
    truth = known(make(ImportanceWeighted()))[0]
    means, errors = [], []
    for count in (1, 2, 5, 20, 200):
        loss = measure(ImportanceWeighted(num_samples=count), 2000)[0]["loss"]
        means.append(-loss.mean())
        errors.append(loss.std() / np.sqrt(len(loss)))
    assert truth - means[0] > 0.3  # the encoder is at its initial weights: there is something to gain
    for index in range(4):
        assert means[index + 1] > means[index] - 3 * np.hypot(*errors[index : index + 2])
    assert means[-1] == pytest.approx(truth, abs=0.02)
    assert means[-1] < truth + 3 * errors[-1]


def test_under_the_true_posterior_every_weight_is_the_likelihood():
    # p(x|z) p(z) / p(z|x) = p(x), whatever z. With one latent kernel column the posterior is diagonal.
    model = make(ImportanceWeighted(num_samples=3))
    kernel = model.decoder.get_layer("kernel").kernel
    kernel.assign(np.array([[1, 0.5, 0, 0], [0, 0, 0.3, -1]], "float32"))
    truth, mean, covariance = known(model)
    for name, value in (("mean", mean), ("log_var", np.log(np.diag(covariance)))):
        layer = model.encoder.get_layer(name)
        layer.kernel.assign(np.zeros((4, LATENT)))
        layer.bias.assign(value)
    terms = measure(model.objective, 50, model=model)[0]
    for name in ("loss", "bound"):
        np.testing.assert_allclose(terms[name], -truth, atol=2e-3)
    assert terms["distortion"].std() > 0.05


def test_with_one_code_it_is_the_vae_in_expectation_and_so_is_its_gradient():
    vae = [measure(VariationalBound(), 2000, seed) for seed in range(12)]
    one = [measure(ImportanceWeighted(num_samples=1), 2000, seed + 100) for seed in range(12)]
    ours, theirs = ([[run[0]["loss"].mean(), *run[1], *run[2]] for run in runs] for runs in (one, vae))
    error = np.hypot(np.std(ours, axis=0), np.std(theirs, axis=0)) / np.sqrt(11)
    gap = np.abs(np.mean(ours, axis=0) - np.mean(theirs, axis=0))
    assert (gap < 4.5 * error + 1e-4).all()
    assert np.abs(np.mean(theirs, axis=0)).max() > 100 * error.max() / 10  # there is a gradient to agree on
    terms = one[0][0]
    np.testing.assert_allclose(terms["loss"], terms["distortion"] + terms["rate"], rtol=1e-5)


def test_the_combined_bound_is_the_vaes_at_one_and_iwaes_at_zero():
    vae = measure(CombinedImportanceWeighted(num_samples=6, beta=1.0), 20)[0]
    np.testing.assert_allclose(vae["loss"], vae["distortion"] + vae["rate"], rtol=1e-5)
    ours, theirs = (
        measure(objective, 20)
        for objective in (
            CombinedImportanceWeighted(num_samples=6, beta=0.0),
            ImportanceWeighted(num_samples=6),
        )
    )
    np.testing.assert_allclose(ours[0]["loss"], theirs[0]["loss"], rtol=1e-6)
    for one, other in zip(ours[1:], theirs[1:]):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    half = measure(CombinedImportanceWeighted(num_samples=6, beta=0.25), 20)[0]
    np.testing.assert_allclose(half["loss"], 0.25 * vae["loss"] + 0.75 * theirs[0]["loss"], rtol=1e-5)


def test_the_mean_of_bounds_is_iwae_at_one_bound_and_the_vae_at_one_code_each():
    iwae = measure(ImportanceWeighted(num_samples=6), 20)
    one_bound = measure(MultipleImportanceWeighted(num_samples=6, num_estimates=1), 20)
    one_code = measure(MultipleImportanceWeighted(num_samples=1, num_estimates=6), 20)
    np.testing.assert_allclose(one_bound[0]["loss"], iwae[0]["loss"], rtol=1e-6)
    np.testing.assert_allclose(
        one_code[0]["loss"], one_code[0]["distortion"] + one_code[0]["rate"], rtol=1e-5
    )
    between = measure(MultipleImportanceWeighted(num_samples=3, num_estimates=2), 20)[0]
    assert (between["loss"] >= iwae[0]["loss"] - 1e-5).all()  # Jensen, image by image
    assert (between["loss"] <= one_code[0]["loss"] + 1e-5).all()


@pytest.mark.parametrize(("num_samples", "num_estimates"), [(6, 1), (3, 2), (1, 6)])
def test_the_partial_bound_has_iwaes_gradient_by_the_decoder_and_miwaes_by_the_encoder(
    num_samples, num_estimates
):
    # So with one bound it is IWAE in all, and with one code a bound the encoder's is the VAE's.
    counts = {"num_samples": num_samples, "num_estimates": num_estimates}
    terms, encoder, decoder = measure(PartiallyImportanceWeighted(**counts), 20)
    iwae = measure(ImportanceWeighted(num_samples=6), 20)
    miwae = measure(MultipleImportanceWeighted(**counts), 20)
    np.testing.assert_allclose(terms["loss"], iwae[0]["loss"], rtol=1e-5)
    np.testing.assert_allclose(decoder, iwae[2], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(encoder, miwae[1], rtol=1e-4, atol=1e-6)
    assert np.allclose(encoder, iwae[1], rtol=1e-3) == (num_estimates == 1)


@pytest.mark.parametrize(
    ("objective", "fields", "message"),
    [
        (ImportanceWeighted, {"num_samples": 0}, r"objective\.num_samples is 0: it must be at least 1"),
        (MultipleImportanceWeighted, {"num_estimates": 0}, r"objective\.num_estimates is 0"),
        (
            CombinedImportanceWeighted,
            {"beta": 1.5},
            r"objective\.beta is 1\.5: expected 0 \(IWAE\) to 1 \(VAE\)",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(objective, fields, message):
    with pytest.raises(ValueError, match=message):
        objective(**fields)
