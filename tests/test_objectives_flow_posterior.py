"""Posteriors with flows: their density, their rate and their moments, and what they gain."""

import itertools

import numpy as np
import pytest
import scipy.special

from keras_vae.layers.basic import GivenSeed
from keras_vae.model.autoencoder import Autoencoder
from keras_vae.model.objectives.flow_posterior import InverseAutoregressiveFlow, PlanarFlow
from keras_vae.model.objectives.variational import VariationalBound
from keras_vae.model.posteriors import DiagonalGaussian, FlowedGaussian
from keras_vae.runtime.lazy import keras, ops, tf

KINDS = ("planar", "iaf")


def bent(kind, dim=2, depth=2, scale=1.0):
    """A latent whose layer has random weights, the layer, so that the flow is far from the identity, and one posterior."""
    latent = FlowedGaussian(kind, depth, width=8).of((dim,))
    layer, noise = latent.layer, np.random.default_rng(3)
    for weight in layer.trainable_variables:
        weight.assign(scale * noise.normal(size=weight.shape))
    posterior = {
        name: ops.convert_to_tensor(noise.normal(size=(1, dim)).astype("float32")) for name in latent.heads()
    }
    return latent, layer, {**posterior, "log_var": posterior["log_var"] - 1}


def grid_around(posterior, steps=161, reach=6.0):
    """Points of the base around its mean, `[steps^2, 2]`, and the probability of each one's cell."""
    mean, deviation = np.array(posterior["mean"])[0], np.exp(0.5 * np.array(posterior["log_var"]))[0]
    axis = np.linspace(-reach, reach, steps)
    standard = np.array(list(itertools.product(axis, axis)))
    weights = np.exp(-0.5 * np.square(standard).sum(axis=1)) / (2 * np.pi) * (axis[1] - axis[0]) ** 2
    return mean + deviation * standard, weights


@pytest.mark.parametrize("kind", KINDS)
def test_the_monte_carlo_rate_is_the_integral_over_the_plane(kind):
    latent, layer, posterior = bent(kind)
    # KL = integral N(u) [log N(u) - log |det df/du| - log p(f(u))] du, with a Jacobian of finite differences.
    points, weights = grid_around(posterior)

    def flow(values):
        context = np.repeat(posterior["context"], len(values), axis=0)
        return np.array(layer.flow.forward(values.astype("float32"), context)[0], "float64")

    small = 1e-2
    columns = [
        (flow(points + small * unit) - flow(points - small * unit)) / (2 * small) for unit in np.eye(2)
    ]
    log_det = np.linalg.slogdet(np.stack(columns, axis=2))[1]
    log_density = np.log(weights / (points[1, 1] - points[0, 1]) / (points[161, 0] - points[0, 0]))
    log_prior = -0.5 * np.square(flow(points)).sum(axis=1) - np.log(2 * np.pi)
    integral = np.sum(weights * (log_density - log_det - log_prior))

    many = {name: ops.repeat(value, 20_000, axis=0) for name, value in posterior.items()}
    draw = latent.draw(many, seed=1)
    codes = np.array(draw.codes, "float64")
    rates = np.array(draw.log_density) + 0.5 * np.square(codes).sum(axis=1) + np.log(2 * np.pi)
    assert weights.sum() == pytest.approx(1, abs=1e-4)
    assert abs(integral - float(DiagonalGaussian().rate(posterior)[0])) > 0.1  # the flow matters
    assert rates.mean() == pytest.approx(integral, abs=4 * rates.std() / np.sqrt(20_000) + 5e-3)


