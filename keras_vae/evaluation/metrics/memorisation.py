"""Tests whether samples are copies of training images.

No metric is known "to separate memorization from other phenomena such as underfitting or mode shrinkage" (Stein et al.
2023). Blur and garbage change all scores here too. `copies` therefore compares them with the scores of the same model's
reconstructions and of real images, and gives no verdict if samples do not look like the data.
"""

import math
from typing import NamedTuple

import numpy as np

from keras_vae.evaluation.metrics.neighbours import nearest

LEAST_IMAGES = 500  # to conclude that samples are not copies
LEAST_TO_ACCUSE = 100  # to conclude that they are; 4 standard errors of the authenticity are then 0.2
LEAST_DENSITY = 0.5
Z_MARGIN = 5.0  # below the reconstructions' z
AUTHENTICITY_MARGIN = 0.15  # below that of real test images
COPIED = 0.1  # relative to test images' distance to training images; closer reconstructions are copies


class CopyingScores(NamedTuple):
    """How close a set of images is to the training images.

    Attributes:
        z: `closeness_z` against the test images; far below 0: closer than test images.
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

    `training` should contain all training images, because copies of missing images are not found. The distance depends
    on the features: it may be large after a shift of one pixel (Theis, van den Oord and Bethge 2016).

    Args:
        features: `[n, F]`.
        training: `[m, F]`.
        k: Neighbours for each image.

    Returns:
        (indices int64 `[n, k]`, distances float64 `[n, k]`), the nearest first.
    """
    return nearest(features, training, k)


def closeness_z(distances, test_distances):
    """Returns the z-score of distances to the training set, compared with those of test images.

    This is Mann and Whitney's U, the number of pairs in which the first distance is larger (ties count half), minus its
    mean and divided by its standard deviation under the null hypothesis, corrected for ties:

        Z_U = (U - n m / 2) / sqrt(n m (n + m + 1 - ties) / 12)

    Meehan, Chaudhuri and Dasgupta 2020, section 3.1, here with all data in one cell and without the continuity
    correction of 1/2 in U. Far below 0, the images are closer to the training images than test images are (copies, or
    blur); far above, they are farther away. For the same effect it grows with the root of n.

    Args:
        distances: `[n]`, distance of each image to its nearest training image.
        test_distances: `[m]`, that of each test image.
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
    """Returns which images are farther from their nearest training image than this is from its nearest training image.

    Alaa, van Breugel, Saveliev and van der Schaar 2022, section 3 (authenticity). The mean for real test images is
    about 0.6, not 1: measure it for comparison.

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
        test_distances: `[m]`, distances of real test images to their nearest training images
            (`nearest_training_images(...)[1][:, 0]`). The scores of these test images, z = 0 and their authenticity,
            are the reference.
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

    Samples are copies if they are closer to the training images than blur and chance explain: z more than 5 below that
    of reconstructions, and authenticity more than 0.15 below that of real test images. A decoder that returns training
    images does so for reconstructions too. If reconstructions are ten times closer to training images than test images
    are, z is therefore compared with that of real images, 0. A low authenticity of reconstructions is not a sufficient
    criterion, because models that remove noise from images have it too. Below a density of 0.5, samples do not look
    like the data, and their distances mean nothing. The z-score has little power below 500 images: from 100 images on,
    copies can be detected but not excluded.

    Args:
        scores: `CopyingScores` of the samples.
        reconstruction: `CopyingScores` of reconstructions of test images.
        real: `CopyingScores` of real test images.
        density: The samples' density among real test images (`manifold.density_and_coverage`).

    Returns:
        (True, False or None; a sentence).
    """
    num_images = min(scores.num_images, reconstruction.num_images, real.num_images)
    too_few = f"{num_images} images are too few to distinguish copies from chance: {LEAST_IMAGES} are needed"
    if num_images < LEAST_TO_ACCUSE:
        return None, too_few
    if not density > LEAST_DENSITY:
        return None, (
            f"the samples' density among real images is {density:.2f}: at or below {LEAST_DENSITY} they do not look"
            " like the data, and their distance from training images means nothing"
        )
    blur = real if reconstruction.distance < COPIED else reconstruction
    closer = scores.z < blur.z - Z_MARGIN
    less_authentic = scores.authenticity < real.authenticity - AUTHENTICITY_MARGIN
    evidence = (
        f"z is {scores.z:.1f} (reconstructions {reconstruction.z:.1f}),"
        f" authenticity {scores.authenticity:.2f} (real images {real.authenticity:.2f})"
    )
    if closer and less_authentic:
        return True, f"samples are closer to training images than real test images are: {evidence}"
    if num_images < LEAST_IMAGES:
        return None, too_few
    return False, f"samples are no closer to training images than blur and chance explain: {evidence}"


def _farther_than_own_neighbour(indices, distances, training):
    """Like `authentic`, given the nearest training images.

    Args:
        indices: int `[n]`, the nearest training images.
        distances: `[n]`, the distances to them.
        training: `[m, F]`.
    """
    training = np.asarray(training)
    once, places = np.unique(indices, return_inverse=True)
    own_distances = nearest(training[once], training, own=once)[1][:, 0]
    return distances > own_distances[places]
