"""Tests whether a measure of distance ranks sets of images of known quality as a person would."""

import math

import numpy as np

from keras_vae.evaluation.metrics.estimate import Estimate, beyond_error
from keras_vae.evaluation.metrics.frechet import frechet_distance_error
from keras_vae.evaluation.metrics.manifold import dead_zone

# Sets that must be farther from real images than blurred images.
NONSENSE = {"fog": "fog", "shuffled_blocks": "shuffled blocks"}
SHORT = {"fog": "fog", "shuffled_blocks": "set with shuffled blocks"}
FLOORS = 3.0  # nonsense must be farther than this multiple of the distance between real images
LEAST_DEAD = 0.2  # share of nonsense that must be farther from every real image than blur explains
GROUPS = 10  # groups of images for the jackknife of a Frechet distance
MOST_FEATURES, IMAGES_A_FEATURE = 128, 4  # limits for a Frechet distance: features, and images per feature


def judge_space(distances, dead=None):
    """Returns whether a feature space is blind on this dataset, and why.

    It is blind if fog or shuffled blocks are nearer to real images than slightly blurred images or than three times the
    distance between real images, or if fewer than a fifth of them are away from all real images. It is not blind if
    none of this holds. A comparison counts only beyond two standard errors.

    Args:
        distances: Distance of each planted set from real images, `Estimate`s by name: "real", "blurred",
            "shuffled_blocks", "fog".
        dead: The dead zone of "fog" and of "shuffled_blocks", `Estimate`s; None for a space without neighbours.

    Returns:
        (True, False, or None if the errors are too large; a sentence).
    """
    checks = [*distance_checks(distances), *neighbour_checks(dead or {})]
    for smaller, larger, sentence in checks:
        if beyond_error(smaller, larger):
            return True, sentence.format("is no farther than", "only")
    for smaller, larger, sentence in checks:
        if not beyond_error(larger, smaller):
            return None, sentence.format("may or may not be farther than", "perhaps only")
    nearest = min(NONSENSE, key=lambda name: distances[name].value)
    return False, (
        f"{described(NONSENSE[nearest], distances[nearest])} is farther than"
        f" {described('slightly blurred images', distances['blurred'])} and than {FLOORS:g} times"
        f" {described('other real images', distances['real'])}"
    )


def distance_checks(distances):
    """Yields (smaller, larger, a format string) for each comparison of distances that should hold."""
    floor = distances["real"]
    limits = {
        "slightly blurred images": distances["blurred"],
        f"{FLOORS:g} times other real images": Estimate(FLOORS * floor.value, FLOORS * floor.se),
    }
    for name, words in NONSENSE.items():
        for limit, value in limits.items():
            yield (
                value,
                distances[name],
                f"{described(words, distances[name])} {{0}} {described(limit, value)}",
            )


def neighbour_checks(dead):
    """Yields the same for the shares of nonsense away from all real images."""
    for name, share in dead.items():
        sentence = f"{{1}} {max(share.value, 0):.0%} of the {SHORT[name]} is farther from every real image than blurred images are"
        yield Estimate(LEAST_DEAD, 0.0), share, sentence


def described(name, distance):
    """Returns a set's name with its distance."""
    return f"{name} ({distance.value:.3g} ± {distance.se:.1g})"


def distances_between(sets, reference):
    """Returns the Frechet distance of each set from the reference, `Estimate`s by name.

    Features beyond 128, or beyond a quarter of the number of images, are first projected onto that many random
    directions. This preserves the ranks of distances. With fewer images than features, the distance between real images
    would mask all others, and for 500 features the error takes seconds.

    Args:
        sets: Features, `[n, F]`, by name.
        reference: `[m, F]`.
    """
    count = min(len(reference), *map(len, sets.values()))
    turn = directions(reference.shape[1], min(MOST_FEATURES, max(count // IMAGES_A_FEATURE, 1)))
    reference = reference @ turn
    return {name: frechet_distance_error(rows @ turn, reference, GROUPS) for name, rows in sets.items()}


def directions(count, kept, seed=0):
    """Returns orthogonal random columns `[count, kept]`, scaled to preserve distances, or the identity."""
    if count <= kept:
        return np.eye(count, dtype="float32")
    drawn = np.random.default_rng(seed).standard_normal((count, kept))
    return (np.linalg.qr(drawn)[0] * math.sqrt(count / kept)).astype("float32")


def dead_zones(sets, reference):
    """Returns the share of fog and of shuffled blocks that is farther from real images than blur explains.

    Args:
        sets: Features, `[n, F]`, by name, including "blurred".
        reference: `[m, F]`.
    """
    found = {name: dead_zone(sets[name], reference, sets["blurred"]) for name in NONSENSE}
    return {name: Estimate(part["dead_zone"], part["dead_zone_se"]) for name, part in found.items()}
