"""Measurements that take several minutes, requested by `--extended`.

Each measurement is a function of the `Evidence` and of the findings of earlier sections (`Earlier`). It returns a
`Found`, whose values include `n`, or are None with a reason. `MEASUREMENTS` lists them in the order of the report.
"""

import time
from typing import NamedTuple

from keras_vae.evaluation.sections.extended.annealing import measure_annealed
from keras_vae.evaluation.sections.extended.bounds import measure_amortisation, measure_importance
from keras_vae.evaluation.sections.extended.by_n import frechet_by_n, kid_by_n
from keras_vae.evaluation.sections.extended.cells import cell_z
from keras_vae.evaluation.sections.extended.codes import mutual_information, prior_classifier
from keras_vae.evaluation.sections.extended.decoder import path_length, spectral_norm
from keras_vae.evaluation.sections.extended.images import class_survival, swapped_quadrants
from keras_vae.evaluation.sections.found import Found

MEASUREMENTS = {
    "frechet_by_n": frechet_by_n,
    "kid_by_n": kid_by_n,
    "cell_z": cell_z,
    "class_survival": class_survival,
    "prior_classifier": prior_classifier,
    "mutual_information": mutual_information,
    "spectral_norm": spectral_norm,
    "path_length": path_length,
    "swapped_quadrants": swapped_quadrants,
    "importance": measure_importance,
    "amortisation_gap": measure_amortisation,
    "annealed": measure_annealed,
}


class Earlier(NamedTuple):
    """The findings of earlier sections.

    Attributes:
        reconstruction, rate, mismatch: Numbers of `reconstruction`, `rate_distortion` and `prior_mismatch`.
        components: The principal components of the codes.
        ladder: The `Rungs`.
    """

    reconstruction: dict
    rate: dict
    mismatch: dict
    components: object
    ladder: object


def measure_extended(evidence, reconstruction, rate_distortion, prior_mismatch, latent, ladder):
    """Takes and times the measurements; keeps -log p(x) of the first test images from annealing, or None."""
    numbers = (section.values for section in (reconstruction, rate_distortion, prior_mismatch))
    earlier = Earlier(*numbers, latent.kept, ladder.kept)
    section, reasons, annealed = {"n": len(evidence.reference)}, {}, None
    for name, measure in MEASUREMENTS.items():
        begun = time.perf_counter()
        found = measure(evidence, earlier)
        section[name] = found.values
        if found.values is not None:
            section[name] = {**found.values, "seconds": time.perf_counter() - begun}
        reasons |= found.reasons
        annealed = found.kept if name == "annealed" else annealed
    return Found(section, reasons, annealed)
