"""Takes every measurement of a model: `measure(subject, dataset, settings)`.

Data flows one way. Codes of training and of held-out images are computed once, in batches (`codes`), and are part of
the `Evidence`, which no section changes. A section is a function of the evidence and of the findings of the sections
that it names (`Measurement.needs`). It returns a `Found`: its numbers, why some are null, intermediate results for
later sections, and pictures. Sections do not depend on how results are shown. At most a few thousand codes are in
memory at a time: at 65,536 dimensions, a thousand codes are 0.26 GB.
"""

import contextlib
import dataclasses
import importlib.metadata
import time
from collections.abc import Callable
from typing import NamedTuple

from keras_vae.evaluation.features import choose_features
from keras_vae.evaluation.sections.clock import Clock, expected_seconds, job_for
from keras_vae.evaluation.sections.completeness import measure_completeness
from keras_vae.evaluation.sections.continuity import measure_continuity
from keras_vae.evaluation.sections.copying import measure_copying
from keras_vae.evaluation.sections.disentanglement import measure_disentanglement
from keras_vae.evaluation.sections.evidence import NO_LIKELIHOOD, gather
from keras_vae.evaluation.sections.extended import measure_extended
from keras_vae.evaluation.sections.forecast import forecast_sampler
from keras_vae.evaluation.sections.generation_gap import measure_generation_gap
from keras_vae.evaluation.sections.interpolation import measure_interpolation
from keras_vae.evaluation.sections.ladder import build_ladder, measure_distances
from keras_vae.evaluation.sections.latent import measure_latent
from keras_vae.evaluation.sections.likelihood import measure_likelihood
from keras_vae.evaluation.sections.memorisation import measure_memorisation
from keras_vae.evaluation.sections.pictures import take_pictures
from keras_vae.evaluation.sections.prior_mismatch import measure_prior_mismatch
from keras_vae.evaluation.sections.rate_distortion import measure_rate_distortion
from keras_vae.evaluation.sections.reconstruction import measure_reconstruction
from keras_vae.evaluation.sections.samplers import fit_samplers
from keras_vae.evaluation.sections.scores import measure_scores
from keras_vae.evaluation.sections.spaces import measure_spaces
from keras_vae.evaluation.sections.told_apart import measure_told_apart
from keras_vae.evaluation.subject import check_subject, prior_name
from keras_vae.runtime.files import cache_folder
from keras_vae.runtime.upstream import release_graphs

__all__ = ["SECTIONS", "Measured", "Section", "measure"]


class Measurement(NamedTuple):
    """A function of the evidence and of earlier sections.

    Attributes:
        measure: (evidence, *findings of the sections in `needs`) -> `Found`.
        needs: Names of earlier sections, in the order of the arguments; None is passed for a section that was not
            measured.
        in_results: Whether its numbers are a section of results.json; otherwise they are part of later sections.
        prepared_by: Names of earlier sections without an own entry in results.json whose time is added to this
            section's.
    """

    measure: Callable
    needs: tuple = ()
    in_results: bool = True
    prepared_by: tuple = ()


SECTIONS = {
    "reconstruction": Measurement(measure_reconstruction),
    "rate_distortion": Measurement(measure_rate_distortion, ("reconstruction",)),
    "latent": Measurement(measure_latent),
    "prior_mismatch": Measurement(measure_prior_mismatch, ("rate_distortion", "latent")),
    "forecast": Measurement(forecast_sampler, ("latent",)),
    "samplers": Measurement(fit_samplers, ("latent",), in_results=False),
    "ladder": Measurement(build_ladder, ("reconstruction", "samplers"), in_results=False),
    "spaces": Measurement(measure_spaces, ("ladder",)),
    "distances": Measurement(measure_distances, ("ladder", "spaces"), in_results=False),
    "copying": Measurement(measure_copying, ("samplers", "ladder", "distances"), in_results=False),
    "told_apart": Measurement(measure_told_apart, ("reconstruction", "samplers", "ladder", "copying")),
    "generation_gap": Measurement(
        measure_generation_gap,
        ("samplers", "ladder", "spaces", "distances", "copying", "told_apart"),
        prepared_by=("ladder", "distances"),
    ),
    "completeness": Measurement(measure_completeness, ("ladder", "spaces")),
    "continuity": Measurement(measure_continuity, ("ladder",)),
    "interpolation": Measurement(measure_interpolation, ("ladder", "spaces")),
    "memorisation": Measurement(
        measure_memorisation,
        ("reconstruction", "rate_distortion", "ladder", "copying", "generation_gap"),
        prepared_by=("copying",),
    ),
    "disentanglement": Measurement(measure_disentanglement),
    "extended": Measurement(
        measure_extended, ("reconstruction", "rate_distortion", "prior_mismatch", "latent", "ladder")
    ),
    "likelihood": Measurement(measure_likelihood, ("extended",)),
    "scores": Measurement(measure_scores),
    "pictures": Measurement(take_pictures, ("latent", "ladder"), in_results=False),
}


