"""What the decoder's output means: a density over images, in nats per image.

A likelihood is a frozen dataclass, derived from `Likelihood`, with methods of the same signature in all of them:

    num_parameters(channels)   how many channels the decoder puts out for an image of `channels`
    head()                     further layers at the decoder's end (a learned variance), mostly none
    log_prob(images, decoded)  log p(images | codes), `[batch]`, summed over pixels and channels
    mean(decoded)              the images that the decoder shows, `[batch, height, width, channels]` in [0, 1]

`observe(images, seed)`, which makes of grey values what the density is over, and `bin_width`, which tells how its
nats become bits per dimension (None where it is no density, but a distortion that is trained on like one).
"""

from keras_vae.model.likelihoods.automatic import Automatic
from keras_vae.model.likelihoods.bernoulli import Bernoulli, ContinuousBernoulli
from keras_vae.model.likelihoods.gaussian import (
    GaussianLikelihood,
    GaussianPerPixel,
    LearnedGaussian,
    OptimalGaussian,
)
from keras_vae.model.likelihoods.laplace import Laplace, LearnedLaplace
from keras_vae.model.likelihoods.likelihood import Likelihood
from keras_vae.model.likelihoods.logistic import DiscretizedLogistic, LogisticMixture
from keras_vae.model.likelihoods.ms_ssim import MultiScaleSimilarity

__all__ = ["LIKELIHOODS", "Automatic", "Likelihood"]

LIKELIHOODS = {
    "bernoulli": Bernoulli,
    "continuous_bernoulli": ContinuousBernoulli,
    "discretized_logistic": DiscretizedLogistic,
    "gaussian": GaussianLikelihood,
    "gaussian_learned": LearnedGaussian,
    "gaussian_optimal": OptimalGaussian,
    "gaussian_per_pixel": GaussianPerPixel,
    "laplace": Laplace,
    "laplace_learned": LearnedLaplace,
    "logistic_mixture": LogisticMixture,
    "ms_ssim": MultiScaleSimilarity,
}
