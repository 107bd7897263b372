"""Measures whether small steps of the code cause small changes of the image."""

import numpy as np

from keras_vae.evaluation.metrics import paths
from keras_vae.evaluation.sections.codes import some
from keras_vae.evaluation.sections.found import Found

PROBES, POINTS_PROBED = 4, 64
PATHS, PATH_POINTS = 64, 11


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
        median = float(np.median(norms))
        ratio = float(np.percentile(norms, 95)) / median if median > 0 else None
        if ratio is None:
            reasons["p95_over_median"] = "the image does not change with the code"
        jacobian[name] = {"median": median, "p95_over_median": ratio}
    count = min(PATHS, half)
    fractions = np.linspace(0, 1, PATH_POINTS)
    walks = paths.linear(evidence.test.mean[:count], evidence.test.mean[half : half + count], fractions)
    images = evidence.decode(walks.reshape(count * PATH_POINTS, -1), evidence.test.labels_of(count))
    looks = evidence.see(images).looks.reshape(count, PATH_POINTS, -1)
    values = {
        "n": count,
        "jacobian": jacobian,
        "jump": float(np.median(paths.jump(looks))),
        "jump_pixels": float(np.median(paths.jump(images.reshape(count, PATH_POINTS, -1)))),
        "detour": float(np.median(paths.detour(looks))),
    }
    return Found(values, reasons)


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
