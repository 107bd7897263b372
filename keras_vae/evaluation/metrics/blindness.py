"""Whether a measure of distance can see what a person sees: how it ranks sets of images whose rank is known."""

import math

import numpy as np

from keras_vae.evaluation.metrics.estimate import Estimate, beyond_error
from keras_vae.evaluation.metrics.frechet import frechet_distance_error
from keras_vae.evaluation.metrics.manifold import dead_zone

NONSENSE = {
    "fog": "fog",
    "shuffled_blocks": "shuffled blocks",
}  # what must be farther off than blurred images
SHORT = {"fog": "fog", "shuffled_blocks": "set with shuffled blocks"}
FLOORS = 3.0  # distances of other real images from real ones that nonsense must exceed
LEAST_DEAD = 0.2  # share of nonsense that must lie farther from every real image than blur explains
GROUPS = 10  # of images that are left out in turn, for the error of a Frechet distance
MOST_FEATURES, IMAGES_A_FEATURE = (
    128,
    4,
)  # a Frechet distance needs some images for each feature, and takes time


def judge_space(distances, dead=None):
    """Returns whether a space is blind here, and why.

    It is blind if fog or shuffled blocks come nearer to real images than slightly blurred images do, or no farther than
    three floors, or if fewer than a fifth of them lie where no real image is. It is not blind if all of that is
    otherwise. Each comparison counts only beyond two standard errors.

    Args:
        distances: Of each planted set from real images, `Estimate`s by name: "real", "blurred", "shuffled_blocks",
            "fog".
        dead: The dead zone of "fog" and of "shuffled_blocks", `Estimate`s; None for a space without neighbours.

    Returns:
        (True, False, or None where chance could decide; a sentence).
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
    """Yields (what must be smaller, what must be larger, a sentence with two gaps) for each comparison of distances."""
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
    """Yields the same for the shares of nonsense that lie where no real image is."""
    for name, share in dead.items():
        sentence = f"{{1}} {max(share.value, 0):.0%} of the {SHORT[name]} is farther from every real image than blurred images are"
        yield Estimate(LEAST_DEAD, 0.0), share, sentence


def described(name, distance):
    """Returns a set with its distance."""
    return f"{name} ({distance.value:.3g} ± {distance.se:.1g})"


def distances_between(sets, reference):
    """Returns the Frechet distance of each set from the reference, `Estimate`s by name.

    Where there are more than 128 features, or than a quarter of the images, they are projected onto as many random
    directions first. That keeps the ranks of distances; with fewer images than features the distance between real
    images would hide all others, and in 500 features its error takes seconds.

    Args:
        sets: Features, `[n, F]`, by name.
        reference: `[m, F]`.
    """
    count = min(len(reference), *map(len, sets.values()))
    turn = directions(reference.shape[1], min(MOST_FEATURES, max(count // IMAGES_A_FEATURE, 1)))
    reference = reference @ turn
    return {name: frechet_distance_error(rows @ turn, reference, GROUPS) for name, rows in sets.items()}


def directions(count, kept, seed=0):
    """Returns orthonormal columns `[count, kept]`; the identity where there are no more than `kept` features.

    They are scaled so that distances keep the size that they have in all features.
    """
    if count <= kept:
        return np.eye(count, dtype="float32")
    drawn = np.random.default_rng(seed).standard_normal((count, kept))
    return (np.linalg.qr(drawn)[0] * math.sqrt(count / kept)).astype("float32")


def dead_zones(sets, reference):
    """Returns the share of fog and of shuffled blocks that lies farther from real images than blur explains.

    Args:
        sets: Features, `[n, F]`, by name, those of "blurred" among them.
        reference: `[m, F]`.
    """
    found = {name: dead_zone(sets[name], reference, sets["blurred"]) for name in NONSENSE}
    return {name: Estimate(part["dead_zone"], part["dead_zone_se"]) for name, part in found.items()}
