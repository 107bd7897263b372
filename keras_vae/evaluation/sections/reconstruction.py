"""How well held-out images come back."""

import math

import numpy as np

from keras_vae.evaluation.metrics import reconstruction
from keras_vae.evaluation.sections.study import MOST_SAMPLES, NO_DENSITY, NO_LIKELIHOOD, mean_and_error

LEAST_VARIANCE = 1e-12  # of pixels that are all alike, but for rounding
NO_VARIANCE = "all images are equal: there is no variance to explain"


def measure_reconstruction(study):
    """Distortion and errors of reconstructions from the means, on training and on held-out images."""
    sections = {}
    for name in ("train", "test"):
        split = getattr(study, name)
        count = min(len(split), MOST_SAMPLES)
        images = split.images[:count]
        decoded = study.decode(split.mean[:count], split.labels_of(count))
        errors = reconstruction.mse(images, decoded)
        section = dict(zip(("mse", "mse_se"), mean_and_error(errors)), n=count)
        section["psnr"] = float(np.mean(reconstruction.psnr(images, decoded)))
        section["ssim"] = float(np.mean(reconstruction.ssim(images, decoded)))
        variance = float(np.square(images - images.mean(0)).mean())
        section["unexplained"] = float(errors.mean()) / variance if variance > LEAST_VARIANCE else None
        if section["unexplained"] is None:
            study.explain(f"reconstruction.{name}", ["unexplained"], NO_VARIANCE)
        section.update(distortion_of(study, split, count, name))
        sections[name] = section
        if name == "test":
            study.rungs["reconstruction"] = decoded
    return sections


def distortion_of(study, split, count, use):
    """Returns -log p(x|z) at one posterior draw an image, in nats and, where it is a density, in bits a dimension."""
    if study.subject.log_prob is None:
        missing = ("distortion", "distortion_se", "bits_per_dim")
        study.explain(f"reconstruction.{use}", missing, NO_LIKELIHOOD)
        return dict.fromkeys(missing)
    codes = split.draw(study.generator(f"distortion {use}"), count)
    nats = -study.log_prob(split.observed[:count], codes, split.labels_of(count))
    study.nats[use] = nats
    mean, error = mean_and_error(nats)
    bits = bits_per_dim(study, mean)
    if bits is None:
        study.explain(f"reconstruction.{use}", ["bits_per_dim"], NO_DENSITY)
    return {"distortion": mean, "distortion_se": error, "bits_per_dim": bits}


def bits_per_dim(study, nats):
    """Returns nats an image as bits a dimension; None where the likelihood is no density."""
    width = study.subject.bin_width
    num_dims = math.prod(study.test.images.shape[1:])
    return None if width is None else float(reconstruction.bits_per_dim(nats, num_dims, width))
