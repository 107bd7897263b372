"""Likelihoods: densities over images, given the decoder's output, in nats per image.

A likelihood is a frozen dataclass, derived from `Likelihood`. All have the same methods:

    num_parameters(channels)   the number of channels of the decoder's output for an image of `channels`
    head()                     additional layers at the end of the decoder (a learned variance), usually none
    log_prob(images, decoded)  log p(images | codes), `[batch]`, summed over pixels and channels
    mean(decoded)              the decoded images, `[batch, height, width, channels]` in [0, 1]
    observe(images, seed)      the images as observations of the density, such as binarised images

`bin_width` converts nats to bits per dimension. It is None for a distortion that is not a density.
"""

from keras_vae.model.likelihoods.automatic import Automatic
from keras_vae.model.likelihoods.bernoulli import Bernoulli, ContinuousBernoulli
from keras_vae.model.likelihoods.gaussian import (
    Gaussian,
    GaussianPerPixel,
    LearnedGaussian,
    OptimalGaussian,
)
from keras_vae.model.likelihoods.laplace import Laplace, LearnedLaplace
from keras_vae.model.likelihoods.likelihood import Likelihood
from keras_vae.model.likelihoods.logistic import DiscretizedLogistic, LogisticMixture
from keras_vae.model.likelihoods.ms_ssim import MultiScaleSimilarity

__all__ = ["LIKELIHOODS", "Automatic", "Likelihood"]

LIKELIHOODS: dict[str, type[Likelihood]] = {
    "bernoulli": Bernoulli,
    "continuous_bernoulli": ContinuousBernoulli,
    "discretized_logistic": DiscretizedLogistic,
    "gaussian": Gaussian,
    "gaussian_learned": LearnedGaussian,
    "gaussian_optimal": OptimalGaussian,
    "gaussian_per_pixel": GaussianPerPixel,
    "laplace": Laplace,
    "laplace_learned": LearnedLaplace,
    "logistic_mixture": LogisticMixture,
    "ms_ssim": MultiScaleSimilarity,
}
