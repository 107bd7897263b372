"""What codes cost against the model's own prior, where that has no closed form.

    KL(q || p) = KL(q || N(0, I)) + E log N(z; 0, I) - log p(z),   z ~ q(z|x)

of which the first part is exact for Gaussian posteriors and the second, the excess, an average over draws.
"""

import numpy as np

from keras_vae.evaluation.metrics.rate import measure_rate
from keras_vae.evaluation.sections.codes import in_batches
from keras_vae.samplers import Prior

DRAWS, FEWER = 8, 2  # from each posterior; of a large latent


def excess(study, name):
    """Returns E log N(z; 0, I) - log p(z) over the posterior of each image of the split `name`, `[n]`, in nats."""
    split = getattr(study, name)
    if study.subject.prior is None:
        return np.zeros(len(split))
    generator = study.generator(f"excess {name}")
    draws = study.affordable(DRAWS, FEWER)
    return sum(excess_at(study, split.draw(generator)) for _ in range(draws)) / draws


def excess_at(study, codes):
    """Returns log N(z; 0, I) - log p(z) at flat codes, `[n]`."""
    if study.subject.prior is None:
        return np.zeros(len(codes))
    standard = Prior(study.test.latent_shape)
    return log_density(standard, study, codes) - log_density(study.prior, study, codes)


def log_density(sampler, study, codes):
    """Returns the log density of flat codes, `[n]`, float64."""
    return in_batches(lambda rows: np.asarray(sampler.log_prob(rows), "float64"), study.shaped(codes))


def rates(study, name, count):
    """Returns KL(q(z|x) || p(z)) of the first `count` images of the split `name`, `[count]`, in nats."""
    split = getattr(study, name)
    if split.drawn is None:
        exact = measure_rate(split.mean[:count], split.log_var[:count]).per_image
        return exact + study.excess[name][:count]
    generator = study.generator(f"rate {name}")
    total = np.zeros(count)
    for _ in range(DRAWS):
        codes, log_posterior = split.drawn(generator, count)
        total += log_posterior - log_density(study.prior, study, codes)
    return total / DRAWS
