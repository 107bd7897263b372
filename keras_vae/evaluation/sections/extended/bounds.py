"""Bounds on the likelihood, and what the encoder loses of them."""

import functools

import numpy as np

from keras_vae.evaluation.metrics.amortisation import elbo, improve_posteriors
from keras_vae.evaluation.metrics.importance import importance_weighted
from keras_vae.evaluation.sections.likelihood import log_weights, no_bound
from keras_vae.evaluation.sections.study import NO_GRADIENT, mean_and_error

ONLY_STANDARD = "it is written for Gaussian posteriors and the prior N(0, I), and this model has others"
SAMPLES = (1, 4, 16, 64, 256)
FEWER = 64  # samples of a large latent
STEPS = 100


def lacks(study, name, gradient=True):
    """Returns whether a bound cannot be had, and notes why; `gradient`: whether it takes the joint density's."""
    reason = no_bound(study)
    if gradient and not reason:
        reason = (
            ONLY_STANDARD if not study.is_standard else NO_GRADIENT if study.subject.score is None else None
        )
    if reason:
        study.reasons[f"extended.{name}"] = reason
    return reason is not None


def measure_importance(study):
    """Returns the importance-weighted bound by the number of samples, with how many of these count."""
    if lacks(study, "importance", gradient=False):
        return None
    count = min(study.affordable(200, 30), len(study.test))
    samples = [number for number in SAMPLES if number <= study.affordable(SAMPLES[-1], FEWER)]
    weights = log_weights(study, count, samples[-1])
    found = [importance_weighted(weights[:, :number]) for number in samples]
    names = ("samples", "nats", "nats_se", "effective_sample_size", "accepted")
    return {"n": count, **{name: [getattr(bound, name) for bound in found] for name in names}}


def measure_amortisation(study):
    """Returns what the ELBO gains where each test image's posterior is optimised, in nats an image.

    The amortisation gap of Cremer, Li and Duvenaud 2018, from below: 100 steps may not be enough.
    """
    if lacks(study, "amortisation_gap"):
        return None
    test = study.test
    count = min(study.affordable(256, 32), len(test))
    images, mean, log_var = test.observed[:count], test.mean[:count], test.log_var[:count]
    labels = test.labels_of(count)
    score, log_prob = (functools.partial(one, labels=labels) for one in (study.score, study.log_prob))
    better = improve_posteriors(score, images, mean, log_var, study.generator("amortisation"), steps=STEPS)
    bounds = [
        elbo(log_prob, images, *posterior, study.generator("amortisation, measured"))
        for posterior in ((mean, log_var), better)
    ]
    gain, error = mean_and_error(np.subtract(*bounds[::-1]))
    return {
        "n": count,
        "nats": gain,
        "nats_se": error,
        "elbo": float(bounds[0].mean()),
        "optimised_elbo": float(bounds[1].mean()),
        "steps": STEPS,
    }
