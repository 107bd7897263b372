"""Tests which feature spaces rank sets of images of known quality correctly."""

import dataclasses
import math

import numpy as np

from keras_vae.evaluation.features import random_features
from keras_vae.evaluation.metrics import blindness
from keras_vae.evaluation.metrics.ladder import cut
from keras_vae.evaluation.metrics.planted_sets import planted_sets
from keras_vae.evaluation.metrics.sliced_wasserstein import LEAST_IMAGES, Slices
from keras_vae.evaluation.sections.found import Found

MOST_PLANTED, MOST_NUMBERS = 1000, 2**25  # limits of a planted set: images, and values in them
SHOWN = 8
SWD = "swd"
SWD_NAME = "multi-scale sliced Wasserstein distance"
BLIND = "the features cannot tell fog from real images on this dataset (spaces)"
UNDECIDED = "there are too few images to decide whether the features can tell fog from real images (spaces)"
TOO_FEW = f"features cannot be tested with fewer than {LEAST_IMAGES} held-out images in each set"
BY_NEIGHBOURS = ("dead_zone", "dead_zone_se", "threshold", "density", "density_se", "coverage", "coverage_se")


@dataclasses.dataclass(frozen=True)
class Judged:
    """The space for measuring dead zone, density and coverage.

    Attributes:
        features: Its `Features`.
        rungs: The features of the ladder's rungs, `[n, F]` by name.
        reference: The features of the reference, `[n, F]`.
    """

    features: object
    rungs: dict
    reference: np.ndarray


@dataclasses.dataclass(frozen=True)
class Spaces:
    """Intermediate results for later sections.

    Attributes:
        judged: The `Judged` space, or None if no space passed the test.
        reason: Why no space passed, or None.
        slices: The `Slices` of the reference, or None for fewer than 20 images.
    """

    judged: Judged | None
    reason: str | None
    slices: Slices | None

    @property
    def reasons(self):
        """Why the numbers that need neighbours are null, by field."""
        return {} if self.judged else dict.fromkeys(BY_NEIGHBOURS, self.reason)


def measure_spaces(evidence, ladder):
    """Tests each space with planted sets, and chooses the first feature space that passes; keeps the `Spaces`."""
    rungs = ladder.kept
    if rungs.n < LEAST_IMAGES:
        reasons = {"spaces.judged_in": TOO_FEW, **dict.fromkeys(("swd", "swd_se"), TOO_FEW)}
        few = Spaces(None, TOO_FEW, None)
        return Found({"n": rungs.n, "judged_in": None}, reasons | few.reasons, few)
    real, reference = halves(evidence, rungs)
    sets = {"real": real, **planted_sets(real, evidence.seed)}
    every = feature_spaces(evidence)
    found = {features.name: by_features(features, sets, reference) for features in every}
    found[SWD] = by_patches(sets, reference, evidence.seed)
    values = {"n": len(real), **found}
    judged = next((features for features in every if found[features.name]["blind"] is False), None)
    values["judged_in"] = judged and judged.name
    reason = None if judged else why_none([found[features.name] for features in every])
    kept = Spaces(
        judged and as_judged(judged, evidence, rungs), reason, Slices(evidence.reference, evidence.seed)
    )
    pictures = {"planted": {name: images[:SHOWN] for name, images in sets.items()}}
    return Found(
        values,
        undecided(found) | ({"spaces.judged_in": reason} if reason else {}) | kept.reasons,
        kept,
        pictures,
    )


def undecided(found):
    """Returns why spaces are undecided, by dotted path; `found` are the results of the spaces by name."""
    return {
        f"spaces.{name}.blind": space["reason"] for name, space in found.items() if space["blind"] is None
    }


def halves(evidence, rungs):
    """Returns two halves of the held-out images with equal label counts: one for planted sets, and the reference.

    The ladder's two sets are not used, because their difference may be part of the floor.
    """
    images = np.concatenate([rungs.images["real"], evidence.reference])
    own, further = evidence.test.labels_of(rungs.n), evidence.reference_labels
    labels = None if own is None or further is None else np.concatenate([own, further])
    generator = evidence.generator("spaces")
    count = max(LEAST_IMAGES, min(MOST_PLANTED, MOST_NUMBERS // math.prod(images.shape[1:])))
    # `cut` returns rows ordered by label.
    parts = [generator.permutation(part)[:count] for part in cut(len(images), labels, generator)]
    return images[parts[0]], images[parts[1]]


def feature_spaces(evidence):
    """Returns the feature spaces to test: the evidence's features, and random features, which need no training."""
    own = evidence.features
    return [own] if own.name == "random" else [own, random_features(evidence.dataset, evidence.seed)]


def by_features(features, sets, reference):
    """Returns the results of a space of features."""
    looks, real = {name: features(images) for name, images in sets.items()}, features(reference)
    distances = blindness.distances_between(looks, real)
    dead = blindness.dead_zones(looks, real)
    shares = {f"{name}_dead_zone": share for name, share in dead.items()}
    return described(features.name, features.metric_name, distances, len(real), dead, shares)


def by_patches(sets, reference, seed):
    """Returns the results of the sliced Wasserstein distance, which has no neighbours."""
    slices = Slices(reference, seed)
    distances = {name: slices.distance(images) for name, images in sets.items()}
    return described(SWD, SWD_NAME, distances, len(reference))


def described(name, metric, distances, count, dead=None, shares=None):
    """Returns the results of one space."""
    blind, reason = blindness.judge_space(distances, dead)
    numbers = {}
    for key, estimate in {**distances, **(shares or {})}.items():
        numbers |= {key: float(estimate.value), f"{key}_se": float(estimate.se)}
    return {"name": name, "metric": metric, "n": count, **numbers, "blind": blind, "reason": reason}


def why_none(found):
    """Returns why no feature space passed."""
    return BLIND if all(space["blind"] for space in found) else UNDECIDED


def as_judged(features, evidence, rungs):
    """Returns the `Judged` space of `features`; those of the evidence are already computed."""
    if features is evidence.features:
        return Judged(
            features, {name: seen.looks for name, seen in rungs.seen.items()}, rungs.reference.looks
        )
    looks = {name: features(images) for name, images in rungs.images.items()}
    return Judged(features, looks, features(evidence.reference))