@dataclasses.dataclass(frozen=True)
class Measured:
    """The measurements of a model, before repair and verdict.

    Attributes:
        results: The sections of results.json, with `reasons` and `cost`.
        pictures: A dict of arrays for `report`.
        samplers: The fitted samplers by name.
    """

    results: dict
    pictures: dict
    samplers: dict


def measure(subject, dataset, settings, folder=None, job=None):
    """Takes all measurements of a model and returns them as `Measured`.

    Args:
        subject: A `Subject`.
        dataset: A `Dataset`.
        settings: An `Evaluation`: `seed`, `features`, `nll_samples`, `samplers`, `extended`.
        folder: The folder of the run's samplers, a path, or None.
        job: The `Job` that shows the progress, with these measurements planned (`parts`); None for one of its own.
    """
    names = parts(settings)
    with job_for(job, subject.name) as shown:
        if job is None:
            shown.plan(expected_seconds(names, dataset, settings))
        clock = Clock(shown)
        subject, size = check_subject(subject, dataset)
        with clock.step("features"):
            features = choose_features(dataset, settings.features, cache_folder(), settings.seed)
        with clock.step("codes"):
            evidence = gather(subject, size, dataset, features, settings, folder)
        found = {}
        for name in names[2:]:
            section = SECTIONS[name]
            with clock.step(name):
                found[name] = section.measure(evidence, *(found.get(need) for need in section.needs))
    release_graphs()
    return joined(evidence, found, clock)


def parts(settings):
    """Returns the names of the steps of `measure`, in order."""
    return [
        "features",
        "codes",
        *(name for name in SECTIONS if settings.extended or name != "extended"),
    ]


def joined(evidence, found, clock):
    """Returns the findings of all sections, a dict of `Found` by name, as one `Measured`."""
    named, reasons = identity(evidence)
    sections = {
        name: found[name].values and {**found[name].values, "seconds": time_of(name, clock)}
        for name in found
        if SECTIONS[name].in_results
    }
    pictures = {}
    for part in found.values():
        reasons |= part.reasons
        pictures |= part.pictures
    results = {**named, **sections, "cost": clock.cost(), "reasons": reasons}
    return Measured(results, pictures, found["samplers"].kept)


def time_of(name, clock):
    """Returns the seconds of a section, including those of the sections in `prepared_by`."""
    names = {name, *SECTIONS[name].prepared_by}
    return sum(step["seconds"] for step in clock.steps if step["name"] in names)


def identity(evidence):
    """Returns the facts about the model, the data and the time, and the reasons for unknown facts."""
    dataset, subject = evidence.dataset, evidence.subject
    reasons = {}
    if subject.objective is None:
        reasons["objective"] = "the model was not trained with keras_vae"
    if subject.likelihood is None:
        reasons["decoder_likelihood"] = NO_LIKELIHOOD
    if subject.ranges is None:
        reasons["ranges"] = "keras_vae models take and return images from 0 to 1"
    return {
        "schema_version": 1,
        "run": subject.name,
        "dataset": dataset.name,
        "seed": evidence.seed,
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "image_shape": list(dataset.image_shape),
        "latent_shape": list(evidence.test.latent_shape),
        "objective": subject.objective,
        "prior": prior_name(subject),
        "decoder_likelihood": subject.likelihood,
        "num_train": len(dataset.train),
        "num_test": len(dataset.test),
        "num_held_out": len(dataset.test) + len(dataset.validation),
        "keras_vae": version(),
        "ranges": subject.ranges,
        "notes": list(subject.notes),
    }, reasons


def version():
    """Returns the package's version, or None if it is not installed."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version("keras-vae")
