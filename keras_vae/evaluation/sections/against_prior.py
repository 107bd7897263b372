"""The rate of codes with respect to the model's prior, if it has no closed form.

    KL(q || p) = KL(q || N(0, I)) + E log N(z; 0, I) - log p(z),   z ~ q(z|x)

The first term is exact for Gaussian posteriors. The second, the excess, is an average over draws.
"""

import numpy as np

from keras_vae.evaluation.metrics.rate import measure_rate
from keras_vae.evaluation.sections.codes import in_batches
from keras_vae.samplers import PriorSampler

DRAWS, FEWER = 8, 2  # draws from each posterior; FEWER for a large latent


def excess_of(evidence, name):
    """Returns E log N(z; 0, I) - log p(z) over the posterior of each image of the split `name`, `[n]`, in nats."""
    split = getattr(evidence, name)
    if evidence.subject.prior is None:
        return np.zeros(len(split))
    generator = evidence.generator(f"excess {name}")
    draws = evidence.affordable(DRAWS, FEWER)
    return sum(excess_at(evidence, split.draw(generator)) for _ in range(draws)) / draws


def excess_at(evidence, codes):
    """Returns log N(z; 0, I) - log p(z) at flat codes, `[n]`."""
    if evidence.subject.prior is None:
        return np.zeros(len(codes))
    standard = PriorSampler(evidence.test.latent_shape)
    return log_density(standard, evidence, codes) - log_density(evidence.prior, evidence, codes)


def log_density(sampler, evidence, codes):
    """Returns the log density of flat codes, `[n]`, float64."""
    return in_batches(lambda rows: np.asarray(sampler.log_prob(rows), "float64"), evidence.shaped(codes))


def rates(evidence, name, count, excess):
    """Returns KL(q(z|x) || p(z)) of the first `count` images of the split `name`, `[count]`, in nats.

    `excess`: `excess_of` that split, `[n]`.
    """
    split = getattr(evidence, name)
    if split.drawn is None:
        exact = measure_rate(split.mean[:count], split.log_var[:count]).per_image
        return exact + excess[:count]
    generator = evidence.generator(f"rate {name}")
    total = np.zeros(count)
    for _ in range(DRAWS):
        codes, log_posterior = split.drawn(generator, count)
        total += log_posterior - log_density(evidence.prior, evidence, codes)
    return total / DRAWS
