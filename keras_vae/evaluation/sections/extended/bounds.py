"""Measures bounds on the likelihood, and the amortisation gap."""

import functools

import numpy as np

from keras_vae.evaluation.metrics.amortisation import elbo, improve_posteriors
from keras_vae.evaluation.metrics.importance import importance_weighted
from keras_vae.evaluation.sections.evidence import NO_GRADIENT, mean_and_error
from keras_vae.evaluation.sections.found import Found
from keras_vae.evaluation.sections.likelihood import log_weights, no_bound

ONLY_STANDARD = "it needs Gaussian posteriors and the prior N(0, I), and this model has others"
SAMPLES = (1, 4, 16, 64, 256)
FEWER = 64  # samples for a large latent
STEPS = 100


def lacking(evidence, gradient=True):
    """Returns why a bound cannot be computed, or None; `gradient`: whether it needs the joint density's gradient."""
    reason = no_bound(evidence)
    if gradient and not reason:
        reason = (
            ONLY_STANDARD
            if not evidence.is_standard
            else NO_GRADIENT
            if evidence.subject.score is None
            else None
        )
    return reason


def measure_importance(evidence, earlier):
    """Returns the importance-weighted bound for several numbers of samples, with the effective sample sizes."""
    if reason := lacking(evidence, gradient=False):
        return Found(reasons={"extended.importance": reason})
    count = min(evidence.affordable(200, 30), len(evidence.test))
    samples = [number for number in SAMPLES if number <= evidence.affordable(SAMPLES[-1], FEWER)]
    weights = log_weights(evidence, count, samples[-1])
    found = [importance_weighted(weights[:, :number]) for number in samples]
    names = ("samples", "nats", "nats_se", "effective_sample_size", "accepted")
    return Found({"n": count, **{name: [getattr(bound, name) for bound in found] for name in names}})


def measure_amortisation(evidence, earlier):
    """Returns the gain of the ELBO if each test image's posterior is optimised, in nats per image.

    This is a lower bound on the amortisation gap of Cremer, Li and Duvenaud 2018: 100 steps may not be enough.
    """
    if reason := lacking(evidence):
        return Found(reasons={"extended.amortisation_gap": reason})
    test = evidence.test
    count = min(evidence.affordable(256, 32), len(test))
    images, mean, log_var = test.observed[:count], test.mean[:count], test.log_var[:count]
    labels = test.labels_of(count)
    score, log_prob = (functools.partial(one, labels=labels) for one in (evidence.score, evidence.log_prob))
    better = improve_posteriors(score, images, mean, log_var, evidence.generator("amortisation"), steps=STEPS)
    bounds = [
        elbo(log_prob, images, *posterior, evidence.generator("amortisation, measured"))
        for posterior in ((mean, log_var), better)
    ]
    gain, error = mean_and_error(np.subtract(*bounds[::-1]))
    values = {
        "n": count,
        "nats": gain,
        "nats_se": error,
        "elbo": float(bounds[0].mean()),
        "optimised_elbo": float(bounds[1].mean()),
        "steps": STEPS,
    }
    return Found(values)
