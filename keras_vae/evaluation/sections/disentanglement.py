"""Disentanglement."""

import numpy as np

from keras_vae.evaluation.metrics import disentanglement

MOST_UNITS = 50


def measure_disentanglement(study):
    """How single units go with the factors that images were made from, where those are known."""
    factors = study.dataset.test.factors
    if factors is None:
        study.reasons["disentanglement"] = "the dataset has no known factors"
        return None
    count = len(study.test)
    codes = study.test.mean
    if codes.shape[1] > MOST_UNITS:
        rates = codes.var(axis=0)
        codes = codes[:, np.sort(np.argsort(rates)[-MOST_UNITS:])]
        study.reasons["disentanglement.units"] = f"of the {MOST_UNITS} units of the largest variance"
    try:
        scores = disentanglement.disentanglement_scores(codes, np.asarray(factors)[:count], study.seed)
    except ValueError as error:  # too few images: the rest of the report does not need the factors
        study.reasons["disentanglement"] = str(error)
        return None
    return {"n": count, **scores}