def test_moments_of_a_linear_map_are_exact():
    # f(u) = A u + b has covariance A diag(var) A'; three dimensions, so that the Hadamard matrix has one to spare.
    class Linear:
        def flow(self, values, context):
            return values @ matrix.T + context, None

    noise = np.random.default_rng(0)
    matrix = noise.normal(size=(3, 3)).astype("float32")
    posterior = {
        name: ops.convert_to_tensor(noise.normal(size=(5, 3)).astype("float32"))
        for name in ("mean", "log_var", "context")
    }
    mean, log_var = FlowedGaussian().owning(Linear()).moments(posterior)
    np.testing.assert_allclose(
        mean, posterior["mean"] @ matrix.T + posterior["context"], rtol=1e-5, atol=1e-6
    )
    expected = np.exp(posterior["log_var"]) @ np.square(matrix.T)
    np.testing.assert_allclose(np.exp(log_var), expected, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_moments_are_near_those_of_draws(kind):
    latent, _, posterior = bent(kind, dim=3, scale=0.3)
    mean, log_var = latent.moments(posterior)
    draws = latent.draw({name: ops.repeat(value, 5000, axis=0) for name, value in posterior.items()}, seed=0)
    np.testing.assert_allclose(mean[0], np.mean(draws.codes, axis=0), atol=0.15)
    np.testing.assert_allclose(np.exp(log_var[0] / 2), np.std(draws.codes, axis=0), rtol=0.15)


def log_joint(codes):
    """A model whose posterior is a banana: z ~ N(0, I), x = 0 ~ N(3 (z_2 - z_1^2 + 1), 1); `[n, 2]` to `[n]`."""
    away = 3 * (codes[:, 1] - codes[:, 0] ** 2 + 1)
    return -0.5 * (codes[:, 0] ** 2 + codes[:, 1] ** 2 + away**2) - 1.5 * np.log(2 * np.pi)


def best_bound(latent):
    """The bound, nats, that the latent's one posterior reaches by gradient ascent."""
    latent = latent.of((2,))
    posterior = {
        name: tf.Variable(np.full((1, 2), 0.5 if name == "context" else 0.0, "float32"))
        for name in latent.heads()
    }
    variables = [*posterior.values(), *latent.layer.trainable_variables]
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-2, 1500))
    optimizer.build(variables)

    def bound(count, seed):
        draw = latent.draw({name: tf.repeat(value, count, axis=0) for name, value in posterior.items()}, seed)
        return tf.reduce_mean(log_joint(draw.codes) - draw.log_density)

    @tf.function
    def train():
        for step in tf.range(1500):
            with tf.GradientTape() as tape:
                loss = -bound(64, GivenSeed(0, step))
            optimizer.apply(tape.gradient(loss, variables), variables)

    train()
    return float(bound(50_000, GivenSeed(1, 0)))


@pytest.mark.long
def test_a_flow_bends_to_a_banana_as_no_diagonal_gaussian_does():
    axis = np.linspace(-7, 7, 561)
    points = np.array(list(itertools.product(axis, axis)))
    evidence = scipy.special.logsumexp(log_joint(points)) + 2 * np.log(axis[1] - axis[0])
    gaussian = best_bound(DiagonalGaussian())
    bounds = {
        "planar": best_bound(FlowedGaussian("planar", depth=10)),
        "iaf": best_bound(FlowedGaussian("iaf", depth=2, width=32)),
    }
    assert gaussian < evidence - 0.3
    for bound in bounds.values():
        # Of what the Gaussian leaves, most is found; and no bound is above the evidence but for noise.
        assert gaussian + 0.5 * (evidence - gaussian) < bound < evidence + 0.02


@pytest.mark.parametrize("objective", [PlanarFlow(depth=3), InverseAutoregressiveFlow(width=16)])
def test_the_loss_is_the_bound_with_the_density_of_the_flow(objective):
    keras.utils.set_random_seed(0)
    model = Autoencoder((8, 8, 1), 3, objective)
    model.compile("adam")
    images = np.random.default_rng(0).random((6, 8, 8, 1)).astype("float32")
    logs = model.evaluate(images, verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(logs["distortion"] + logs["rate"], rel=1e-5)
    assert isinstance(objective, VariationalBound)
    assert objective.effective_beta(model.dims) == 1


@pytest.mark.parametrize("name", ["planar_flow", "iaf"])
def test_a_latent_too_large_for_a_flow_is_refused(name):
    with pytest.raises(
        ValueError, match=r"latent is 8x8x16, 1,024 numbers: .* at most 512 \(try --latent 64\)"
    ):
        Autoencoder((32, 32, 1), (8, 8, 16), name)


@pytest.mark.parametrize("make", [lambda: PlanarFlow(depth=0), lambda: InverseAutoregressiveFlow(width=0)])
def test_sizes_below_one_are_refused(make):
    with pytest.raises(ValueError, match=r"objective\.(depth|width) is 0: it must be at least 1"):
        make()
