"""The amortisation gap: the ELBO of optimal Gaussian posteriors minus that of the encoder's posteriors.

It is the part of log p(x) - ELBO that a better encoder could close with the same family of posteriors (Cremer, Li and
Duvenaud 2018, equation 6).
"""

import math

import numpy as np

RATE = 0.1  # initial learning rate, in standard deviations of the posterior; it falls to 0
MOMENTUM, SCALE = 0.9, 0.99  # Kingma and Ba 2015
DRAWS = 16  # draws per posterior for the ELBO


def improve_posteriors(score, images, mean, log_var, generator, steps=100):
    """Returns mean and log-variance of the Gaussians that maximise each image's ELBO, starting from the encoder's.

    It runs Adam on mean and log-variance of each image. Each step uses the gradient at two draws mirrored at the mean:
    if log p(x|z) is nearly quadratic, their noise cancels in the mean's gradient. Means move by at most `RATE * steps /
    2` of the encoder's standard deviations.

    Args:
        score: (images, codes `[n, d]`) -> log p(x|z), `[n]`, and its gradient with respect to the codes, `[n, d]`.
        images: `[n, ...]`.
        mean, log_var: The encoder's posteriors, `[n, d]`.
        generator: A random number generator.
        steps: Number of optimiser steps.
    """
    unit = np.exp(0.5 * log_var)
    moved = np.zeros((2, *mean.shape))  # changes of the mean, in units, and of the log-variance
    first, second = np.zeros((2, *moved.shape))
    for step in range(1, steps + 1):
        center, spread = mean + unit * moved[0], np.exp(0.5 * (log_var + moved[1]))
        noise = spread * generator.standard_normal(mean.shape)
        gradients = [score(images, (center + sign * noise).astype("float32"))[1] for sign in (1, -1)]
        slopes = np.stack(
            [
                unit * (np.mean(gradients, axis=0) - center),
                0.25 * noise * np.subtract(*gradients) - 0.5 * np.expm1(log_var + moved[1]),
            ]
        )
        first += (1 - MOMENTUM) * (slopes - first)
        second += (1 - SCALE) * (np.square(slopes) - second)
        size = RATE * 0.5 * (1 + math.cos(math.pi * step / steps))
        corrected = first / (1 - MOMENTUM**step), second / (1 - SCALE**step)
        moved += size * corrected[0] / (np.sqrt(corrected[1]) + 1e-12)
    return mean + unit * moved[0], log_var + moved[1]


def elbo(log_prob, images, mean, log_var, generator):
    """Returns the ELBO of each image, `[n]`, in nats: log p(x|z) is averaged over `DRAWS` draws, the rate is exact.

    Use generators with the same seed to compare two posteriors with the same noise.

    Args:
        log_prob: (images, codes `[n, d]`) -> log p(x|z), `[n]`.
        images: `[n, ...]`.
        mean, log_var: `[n, d]`.
        generator: A random number generator.
    """
    total = np.zeros(len(mean))
    for _ in range(DRAWS):
        codes = mean + np.exp(0.5 * log_var) * generator.standard_normal(mean.shape)
        total += log_prob(images, codes.astype("float32"))
    rate = 0.5 * (np.square(mean, dtype="float64") + np.expm1(log_var, dtype="float64") - log_var).sum(axis=1)
    return total / DRAWS - rate
