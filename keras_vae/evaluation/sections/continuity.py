"""Measures whether small steps of the code cause small changes of the image."""

import numpy as np

from keras_vae.evaluation.metrics import paths
from keras_vae.evaluation.sections.codes import some
from keras_vae.evaluation.sections.found import Found

PROBES, POINTS_PROBED = 4, 64
PATHS, PATH_POINTS = 64, 11
RESAMPLES = 200  # of the bootstrap


def measure_continuity(evidence, ladder):
    """Measures how steep the decoder is, and how evenly images change along paths between codes of images.

    A conditional model decodes a path with the label of its start.
    """
    drawn, labels_of = ladder.kept.codes, ladder.kept.labels
    count = min(POINTS_PROBED, len(evidence.test) // 2)
    half = len(evidence.test) // 2
    own = evidence.test.labels_of(count)
    points = {
        "posterior": (drawn["posterior"][:count], own),
        "prior": (drawn["prior"][:count], some(labels_of["prior"], count)),
        "midpoint": (0.5 * (evidence.test.mean[:count] + evidence.test.mean[half : half + count]), own),
    }
    jacobian, reasons = {}, {}
    for name, (codes, labels) in points.items():
        norms = jacobian_norms(evidence, codes, labels, name)
        ratio, error = None, None
        if np.median(norms) > 0:
            ratio, error = unevenness(norms), bootstrapped(unevenness, norms, evidence.seed)
        else:
            reasons["p95_over_median"] = "the image does not change with the code"
        jacobian[name] = {
            "median": float(np.median(norms)),
            "p95_over_median": ratio,
            "p95_over_median_se": error,
        }
    count = min(PATHS, half)
    fractions = np.linspace(0, 1, PATH_POINTS)
    walks = paths.linear(evidence.test.mean[:count], evidence.test.mean[half : half + count], fractions)
    images = evidence.decode(walks.reshape(count * PATH_POINTS, -1), evidence.test.labels_of(count))
    looks = evidence.see(images).looks.reshape(count, PATH_POINTS, -1)
    jumps = {"jump": paths.jump(looks), "jump_pixels": paths.jump(images.reshape(count, PATH_POINTS, -1))}
    values = {
        "n": count,
        "jacobian": jacobian,
        **{name: float(np.median(found)) for name, found in jumps.items()},
        **{f"{name}_se": bootstrapped(np.median, found, evidence.seed) for name, found in jumps.items()},
        "detour": float(np.median(paths.detour(looks))),
    }
    return Found(values, reasons)


def unevenness(norms):
    """Returns the 95th percentile of `norms`, `[n]`, divided by their median; NaN if that is 0."""
    median = float(np.median(norms))
    return float(np.percentile(norms, 95)) / median if median > 0 else float("nan")


def bootstrapped(statistic, values, seed):
    """Returns the standard error of a statistic of independent `values`, `[n]` (Efron 1979)."""
    rows = np.random.default_rng(seed).integers(len(values), size=(RESAMPLES, len(values)))
    return float(np.nanstd([statistic(values[row]) for row in rows], ddof=1))


def jacobian_norms(evidence, codes, labels, use):
    """Returns the Frobenius norm of the decoder's Jacobian at flat `codes`, `[n]`, by Hutchinson's estimate.

    E|J v|^2 = |J|_F^2 for v ~ N(0, I). J v is computed by `Evidence.slopes`.
    """
    generator = evidence.generator(f"probes {use}")
    squares = np.zeros(len(codes))
    for _ in range(PROBES):
        directions = generator.standard_normal(codes.shape, "float32")
        squares += np.square(evidence.slopes(codes, directions, labels), dtype="float64").sum(axis=1)
    return np.sqrt(squares / PROBES)
