"""What the encoder's output means: how codes are drawn from it, and what they cost.

A latent is a frozen dataclass over the encoder's output, the `posterior`: a dict of float32 tensors, each
`[batch, *latent]`.

    heads()                          the encoder's outputs: a name and the initializer of its kernel
    bound(posterior)                 layers that bring the outputs into range, at the encoder's end
    sampling()                       the layer that draws codes, or None where nothing is drawn
    draw(layer, posterior, seed, training)   a `Draw`: one code an image, and its log density under the posterior
    rate(posterior)                  KL(posterior || N(0, I)) in nats per image, `[batch]`; None: no closed form
    moments(layer, posterior)        mean and log-variance of the code, each `[batch, *latent]`
    check(latent_shape)              raises a ValueError where the latent cannot have that shape
"""

import operator
from dataclasses import dataclass
from typing import NamedTuple

from keras_vae.densities import gaussian_log_density, kl_to_standard_normal, sum_per_image
from keras_vae.lazy import ops

# exp(-14) is below what float32 sums resolve beside 1; exp(6) is 20 standard deviations of the prior.
MIN_LOG_VAR, MAX_LOG_VAR = -14.0, 6.0
# What stands for the log-variance of a code that is a point: no noise in float32, and still a number in JSON.
POINT_LOG_VAR = -100.0


class Draw(NamedTuple):
    """Codes drawn from posteriors.

    Attributes:
        codes: `[batch, *latent]`.
        log_density: log q(codes|x), `[batch]`, in nats; None where the posterior has no density.
        terms: What else the latent has to say of the draw, each `[batch]`, by name; or None.
    """

    codes: object
    log_density: object = None
    terms: dict | None = None


class Latent:
    """The common part of all latents: any shape, the encoder's output taken as it is, nothing drawn."""

    def check(self, latent_shape):
        """Accepts every shape."""
        del latent_shape

    def bound(self, posterior):
        """Returns the posterior as it is."""
        return posterior

    def sampling(self):
        """Returns None: nothing is drawn."""

    def rate(self, posterior):
        """Returns None: there is no closed form."""
        del posterior


@dataclass(frozen=True)
class DiagonalGaussian(Latent):
    """q(z|x) = N(mean, diag exp(log_var)) against the prior N(0, I) (Kingma and Welling 2014)."""

    def heads(self):
        """Returns the encoder's outputs; log_var starts at 0, a standard deviation of 1."""
        return {"mean": "glorot_uniform", "log_var": "zeros"}

    def bound(self, posterior):
        """Returns the posterior with its log-variance kept between -14 and 6."""
        from keras_vae.layers import SoftBounds

        bounds = SoftBounds(MIN_LOG_VAR, MAX_LOG_VAR, dtype="float32", name="bounded_log_var")
        return {"mean": posterior["mean"], "log_var": bounds(posterior["log_var"])}

    def sampling(self):
        """Returns the layer that draws codes by the reparameterisation trick."""
        from keras_vae.layers import Sampling

        return Sampling(name="sampling")

    def draw(self, layer, posterior, seed, training=False):
        """Returns mean + exp(log_var / 2) * noise, and its log density."""
        del training
        mean, log_var = posterior["mean"], posterior["log_var"]
        codes = layer([mean, log_var], seed=seed)
        return Draw(codes, sum_per_image(gaussian_log_density(codes, mean, log_var)))

    def rate(self, posterior):
        """Returns KL(q(z|x) || N(0, I)), `[batch]`, in nats, summed over latent dimensions."""
        return sum_per_image(kl_to_standard_normal(posterior["mean"], posterior["log_var"]))

    def moments(self, layer, posterior):
        """Returns the encoder's own mean and log-variance."""
        del layer
        return posterior["mean"], posterior["log_var"]


@dataclass(frozen=True)
class Point(Latent):
    """A code without noise and without a prior: the plain autoencoder's. It has no rate."""

    def heads(self):
        """Returns the encoder's one output."""
        return {"mean": "glorot_uniform"}

    def draw(self, layer, posterior, seed, training=False):
        """Returns the mean."""
        del layer, seed, training
        return Draw(posterior["mean"])

    def moments(self, layer, posterior):
        """Returns the code, and -100 everywhere: a standard deviation that float32 adds as nothing."""
        del layer
        return posterior["mean"], ops.full_like(posterior["mean"], POINT_LOG_VAR)


def parse_shape(text):
    """Returns the latent's shape that `text` writes: `32` is `(32,)`, `8x8x1024` is `(8, 8, 1024)`."""
    try:
        shape = tuple(int(size) for size in text.lower().split("x"))
    except ValueError:
        raise ValueError(
            f"{text!r} is no shape: expected one size or three, such as 32 or 8x8x1024"
        ) from None
    return check_shape(shape)


def show_shape(shape):
    """Returns `(8, 8, 1024)` as `8x8x1024`."""
    return "x".join(map(str, shape))


def check_shape(shape):
    """Returns `shape` where it has one or three sizes, all above 0."""
    if len(shape) not in (1, 3):
        raise ValueError(
            f"latent is {show_shape(shape)}: expected one size or three, height x width x channels"
            " (try --latent 32 or --latent 8x8x16)"
        )
    if min(shape) < 1:
        mended = show_shape(max(size, 1) if index < 2 else size or 16 for index, size in enumerate(shape))
        raise ValueError(
            f"latent is {show_shape(shape)}: every size must be at least 1 (try --latent {mended})"
        )
    return shape


def latent_shape(latent, image_shape):
    """Returns the shape of `latent` (`32`, `"8x8x16"` or a tuple), checked to go with images of `image_shape`."""
    if isinstance(latent, str):
        latent = parse_shape(latent)
    shape = check_shape(whole(latent if isinstance(latent, tuple | list) else [latent], "latent"))
    if len(shape) == 3 and (shape[0] > image_shape[0] or shape[1] > image_shape[1]):
        raise ValueError(
            f"latent is {show_shape(shape)}, larger than the images, {show_shape(image_shape)}: a spatial latent"
            f" has at most their height and width (try --latent {show_shape((*map(halve, image_shape[:2]), shape[2]))})"
        )
    return shape


def whole(sizes, name):
    """Returns `sizes` as a tuple of Python's own whole numbers; `name` is for the error."""
    try:
        return tuple(map(operator.index, sizes))
    except TypeError:
        raise ValueError(f"{name} is {sizes}: expected whole numbers (try 32, or 8, 8, 16)") from None


def halve(size):
    """Returns half of `size`, at least 1."""
    return max(1, size // 2)
