"""Sample weights: they reach whatever is computed from a whole batch."""

import numpy as np
import pytest
import sklearn.datasets

from keras_vae.layers.densities import batch_mean, gaussian_kernel, maximum_mean_discrepancy
from keras_vae.model.autoencoder import Autoencoder
from keras_vae.model.likelihoods import LIKELIHOODS
from keras_vae.model.networks.convolutional import Convolutional
from keras_vae.model.networks.mlp import Perceptron
from keras_vae.model.objectives import OBJECTIVES
from keras_vae.model.objectives.adversarial import permute_dims
from keras_vae.model.objectives.total_correlation import log_aggregate
from keras_vae.runtime.lazy import keras, ops

DIGITS = (sklearn.datasets.load_digits().images[:64, ..., None] / 16).astype("float32")
LABELS = sklearn.datasets.load_digits().target[:64]
SIZES = {
    "factor_vae": {"critic_widths": (8,)},
    "adversarial_autoencoder": {"critic_widths": (8,)},
    "ciwae": {"num_samples": 2},
    "miwae": {"num_samples": 2, "num_estimates": 2},
    "piwae": {"num_samples": 2, "num_estimates": 2},
    "vq_vae": {"codebook": 8},
}
ROWS = [(name, "bernoulli") for name in OBJECTIVES] + [("vae", name) for name in LIKELIHOODS]
pytestmark = pytest.mark.filterwarnings("ignore:the loss weighs the rate")


def make(objective, likelihood):
    keras.utils.set_random_seed(1)
    spatial = objective == "vq_vae"
    chosen = OBJECTIVES[objective](**SIZES.get(objective, {})).resolve(num_images=640, num_steps=20)
    network = Convolutional(widths=(4, 4)) if spatial else Perceptron(hidden=(8,))
    latent = (2, 2, 2) if spatial else 3
    model = Autoencoder((8, 8, 1), latent, chosen, likelihood, network, num_classes=10)
    model.compile("sgd")
    return model


def measure(model, images, labels, weights, training=True):
    """The loss and the mean terms of a batch, and the state that training leaves beside the trained weights."""
    for metric in model.metrics:
        metric.reset_state()
    targets = labels if model.conditional else None
    loss = model.compute_loss(images, targets, sample_weight=weights, training=training)
    state = [np.asarray(weight) for weight in model.non_trainable_weights if "seed" not in weight.path]
    return [float(loss), *(float(metric.result()) for metric in model.metrics)], state


@pytest.mark.long
@pytest.mark.parametrize(("objective", "likelihood"), ROWS)
def test_images_of_weight_zero_change_nothing(objective, likelihood):
    few, extended = make(objective, likelihood), make(objective, likelihood)
    expected, state = measure(few, DIGITS[:16], LABELS[:16], None)
    images = np.concatenate([DIGITS[:16], 1 - DIGITS[16:48]])
    found, extended_state = measure(extended, images, LABELS[:48], np.repeat([1.0, 0.0], [16, 32]))
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)
    for one, other in zip(extended_state, state):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("objective", ["autoencoder", "denoising", "rae_l2"])
def test_an_image_of_weight_two_is_two_images_to_the_variance(objective):
    weighted, repeated = (make(objective, "gaussian_optimal") for _ in range(2))
    found, state = measure(weighted, DIGITS[:3], None, np.array([2.0, 1.0, 0.0], "float32"), training=False)
    expected, _ = measure(repeated, DIGITS[[0, 0, 1]], None, None, training=False)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert not state[0].any()  # an evaluation leaves the remembered variance alone


def test_a_weighted_mean_by_hand():
    values = np.array([[1.0, 2.0], [4.0, 8.0], [100.0, 100.0]], "float32")
    np.testing.assert_allclose(batch_mean(values, ops.convert_to_tensor([2.0, 1.0, 0.0])), [2.0, 4.0])
    np.testing.assert_allclose(batch_mean(values, ops.zeros((3,))), [0.0, 0.0])
    np.testing.assert_allclose(batch_mean(values), values.mean(axis=0))


def test_the_weighted_discrepancy_is_that_of_loops():
    generator = np.random.default_rng(0)
    rows, others = generator.normal(size=(2, 6, 3)).astype("float32")
    weights = np.array([0.5, 2.0, 0.0, 1.0, 0.25, 3.0], "float32")
    share = weights / weights.sum()

    def kernel(a, b):
        return np.exp(-np.sum((a - b) ** 2) / 3)

    pairs = [(i, j) for i in range(6) for j in range(6) if i != j]
    norm = 1 - np.sum(share**2)
    within = sum(
        share[i] * share[j] * (kernel(rows[i], rows[j]) + kernel(others[i], others[j])) for i, j in pairs
    )
    across = sum(share[i] * share[j] * kernel(rows[i], others[j]) for i in range(6) for j in range(6))
    found = maximum_mean_discrepancy(rows, others, gaussian_kernel, weights)
    assert float(found) == pytest.approx(within / norm - 2 * across, rel=1e-4)


def test_the_aggregate_posterior_leaves_out_images_of_weight_zero_wherever_they_are():
    generator = np.random.default_rng(1)
    codes, mean, log_var = generator.normal(size=(3, 6, 2)).astype("float32")
    weights = np.array([0, 1, 1, 0, 1, 1], "float32")
    kept = weights > 0
    found = log_aggregate(codes, mean, log_var, 50, ops.convert_to_tensor(weights))
    expected = log_aggregate(codes[kept], mean[kept], log_var[kept], 50)
    for one, other in zip(found, expected):
        np.testing.assert_allclose(np.asarray(one)[kept], other, rtol=1e-5)


def test_codes_of_weight_zero_are_permuted_into_no_other():
    codes = np.arange(24, dtype="float32").reshape(8, 3)
    weights = np.array([0, 1, 1, 0, 1, 1, 1, 0], "float32")
    permuted = np.asarray(permute_dims(codes, 3, ops.convert_to_tensor(weights)))
    kept = weights > 0
    np.testing.assert_array_equal(np.sort(permuted[kept], axis=0), codes[kept])
    assert (permuted[kept] != codes[kept]).any()
