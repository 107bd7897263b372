"""Discretized logistic distributions over the grey levels of images (Salimans et al. 2017, PixelCNN++)."""

import math
from dataclasses import dataclass, field

from keras_vae.layers.densities import clipped_logistic_mean, logistic_log_mass, soft_bounds, sum_per_image
from keras_vae.model.likelihoods.likelihood import Likelihood
from keras_vae.runtime.lazy import ops

# PixelCNN++ has a lower bound of -7, for pixels from -1 to 1.
MIN_LOG_SCALE, MAX_LOG_SCALE = -7.0 - math.log(2), 2.0


class OverLevels(Likelihood):
    """The base class of distributions over `levels` values."""

    bin_width = 1.0

    def __post_init__(self):
        if self.levels < 2:
            raise ValueError(f"likelihood.levels is {self.levels}: it must be at least 2 (try 256)")


@dataclass(frozen=True)
class DiscretizedLogistic(OverLevels):
    """Independent pixels, each a discretized logistic (Salimans et al. 2017, equation 2, with one component).

    The decoder outputs the locations, then the log scales, which are softly bounded.
    """

    levels: int = field(default=256, metadata={"help": "number of values of a pixel, from 0 to 1"})

    def num_parameters(self, channels):
        """Returns the number of locations and log scales."""
        return 2 * channels

    def log_prob(self, images, decoded):
        """Returns the log probability of the levels nearest to `images`, `[batch]`, in nats."""
        return sum_per_image(logistic_log_mass(images, *self.parameters(decoded), self.levels))

    def mean(self, decoded):
        """Returns the means, with an error of at most half a level (for scales below one level)."""
        return clipped_logistic_mean(*self.parameters(decoded))

    def parameters(self, decoded):
        """Returns the locations and the log scales."""
        location, log_scale = ops.split(decoded, 2, axis=-1)
        return location, soft_bounds(log_scale, MIN_LOG_SCALE, MAX_LOG_SCALE)


@dataclass(frozen=True)
class LogisticMixture(OverLevels):
    """A mixture of discretized logistics per pixel, joint over its channels (Salimans et al. 2017, equations 2 and 3).

    A component's location in the second channel depends on the value of the first channel, and that in the third on
    both. The decoder outputs, in this order: the logits of the components; their locations, channel by channel; their
    log scales; and the coefficients, before a tanh, by which a channel's location depends on the earlier channels.
    """

    components: int = field(default=5, metadata={"help": "number of logistics per pixel"})
    levels: int = field(default=256, metadata={"help": "number of values of a channel, from 0 to 1"})

    def __post_init__(self):
        super().__post_init__()
        if self.components < 1:
            raise ValueError(f"likelihood.components is {self.components}: it must be at least 1 (try 5)")

    def num_parameters(self, channels):
        """Returns the number of parameters: 1 + 2 `channels` per component, and one per pair of channels."""
        return self.components * (1 + 2 * channels + channels * (channels - 1) // 2)

    def log_prob(self, images, decoded):
        """Returns the log probability of the levels nearest to `images`, `[batch]`, in nats."""
        images = ops.round(images * (self.levels - 1)) / (self.levels - 1)
        values = [images[..., channel, None] for channel in range(images.shape[-1])]
        joint = ops.log_softmax(decoded[..., : self.components], axis=-1)
        for channel, (location, log_scale, coefficients) in enumerate(self.parameters(decoded)):
            location = follow(location, coefficients, values)
            joint = joint + logistic_log_mass(values[channel], location, log_scale, self.levels)
        return sum_per_image(ops.logsumexp(joint, axis=-1))

    def mean(self, decoded):
        """Returns the means of the mixture.

        They are exact up to half a level. The means of later channels use the clipped means of the earlier channels,
        which is an approximation.
        """
        weights = ops.softmax(decoded[..., : self.components], axis=-1)
        means = []
        for location, log_scale, coefficients in self.parameters(decoded):
            means.append(clipped_logistic_mean(follow(location, coefficients, means), log_scale))
        return ops.stack([ops.sum(weights * mean, axis=-1) for mean in means], axis=-1)

    def parameters(self, decoded):
        """Returns the locations, log scales and coefficients of each channel, `[..., components]` each."""
        count = decoded.shape[-1] // self.components
        _, *parts = ops.split(decoded, count, axis=-1)
        channels = next(c for c in range(1, count) if self.num_parameters(c) == self.components * count)
        locations, log_scales, rest = parts[:channels], parts[channels : 2 * channels], parts[2 * channels :]
        starts = [channel * (channel - 1) // 2 for channel in range(channels)]
        return [
            (
                locations[channel],
                soft_bounds(log_scales[channel], MIN_LOG_SCALE, MAX_LOG_SCALE),
                [ops.tanh(part) for part in rest[start : start + channel]],
            )
            for channel, start in enumerate(starts)
        ]


def follow(location, coefficients, earlier):
    """Returns `location` shifted by the values of the `earlier` channels (equation 3)."""
    return location + sum(coefficient * value for coefficient, value in zip(coefficients, earlier))
