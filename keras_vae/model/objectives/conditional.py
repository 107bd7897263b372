"""Autoencoders that are told the class of an image."""

from dataclasses import dataclass
from typing import ClassVar

from keras_vae.model.objectives.variational import VariationalBound
from keras_vae.model.priors import VampPrior


@dataclass(frozen=True)
class ConditionalVAE(VariationalBound):
    """The bound on log p(x|y), y the image's label: -log p(x|z, y) + KL(q(z|x, y) || p(z)).

    Sohn, Lee and Yan 2015, equation 4 (whose x is our label and whose y our image), with a prior that does not depend on the
    label, as they allow in section 4: z is then what the label leaves open, style. Encoder and decoder see
    the label as further channels, one a class; the codes need not hold it.
    """

    formula: ClassVar = "D + R, both given the label"
    paper: ClassVar = "Sohn et al. 2015"
    good_for: ClassVar = "images of a class that is asked for; codes of what the class leaves open"

    conditional: ClassVar = True

    def check(self, model):
        """Raises a ValueError where the prior would need labels too."""
        super().check(model)
        if isinstance(model.prior, VampPrior):
            raise ValueError(
                "VampPrior asks the encoder for the posteriors of images that have no labels, and objective"
                " ConditionalVAE encodes none without (try --prior mixture)"
            )
