"""The base classes of likelihoods."""

from keras_vae.model.owning import Owner
from keras_vae.runtime.lazy import ops

EIGHT_BIT = 1 / 255  # the distance between two grey values of an 8-bit image


class Likelihood(Owner):
    """The base class of all likelihoods: one parameter per channel, and images that are used unchanged.

    Attributes:
        bin_width: The factor that turns a density into a probability mass, which bits per dimension need. It is 1 for a
            mass over the values of images. A density over [0, 1] is taken as constant across a level of 8-bit images,
            1/255; papers that divide by 256 subtract log2(256) instead. For images with fewer levels, or a scale below
            one level, the bits are underestimated. None if the likelihood is not a density.
    """

    bin_width: float | None = EIGHT_BIT

    @property
    def is_density(self):
        """Whether exp(log_prob) integrates (or sums) to one over images."""
        return self.bin_width is not None

    def num_parameters(self, channels):
        """Returns the number of channels of the decoder's output."""
        return channels

    def head(self):
        """Returns the layers that follow the decoder's last convolution, in order."""
        return []

    def observe(self, images, seed):
        """Returns `images` in [0, 1] as observations of the density; `seed` as in `keras.random`."""
        del seed
        return images

    def without_noise(self, images):
        """Returns images for which `log_prob` is its mean over the random observations of `observe`.

        Likelihoods with random observations override it.
        """
        return self.observe(images, seed=0)

    def log_prob_in_batch(self, images, decoded, weights):
        """Returns `log_prob` of a batch whose images have `weights`, `[batch]`, or None if they are equal.

        Weights only matter if the density depends on the batch.
        """
        del weights
        return self.log_prob(images, decoded)

    def of_model(self):
        """Returns the likelihood of a model, with its layer."""
        return self.owning(self.new_layer())

    def new_layer(self):
        """Returns the layer that stores statistics of the training; None if there are none."""

    def follow(self, images, decoded, weights):
        """Updates the layer with a training batch."""

    def log_prob_alone(self, images, decoded):
        """Returns `log_prob` of each image alone, with the layer's statistics if the density depends on the batch."""
        return self.log_prob(images, decoded)


class Located(Likelihood):
    """Densities with a location per pixel, which the decoder outputs."""

    def mean(self, decoded):
        """Returns the locations, clipped to [0, 1]."""
        return ops.clip(decoded, 0.0, 1.0)


class LearnedScale(Located):
    """Located densities with one scale that is learned with the network. Its logarithm is the last channel.

    A subclass sets the lower bound (`min_log_scale`) and the name of the layer (`scale_name`).
    """

    def head(self):
        """Returns the layer with the learned logarithm of the scale."""
        from keras_vae.layers.basic import AppendLogSigma

        return [AppendLogSigma(self.min_log_scale, dtype="float32", name=self.scale_name)]

    def mean(self, decoded):
        """Returns the locations, clipped to [0, 1]."""
        return super().mean(decoded[..., :-1])


def check_scale(name, value):
    """Raises a ValueError unless the field `name` of a likelihood is positive."""
    if not value > 0:
        raise ValueError(f"likelihood.{name} is {value}: it must be above 0 (try --likelihood.{name} 0.1)")
