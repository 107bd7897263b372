"""The importance-weighted bound."""

import numpy as np

from keras_vae.evaluation.metrics import importance
from keras_vae.evaluation.sections.against_prior import excess_at
from keras_vae.evaluation.sections.codes import BATCH
from keras_vae.evaluation.sections.study import NO_DENSITY, NO_LIKELIHOOD

NLL_IMAGES = 500


def measure_likelihood(study):
    """The importance-weighted bound on the log-likelihood, where it was asked for."""
    empty = dict.fromkeys(("nats", "nats_se", "samples", "effective_sample_size", "accepted"))
    samples = study.settings.nll_samples
    reason = no_bound(study) if samples else "not asked for: say --nll_samples 1000"
    if reason:
        study.reasons["likelihood"] = reason
        return empty
    count = min(len(study.test), NLL_IMAGES)
    found = importance.importance_weighted(log_weights(study, count, samples))
    if not found.accepted:
        study.reasons["likelihood.accepted"] = (
            f"of {samples} samples an image {found.effective_sample_size:.1f} count: the number is a bound, no likelihood"
        )
    return {**{key: getattr(found, key) for key in empty}, "n": count}


def no_bound(study):
    """Returns why there is no bound on the likelihood, None where there is one."""
    subject = study.subject
    if subject.log_prob is None:
        return NO_LIKELIHOOD
    if subject.bin_width is None:
        return NO_DENSITY
    return None if subject.is_variational else subject.no_rate


def log_weights(study, count, samples):
    """Returns log p(x, z) - log q(z|x) at draws from the posteriors of the first test images, `[count, samples]`."""
    if study.subject.log_weights is not None:
        return models_log_weights(study, count, samples)
    test, labels = study.test, study.test.labels_of(count)
    weights = np.empty((count, samples))
    generator = study.generator("importance")
    for draw in range(samples):
        noise = generator.standard_normal(test.mean[:count].shape, "float32")
        codes = test.mean[:count] + np.exp(0.5 * test.log_var[:count]) * noise
        log_prob = study.log_prob(test.observed[:count], codes, labels)
        ratio = importance.prior_over_posterior(codes, noise, test.log_var[:count]) - excess_at(study, codes)
        weights[:, draw] = log_prob + ratio
    return weights


def models_log_weights(study, count, samples):
    """Returns the same from the model itself, which knows posteriors that are no Gaussians too."""
    test, generator, rows = study.test, study.generator("importance"), []
    for start in range(0, count, BATCH):
        inputs = [test.observed[start : min(start + BATCH, count)]]
        inputs += study.told(test.labels_of(slice(start, start + len(inputs[0]))), len(inputs[0]))
        images, *told = inputs
        parts, found = [], 0
        while found < samples:
            parts.append(study.subject.log_weights(images, generator.integers(2**31), *told))
            found += parts[-1].shape[1]
        rows.append(np.concatenate(parts, axis=1)[:, :samples])
    return np.concatenate(rows).astype("float64")
