"""Tests whether samples are copies of training images.

No metric is known "to separate memorization from other phenomena such as underfitting or mode shrinkage" (Stein
et al. 2023). Each number here is also moved by blur and by garbage; `copies` therefore compares with the scores of the
same model's reconstructions and of real images, and gives no verdict if samples are off the data.
"""

import math
from typing import NamedTuple

import numpy as np

from keras_vae.evaluation.metrics.neighbours import nearest

LEAST_IMAGES = 500  # to say that samples are no copies
LEAST_TO_ACCUSE = 100  # to say that they are: 4 standard errors of the authenticity are 0.2 then
LEAST_DENSITY = 0.5
Z_MARGIN = 5.0  # below the reconstructions' z
AUTHENTICITY_MARGIN = 0.15  # below that of real test images
COPIED = 0.1  # of test images' distance to training images; below it, reconstructions are copies from a lookup table


class CopyingScores(NamedTuple):
    """How close a set of images is to the training images.

    Attributes:
        z: `closeness_z` against the test images; far below 0: closer than they are.
        authenticity: Share of `authentic` images.
        authenticity_se: Its binomial standard error.
        num_images: The smaller of the number of images and of test images.
        distance: The median distance to the nearest training image, over that of test images.
    """

    z: float
    authenticity: float
    authenticity_se: float
    num_images: int
    distance: float = 1.0


def nearest_training_images(features, training, k=1):
    """Returns the k training images that are nearest to each image.

    They are for inspection, and for the scores below. `training` should contain all training images, since a copy of a
    missing one is not found. The distance is only as good as the features: it may be large after a shift of one pixel
    (Theis, van den Oord and Bethge 2016).

    Args:
        features: `[n, F]`.
        training: `[m, F]`.
        k: Neighbours for each image.

    Returns:
        (indices int64 `[n, k]`, distances float64 `[n, k]`), the nearest first.
    """
    return nearest(features, training, k)


def closeness_z(distances, test_distances):
    """Returns the z-score of distances to the training set being larger than those of test images.

    Mann and Whitney's U, the number of pairs in which the first is larger (ties count half), about its mean
    and over its standard deviation without a difference, which ties make smaller:

        Z_U = (U - n m / 2) / sqrt(n m (n + m + 1 - ties) / 12)

    Meehan, Chaudhuri and Dasgupta 2020, section 3.1, here over all data as one cell, and without the
    continuity correction of 1/2 in U. Far below 0, the images are closer to the training images than test images are
    (copies, or blur); far above, they are farther away. For the same effect it grows as the root of n.

    Args:
        distances: `[n]`, of each image to its nearest training image.
        test_distances: `[m]`, of each test image.
    """
    from scipy.stats import rankdata

    n, m = len(distances), len(test_distances)
    pooled = np.concatenate([distances, test_distances])
    larger = rankdata(pooled)[:n].sum() - n * (n + 1) / 2
    counts = np.unique(pooled, return_counts=True)[1].astype(np.float64)
    ties = (counts**3 - counts).sum() / ((n + m) * (n + m - 1))
    variance = n * m * (n + m + 1 - ties) / 12
    return float((larger - n * m / 2) / math.sqrt(variance)) if variance > 0 else 0.0


def authentic(features, training):
    """Returns which images are farther from their nearest training image than that image is from its own nearest.

    Alaa, van Breugel, Saveliev and van der Schaar 2022, section 3 (authenticity). The mean for real test images is
    about 0.6 and not 1: measure it.

    Args:
        features: `[n, F]`.
        training: `[m, F]`, m at least 2; two equal training images are each other's nearest.

    Returns:
        bool `[n]`.
    """
    indices, distances = nearest(features, training)
    return _farther_than_own_neighbour(indices[:, 0], distances[:, 0], training)


def copying_scores(features, test_distances, training):
    """Returns the `CopyingScores` of images.

    Cost: up to `2 n t F` multiplications.

    Args:
        features: `[n, F]`.
        test_distances: `[m]`, from real images that the model was not trained on to their nearest training
            images (`nearest_training_images(...)[1][:, 0]`). Those images, scored against themselves, have
            z = 0, and their authenticity is the reference.
        training: `[t, F]`, all training images.
    """
    indices, distances = nearest(features, training)
    share = float(_farther_than_own_neighbour(indices[:, 0], distances[:, 0], training).mean())
    return CopyingScores(
        z=closeness_z(distances[:, 0], test_distances),
        authenticity=share,
        authenticity_se=math.sqrt(share * (1 - share) / len(distances)),
        num_images=min(len(distances), len(test_distances)),
        distance=float(np.median(distances[:, 0]) / max(np.median(test_distances), np.finfo("float32").tiny)),
    )


def copies(scores, reconstruction, real, density):
    """Returns whether samples are copies of training images, or None if that cannot be decided, and why.

    Copies are flagged if samples are closer to the training images than both blur and chance explain: z
    more than 5 below the reconstructions' z, and authenticity more than 0.15 below that of real test images.
    A decoder that looks up training images also returns them as reconstructions. If reconstructions are ten times
    closer to training images than test images are, z is compared with that of real images, 0. A low authenticity of
    reconstructions is not a sufficient criterion, since models that remove the images' noise have it too. Below a
    density of 0.5 samples are not images of the data, and their distances mean nothing. Below 500 images the z-score
    has little power, so only copies can be detected, from 100 images on.

    Args:
        scores: `CopyingScores` of the samples.
        reconstruction: `CopyingScores` of reconstructions of test images.
        real: `CopyingScores` of real test images.
        density: The samples' density among real test images (`manifold.density_and_coverage`).

    Returns:
        (True, False or None; a sentence).
    """
    num_images = min(scores.num_images, reconstruction.num_images, real.num_images)
    too_few = f"{num_images} images are too few to tell copies from chance: {LEAST_IMAGES} are needed"
    if num_images < LEAST_TO_ACCUSE:
        return None, too_few
    if not density > LEAST_DENSITY:
        return None, (
            f"the samples' density among real images is {density:.2f}: at or below {LEAST_DENSITY} they are not"
            " images of this data, and how close they are to training images means nothing"
        )
    blur = real if reconstruction.distance < COPIED else reconstruction
    closer = scores.z < blur.z - Z_MARGIN
    less_authentic = scores.authenticity < real.authenticity - AUTHENTICITY_MARGIN
    evidence = (
        f"z is {scores.z:.1f} (reconstructions {reconstruction.z:.1f}),"
        f" authenticity {scores.authenticity:.2f} (real images {real.authenticity:.2f})"
    )
    if closer and less_authentic:
        return True, f"samples are closer to training images than unseen real images are: {evidence}"
    if num_images < LEAST_IMAGES:
        return None, too_few
    return False, f"samples are no closer to training images than blur and chance explain: {evidence}"


def _farther_than_own_neighbour(indices, distances, training):
    """Like `authentic`; each neighbour's own neighbour is searched once.

    Args:
        indices: int `[n]`, of the nearest training images.
        distances: `[n]`, to them.
        training: `[m, F]`.
    """
    training = np.asarray(training)
    once, places = np.unique(indices, return_inverse=True)
    own_distances = nearest(training[once], training, own=once)[1][:, 0]
    return distances > own_distances[places]
