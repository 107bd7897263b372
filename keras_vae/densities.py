"""Log densities and divergences, elementwise unless they say otherwise, in nats.

Everything here is arithmetic on tensors of any backend of Keras; nothing has state. What is summed, and over
what, is said by `sum_per_image` and in one place by the model, which takes the mean over the batch.
"""

import math

from keras_vae.lazy import ops

LOG_2_PI = math.log(2 * math.pi)


def sum_per_image(values):
    """Sums over everything but the first axis: `[batch, ...]` to `[batch]`."""
    return ops.sum(values, axis=tuple(range(1, len(values.shape))))


def gaussian_log_density(values, mean, log_var):
    """Returns log N(values; mean, exp(log_var)), elementwise."""
    return -0.5 * (LOG_2_PI + log_var + ops.square(values - mean) * ops.exp(-log_var))


def standard_normal_log_density(values):
    """Returns log N(values; 0, 1), elementwise."""
    return -0.5 * (LOG_2_PI + ops.square(values))


def kl_to_standard_normal(mean, log_var):
    """Returns KL(N(mean, exp(log_var)) || N(0, 1)), elementwise (Kingma and Welling 2014, appendix B).

    `exp(log_var) - 1` is taken by `expm1`: in float32 the plain difference is 5% off at log_var = 1e-3 and
    all wrong at 1e-4, which is where large latents live.
    """
    return 0.5 * (ops.square(mean) + ops.expm1(log_var) - log_var)


def bernoulli_log_density(values, logits):
    """Returns values * log p + (1 - values) * log(1 - p) with p = sigmoid(logits), elementwise.

    It is a log density where `values` are 0 or 1. At values between, it is the negative cross-entropy, which
    does not integrate to one (Loaiza-Ganem and Cunningham 2019).
    """
    return values * logits - ops.softplus(logits)


def log_mean_exp(values, axis):
    """Returns log of the mean of exp(values) along `axis`, without overflow."""
    return ops.logsumexp(values, axis=axis) - math.log(values.shape[axis])
