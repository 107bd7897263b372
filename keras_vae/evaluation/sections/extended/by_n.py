"""Measures how distances between sets of images depend on the number of images."""

import math

import numpy as np

from keras_vae.evaluation.metrics import frechet, kernel
from keras_vae.evaluation.sections.found import Found

SHARES = tuple(1 / np.linspace(4, 1, 5))  # shares of the images, from 1/4 to 1, in even steps of 1 / n
GROUPS = 8  # groups of images for the jackknife
FEWEST = 40  # images; the smallest set is a quarter of them


def frechet_by_n(evidence, earlier):
    """Returns the Fréchet distance at several n, and extrapolated linearly in 1 / n (Chong and Forsyth 2020)."""
    rungs = earlier.ladder
    if reason := too_few(rungs.n):
        return Found(reasons={"extended.frechet_by_n": reason})
    sizes = shares_of(rungs.n)
    section = {"n": sizes, "rungs": {}, "limit": {}, "limit_se": {}}
    for name, seen in rungs.seen.items():
        section["rungs"][name] = distances(seen.looks, rungs.reference.looks)
        section["limit"][name] = limit(section["rungs"][name], sizes)
        section["limit_se"][name] = limit_error(seen.looks, rungs.reference.looks)
    return Found(section)


def kid_by_n(evidence, earlier):
    """Returns the kernel distance at the same n; it is unbiased, so it should not depend on n."""
    rungs = earlier.ladder
    if reason := too_few(rungs.n):
        return Found(reasons={"extended.kid_by_n": reason})
    sizes = shares_of(rungs.n)
    section = {"n": sizes, "rungs": {}, "rungs_se": {}}
    for name, seen in rungs.seen.items():
        pairs = [kernel.kernel_distance(seen.looks[:size], rungs.reference.looks[:size]) for size in sizes]
        section["rungs"][name], section["rungs_se"][name] = map(list, zip(*pairs))
    return Found(section)


def too_few(count):
    """Returns why `count` images are too few, or None."""
    return f"{count} images per rung are too few: {FEWEST} are needed" if count < FEWEST else None


def shares_of(count):
    """Returns the numbers of images for the `SHARES` of `count` images."""
    return [int(share * count) for share in SHARES]


def distances(looks, reference):
    """Returns the Fréchet distance between the first images of two sets, for each share."""
    count = min(len(looks), len(reference))
    return [frechet.frechet_distance(looks[:size], reference[:size]) for size in shares_of(count)]


def limit(values, sizes):
    """Returns the value at infinite size of a line fitted to `values` as a function of 1 / size."""
    return float(np.polyfit(1 / np.array(sizes), values, 1)[1])


def limit_error(looks, reference):
    """Returns the jackknife standard error of the limit (Efron and Stein 1981).

    It is sqrt((G - 1) / G sum (l_g - mean l)^2), with l_g the limit without group g of G groups of images.
    """
    limits = []
    for group in range(GROUPS):
        left = np.arange(len(reference)) % GROUPS != group
        limits.append(limit(distances(looks[left], reference[left]), shares_of(left.sum())))
    return math.sqrt((GROUPS - 1) * np.var(limits))
