"""What all priors share, and the layer that holds what they learn."""

from typing import ClassVar

from keras_vae.lazy import keras


class Prior:
    """The common part of all priors: they are learned, from whatever they start at."""

    is_standard: ClassVar = False

    def adapt(self, model, images):
        """Starts what is learned from `images`, training images in [0, 1]; most priors start from nothing."""
        del model, images


class WeightsOfPrior(keras.layers.Layer):
    """Holds weights as attributes, in float32 whatever the policy.

    Args:
        **weights: `(shape, initializer)` of each, by name.
    """

    def __init__(self, **weights):
        super().__init__(dtype="float32", name="prior")
        for name, (shape, initializer) in weights.items():
            setattr(self, name, self.add_weight(shape, initializer, name=name, autocast=False))
        self.built = True
