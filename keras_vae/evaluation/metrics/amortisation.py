"""The amortisation gap: the ELBO of the encoder's posteriors compared with that of the best ones.

The amortisation gap is the part of the difference between log p(x) and the ELBO that the encoder could close without a
richer family of posteriors (Cremer, Li and Duvenaud 2018, equation 6).
"""

import math

import numpy as np

RATE = 0.1  # of the optimiser, in standard deviations of the posterior; it falls to 0
MOMENTUM, SCALE = 0.9, 0.99  # Kingma and Ba 2015
DRAWS = 16  # of each posterior, for its ELBO


def improve_posteriors(score, images, mean, log_var, generator, steps=100):
    """Returns mean and log-variance of the Gaussians that maximise each image's ELBO, from those of the encoder.

    Adam on mean and log-variance of each image, by the gradient at two draws a step, mirrored at the mean: if log
    p(x|z) is nearly quadratic, their noise in the mean's gradient cancels. Means move in units of the encoder's own
    standard deviations, by at most `RATE * steps / 2` of them.

    Args:
        score: (images, codes `[n, d]`) -> log p(x|z), `[n]`, and its gradient by the codes, `[n, d]`.
        images: `[n, ...]`.
        mean, log_var: `[n, d]`.
        generator: Of the random numbers.
        steps: How many.
    """
    unit = np.exp(0.5 * log_var)
    moved = np.zeros((2, *mean.shape))  # of the mean, in units; of the log-variance
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
    """Returns the ELBO of each image, `[n]`, in nats: its first term from `DRAWS` draws, the rate in closed form.

    With generators of the same seed, two posteriors are compared with the same noise.

    Args:
        log_prob: (images, codes `[n, d]`) -> log p(x|z), `[n]`.
        images: `[n, ...]`.
        mean, log_var: `[n, d]`.
        generator: Of the random numbers.
    """
    total = np.zeros(len(mean))
    for _ in range(DRAWS):
        codes = mean + np.exp(0.5 * log_var) * generator.standard_normal(mean.shape)
        total += log_prob(images, codes.astype("float32"))
    rate = 0.5 * (np.square(mean, dtype="float64") + np.expm1(log_var, dtype="float64") - log_var).sum(axis=1)
    return total / DRAWS - rate
