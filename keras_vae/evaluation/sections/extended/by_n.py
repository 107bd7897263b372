"""Measures how distances between sets of images depend on the number of images."""

import math

import numpy as np

from keras_vae.evaluation.metrics import frechet, kernel
from keras_vae.evaluation.sections.found import Found

SHARES = tuple(1 / np.linspace(4, 1, 5))  # of the images: a quarter to all, in even steps of 1 / n
GROUPS = 8  # that are left out in turn, for the standard error
FEWEST = 40  # images, of which a quarter is a set


def frechet_by_n(evidence, earlier):
    """Returns the Fréchet distance at several n, and at infinite n by a line in 1 / n (Chong and Forsyth 2020)."""
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
    """Returns the kernel distance at the same n; since it is unbiased, it should not depend on n."""
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
    """Returns why `count` images are too few, None if they are enough."""
    return f"{count} images a rung are too few: {FEWEST} are needed" if count < FEWEST else None


def shares_of(count):
    """Returns the measured shares of `count` images, as numbers of images."""
    return [int(share * count) for share in SHARES]


def distances(looks, reference):
    """Returns the Fréchet distance of the first images of two sets, at each share of their number."""
    count = min(len(looks), len(reference))
    return [frechet.frechet_distance(looks[:size], reference[:size]) for size in shares_of(count)]


def limit(values, sizes):
    """Returns the value at infinite size of the line through `values` against 1 / size."""
    return float(np.polyfit(1 / np.array(sizes), values, 1)[1])


def limit_error(looks, reference):
    """Returns the standard error of the limit by the jackknife, which leaves out one group of images at a time.

    With the limits l_g of G groups, sqrt((G - 1) / G sum (l_g - mean l)^2) (Efron and Stein 1981).
    """
    limits = []
    for group in range(GROUPS):
        left = np.arange(len(reference)) % GROUPS != group
        limits.append(limit(distances(looks[left], reference[left]), shares_of(left.sum())))
    return math.sqrt((GROUPS - 1) * np.var(limits))
