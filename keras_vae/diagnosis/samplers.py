"""Samplers fitted after training."""

import dataclasses
import warnings

from keras_vae.diagnosis.codes import BATCH
from keras_vae.samplers import SAMPLERS, Gaussian, Mixture, Prior

MIXTURE_CODES = 5000  # that a mixture is fitted to, where no more are held anyway


def fit_samplers(study):
    """Fits the ex-post samplers to the training codes: with `--extended` all that there are."""
    codes, found = study.train.shaped(), study.components
    shape = study.train.latent_shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # fewer components for few codes: the settings say so
        mixture = Mixture(shape, components=40, rank=64, seed=study.seed)
        mixture = mixture.fit(codes, further_means(study), found)
    study.samplers.update(gaussian=Gaussian(shape).fit(codes, found), mixture=mixture)
    if study.settings.extended:
        for name, kind in SAMPLERS.items():
            if name not in study.samplers and kind is not Prior:
                fit_further(study, name, kind, codes)


def fit_further(study, name, kind, codes):
    """Fits one more sampler, or says why it does not fit to these codes."""
    seeded = {field.name: study.seed for field in dataclasses.fields(kind) if field.name == "seed"}
    try:
        study.samplers[name] = kind(study.train.latent_shape, **seeded).fit(codes)
    except ValueError as error:
        study.reasons[f"generation_gap.{name}"] = str(error)


def further_means(study):
    """Yields the means of more training images than there is room for at once, a batch at a time."""
    split = study.dataset.train
    for start in range(len(study.train), min(len(split), MIXTURE_CODES), BATCH):
        images = split.images(start, min(start + BATCH, MIXTURE_CODES))
        labels = None if split.labels is None else split.labels[start : start + len(images)]
        observed = study.subject.observe(images, study.seed + start)
        yield study.subject.encode(observed, *study.told(labels, len(images)))[0]
