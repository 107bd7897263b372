"""What all likelihoods share."""

from keras_vae.model.owning import Owner
from keras_vae.runtime.lazy import ops

EIGHT_BIT = 1 / 255  # what lies between two grey values of an 8-bit image


class Likelihood(Owner):
    """The common part of all likelihoods: one channel of parameters a channel, images taken as they are.

    Attributes:
        bin_width: What makes a mass of the density, so that it can be told in bits: 1 for a mass over the values
            that images have. A density over [0, 1] is taken as constant across a level of 8-bit images, 1/255,
            which is what the papers' log2(256) stands for where they divide by 256 instead (images of fewer
            levels, or a scale below one level, make the bits too few). None: nothing that integrates to one.
    """

    bin_width = EIGHT_BIT

    @property
    def is_density(self):
        """Whether exp(log_prob) integrates (or sums) to one over images."""
        return self.bin_width is not None

    def num_parameters(self, channels):
        """Returns the number of channels that the decoder puts out."""
        return channels

    def head(self):
        """Returns the layers that follow the decoder's last convolution, in order."""
        return []

    def observe(self, images, seed):
        """Returns what the density is over, made of `images` in [0, 1]; `seed` as in `keras.random`."""
        del seed
        return images

    def without_noise(self, images):
        """Returns what `log_prob` is to be given so that it is the mean over what `observe` may draw.

        That is what `observe` returns where it draws nothing. A likelihood that does draw says it itself.
        """
        return self.observe(images, seed=0)

    def log_prob_in_batch(self, images, decoded, weights):
        """Returns `log_prob` where images have weights, `[batch]` or None for equal ones.

        They matter only where the density depends on the batch.
        """
        del weights
        return self.log_prob(images, decoded)

    def of_model(self):
        """Returns the likelihood of a model, with its layer."""
        return self.owning(self.new_layer())

    def new_layer(self):
        """Returns the layer that keeps what training finds out about the density; None if it finds out nothing."""

    def follow(self, images, decoded, weights):
        """Updates the layer by a batch of the training."""

    def log_prob_alone(self, images, decoded):
        """Returns `log_prob` of each image alone, also if the density depends on the batch: then by the layer."""
        return self.log_prob(images, decoded)


class Located(Likelihood):
    """Densities of which the decoder gives the places; shown clipped to [0, 1]."""

    def mean(self, decoded):
        """Returns the places, clipped to [0, 1]."""
        return ops.clip(decoded, 0.0, 1.0)


class LearnedScale(Located):
    """Located densities whose one scale is learned with the network: its logarithm is the last channel.

    A subclass says how far down it may go (`min_log_scale`) and what the layer is called (`scale_name`).
    """

    def head(self):
        """Returns the layer that holds the learned logarithm of the scale."""
        from keras_vae.layers.basic import AppendLogSigma

        return [AppendLogSigma(self.min_log_scale, dtype="float32", name=self.scale_name)]

    def mean(self, decoded):
        """Returns the places, clipped to [0, 1]."""
        return super().mean(decoded[..., :-1])


def check_scale(name, value):
    """Raises a ValueError where the field `name` of a likelihood is no scale."""
    if not value > 0:
        raise ValueError(f"likelihood.{name} is {value}: it must be above 0 (try --likelihood.{name} 0.1)")
