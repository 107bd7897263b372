"""The likelihood that images ask for."""

from dataclasses import dataclass

from keras_vae.model.likelihoods.bernoulli import Bernoulli
from keras_vae.model.likelihoods.gaussian import OptimalGaussian

NEARLY_BLACK_AND_WHITE = 0.15


@dataclass(frozen=True)
class Automatic:
    """Chosen by the images: `bernoulli` where they are nearly black and white, else `gaussian_optimal`.

    Nearly means that 4x(1 - x), which is 0 at black and white and 1 at middle grey, is below 0.15 in the mean
    (MNIST 0.07, scikit-learn's digits 0.28).
    """

    def resolve(self, images):
        """Returns the likelihood for images like `images`, `[n, height, width, channels]` in [0, 1]."""
        greyness = float((4 * images * (1 - images)).mean())
        return Bernoulli() if greyness < NEARLY_BLACK_AND_WHITE else OptimalGaussian()
