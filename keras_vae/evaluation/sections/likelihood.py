"""Measures the importance-weighted bound on the likelihood."""

import numpy as np

from keras_vae.evaluation.metrics import importance
from keras_vae.evaluation.sections.against_prior import excess_at
from keras_vae.evaluation.sections.codes import BATCH
from keras_vae.evaluation.sections.evidence import NO_DENSITY, NO_LIKELIHOOD
from keras_vae.evaluation.sections.found import Found, missing

NLL_IMAGES = 500
NUMBERS = (
    "nats", "nats_se", "samples", "effective_sample_size", "moved", "moved_se", "bias", "bias_se", "bias_limit", "accepted"
)  # fmt: skip
FEW_SAMPLES = "it needs at least two images and two samples per image"


def measure_likelihood(evidence, extended=None):
    """Measures the importance-weighted bound on the log-likelihood, if requested.

    Whether it is accepted as a likelihood depends on its estimated bias, and on annealing if `extended` was measured.
    """
    empty = dict.fromkeys(NUMBERS)
    samples = evidence.settings.nll_samples
    reason = no_bound(evidence) if samples else "not requested: use --nll_samples 1000"
    if reason:
        return Found(empty, {"likelihood": reason})
    count = min(len(evidence.test), NLL_IMAGES)
    annealed = None if extended is None else extended.kept
    found = importance.importance_weighted(log_weights(evidence, count, samples), annealed)
    reasons = {} if found.accepted else {"likelihood.accepted": found.reason}
    values = {key: finite(getattr(found, key)) for key in empty}
    reasons |= missing("likelihood", [key for key in empty if values[key] is None], FEW_SAMPLES)
    return Found({**values, "n": count}, reasons)


def finite(value):
    """Returns a number, or None if it is NaN."""
    return None if value is None or value != value else value


def no_bound(evidence):
    """Returns why the likelihood has no bound, or None if it has one."""
    subject = evidence.subject
    if subject.log_prob is None:
        return NO_LIKELIHOOD
    if subject.bin_width is None:
        return NO_DENSITY
    return None if subject.is_variational else subject.no_rate


def log_weights(evidence, count, samples):
    """Returns log p(x, z) - log q(z|x) at draws from the posteriors of the first test images, `[count, samples]`."""
    if evidence.subject.log_weights is not None:
        return models_log_weights(evidence, count, samples)
    test, labels = evidence.test, evidence.test.labels_of(count)
    weights = np.empty((count, samples))
    generator = evidence.generator("importance")
    for draw in range(samples):
        noise = generator.standard_normal(test.mean[:count].shape, "float32")
        codes = test.mean[:count] + np.exp(0.5 * test.log_var[:count]) * noise
        log_prob = evidence.log_prob(test.observed[:count], codes, labels)
        ratio = importance.prior_over_posterior(codes, noise, test.log_var[:count]) - excess_at(
            evidence, codes
        )
        weights[:, draw] = log_prob + ratio
    return weights


def models_log_weights(evidence, count, samples):
    """Returns the same from the model, which also supports posteriors that are not Gaussian."""
    test, generator, rows = evidence.test, evidence.generator("importance"), []
    for start in range(0, count, BATCH):
        inputs = [test.observed[start : min(start + BATCH, count)]]
        inputs += evidence.label_inputs(test.labels_of(slice(start, start + len(inputs[0]))), len(inputs[0]))
        images, *given_labels = inputs
        parts, found = [], 0
        while found < samples:
            parts.append(evidence.subject.log_weights(images, generator.integers(2**31), *given_labels))
            found += parts[-1].shape[1]
        rows.append(np.concatenate(parts, axis=1)[:, :samples])
    return np.concatenate(rows).astype("float64")
