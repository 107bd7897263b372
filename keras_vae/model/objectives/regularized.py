"""Regularised autoencoders (RAE): codes without noise, and a decoder that is kept smooth by other means."""

from dataclasses import dataclass, field
from typing import ClassVar

from keras_vae.layers.densities import sum_per_image
from keras_vae.layers.gradients import derivative_along
from keras_vae.model.objectives.objective import Objective
from keras_vae.model.posteriors import Point
from keras_vae.runtime.lazy import keras, ops


@dataclass(frozen=True)
class Regularized(Objective):
    """The base class: distortion + code_weight * |z|^2 / 2 + weight * penalty (Ghosh et al. 2020, equation 11).

    To generate images, a density is fitted to the codes after training (their section 4), as `evaluate.py` does. The
    authors' code uses the means of squared errors and of squared codes, the latter with a weight of 1e-4 for MNIST. In
    nats per image at a standard deviation of 1, as sums over 32x32 pixels and 16 dimensions, this corresponds to
    1e-4 * 1024 / 16 = 0.0064, the default here.
    """

    paper: ClassVar = "Ghosh et al. 2020"
    latent: ClassVar = Point()
    terms: ClassVar[tuple[str, ...]] = ("distortion", "code_penalty", "decoder_penalty")
    prior: ClassVar = "none"

    code_weight: float = field(default=0.0064, metadata={"help": "weight of half the code's squared norm"})

    def __post_init__(self):
        for name in ("code_weight", "decoder_weight"):
            if not getattr(self, name, 0.0) >= 0:
                raise ValueError(f"objective.{name} is {getattr(self, name)}: it must be 0 or more")

    def __call__(self, model, step):
        """Returns the loss and its terms."""
        terms = {"distortion": step.distortion, "code_penalty": 0.5 * sum_per_image(ops.square(step.codes))}
        loss = step.distortion + self.code_weight * terms["code_penalty"]
        if "decoder_penalty" in self.terms:
            terms["decoder_penalty"] = self.penalty(model, step)
            loss = loss + self.decoder_weight * terms["decoder_penalty"]
        return {"loss": loss, **terms}


@dataclass(frozen=True)
class RegularizedL2(Regularized):
    """A regularised autoencoder with weight decay on the decoder's kernels (Ghosh et al. 2020, section 3.1).

    The authors' weight of the sum of squares is 1e-7 for MNIST, which corresponds to 1e-7 * 1024 / 2 = 5e-5 here.
    """

    formula: ClassVar = "D + a |z|^2 / 2 + b |decoder's kernels|^2"
    good_for: ClassVar = "sharp images from a density fitted to the codes; the simplest of the three"

    decoder_weight: float = field(default=5e-5, metadata={"help": "weight of the kernels' squared norm"})

    def penalty(self, model, step):
        """Returns the squared norm of all kernels of the decoder, the same for each image of the batch."""
        total = sum(ops.sum(ops.square(kernel)) for kernel in kernels(model.decoder))
        return ops.broadcast_to(total, ops.shape(step.distortion))


@dataclass(frozen=True)
class RegularizedGradientPenalty(Regularized):
    """A regularised autoencoder with a penalty on the decoder's gradient at the codes (Ghosh et al. 2020, section 3.1).

    The penalty is the squared Frobenius norm of the Jacobian of the decoded images with respect to the codes. It is
    estimated without bias as |J v|^2 with one v from N(0, I) per image (Hutchinson 1989), which takes a single pass for
    any latent. The authors' code penalises the gradient of the images' squared norm instead, so their weight cannot be
    used here. The default weight is ours.
    """

    formula: ClassVar = "D + a |z|^2 / 2 + b |dx/dz|^2"
    good_for: ClassVar = "images that change slowly with the code"

    decoder_weight: float = field(default=0.01, metadata={"help": "weight of the Jacobian's squared norm"})

    def penalty(self, model, step):
        """Returns an estimate of the squared Frobenius norm of the decoder's Jacobian at each code, `[batch]`."""
        directions = keras.random.normal(ops.shape(step.codes), dtype="float32", seed=step.own_seed())
        slopes = derivative_along(
            lambda codes: model.likelihood.mean(model.decoder(codes, training=False)), step.codes, directions
        )
        return sum_per_image(ops.square(slopes))


@dataclass(frozen=True)
class RegularizedSpectral(Regularized):
    """A regularised autoencoder whose decoder's kernels have a spectral norm of 1 (Ghosh et al. 2020, section 3.1).

    After each step a kernel is divided by its largest singular value, as a matrix of its last axis against all others
    (Miyato et al. 2018). For a dense layer this is the norm of the layer. The norm of a convolution as an operator may
    be up to kernel_size / stride (rounded up) times larger, since patches overlap. Biases and normalization layers are
    not constrained, as in the authors' code. In their code, batch normalization undoes the norm of all kernels except
    the last, the encoder's kernels have norm 1 too, and the weight of the codes is 0.009, which corresponds to 0.576
    here. Without batch normalization the codes must grow instead, which takes the default network longer than most
    trainings (docs/objectives.md), so use `--network.normalization batch`. The weight of the codes is that of the other
    two regularised autoencoders.
    """

    formula: ClassVar = "D + a |z|^2 / 2, decoder's kernels of norm 1"
    good_for: ClassVar = (
        "kernels of bounded norm without a weight to choose; best with `--network.normalization batch`"
    )
    terms: ClassVar[tuple[str, ...]] = ("distortion", "code_penalty")

    def constrain(self, decoder):
        """Returns the decoder with kernels of norm 1, and a constraint that keeps the norm under any optimizer."""
        from keras_vae.layers.basic import UnitSpectralNorm

        for kernel in kernels(decoder):
            kernel.constraint = UnitSpectralNorm()
            kernel.assign(kernel.constraint(kernel.value))
        return decoder


def kernels(network):
    """Returns the trainable matrices and convolution kernels of a network, without biases and scales."""
    return [weight for weight in network.trainable_weights if len(weight.shape) > 1]
