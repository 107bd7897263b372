"""Samplers fitted after training."""

import dataclasses
import warnings

from keras_vae.evaluation.sections.codes import BATCH
from keras_vae.samplers import FITTED, SAMPLERS, Mixture, UniformCodes

MIXTURE_CODES = 5000  # that a mixture is fitted to, where no more are held anyway


def fit_samplers(study):
    """Fits the samplers that were asked for to the training codes: with `--extended` all that there are.

    One that cannot be fitted to these codes leaves a reason.
    """
    usual = ("pixel_cnn",) if isinstance(study.prior, UniformCodes) else ("gaussian", "mixture")
    wanted = FITTED if study.settings.extended else study.settings.samplers or usual
    for name in dict.fromkeys(wanted):
        try:
            with warnings.catch_warnings():
                # Fewer components for few codes: the settings say so.
                warnings.simplefilter("ignore", UserWarning)
                study.samplers[name] = fit(study, SAMPLERS[name])
        except ValueError as error:
            study.reasons[f"generation_gap.{name}"] = str(error)
    for name in {"gaussian", "mixture"}.difference(wanted):
        study.reasons[f"generation_gap.{name}"] = f"not asked for: say --samplers {name}"


def fit(study, kind):
    """Returns a sampler fitted to the training codes; a mixture to those of more images too."""
    codes, shape = study.train.shaped(), study.train.latent_shape
    if kind is Mixture:
        mixture = Mixture(shape, components=40, rank=64, seed=study.seed)
        return mixture.fit(codes, study.components, further_means(study))
    fields = {field.name for field in dataclasses.fields(kind)}
    seeded = {"seed": study.seed} if "seed" in fields else {}
    return kind(shape, **seeded).fit(codes, components=study.components)


def further_means(study):
    """Yields the means of more training images than there is room for at once, a batch at a time."""
    split = study.dataset.train
    for start in range(len(study.train), min(len(split), MIXTURE_CODES), BATCH):
        images = split.images(start, min(start + BATCH, MIXTURE_CODES))
        labels = None if split.labels is None else split.labels[start : start + len(images)]
        observed = study.subject.observe(images, study.seed + start)
        yield study.subject.encode(observed, *study.told(labels, len(images)))[0]
