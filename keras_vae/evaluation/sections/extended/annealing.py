"""Measures the likelihood of a few images by annealed importance sampling."""

import functools

from keras_vae.evaluation.metrics.amortisation import elbo
from keras_vae.evaluation.metrics.annealing import Annealing
from keras_vae.evaluation.metrics.importance import importance_weighted
from keras_vae.evaluation.sections.evidence import mean_and_error
from keras_vae.evaluation.sections.extended.bounds import lacking
from keras_vae.evaluation.sections.found import Found


def measure_annealed(evidence, earlier):
    """Returns -log p(x) of a few test images in nats, and how far their ELBO is below log p(x).

    This difference is the inference gap (Cremer, Li and Duvenaud 2018): the amortisation gap plus a part that is due to
    the family of the posteriors.
    """
    if reason := lacking(evidence):
        return Found(reasons={"extended.annealed": reason})
    test = evidence.test
    count = min(evidence.affordable(24, 4), len(test))
    posteriors = test.observed[:count], test.mean[:count], test.log_var[:count]
    plan = Annealing(chains=evidence.affordable(8, 4))
    labels = test.labels_of(count)
    score, log_prob = (functools.partial(one, labels=labels) for one in (evidence.score, evidence.log_prob))
    annealed = plan.run(score, *posteriors, evidence.generator("annealing"))
    found = importance_weighted(annealed.log_weights)
    bound = elbo(log_prob, *posteriors, evidence.generator("annealing, elbo"))
    gap, error = mean_and_error(-found.per_image - bound)
    values = {
        "n": count,
        "nats": found.nats,
        "nats_se": found.nats_se,
        "inference_gap": gap,
        "inference_gap_se": error,
        "effective_sample_size": found.effective_sample_size,
        "acceptance": annealed.acceptance,
        "chains": plan.chains,
        "temperatures": plan.temperatures,
    }
    return Found(values, kept=found.per_image)
