"""Occlusion maps: how much a classifier's score drops when a part of the image is covered (Zeiler and Fergus 2014)."""

import numpy as np

WINDOW = 4  # windows to a side, without overlap
LEAST_WINDOW = 2  # pixels


def occlusion_maps(score, images, cover):
    """Returns how much each pixel's surroundings contribute to the score, float64 `[n, height, width]`.

    A square window moves over the image in steps of half its side and replaces the pixels in it by those of `cover`. A
    pixel's value is the mean drop of the score over all windows that contain it. Positive: these pixels make the image
    look like the set with the high scores.

    Args:
        score: Images `[m, height, width, channels]` -> scores `[m]`.
        images: `[n, height, width, channels]`.
        cover: One image `[height, width, channels]`, such as the mean image of the other set.
    """
    height, width = images.shape[1:3]
    windows = list(windows_of(height, width))
    covered = np.repeat(images[:, None], len(windows), axis=1)
    for place, (rows, columns) in enumerate(windows):
        covered[:, place, rows, columns] = cover[rows, columns]
    scores = score(covered.reshape(-1, *images.shape[1:])).reshape(len(images), len(windows))
    losses = score(images)[:, None] - scores
    maps, counts = np.zeros((len(images), height, width)), np.zeros((height, width))
    for place, (rows, columns) in enumerate(windows):
        maps[:, rows, columns] += losses[:, place, None, None]
        counts[rows, columns] += 1
    return maps / counts


def windows_of(height, width):
    """Yields the rows and the columns of each window, as slices."""
    for top, rows in steps_of(height):
        for left, columns in steps_of(width):
            yield slice(top, top + rows), slice(left, left + columns)


def steps_of(side):
    """Returns the starts and the size of the windows along a side; the last one ends at the edge."""
    size = min(max(LEAST_WINDOW, round(side / WINDOW)), side)
    starts = dict.fromkeys([*range(0, side - size, max(1, size // 2)), side - size])
    return [(start, size) for start in starts]
