"""What all priors share."""

from typing import ClassVar


class Prior:
    """The common part of all priors: they are learned, from whatever they start at."""

    is_standard: ClassVar = False

    def adapt(self, model, images):
        """Starts what is learned from `images`, training images in [0, 1]; most priors start from nothing."""
        del model, images
