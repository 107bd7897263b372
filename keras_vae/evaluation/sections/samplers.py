"""Samplers fitted after training."""

import dataclasses
import warnings

import numpy as np

from keras_vae.evaluation.sections.codes import BATCH
from keras_vae.evaluation.sections.found import Found
from keras_vae.runtime.progress import Progress
from keras_vae.samplers import FITTED, SAMPLERS, Codes, FlowMatching, Mixture, UniformSampler
from keras_vae.training.preset_runs import kept_sampler

MIXTURE_CODES = 5000  # that a mixture is fitted to; more if more are in memory
LEARNED_CODES = 30_000  # that flow matching learns from, if so many fit into memory in its coordinates
QUICK = ("gaussian", "mixture")


def fit_samplers(evidence, latent):
    """Fits the requested samplers to the training codes; with `--extended` all samplers.

    A sampler that cannot be fitted leaves a reason. Keeps the samplers by name.
    """
    samplers, reasons, names = {}, {}, wanted(evidence)
    for name in names:
        try:
            with warnings.catch_warnings():
                # The settings prescribe fewer components for few codes.
                warnings.simplefilter("ignore", UserWarning)
                samplers[name] = fit(evidence, SAMPLERS[name], latent.kept)
        except ValueError as error:
            reasons[f"generation_gap.{name}"] = str(error)
    for name in set(QUICK).difference(names):
        reasons[f"generation_gap.{name}"] = f"not asked for: say --samplers {name}"
    return Found({name: sampler.settings for name, sampler in samplers.items()}, reasons, samplers)


def wanted(evidence):
    """Returns the names of the samplers to fit, each once."""
    settings = evidence.settings
    if settings.extended:
        names = FITTED
    elif settings.samplers:
        names = settings.samplers
    elif isinstance(evidence.prior, UniformSampler):
        names = ("pixel_cnn",)
    else:
        names = (*QUICK, *(("flow_matching",) if settings.repair else ()))
    learns = settings.repair_minutes > 0
    return [name for name in dict.fromkeys(names) if learns or name != "flow_matching"]


def fit(evidence, kind, components):
    """Returns a sampler fitted to the training codes; a mixture and flow matching also use the codes of more images."""
    codes, shape = evidence.train.shaped(), evidence.train.latent_shape
    if kind is Mixture:
        mixture = Mixture(shape, components=40, rank=128, seed=evidence.seed)
        return mixture.fit(
            codes, components, (further.mean for further, _ in further_codes(evidence, MIXTURE_CODES))
        )
    if kind is FlowMatching:
        return learn(evidence, codes, components)
    fields = {field.name for field in dataclasses.fields(kind)}
    seeded = {"seed": evidence.seed} if "seed" in fields else {}
    return kind(shape, **seeded).fit(codes, components=components)


def learn(evidence, codes, components):
    """Returns `FlowMatching` fitted to the training codes, within its budget; a run keeps the training's state.

    The sampler that came with a preset is used as it is if its budget was not smaller.
    """
    kept = kept_sampler(evidence.folder, "flow_matching")
    if kept is not None and kept.minutes >= evidence.settings.repair_minutes:
        return kept
    sampler = FlowMatching(
        evidence.train.latent_shape, minutes=evidence.settings.repair_minutes, seed=evidence.seed
    )
    # A conditional model's codes are meant to say what the label does not.
    labels = None if evidence.subject.num_classes else evidence.train.labels
    file = evidence.folder and evidence.folder / "flow_matching.training.npz"
    with Progress("flow_matching") as progress:
        return sampler.fit(
            codes, components, labels, further_codes(evidence, LEARNED_CODES), file, progress.learned
        )


def further_codes(evidence, most):
    """Yields the `Codes` and labels of more training images than fit into memory, a batch at a time."""
    split = evidence.dataset.train
    for start in range(len(evidence.train), min(len(split), most), BATCH):
        images = split.images(start, min(start + BATCH, most))
        labels = None if split.labels is None else np.asarray(split.labels[start : start + len(images)])
        observed = evidence.subject.observe(images, evidence.seed + start)
        yield (
            Codes(*evidence.subject.encode(observed, *evidence.label_inputs(labels, len(images)))[:2]),
            labels,
        )
