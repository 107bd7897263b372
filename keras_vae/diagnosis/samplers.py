"""Samplers fitted after training."""

import warnings

from keras_vae.diagnosis.codes import BATCH
from keras_vae.samplers import Gaussian, Mixture

MIXTURE_CODES = 5000  # that a mixture is fitted to, where no more are held anyway


def fit_samplers(study):
    """Fits the ex-post samplers to the training codes; returns what each was fitted with."""
    codes = study.train.shaped()
    shape = study.train.latent_shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # fewer components for few codes: the settings say so
        mixture = Mixture(shape, components=40, rank=64, seed=study.seed).fit(codes, further_means(study))
        study.samplers.update(gaussian=Gaussian(shape).fit(codes), mixture=mixture)


def further_means(study):
    """Yields the means of more training images than there is room for at once, a batch at a time."""
    split = study.dataset.train
    for start in range(len(study.train), min(len(split), MIXTURE_CODES), BATCH):
        images = split.images(start, min(start + BATCH, MIXTURE_CODES))
        yield study.subject.encode(study.subject.observe(images, study.seed + start))[0]
