"""The stretch of the decoder: the largest singular value of its Jacobian."""

import numpy as np

ITERATIONS = 20


def spectral_norms(tangent, pullback, codes, generator):
    """Returns the spectral norm of the decoder's Jacobian at `codes`, `[n, d]`: `[n]`.

    It uses power iteration on J'J from a random direction, without computing J (Arvanitidis et al. 2018 use the same
    J'J). It converges from below: after t steps, the relative error is of order (second / first)^(4t) at most if the
    start has equal components along the first and second singular vectors.

    Args:
        tangent: (codes, directions `[n, d]`) -> J v, `[n, pixels]`.
        pullback: (codes, weights `[n, pixels]`) -> J' w, `[n, d]`.
        codes: `[n, d]`.
        generator: A random number generator.
    """
    directions = generator.standard_normal(codes.shape)
    for _ in range(ITERATIONS):
        directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-30)
        stretched = tangent(codes, directions)
        directions = np.asarray(pullback(codes, stretched), "float64")
    return np.linalg.norm(stretched, axis=1)
