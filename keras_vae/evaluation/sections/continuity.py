"""Whether small steps of the code are small steps of the image."""

import numpy as np

from keras_vae.evaluation.metrics import paths
from keras_vae.evaluation.sections.codes import some

PROBES, POINTS_PROBED = 4, 64
PATHS, PATH_POINTS = 64, 11


def measure_continuity(study):
    """How steep the decoder is, and how evenly images change along paths between codes of images.

    A conditional model decodes a path with the label of its start.
    """
    count = min(POINTS_PROBED, len(study.test) // 2)
    half = len(study.test) // 2
    own = study.test.labels_of(count)
    points = {
        "posterior": (study.codes["posterior"][:count], own),
        "prior": (study.codes["prior"][:count], some(study.labels["prior"], count)),
        "midpoint": (0.5 * (study.test.mean[:count] + study.test.mean[half : half + count]), own),
    }
    jacobian = {}
    for name, (codes, labels) in points.items():
        norms = jacobian_norms(study, codes, labels, name)
        median = float(np.median(norms))
        ratio = float(np.percentile(norms, 95)) / median if median > 0 else None
        if ratio is None:
            study.reasons["p95_over_median"] = "the image does not change with the code"
        jacobian[name] = {"median": median, "p95_over_median": ratio}
    count = min(PATHS, half)
    fractions = np.linspace(0, 1, PATH_POINTS)
    walks = paths.linear(study.test.mean[:count], study.test.mean[half : half + count], fractions)
    images = study.decode(walks.reshape(count * PATH_POINTS, -1), study.test.labels_of(count))
    looks = study.see(images).looks.reshape(count, PATH_POINTS, -1)
    return {
        "n": count,
        "jacobian": jacobian,
        "jump": float(np.median(paths.jump(looks))),
        "jump_pixels": float(np.median(paths.jump(images.reshape(count, PATH_POINTS, -1)))),
        "detour": float(np.median(paths.detour(looks))),
    }


def jacobian_norms(study, codes, labels, use):
    """Returns the Frobenius norm of the decoder's Jacobian at flat `codes`, `[n]`, by Hutchinson's estimate.

    E|J v|^2 = |J|_F^2 for v ~ N(0, I). J v comes from forward differentiation where the decoder is ours or a
    Keras model, else from central differences.
    """
    generator = study.generator(f"probes {use}")
    squares = np.zeros(len(codes))
    for _ in range(PROBES):
        directions = generator.standard_normal(codes.shape, "float32")
        squares += np.square(study.slopes(codes, directions, labels), dtype="float64").sum(axis=1)
    return np.sqrt(squares / PROBES)
