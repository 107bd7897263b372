"""How sharp reconstructions are."""

import numpy as np

from keras_vae.evaluation.metrics.estimate import ratio_of_means

MOST = 500  # images


def measure_sharpness(evidence):
    """Returns the mean difference of neighbouring pixels of reconstructions over that of the images, an `Estimate`."""
    count = min(MOST, len(evidence.test))
    images = evidence.test.images[:count]
    decoded = evidence.decode(evidence.test.mean[:count], evidence.test.labels_of(count))
    return ratio_of_means(differences(decoded), differences(images))


def differences(images):
    """Returns the mean absolute difference between neighbouring pixels of each image, `[n]`."""
    down = np.abs(np.diff(images, axis=1)).sum(axis=(1, 2, 3))
    across = np.abs(np.diff(images, axis=2)).sum(axis=(1, 2, 3))
    return (down + across) / images[0].size
