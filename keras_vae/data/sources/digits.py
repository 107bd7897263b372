"""The handwritten digits included in scikit-learn: 1,797 images of 8x8, available offline."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keras_vae.data.dataset import Annotations, in_memory


@dataclass(frozen=True)
class Digits:
    """scikit-learn's handwritten digits.

    Attributes:
        suited: Settings of a first run. The defaults, a latent of 16 and 131 epochs, overfit so few images.
    """

    suited: ClassVar = {"latent": (8,), "epochs": 40}

    def load(self, options):
        """Returns the `Dataset`, by default of shape 8x8x1."""
        from sklearn.datasets import load_digits

        digits = load_digits()
        images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[..., None]  # 17 levels of grey
        known = Annotations(digits.target.astype(np.int64), tuple(str(digit) for digit in range(10)))
        return in_memory("digits", images, options, known)
