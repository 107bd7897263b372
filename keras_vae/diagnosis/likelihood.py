"""The importance-weighted bound."""

import numpy as np

from keras_vae.diagnosis.codes import in_batches
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
    test = study.test
    count = min(len(test), NLL_IMAGES)
    weights = np.empty((count, samples))
    generator = study.generator("importance")
    for draw in range(samples):
        noise = generator.standard_normal(test.mean[:count].shape, "float32")
        codes = test.mean[:count] + np.exp(0.5 * test.log_var[:count]) * noise
        log_prob = in_batches(
            study.subject.log_prob, test.observed[:count], codes.reshape(count, *test.latent_shape)
        )
        weights[:, draw] = log_prob + importance.prior_over_posterior(codes, noise, test.log_var[:count])
    found = importance.importance_weighted(weights)
    if not found.accepted:
        study.reasons["likelihood.accepted"] = (
            f"of {samples} samples an image {found.effective_sample_size:.1f} count: the number is a bound, no likelihood"
        )
    return {**{key: getattr(found, key) for key in empty}, "n": count}
