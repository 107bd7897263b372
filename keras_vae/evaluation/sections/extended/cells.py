"""Measures, cell by cell, whether images are closer to training images than test images are."""

import numpy as np

from keras_vae.evaluation.metrics import memorisation
from keras_vae.evaluation.sections.evidence import MOST_SAMPLES
from keras_vae.evaluation.sections.found import Found

CELLS = 10
FEWEST = 20  # images of each set in a cell that counts


def cell_z(evidence, earlier):
    """Returns C_T of every rung, and its parts (Meehan, Chaudhuri and Dasgupta 2020, section 3.2).

    C_T is the mean of a z-score over the cells of k-means on training images, weighted by the number of test images.
    The z-score is positive if a rung's images are farther from training images than test images are. Cells with fewer
    than 20 images of the rung or of the test images are ignored.
    """
    from sklearn.cluster import KMeans

    training = evidence.see(evidence.train.images[:MOST_SAMPLES]).looks
    if len(training) < CELLS * FEWEST:
        few = f"{len(training)} training images are too few for {CELLS} cells of {FEWEST}"
        return Found(reasons={"extended.cell_z": few})
    reasons = {
        "extended.cell_z.cells": f"cells with fewer than {FEWEST} images of the rung or of the test images are null"
    }
    cells = KMeans(CELLS, n_init=1, random_state=evidence.seed).fit(training)
    real = placed(earlier.ladder.seen["real"].looks, cells, training)
    rungs = {name: seen.looks for name, seen in earlier.ladder.seen.items() if name != "real"}
    scores = {name: cell_scores(placed(looks, cells, training), real) for name, looks in rungs.items()}
    weights = np.bincount(real[0], minlength=CELLS)
    for name, parts in scores.items():
        if all(part is None for part in parts):
            reasons[f"extended.cell_z.rungs.{name}"] = (
                f"no cell has {FEWEST} images of the rung and of the test images"
            )
    values = {
        "n": len(real[0]),
        "rungs": {name: weighted(parts, weights) for name, parts in scores.items()},
        "cells": scores,
    }
    return Found(values, reasons)


def placed(looks, cells, training):
    """Returns the cell of each image and its distance to the nearest training image."""
    return cells.predict(looks), memorisation.nearest_training_images(looks, training)[1][:, 0]


def cell_scores(images, real):
    """Returns the z-score in each cell, or None for too few images, given the results of `placed`."""
    scores = []
    for cell in range(CELLS):
        inside, inside_real = (distances[where == cell] for where, distances in (images, real))
        enough = min(len(inside), len(inside_real)) >= FEWEST
        scores.append(memorisation.closeness_z(inside, inside_real) if enough else None)
    return scores


def weighted(scores, weights):
    """Returns the weighted mean of the scores that are not None, or None."""
    known = [index for index, score in enumerate(scores) if score is not None]
    return float(np.average([scores[index] for index in known], weights=weights[known])) if known else None
