"""The importance-weighted bound."""

import numpy as np

from keras_vae.diagnosis.study import NO_LIKELIHOOD, NO_RATE
from keras_vae.metrics import importance

NLL_IMAGES = 500


def measure_likelihood(study):
    """The importance-weighted bound on the log-likelihood, where it was asked for."""
    empty = dict.fromkeys(("nats", "nats_se", "samples", "effective_sample_size", "accepted"))
    samples, reason = study.settings.nll_samples, None
    if samples == 0:
        reason = "not asked for: say --nll_samples 1000"
    elif study.subject.log_prob is None:
        reason = NO_LIKELIHOOD
    elif not study.subject.is_variational:
        reason = NO_RATE
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


def log_weights(study, count, samples):
    """Returns log p(x, z) - log q(z|x) at draws from the posteriors of the first test images, `[count, samples]`."""
    test = study.test
    weights = np.empty((count, samples))
    generator = study.generator("importance")
    for draw in range(samples):
        noise = generator.standard_normal(test.mean[:count].shape, "float32")
        codes = test.mean[:count] + np.exp(0.5 * test.log_var[:count]) * noise
        log_prob = study.log_prob(test.observed[:count], codes)
        weights[:, draw] = log_prob + importance.prior_over_posterior(codes, noise, test.log_var[:count])
    return weights
