"""Takes every measurement of a model: `diagnose(subject, dataset, ...)` returns results and pictures.

Data flows one way. Codes of training and of held-out images are computed once, in batches (`codes`), and stand in
a `Study`; each section of the results is a function of that, `SECTIONS` in their order, and may use what sections
before it found. No section knows how results are shown. Nothing needs more than a few thousand codes at a time: at
65,536 dimensions a thousand codes are 0.26 GB.
"""

import contextlib
import importlib.metadata
import time

from keras_vae.datasets.preparing import cache_folder
from keras_vae.evaluation.features import choose_features
from keras_vae.evaluation.sections.clock import Clock
from keras_vae.evaluation.sections.completeness import measure_completeness
from keras_vae.evaluation.sections.continuity import measure_continuity
from keras_vae.evaluation.sections.disentanglement import measure_disentanglement
from keras_vae.evaluation.sections.extended import measure_extended
from keras_vae.evaluation.sections.generation_gap import measure_generation_gap
from keras_vae.evaluation.sections.interpolation import measure_interpolation
from keras_vae.evaluation.sections.latent import measure_latent
from keras_vae.evaluation.sections.likelihood import measure_likelihood
from keras_vae.evaluation.sections.memorisation import measure_memorisation
from keras_vae.evaluation.sections.pictures import take_pictures
from keras_vae.evaluation.sections.prior_mismatch import measure_prior_mismatch
from keras_vae.evaluation.sections.rate_distortion import measure_rate_distortion
from keras_vae.evaluation.sections.reconstruction import measure_reconstruction
from keras_vae.evaluation.sections.samplers import fit_samplers
from keras_vae.evaluation.sections.study import NO_LIKELIHOOD, begin
from keras_vae.evaluation.subject import check_subject
from keras_vae.evaluation.verdict import STANDARD_PRIOR, UNIFORM_PRIOR, judge
from keras_vae.graphs import release_graphs

__all__ = ["SECTIONS", "diagnose"]

SECTIONS = {
    "reconstruction": measure_reconstruction,
    "rate_distortion": measure_rate_distortion,
    "latent": measure_latent,
    "prior_mismatch": measure_prior_mismatch,
    "samplers": fit_samplers,
    "generation_gap": measure_generation_gap,
    "completeness": measure_completeness,
    "continuity": measure_continuity,
    "interpolation": measure_interpolation,
    "memorisation": measure_memorisation,
    "likelihood": measure_likelihood,
    "disentanglement": measure_disentanglement,
    "extended": measure_extended,
}


def diagnose(subject, dataset, settings, command="python evaluate.py RUN", retrain="python train.py"):
    """Takes all measurements.

    Args:
        subject: A `Subject`.
        dataset: A `Dataset`.
        settings: An `Evaluation`: `seed`, `features`, `nll_samples`, `extended`.
        command, retrain: The commands that evaluate and train the model again, for the verdict.

    Returns:
        results (`results.schema.json`), pictures (a dict of arrays, as `report` takes them), and the fitted
        samplers by name.
    """
    sections = {
        name: measure for name, measure in SECTIONS.items() if settings.extended or name != "extended"
    }
    clock = Clock(["features", "codes", *sections, "pictures"])
    subject, size = check_subject(subject, dataset)
    with clock.step("features"):
        features = choose_features(dataset, settings.features, cache_folder(), settings.seed)
    with clock.step("codes"):
        study = begin(subject, size, dataset, features, settings)
    for name, measure in sections.items():
        with clock.step(name):
            study.results[name] = measure(study)
        if isinstance(study.results[name], dict):
            study.results[name]["seconds"] = clock.steps[-1]["seconds"]
    with clock.step("pictures"):
        take_pictures(study)
    release_graphs()
    results = {**identity(study), **study.results, "exported": None}
    study.reasons["exported"] = study.reasons["file"] = (
        "only of a run of ours, and only the command saves and exports"
    )
    results["samplers"] = {
        name: {
            "file": None,
            "settings": sampler.settings,
            "frechet": results["generation_gap"][name]["frechet"],
        }
        for name, sampler in study.samplers.items()
    }
    results["verdict"] = judge(results, command, retrain)
    results["cost"], results["reasons"] = clock.cost(), study.reasons
    return results, study.pictures, study.samplers


def identity(study):
    """Returns what was measured, of what, when."""
    dataset, subject = study.dataset, study.subject
    if subject.objective is None:
        study.reasons["objective"] = "the model was not trained here"
    if subject.likelihood is None:
        study.reasons["decoder_likelihood"] = NO_LIKELIHOOD
    if subject.ranges is None:
        study.reasons["ranges"] = "a model of ours takes and gives images in 0 to 1"
    return {
        "schema_version": 1,
        "run": subject.name,
        "dataset": dataset.name,
        "seed": study.seed,
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "image_shape": list(dataset.image_shape),
        "latent_shape": list(study.test.latent_shape),
        "objective": subject.objective,
        "prior": prior_in_words(subject),
        "decoder_likelihood": subject.likelihood,
        "num_train": len(dataset.train),
        "num_test": len(dataset.test),
        "num_held_out": len(dataset.test) + len(dataset.validation),
        "keras_vae": version(),
        "ranges": subject.ranges,
        "notes": list(subject.notes),
    }


def prior_in_words(subject):
    """Returns what samples are drawn from, in a word or two."""
    if subject.prior is None:
        return STANDARD_PRIOR
    kind = type(subject.prior).__name__
    return {"Vamp": "a learned mixture", "Flow": "a learned flow", "UniformCodes": UNIFORM_PRIOR}.get(
        kind, kind
    )


def version():
    """Returns the package's version, None where it is not installed."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version("keras-vae")
