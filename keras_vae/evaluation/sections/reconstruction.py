"""Measures how well held-out images are reconstructed."""

import math
from typing import NamedTuple

import numpy as np

from keras_vae.evaluation.metrics import reconstruction
from keras_vae.evaluation.sections.evidence import MOST_SAMPLES, NO_DENSITY, NO_LIKELIHOOD, mean_and_error
from keras_vae.evaluation.sections.found import Found, missing

LEAST_VARIANCE = 1e-12  # below this, pixels are equal up to rounding
NO_VARIANCE = "all images are equal: they have no variance"


class Reconstructed(NamedTuple):
    """Reconstructions for later sections.

    Attributes:
        images: Reconstructions of the first test images from their means, `[n, height, width, channels]`.
        nats: -log p(x|z) at one posterior draw per image, `[n]`, by split; empty without a likelihood.
    """

    images: np.ndarray
    nats: dict


def measure_reconstruction(evidence):
    """Measures distortion and errors of reconstructions from the means, on training and held-out images."""
    values, reasons, nats = {}, {}, {}
    for name in ("train", "test"):
        split = getattr(evidence, name)
        count = min(len(split), MOST_SAMPLES)
        decoded = evidence.decode(split.mean[:count], split.labels_of(count))
        errors = errors_of(split.images[:count], decoded)
        distortion = distortion_of(evidence, split, count, name)
        values[name] = {**errors, **distortion.values}
        if errors["unexplained"] is None:
            reasons |= missing(f"reconstruction.{name}", ["unexplained"], NO_VARIANCE)
        reasons |= distortion.reasons
        if distortion.kept is not None:
            nats[name] = distortion.kept
    return Found(values, reasons, Reconstructed(decoded, nats))


def errors_of(images, decoded):
    """Returns the errors of reconstructions, a dict."""
    errors = reconstruction.mse(images, decoded)
    mean, error = mean_and_error(errors)
    variance = float(np.square(images - images.mean(0)).mean())
    return {
        "mse": mean,
        "mse_se": error,
        "n": len(images),
        "psnr": float(np.mean(reconstruction.psnr(images, decoded))),
        "ssim": float(np.mean(reconstruction.ssim(images, decoded))),
        "unexplained": mean / variance if variance > LEAST_VARIANCE else None,
    }


def distortion_of(evidence, split, count, use):
    """Returns -log p(x|z) at one posterior draw per image, in nats and, for a density, in bits per dimension."""
    if evidence.subject.log_prob is None:
        names = ("distortion", "distortion_se", "bits_per_dim")
        return Found(dict.fromkeys(names), missing(f"reconstruction.{use}", names, NO_LIKELIHOOD))
    codes = split.draw(evidence.generator(f"distortion {use}"), count)
    nats = -evidence.log_prob(split.observed[:count], codes, split.labels_of(count))
    mean, error = mean_and_error(nats)
    bits = bits_per_dim(evidence, mean)
    reasons = missing(f"reconstruction.{use}", ["bits_per_dim"] if bits is None else [], NO_DENSITY)
    return Found({"distortion": mean, "distortion_se": error, "bits_per_dim": bits}, reasons, nats)


def bits_per_dim(evidence, nats):
    """Returns nats per image as bits per dimension; None if the likelihood is not a density."""
    width = evidence.subject.bin_width
    num_dims = math.prod(evidence.test.images.shape[1:])
    return None if width is None else float(reconstruction.bits_per_dim(nats, num_dims, width))
