"""The likelihood that is chosen by the images."""

from dataclasses import dataclass

from keras_vae.model.likelihoods.bernoulli import Bernoulli
from keras_vae.model.likelihoods.gaussian import OptimalGaussian

NEARLY_BLACK_AND_WHITE = 0.15


@dataclass(frozen=True)
class Automatic:
    """Chosen by the images: `bernoulli` if they are nearly black and white, else `gaussian_optimal`.

    Images are nearly black and white if the mean of 4x(1 - x), which is 0 at black and white and 1 at middle grey, is
    below 0.15 (0.07 for MNIST, 0.28 for scikit-learn's digits).
    """

    def resolve(self, images):
        """Returns the likelihood for images like `images`, `[n, height, width, channels]` in [0, 1]."""
        greyness = float((4 * images * (1 - images)).mean())
        return Bernoulli() if greyness < NEARLY_BLACK_AND_WHITE else OptimalGaussian()
