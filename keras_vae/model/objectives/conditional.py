"""Autoencoders that take the class of an image as input."""

from dataclasses import dataclass
from typing import ClassVar

from keras_vae.model.objectives.variational import VariationalBound
from keras_vae.model.priors import VampPrior


@dataclass(frozen=True)
class ConditionalVAE(VariationalBound):
    """The bound on log p(x|y) for images x with labels y: -log p(x|z, y) + KL(q(z|x, y) || p(z)).

    Sohn, Lee and Yan 2015, equation 4 (their x is our label, their y our image). The prior does not depend on the
    label, which they allow in section 4, so z describes only what the label leaves open, the style. Encoder and decoder
    get the label as one additional channel per class.
    """

    formula: ClassVar = "D + R, both given the label"
    paper: ClassVar = "Sohn et al. 2015"
    good_for: ClassVar = "images of a chosen class; codes of style, independent of the class"

    conditional: ClassVar = True

    def check(self, model):
        """Raises a ValueError if the prior would need labels too."""
        super().check(model)
        if isinstance(model.prior, VampPrior):
            raise ValueError(
                "VampPrior needs the posteriors of images without labels, but objective ConditionalVAE only encodes"
                " images with labels (try --prior mixture)"
            )
