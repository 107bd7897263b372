"""The largest stretch of decoders whose Jacobian is known."""

import numpy as np

from keras_vae.evaluation.metrics.stretch import spectral_norms


def test_the_spectral_norm_of_a_matrix_is_its_largest_singular_value():
    generator = np.random.default_rng(0)
    left, right = (np.linalg.qr(generator.normal(size=(size, 5)))[0] for size in (30, 12))
    matrix = left * [7, 4, 2, 1, 0.1] @ right.T
    norms = spectral_norms(
        lambda codes, directions: directions @ matrix.T,
        lambda codes, weights: weights @ matrix,
        np.zeros((4, 12)),
        generator,
    )
    np.testing.assert_allclose(norms, 7, rtol=1e-6)


def test_each_code_has_the_norm_of_its_own_jacobian():
    # D(z) = z^2 / 2: the Jacobian is diag(z).
    codes = np.array([[1.0, -5.0, 2.0], [0.3, 0.1, 0.0], [0.0, 0.0, 0.0]])
    product = codes.__mul__
    found = spectral_norms(
        lambda _, directions: product(directions),
        lambda _, weights: product(weights),
        codes,
        np.random.default_rng(0),
    )
    np.testing.assert_allclose(found, [5, 0.3, 0], rtol=1e-6, atol=1e-12)
