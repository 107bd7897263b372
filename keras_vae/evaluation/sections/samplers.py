"""Samplers fitted after training."""

import dataclasses
import warnings

from keras_vae.evaluation.sections.codes import BATCH
from keras_vae.evaluation.sections.found import Found
from keras_vae.samplers import FITTED, SAMPLERS, Mixture, UniformCodes

MIXTURE_CODES = 5000  # that a mixture is fitted to; more if more are in memory


def fit_samplers(evidence, latent):
    """Fits the requested samplers to the training codes; with `--extended` all samplers.

    A sampler that cannot be fitted leaves a reason. Keeps the samplers by name.
    """
    usual = ("pixel_cnn",) if isinstance(evidence.prior, UniformCodes) else ("gaussian", "mixture")
    wanted = FITTED if evidence.settings.extended else evidence.settings.samplers or usual
    samplers, reasons = {}, {}
    for name in dict.fromkeys(wanted):
        try:
            with warnings.catch_warnings():
                # The settings prescribe fewer components for few codes.
                warnings.simplefilter("ignore", UserWarning)
                samplers[name] = fit(evidence, SAMPLERS[name], latent.kept)
        except ValueError as error:
            reasons[f"generation_gap.{name}"] = str(error)
    for name in {"gaussian", "mixture"}.difference(wanted):
        reasons[f"generation_gap.{name}"] = f"not asked for: say --samplers {name}"
    return Found({name: sampler.settings for name, sampler in samplers.items()}, reasons, samplers)


def fit(evidence, kind, components):
    """Returns a sampler fitted to the training codes; a mixture also uses the codes of more images."""
    codes, shape = evidence.train.shaped(), evidence.train.latent_shape
    if kind is Mixture:
        mixture = Mixture(shape, components=40, rank=128, seed=evidence.seed)
        return mixture.fit(codes, components, further_means(evidence))
    fields = {field.name for field in dataclasses.fields(kind)}
    seeded = {"seed": evidence.seed} if "seed" in fields else {}
    return kind(shape, **seeded).fit(codes, components=components)


def further_means(evidence):
    """Yields the means of more training images than fit into memory, a batch at a time."""
    split = evidence.dataset.train
    for start in range(len(evidence.train), min(len(split), MIXTURE_CODES), BATCH):
        images = split.images(start, min(start + BATCH, MIXTURE_CODES))
        labels = None if split.labels is None else split.labels[start : start + len(images)]
        observed = evidence.subject.observe(images, evidence.seed + start)
        yield evidence.subject.encode(observed, *evidence.told(labels, len(images)))[0]
