"""How well held-out images come back."""

import math

import numpy as np

from keras_vae.diagnosis.codes import in_batches
from keras_vae.diagnosis.study import MOST_SAMPLES, NO_LIKELIHOOD, mean_and_error
from keras_vae.metrics import reconstruction


def measure_reconstruction(study):
    """Distortion and errors of reconstructions from the means, on training and on held-out images."""
    sections = {}
    for name in ("train", "test"):
        split = getattr(study, name)
        count = min(len(split), MOST_SAMPLES)
        images = split.images[:count]
        decoded = study.decode(split.mean[:count])
        errors = reconstruction.mse(images, decoded)
        section = dict(zip(("mse", "mse_se"), mean_and_error(errors)), n=count)
        section["psnr"] = float(np.mean(reconstruction.psnr(images, decoded)))
        section["ssim"] = float(np.mean(reconstruction.ssim(images, decoded)))
        section["unexplained"] = float(errors.mean() / max(np.square(images - images.mean(0)).mean(), 1e-12))
        section.update(distortion_of(study, split, count, name))
        sections[name] = section
        if name == "test":
            study.rungs["reconstruction"] = decoded
    return sections


def distortion_of(study, split, count, use):
    """Returns -log p(x|z) at one posterior draw an image, in nats and bits a dimension, where there is a density."""
    if study.subject.log_prob is None:
        missing = ("distortion", "distortion_se", "bits_per_dim")
        study.explain(f"reconstruction.{use}", missing, NO_LIKELIHOOD)
        return dict.fromkeys(missing)
    codes = split.draw(study.generator(f"distortion {use}"), count)
    codes = codes.reshape(count, *split.latent_shape)
    nats = -in_batches(study.subject.log_prob, split.observed[:count], codes)
    study.nats[use] = nats
    mean, error = mean_and_error(nats)
    bits = reconstruction.bits_per_dim(mean, math.prod(split.images.shape[1:]), bin_width(study.subject))
    return {"distortion": mean, "distortion_se": error, "bits_per_dim": bits}


def bin_width(subject):
    """Returns the width that makes of the likelihood's density a mass: 1 where it is one, else an 8-bit level."""
    return 1.0 if subject.likelihood == "Bernoulli" else 1 / 255
