"""Measures the stretch of the decoder, and the length of image paths between prior draws."""

import functools

import numpy as np

from keras_vae.evaluation.metrics import paths
from keras_vae.evaluation.metrics.stretch import spectral_norms
from keras_vae.evaluation.sections.codes import some
from keras_vae.evaluation.sections.evidence import NO_GRADIENT, mean_and_error
from keras_vae.evaluation.sections.found import Found

POINTS = 64
PATHS = 250
STEP = 1e-3  # as a fraction of an arc


def spectral_norm(evidence, earlier):
    """Returns the largest stretch of the decoder at posterior draws: median and 95th percentile."""
    if evidence.subject.pullback is None:
        return Found(reasons={"extended.spectral_norm": NO_GRADIENT})
    codes = earlier.ladder.codes["posterior"][:POINTS]
    labels = some(earlier.ladder.labels["posterior"], POINTS)
    slopes, pull = (
        functools.partial(function, labels=labels) for function in (evidence.slopes, evidence.pull)
    )
    norms = spectral_norms(slopes, pull, codes, evidence.generator("spectral norm"))
    values = {
        "n": len(norms),
        "median": float(np.median(norms)),
        "p95": float(np.percentile(norms, 95)),
    }
    return Found(values)


def path_length(evidence, earlier):
    """Returns E d(G(slerp(t)), G(slerp(t + e))) / e^2 between prior draws, with d the squared feature distance.

    This is the perceptual path length of Karras et al. 2019 in the evaluation's features; values are comparable only in
    the same features. Divided by the mean squared distance between reconstructions, they are comparable between models.
    """
    codes = earlier.ladder.codes["prior"]
    half = min(len(codes) // 2, PATHS)
    starts = evidence.generator("path length").random(half) * (1 - STEP)
    looks = []
    for fractions in (starts, starts + STEP):
        pairs = zip(codes[:half].astype("float64"), codes[half : 2 * half].astype("float64"), fractions)
        points = [paths.slerp(start[None], end[None], [fraction])[0, 0] for start, end, fraction in pairs]
        images = evidence.decode(np.stack(points), some(earlier.ladder.labels["prior"], half))
        looks.append(evidence.see(images).looks.astype("float64"))
    squares = np.square(looks[1] - looks[0]).sum(axis=1) / STEP**2
    mean, error = mean_and_error(squares)
    images = earlier.ladder.seen["reconstruction"].looks.astype("float64")
    apart = np.square(images - np.roll(images, 1, axis=0)).sum(axis=1).mean()
    reasons = {} if apart > 0 else {"extended.path_length.relative": "all reconstructions are equal"}
    relative = mean / apart if apart > 0 else None
    return Found({"n": half, "mean": mean, "mean_se": error, "relative": relative}, reasons)
