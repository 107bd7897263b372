"""Measures disentanglement."""

import numpy as np

from keras_vae.evaluation.metrics import disentanglement
from keras_vae.evaluation.sections.found import Found

MOST_UNITS = 50


def measure_disentanglement(evidence):
    """Measures how well single units correspond to the factors of the images, if these are known."""
    factors = evidence.dataset.test.factors
    if factors is None:
        return Found(reasons={"disentanglement": "the dataset has no known factors"})
    count = len(evidence.test)
    codes, reasons = evidence.test.mean, {}
    if codes.shape[1] > MOST_UNITS:
        rates = codes.var(axis=0)
        codes = codes[:, np.sort(np.argsort(rates)[-MOST_UNITS:])]
        reasons["disentanglement.units"] = f"scores of the {MOST_UNITS} units with the largest variance"
    try:
        scores = disentanglement.disentanglement_scores(codes, np.asarray(factors)[:count], evidence.seed)
    except ValueError as error:  # too few images
        return Found(reasons={"disentanglement": str(error)})
    return Found({"n": count, **scores}, reasons)
